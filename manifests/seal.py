"""A JSON object with the digest of the rest of it inside: a flipped bit is told."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

SEAL: Final = "sha256_of_the_rest"


def sealed(found: Mapping[str, Any]) -> dict[str, Any]:
    """Give the object with its seal, instead of one it may have had."""
    rest = {name: value for name, value in found.items() if name != SEAL}
    return rest | {SEAL: _digest(rest)}


def is_sealed(found: Mapping[str, Any]) -> bool | None:
    """Tell whether an object is what was sealed; None where it has no seal, of older versions."""
    rest = {name: value for name, value in found.items() if name != SEAL}
    return found[SEAL] == _digest(rest) if SEAL in found else None


def _digest(rest: Mapping[str, Any]) -> str:
    # Through JSON and back, so that it is the same before and after: 1 and 1.0, tuples and lists.
    text = json.dumps(json.loads(json.dumps(rest)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
