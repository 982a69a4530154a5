"""What middleware asks of a client of usherd: the real one, or whatever stands in for it in tests."""

from __future__ import annotations

from typing import Any, Protocol

from usher_client.decision import Decision
from usher_client.events import Event


class Watching(Protocol):
    """What is asked of a watch: `usher_client.AsyncWatch`."""

    async def not_allowed(self) -> Event:
        """Returns once the question is not allowed. Raises UsherFault when there is no first decision."""

    async def close(self) -> None:
        """Ends it."""


class Asks(Protocol):
    """What is asked of a client: `usher_client.AsyncClient`."""

    async def authorize(self, token: str, *, deadline: float, **wishes: Any) -> Decision:
        """The decision. Raises UsherFault."""

    def watch(self, token: str, *, deadline: float, **wishes: Any) -> Watching:
        """What becomes of it."""

    async def close(self) -> None:
        """Ends it."""
