"""Ends what an app that was cut has left standing."""

from __future__ import annotations

import traceback
from typing import Final

_MOST: Final = 64
"""Errors that are looked through; what is beyond them waits for the collection of garbage."""


def let_go(error: BaseException) -> None:
    """Lets go of what the frames hold that an app's error has passed.

    A framework that is cut while it sends leaves the generator that makes the answer where it stands. Python ends it
    with the last reference, and errors that were caught and raised again refer to themselves: without this a model's
    completion would go on, unread, until garbage is collected, which an idle process does not do.
    """
    left: list[BaseException | None] = [error]
    seen: set[int] = set()
    while left and len(seen) < _MOST:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        traceback.clear_frames(each.__traceback__)
        left += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            left += each.exceptions
