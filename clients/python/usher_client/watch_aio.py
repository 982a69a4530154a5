"""Watches one question, for asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from types import TracebackType
from typing import Self, TypeVar

from usher_client.decision import Decision
from usher_client.events import Event

T = TypeVar("T")


class AsyncWatch:
    """What becomes of one question, until it ends for good or nothing can be learned any more.

        async with usherd.watch(token, route, model) as watch:
            decision = await watch.first()
            ...
            async for chunk in watch.guard(completion):
                yield chunk

    An async iterator of events, for one task at a time. It asks on its own when the stream is lost. Leaving the
    context, `close`, or the end of the events ends the call; a watch that is begun must be closed or exhausted.
    """

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """The next event; StopAsyncIteration after the last. Raises UsherFault when there is no first decision."""
        raise NotImplementedError

    @property
    def allowed(self) -> bool:
        """Whether the question was allowed by the last event that was read; False before the first, and once closed."""
        raise NotImplementedError

    async def first(self) -> Decision:
        """The first decision. Events that are read after it are those after it. Raises UsherFault."""
        raise NotImplementedError

    async def not_allowed(self) -> Event:
        """Returns at the first event after which the question is not allowed, which may be the last one that was read.

        It reads the events up to there. For cutting a request that streams: wait for it beside the work, and stop
        the work when it returns. Raises UsherFault when there is no first decision.
        """
        raise NotImplementedError

    def guard(self, items: AsyncIterable[T]) -> AsyncIterator[T]:
        """Passes the items on for as long as the question is allowed; then `items` is closed, even while it waits.

        Raises NoLongerAllowed when it is cut, and UsherFault when there is no first decision. It reads the events.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Ends the call; there are no further events."""
        raise NotImplementedError
