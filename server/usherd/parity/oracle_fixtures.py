"""The checks of their own that recorded configurations name as `custom_validate`: `oracle_fixtures.require_flag`.

Used when no module `oracle_fixtures` can be imported. LiteLLM takes a function only if it is annotated as returning
the literal True, whatever it returns; that annotation is part of the cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast


def allow_all(token: Mapping[str, object]) -> Literal[True]:
    """Accepts every token."""
    return True


def require_flag(token: Mapping[str, object]) -> Literal[True]:
    """Accepts tokens whose claim `flag` is true."""
    return cast(Literal[True], token.get("flag") is True)


def raises(token: Mapping[str, object]) -> Literal[True]:
    """Fails for every token. Raises RuntimeError."""
    raise RuntimeError("this check always fails")


def returns_none(token: Mapping[str, object]) -> Literal[True]:
    """Says neither yes nor no."""
    return cast(Literal[True], None)


def bad_annotation(token: Mapping[str, object]) -> bool:
    """Has another annotation than LiteLLM asks for, and is refused when the configuration is loaded."""
    return True
