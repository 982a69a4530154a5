"""What is no JSON that a request can be read from."""

from __future__ import annotations


class NotJson(ValueError):
    """No JSON object in UTF-8 (RFC 8259), or one that is too deep or has too much in it."""

    def __init__(self) -> None:
        super().__init__("expected a JSON object")
