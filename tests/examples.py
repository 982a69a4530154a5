"""How many examples a property is tried with: all of them in `make test-slow`, a fifth in `make test`.

@examples(1000, deadline=None)
@given(worlds())
def test_a_law(world: World) -> None: ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import pytest
from hypothesis import settings

THOROUGH: Final = "thorough"
"""The profile of `make test-slow`: `--hypothesis-profile thorough`."""
FEWEST: Final = 10

_F = TypeVar("_F", bound=Callable[..., Any])


def examples(number: int, **others: Any) -> Callable[[_F], _F]:
    """Marks a property, and tries it with so many examples, or a fifth; `others` are settings of Hypothesis."""
    wanted = settings(max_examples=how_many(number), **others)

    def decorate(test: _F) -> _F:
        return pytest.mark.law(wanted(test))

    return decorate


def how_many(number: int) -> int:
    """Examples under the profile of now."""
    return number if settings.get_current_profile_name() == THOROUGH else max(FEWEST, number // 5)
