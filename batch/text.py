"""Text that is safe to show on a terminal."""


def printable(text: str) -> str:
    """Show what a terminal would obey, control characters and odd bytes, as question marks."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
