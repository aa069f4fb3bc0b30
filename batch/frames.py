"""All that can be seen of a picture, to prove that it is the same as before."""

from hashlib import sha256

from PIL import Image, ImageSequence

from batch import formats
from batch.damage import explained


def seen(data: bytes) -> list[tuple[object, ...]]:
    """Tell all that can be seen of a picture: its frames, their colours and which way is up."""
    with explained(data):
        image = formats.open_picture(data)
        turn = formats.read_header(image, data)[1]
        return [_frame(frame, turn) for frame in ImageSequence.Iterator(image)]


def _frame(frame: Image.Image, turn: int) -> tuple[object, ...]:
    profile = sha256(frame.info.get("icc_profile") or b"").digest()
    return frame.mode, frame.size, sha256(frame.tobytes()).digest(), profile, turn
