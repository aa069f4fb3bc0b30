"""How large the numbers get that each convolution of an encoder takes in: what 8 bits need to know.

They lie beside the encoder's weights, as JSON. After the rectifiers nothing is below zero, so that
8 bits cut what is from zero to such a number into 255 steps (Jacob et al. 2018, "Quantization and
training of neural networks for efficient integer-arithmetic-only inference").
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path

from models.errors import CheckpointError
from models.fingerprints import weights_fingerprint
from models.inception import CONVOLUTIONS
from models.small_files import read_json

RANGES_FILE = "encoder.ranges.json"
_REMEDY = "`make ranges CAPTIONER=… DIR=…` measures it on photos"


@dataclass(frozen=True)
class Ranges:
    """The largest number that each convolution took in, in their order, of all but a few photos."""

    encoder: str  # fingerprint of the weights
    photos: int
    largest: Sequence[float]

    @classmethod
    def read(cls, weights: str) -> "Ranges":
        """Read those of a file of weights.

        Raises CheckpointError where there are none, or they are of other weights.
        """
        path = ranges_path(weights)
        try:
            found = cls(**read_json(path))
            if found.encoder != weights_fingerprint(weights):
                raise CheckpointError(f"{path}: of other weights than these; {_REMEDY} anew")
            found.check()
        except FileNotFoundError as error:
            raise CheckpointError(f"{path}: not there, and int8 needs it; {_REMEDY}") from error
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointError(f"{path}: no ranges ({error}); {_REMEDY} anew") from error
        return found

    def check(self) -> None:
        """Raise ValueError or TypeError unless there is a number above zero for each."""
        if len(self.largest) != CONVOLUTIONS:
            raise ValueError(f"{len(self.largest)} numbers for {CONVOLUTIONS} convolutions")
        if not all(isfinite(each) and each > 0 for each in self.largest):
            raise ValueError("not all are numbers above zero")

    def as_json(self) -> dict[str, object]:
        """Give what is written."""
        return asdict(self)


def ranges_path(weights: str) -> Path:
    """Say where the ranges are of a file of weights. Raises CheckpointError for weights by name."""
    if not Path(weights).is_file():
        raise CheckpointError(f"{weights}: no file of weights, beside which int8 has its ranges")
    return Path(weights).with_name(RANGES_FILE)
