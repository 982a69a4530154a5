"""What any id may look like, wherever it comes from."""

from __future__ import annotations

MAX_ID_CHARACTERS = 256
MAX_ID_BYTES = 512


def well_formed_id(text: str) -> bool:
    """Whether a text can be an id: 1 to 256 characters, at most 512 bytes, printable (no control characters)."""
    if not (0 < len(text) <= MAX_ID_CHARACTERS and text.isprintable()):
        return False
    # In ASCII no text is so short and so long at once, and most ids are ASCII.
    return text.isascii() or len(text.encode()) <= MAX_ID_BYTES
