"""Sends what a gateway shows of itself: a credential that the server knows it by."""

from __future__ import annotations

import re
from collections.abc import Callable

Bearer = str | Callable[[], str]
"""A credential, or a function that gives the one of now for each call; it must not wait."""

Metadata = tuple[tuple[str, str], ...] | None
"""What a call is sent with."""

_CREDENTIAL = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}=*")


def shown(bearer: Bearer | None) -> Callable[[], Metadata]:
    """Gives the metadata of each call. Raises ValueError for what cannot be sent; its text never has the credential."""
    if bearer is None:
        return lambda: None
    if callable(bearer):
        return lambda: _metadata(bearer())
    metadata = _metadata(bearer)
    return lambda: metadata


def _metadata(credential: str) -> Metadata:
    if not isinstance(credential, str) or _CREDENTIAL.fullmatch(credential) is None:
        raise ValueError("bearer: expected ASCII letters, digits and -._~+/, = at the end only")
    return (("authorization", f"Bearer {credential}"),)
