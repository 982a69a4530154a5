"""Asks issuers about their tokens (RFC 7662): one question at a time for each token, and few for each issuer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Self

from usherd.errors import IntrospectionUnavailable
from usherd.ports import Clock, Introspected, Stopwatch
from usherd.stores.circuit import Circuit
from usherd.stores.documents import Cause, LoadFailed
from usherd.stores.introspection_answer import ANSWER_SIZE, answer_of, entry_of
from usherd.stores.provider_cache import AnswerCache
from usherd.stores.provider_http import ProviderHttp
from usherd.stores.told import Told

MAX_AT_ONCE = 32
"""Requests to one issuer at a time."""
MAX_ASKED = 256
"""Tokens of one issuer that are asked about at a time, those that wait their turn among them."""
MAX_WAITING = 1024
"""Questions about tokens of one issuer that wait at a time."""
TOLERATED = 2
"""Failures in a row after which the next one makes an endpoint be left alone."""
FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0
"""Seconds that it is left alone for; each further time doubles them."""

_OF_ONE_TOKEN = frozenset(
    {
        Cause.REQUEST_REFUSED,
        Cause.CONTENT_TYPE,
        Cause.CONTENT_ENCODING,
        Cause.TOO_LARGE,
        Cause.NOT_JSON,
        Cause.NOT_AN_ANSWER,
    }
)
"""What a token's holder may have caused: it must not keep others' tokens from being asked about."""


class IntrospectionEvent(StrEnum):
    """What happened to an issuer's endpoint. Fields: issuer; of failures cause, and how many since the last line."""

    FAILED = "introspection_failed"
    WORKS_AGAIN = "introspection_works_again"


OnIntrospection = Callable[[IntrospectionEvent, Mapping[str, str | int]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How one issuer is asked. Times in seconds."""

    issuer: str
    """Its name in the policy."""
    digest: str
    """Of everything that answers depend on: what was said under another one does not count here."""
    url: str = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)
    client_auth: Literal["basic", "post"] = "basic"
    timeout: float = 1.0
    cache_for: float = 30.0
    """How long an answer counts that says yes; without it each token would be asked about each time."""
    cache_inactive_for: float = 5.0


class Introspection:
    """`ports.Introspection` over HTTP, while it is `running`."""

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        *,
        http: ProviderHttp,
        answers: AnswerCache,
        clock: Clock,
        stopwatch: Stopwatch,
        on_event: OnIntrospection = lambda event, fields: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._issuers = {
            each.issuer: _Asked(each, http, answers, clock, stopwatch, on_event, chance) for each in endpoints
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Asks as long as the block lasts."""
        try:
            yield self
        finally:
            await asyncio.gather(*(each.close() for each in self._issuers.values()))

    async def ask(self, issuer: str, token: str, patience: float) -> Introspected:
        """As `ports.Introspection.ask`."""
        asked = self._issuers.get(issuer)
        if asked is None:
            raise IntrospectionUnavailable
        return await asked.ask(token, patience)


class _Asked:
    """One issuer that is asked."""

    def __init__(
        self,
        endpoint: Endpoint,
        http: ProviderHttp,
        answers: AnswerCache,
        clock: Clock,
        stopwatch: Stopwatch,
        on_event: OnIntrospection,
        chance: Callable[[], float],
    ) -> None:
        self._endpoint = endpoint
        self._http = http
        self._answers = answers
        self._clock = clock
        self._circuit = Circuit(
            stopwatch, tolerated=TOLERATED, first_pause=FIRST_PAUSE, last_pause=LAST_PAUSE, chance=chance
        )
        self._on_event = on_event
        self._told = Told(stopwatch, self._tell)
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._flights: dict[str, asyncio.Task[Introspected | None]] = {}
        self._waiting = 0

    async def ask(self, token: str, patience: float) -> Introspected:
        name = self._answers.name(self._endpoint.digest, token)
        kept = await self._answers.known(name)
        known = None if kept is None or kept.made_at > self._clock() else answer_of(kept)
        if known is not None:
            return known
        if patience <= 0 or self._waiting >= MAX_WAITING:
            raise IntrospectionUnavailable
        flight = self._flights.get(name) or self._begin(name, token)
        self._waiting += 1
        try:
            # `wait` neither cancels what it waits for, for others may wait for it, nor raises what that raises.
            await asyncio.wait([flight], timeout=patience)
        finally:
            self._waiting -= 1
        said = flight.result() if flight.done() and not flight.cancelled() else None
        if said is None:
            raise IntrospectionUnavailable
        return said

    async def close(self) -> None:
        """Gives up what is under way."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        if flights:
            await asyncio.wait(flights)

    def _begin(self, name: str, token: str) -> asyncio.Task[Introspected | None]:
        if len(self._flights) >= MAX_ASKED:
            raise IntrospectionUnavailable
        flight = asyncio.create_task(self._fly(name, token), name="introspection")
        self._flights[name] = flight
        flight.add_done_callback(lambda _: self._flights.pop(name, None))
        return flight

    async def _fly(self, name: str, token: str) -> Introspected | None:
        """The answer; None when there is none. It never fails: there may be nobody left to hear of it."""
        try:
            kept = await self._answers.shared(name)
            known = None if kept is None else answer_of(kept)
            if known is not None:
                return known
            async with self._turns:
                if not self._circuit.admits():
                    return None
                return await self._asked_there(name, token)
        except Exception as bug:  # the class alone is safe to tell
            self._told.failed({"cause": Cause.INTERNAL.value, "error_class": type(bug).__name__})
            return None

    async def _asked_there(self, name: str, token: str) -> Introspected | None:
        # Answers age from before the question: the token may have been revoked any time since.
        asked_at = self._clock()
        endpoint = self._endpoint
        try:
            body = await self._post(token)
            entry = entry_of(body, asked_at, endpoint.cache_for, endpoint.cache_inactive_for)
        except LoadFailed as failure:
            if failure.cause in _OF_ONE_TOKEN:
                self._circuit.succeeded()
            else:
                self._circuit.failed(failure.retry_after or 0.0)
            self._told.failed({"cause": failure.cause.value})
            return None
        finally:
            self._circuit.abandoned()
        self._circuit.succeeded()
        self._told.succeeded()
        await self._answers.put(name, entry)
        return answer_of(entry)

    def _tell(self, works: bool, fields: Mapping[str, str | int]) -> None:
        event = IntrospectionEvent.WORKS_AGAIN if works else IntrospectionEvent.FAILED
        self._on_event(event, {"issuer": self._endpoint.issuer, **fields})

    async def _post(self, token: str) -> bytes:
        endpoint = self._endpoint
        form = {"token": token, "token_type_hint": "access_token"}
        credentials = (endpoint.client_id, endpoint.client_secret)
        basic = credentials if endpoint.client_auth == "basic" else None
        if basic is None:
            form |= {"client_id": endpoint.client_id, "client_secret": endpoint.client_secret}
        return await self._http.post(endpoint.url, form, basic=basic, timeout=endpoint.timeout, max_size=ANSWER_SIZE)
