"""Watches one question, for threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from usher_client.decision import Decision
from usher_client.events import Event

T = TypeVar("T")


class Watch:
    """What becomes of one question, until it ends for good or nothing can be learned any more.

        with usherd.watch(token, route, model) as watch:
            decision = watch.first()
            ...
            for chunk in watch.guard(completion, completion.close):
                yield chunk

    An iterator of events, for one thread at a time; `close` and `allowed` are for any thread. It asks on its own when
    the stream is lost. Leaving the context, `close`, or the end of the events ends the call; a watch that is begun
    must be closed or exhausted.
    """

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        """The next event; StopIteration after the last. Raises UsherFault when there is no first decision."""
        raise NotImplementedError

    @property
    def allowed(self) -> bool:
        """Whether the question was allowed by the last event that was read; False before the first, and once closed."""
        raise NotImplementedError

    def first(self) -> Decision:
        """The first decision. Events that are read after it are those after it. Raises UsherFault."""
        raise NotImplementedError

    def not_allowed(self) -> Event:
        """Returns at the first event after which the question is not allowed, which may be the last one that was read.

        It reads the events up to there. Raises UsherFault when there is no first decision, or when the watch is closed.
        """
        raise NotImplementedError

    def guard(self, items: Iterable[T], cut: Callable[[], object] | None = None) -> Iterator[T]:
        """Passes the items on for as long as the question is allowed; a thread reads the events meanwhile.

        `cut` is called in that thread at the moment in which it is not allowed any more: for what ends a wait for the
        next item, such as closing the response that they come from. Raises NoLongerAllowed when it is cut, and
        UsherFault when there is no first decision.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Ends the call; there are no further events."""
        raise NotImplementedError
