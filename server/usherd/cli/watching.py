"""`usherd ask --watch`: shows what becomes of a decision, until it has ended or nobody knows any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rich.text import Text

from usherd.cli.caller import CallerLink
from usherd.cli.console import Exit, console, say_json_line, styled
from usherd.cli.decision_view import decision_json, fault_json, instant, show_decision, show_fault
from usherd.decide import allows
from usherd.domain import Question
from usherd.errors import Fault

if TYPE_CHECKING:
    # Only where it is needed: gRPC takes longer to import than most commands to run.
    from usherd.rpc.dial_watch import Told


def watch(server: str, link: CallerLink, question: Question, *, explain: bool, timeout: float, as_json: bool) -> Exit:
    """Follows a decision until it ends, or until Ctrl-C, and says what its last word was. Raises AddressUnusable,
    Unreachable when nobody answers at all."""
    following = _Following(as_json)
    with suppress(KeyboardInterrupt):
        asyncio.run(following.to_the_end(server, link, question, explain=explain, timeout=timeout))
    return following.last


class _Following:
    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self.last = Exit.NO_ANSWER
        """What the last thing that was told comes to."""

    async def to_the_end(
        self, server: str, link: CallerLink, question: Question, *, explain: bool, timeout: float
    ) -> None:
        from usherd.rpc.dial import connected
        from usherd.rpc.dial_watch import watched
        from usherd.rpc.replies import Unreachable

        begun = False
        try:
            async with connected(server, **link) as connection:
                events: AsyncIterator[Told] = watched(connection, question, explain=explain, timeout=timeout)
                async for told in events:
                    begun = True
                    self._tell(told)
        except Fault as fault:
            if isinstance(fault, Unreachable) and not begun:
                raise
            # A decision that nobody keeps true any more is not denied, and not allowed.
            self.last = Exit.NO_ANSWER
            say_json_line({"event": "unknown"} | fault_json(fault)) if self._as_json else show_fault(fault)

    def _tell(self, told: Told) -> None:
        if told.decision is not None:
            self.last = Exit.YES if allows(told.decision.verdict) else Exit.NO
        elif told.kind == "resync":
            self.last = Exit.NO_ANSWER
        if self._as_json:
            say_json_line(_as_json(told))
        elif told.kind == "decision" and told.decision is not None:
            show_decision(told.decision)
        elif (line := _line(told)) is not None:
            console().print(line)


def _as_json(told: Told) -> dict[str, Any]:
    shown: dict[str, Any] = {"event": told.kind, "at": instant(time.time())}
    if told.cause:
        shown["cause"] = told.cause
    if told.revision:
        shown["revision"] = told.revision
    if told.ends_at is not None:
        shown["ends_at"] = instant(told.ends_at)
    if told.decision is not None:
        shown["decision"] = decision_json(told.decision)
    return shown


def _line(told: Told) -> Text | None:
    """An event for people; None for a checkpoint, which says that there is nothing to say."""
    now = styled(f"{time.strftime('%H:%M:%S')}  ", "dim")
    cause = styled(f"  ({told.cause.lower().replace('_', ' ')})" if told.cause else "", "dim")
    if told.decision is not None:
        verdict = told.decision.verdict
        allowed = allows(verdict)
        head = styled("ALLOW" if allowed else "DENY", "yes" if allowed else "no")
        ended = "  for good" if told.kind == "ended" else ""
        return Text.assemble(now, head, f"  {verdict.reason.name}{ended}", cause)
    if told.kind == "expiring" and told.ends_at is not None:
        return Text.assemble(now, f"ends at {instant(told.ends_at)}", cause)
    if told.kind == "resync":
        return Text.assemble(now, styled("UNKNOWN", "fault"), "  the server can say no more; ask again", cause)
    return None
