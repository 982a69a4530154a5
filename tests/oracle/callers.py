"""Asks usherd from several connections at once, as fast as it goes or at a given rate, and has every answer judged."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import grpc

from oracle.judge import ALLOWED, Call, Token
from tools.rpc_world import SERVICE, ended
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2 as decisions
from usher.v1 import question_pb2
from usher.v1 import reason_pb2 as reasons

PATIENCE = 10.0
"""Seconds that a caller waits: longer than usherd does, so that it is usherd who says that it takes too long."""
ROUTE = "/v1/chat/completions"
STREAM_EVERY = 8
"""One call in so many is an Authorize stream, of which the first message is read; the others are Checks."""

Choose = Callable[[], tuple[Token, str]]
Judge = Callable[[Call], None]


class Caller:
    """One connection."""

    def __init__(self, address: str) -> None:
        options = (("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1))
        self._channel = grpc.aio.insecure_channel(address, options=options)
        self._check = self._channel.unary_unary(f"{SERVICE}/Check")
        self._authorize = self._channel.unary_stream(f"{SERVICE}/Authorize")
        self._count = 0

    async def __aenter__(self) -> Self:
        await self._channel.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.__aexit__(kind, error, trace)

    async def ask(self, token: Token, model: str) -> Call:
        """The call, when it was answered."""
        self._count += 1
        question = question_pb2.Question(token=token.text, route=ROUTE, method="POST", model=model)
        began = time.monotonic()
        try:
            if self._count % STREAM_EVERY:
                data = api.CheckRequest(question=question).SerializeToString()
                decision = api.CheckResponse.FromString(await self._check(data, timeout=PATIENCE)).decision
            else:
                data = api.AuthorizeRequest(question=question).SerializeToString()
                stream = self._authorize(data, timeout=PATIENCE)
                first = await stream.read()
                decision = api.AuthorizeResponse.FromString(first).decision
            outcome = _said(decision)
        except grpc.aio.AioRpcError as error:
            fault = ended(error)
            outcome = f"{fault.code.name} {fault.reason}".strip()
        return Call(token, model, began, time.monotonic(), outcome)


def _said(decision: decisions.Decision) -> str:
    """The reason; with the effect in front of it where the two do not go together."""
    effect = decisions.Effect.Name(decision.effect).removeprefix("EFFECT_")
    reason = reasons.Reason.Name(decision.reason).removeprefix("REASON_")
    fits = effect == ("ALLOW" if reason == ALLOWED else "DENY")
    return reason if fits else f"{effect} {reason}"


class Callers:
    """Several connections, each of which asks one question after another."""

    def __init__(self, address: str, count: int, choose: Choose, judge: Judge) -> None:
        self._callers = [Caller(address) for _ in range(count)]
        self._choose = choose
        self._judge = judge
        self._stack = AsyncExitStack()
        self.missed = 0
        """Turns that were left out because the one before took too long."""

    async def __aenter__(self) -> Self:
        for each in self._callers:
            await self._stack.enter_async_context(each)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def once(self, questions: Iterable[tuple[Token, str]]) -> list[Call]:
        """Asks each of these once, all at the same time."""
        calls = await self.unjudged(questions)
        for call in calls:
            self._judge(call)
        return calls

    async def unjudged(self, questions: Iterable[tuple[Token, str]]) -> list[Call]:
        """As `once`, about tokens that the oracle knows nothing of."""
        turns = zip(itertools.cycle(self._callers), questions, strict=False)
        return await asyncio.gather(*(caller.ask(*question) for caller, question in turns))

    async def saturate(self, seconds: float) -> float:
        """Asks as fast as it goes; returns the answers a second."""
        end = time.monotonic() + seconds

        async def work(caller: Caller) -> int:
            count = 0
            while time.monotonic() < end:
                self._judge(await caller.ask(*self._choose()))
                count += 1
            return count

        return sum(await asyncio.gather(*map(work, self._callers))) / seconds

    async def pace(self, rate: float, until: asyncio.Event) -> None:
        """Asks at that rate until the event is set, all connections together and each in its turn."""
        between = len(self._callers) / rate
        start = time.monotonic()

        async def work(caller: Caller, offset: float) -> None:
            due = start + offset
            while not until.is_set():
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                self._judge(await caller.ask(*self._choose()))
                due += between
                late = int((time.monotonic() - due) / between)
                if late > 0:
                    # An answer that is late must not be made up for by a burst.
                    self.missed += late
                    due += late * between

        offsets = [between * number / len(self._callers) for number in range(len(self._callers))]
        await asyncio.gather(*map(work, self._callers, offsets))
