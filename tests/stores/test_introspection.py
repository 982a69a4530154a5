"""Issuers are asked about their tokens: seldom, not for long, and an issuer that gives no answer has not said no."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from stores.support import Hands
from tools.faults import LATE_BUT_GOOD, Fault
from tools.introspection_server import PATH, IntrospectionServer
from usherd.errors import IntrospectionUnavailable
from usherd.ports import Introspected
from usherd.stores import introspection
from usherd.stores.introspection import Endpoint, Introspection, IntrospectionEvent
from usherd.stores.provider_cache import provider_caches
from usherd.stores.provider_http import provider_http

TOKEN = "opaque-1"


class Asking:
    """An issuer and somebody who asks it."""

    def __init__(self, clock: Hands, stopwatch: Hands) -> None:
        self.clock = clock
        self.stopwatch = stopwatch
        self.server = IntrospectionServer()
        self.events: list[tuple[IntrospectionEvent, dict[str, str | int]]] = []
        self.stack = AsyncExitStack()

    async def open(self, **changes: Any) -> Introspection:
        """Somebody who asks, with nothing known yet."""
        endpoint = Endpoint(
            issuer="idp", digest="d", url=self.server.url, client_id="usherd", client_secret="s3cret", timeout=5.0
        )
        http = await self.stack.enter_async_context(provider_http(allow_loopback_http=True, kept=4))
        caches = await self.stack.enter_async_context(provider_caches(self.clock, self.stopwatch))
        made = Introspection(
            [replace(endpoint, **changes)],
            http=http,
            answers=caches.answers,
            clock=self.clock,
            stopwatch=self.stopwatch,
            on_event=self._hear,
            chance=lambda: 1.0,
        )
        return await self.stack.enter_async_context(made.running())

    def _hear(self, event: IntrospectionEvent, fields: Mapping[str, str | int]) -> None:
        self.events.append((event, dict(fields)))


@pytest.fixture(name="asking")
async def _asking(clock: Hands, stopwatch: Hands) -> AsyncIterator[Asking]:
    asking = Asking(clock, stopwatch)
    async with asking.server, asking.stack:
        yield asking


async def ask(asked: Introspection, token: str = TOKEN, patience: float = 5.0) -> Introspected:
    return await asked.ask("idp", token, patience)


async def fails(asked: Introspection, token: str = TOKEN, patience: float = 5.0) -> bool:
    try:
        await ask(asked, token, patience)
    except IntrospectionUnavailable:
        return True
    return False


async def test_what_is_said_of_an_active_token_are_its_claims(asking: Asking) -> None:
    asking.server.issue(TOKEN, sub="alice", groups=["a"])

    said = await ask(await asking.open())

    assert (said.active, dict(said.claims)) == (True, {"sub": "alice", "groups": ["a"]})
    assert (said.asked_at, said.until) == (asking.clock.now, asking.clock.now + 30.0)


async def test_nothing_else_counts_that_is_said_of_one_that_is_not(asking: Asking) -> None:
    said = await ask(await asking.open())

    assert (said.active, dict(said.claims)) == (False, {})
    assert said.until == asking.clock.now + 5.0


@pytest.mark.parametrize("client_auth", ["basic", "post"])
async def test_credentials_are_sent_whatever_is_in_them(asking: Asking, client_auth: str) -> None:
    asking.server.credentials = ("a:b c", "p:% +ä&=")
    asking.server.issue(TOKEN)
    asked = await asking.open(client_id="a:b c", client_secret="p:% +ä&=", client_auth=client_auth)

    assert (await ask(asked)).active
    assert ("authorization" in asking.server.requests[0].headers) is (client_auth == "basic")


async def test_an_answer_counts_for_a_while_and_then_it_is_asked_anew(asking: Asking) -> None:
    asking.server.issue(TOKEN)
    asked = await asking.open()
    await ask(asked)
    asking.server.revoke(TOKEN)

    asking.clock.move(29.9)
    within = await ask(asked)
    asking.clock.move(0.1)
    after = await ask(asked)
    asking.server.issue(TOKEN)
    asking.clock.move(4.9)
    still = await ask(asked)
    asking.clock.move(0.1)
    again = await ask(asked)

    assert [each.active for each in (within, after, still, again)] == [True, False, False, True]
    assert len(asking.server.asked) == 3


@pytest.mark.parametrize(("left", "until"), [(600, 30.0), (10, 10.0), (0.4, 0.4)])
async def test_an_answer_never_counts_beyond_the_end_of_the_token(asking: Asking, left: float, until: float) -> None:
    asking.server.issue(TOKEN, exp=asking.clock.now + left)
    asked = await asking.open()

    assert (await ask(asked)).until == asking.clock.now + until
    asking.clock.move(until)
    await ask(asked)
    assert len(asking.server.asked) == 2


@pytest.mark.parametrize("exp", [0, -5, -1e300, 1])
async def test_an_answer_about_a_token_that_is_over_is_not_kept(asking: Asking, exp: float) -> None:
    asking.server.issue(TOKEN, exp=exp)
    asked = await asking.open()

    await ask(asked)
    await ask(asked)

    assert len(asking.server.asked) == 2


async def test_a_clock_that_was_set_back_makes_no_answer_count_longer(asking: Asking) -> None:
    asking.server.issue(TOKEN)
    asked = await asking.open()
    await ask(asked)
    asking.clock.move(-3600.0)

    await ask(asked)

    assert len(asking.server.asked) == 2


async def test_what_is_handed_out_cannot_change_what_is_kept(asking: Asking) -> None:
    asking.server.issue(TOKEN, groups=["a"])
    asked = await asking.open()
    first: Any = (await ask(asked)).claims["groups"]
    first.append("admin")

    assert (await ask(asked)).claims["groups"] == ["a"]
    assert len(asking.server.asked) == 1


# Key sets can be wrong in ways that answers cannot.
_OF_KEY_SETS = {Fault.EMPTY_SET, Fault.MANY_KEYS, Fault.ONLY_BAD_KEYS, Fault.DOUBLED_KEYS}
FAULTS = [fault for fault in Fault if fault not in _OF_KEY_SETS | LATE_BUT_GOOD | {Fault.HANG, Fault.DRIP}]


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_of_the_endpoint_is_a_denial(asking: Asking, fault: Fault) -> None:
    asking.server.issue(TOKEN)
    asked = await asking.open()
    await asking.server.fail(fault, PATH)

    assert await fails(asked)
    await asking.server.fail(None, PATH)
    asking.stopwatch.move(30.0)
    assert (await ask(asked)).active
    assert [event for event, _ in asking.events] == ["introspection_failed", "introspection_works_again"]


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DRIP])
async def test_an_endpoint_that_takes_for_ever_is_not_waited_for(asking: Asking, fault: Fault) -> None:
    asked = await asking.open(timeout=0.2)
    await asking.server.fail(fault, PATH)

    async with asyncio.timeout(3.0):
        assert await fails(asked)
    assert asking.events == [
        (IntrospectionEvent.FAILED, {"issuer": "idp", "cause": "timeout", "failures": 1}),
    ]


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b"", "not_json"),
        (b"true", "not_an_answer"),
        (b"[]", "not_an_answer"),
        (b"{}", "not_an_answer"),
        (b'{"active": "true"}', "not_an_answer"),
        (b'{"active": 1}', "not_an_answer"),
        (b'{"active": null}', "not_an_answer"),
        (b'{"Active": true}', "not_an_answer"),
        (b'{"active": false, "active": true}', "not_json"),
        (b'{"active": true, "exp": NaN}', "not_json"),
        (b'\xef\xbb\xbf{"active": true}', "not_json"),
        (b'{"active": true, "x": ' + b"[" * 50 + b"]" * 50 + b"}", "not_json"),
        (b'{"active": true, "x": "' + b"x" * 65536 + b'"}', "too_large"),
    ],
)
async def test_what_is_no_answer_is_neither_yes_nor_no(asking: Asking, raw: bytes, cause: str) -> None:
    asking.server.raw = raw
    asked = await asking.open()

    assert await fails(asked)
    assert [fields["cause"] for _, fields in asking.events] == [cause]


async def test_credentials_that_are_refused_are_told_as_such(asking: Asking) -> None:
    asked = await asking.open()
    await asking.server.fail(Fault.STATUS_401, PATH)

    assert await fails(asked)
    assert [fields["cause"] for _, fields in asking.events] == ["credentials_refused"]


async def test_fifty_callers_ask_once_even_when_the_first_gives_up(asking: Asking) -> None:
    asking.server.issue(TOKEN)
    asked = await asking.open()
    asking.server.gate.clear()
    callers = [asyncio.create_task(ask(asked)) for _ in range(50)]
    await asking.server.reach(1)
    callers[0].cancel()
    await asyncio.sleep(0)
    asking.server.gate.set()
    said = await asyncio.gather(*callers, return_exceptions=True)

    assert isinstance(said[0], asyncio.CancelledError)
    assert all(isinstance(each, Introspected) and each.active for each in said[1:])
    assert asking.server.asked == [TOKEN]


async def test_fifty_callers_share_a_failure(asking: Asking) -> None:
    asked = await asking.open()
    await asking.server.fail(Fault.STATUS_500, PATH)

    assert all(await asyncio.gather(*(fails(asked) for _ in range(50))))
    assert len(asking.server.requests) == 1


async def test_whoever_cannot_wait_gets_what_is_known(asking: Asking) -> None:
    asking.server.issue(TOKEN)
    asked = await asking.open()

    assert await fails(asked, patience=0.0)
    assert asking.server.requests == []
    await ask(asked)
    assert (await ask(asked, patience=0.0)).active


async def test_a_caller_that_is_out_of_patience_leaves_the_answer_to_the_others(asking: Asking) -> None:
    asking.server.issue(TOKEN)
    asked = await asking.open()
    asking.server.gate.clear()

    assert await fails(asked, patience=0.05)
    asking.server.gate.set()
    assert (await ask(asked)).active
    assert asking.server.asked == [TOKEN]


async def test_a_dead_endpoint_is_left_alone_and_one_tries_it_again(asking: Asking) -> None:
    asked = await asking.open()
    await asking.server.fail(Fault.STATUS_500, PATH)
    for number in range(10):
        assert await fails(asked, f"t{number}")
    three_tried = len(asking.server.requests)

    asking.stopwatch.move(1.0)
    assert all(await asyncio.gather(*(fails(asked, f"u{number}") for number in range(10))))
    one_tried = len(asking.server.requests)
    asking.stopwatch.move(1.9)
    assert await fails(asked)
    longer = len(asking.server.requests)

    await asking.server.fail(None, PATH)
    asking.stopwatch.move(0.1)
    works = [await ask(asked, f"v{number}") for number in range(3)]

    assert (three_tried, one_tried, longer) == (3, 4, 4)
    assert [each.active for each in works] == [False] * 3


async def test_what_is_known_counts_while_the_endpoint_is_dead(asking: Asking) -> None:
    asking.server.issue(TOKEN)
    asked = await asking.open()
    await ask(asked)
    await asking.server.fail(Fault.DOWN, PATH)
    for number in range(5):
        assert await fails(asked, f"t{number}")

    assert (await ask(asked)).active
    asking.clock.move(30.0)
    assert await fails(asked)


async def test_a_retry_after_is_obeyed(asking: Asking) -> None:
    asked = await asking.open()
    await asking.server.fail(Fault.STATUS_429, PATH)

    assert await fails(asked)
    asking.stopwatch.move(29.9)
    assert await fails(asked)
    assert len(asking.server.requests) == 1
    asking.stopwatch.move(0.1)
    assert await fails(asked)
    assert len(asking.server.requests) == 2


@pytest.mark.parametrize("raw", [b"<html>", b'{"active": 1}', b" " * 70_000])
async def test_tokens_that_get_no_answer_keep_no_other_from_being_asked_about(asking: Asking, raw: bytes) -> None:
    asked = await asking.open()
    asking.server.raw = raw
    for number in range(10):
        assert await fails(asked, f"t{number}")
    asking.server.raw = None

    assert not (await ask(asked)).active


@pytest.mark.parametrize("fault", [Fault.STATUS_400, Fault.STATUS_403])
async def test_tokens_that_are_refused_an_answer_keep_no_other_from_being_asked_about(
    asking: Asking, fault: Fault
) -> None:
    asked = await asking.open()
    await asking.server.fail(fault, PATH)
    for number in range(10):
        assert await fails(asked, f"t{number}")
    await asking.server.fail(None, PATH)

    assert not (await ask(asked)).active
    assert asking.events[0] == (
        IntrospectionEvent.FAILED,
        {"issuer": "idp", "cause": "request_refused", "failures": 1},
    )


async def test_only_so_many_are_asked_about_at_a_time(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspection, "MAX_ASKED", 5)
    monkeypatch.setattr(introspection, "MAX_AT_ONCE", 2)
    asked = await asking.open()
    asking.server.gate.clear()
    callers = [asyncio.create_task(fails(asked, f"t{number}")) for number in range(8)]
    await asking.server.reach(2)
    await asyncio.sleep(0.05)
    at_once = len(asking.server.requests)
    turned_away = sum(caller.done() for caller in callers)
    asking.server.gate.set()

    assert sum(await asyncio.gather(*callers)) == 3
    assert (at_once, turned_away, len(asking.server.requests)) == (2, 3, 5)


async def test_only_so_many_wait(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspection, "MAX_WAITING", 3)
    asked = await asking.open()
    asking.server.gate.clear()
    callers = [asyncio.create_task(fails(asked)) for _ in range(5)]
    await asyncio.sleep(0.05)
    asking.server.gate.set()

    assert sum(await asyncio.gather(*callers)) == 2


async def test_failures_are_told_seldom_and_counted(asking: Asking) -> None:
    asked = await asking.open()
    await asking.server.fail(Fault.HTML, PATH)
    for number in range(100):
        asking.stopwatch.move(0.15)
        assert await fails(asked, f"t{number}")

    told = [fields for _, fields in asking.events]
    assert [fields["failures"] for fields in told] == [1, 67]
    assert {fields["cause"] for fields in told} == {"content_type"}


async def test_nobody_is_left_waiting_when_it_ends(asking: Asking) -> None:
    asked = await asking.open()
    asking.server.gate.clear()
    caller = asyncio.create_task(fails(asked))
    await asking.server.reach(1)
    await asking.stack.aclose()

    assert await caller


async def test_an_issuer_that_is_not_asked_has_no_answer(asking: Asking) -> None:
    asked = await asking.open()

    with pytest.raises(IntrospectionUnavailable):
        await asked.ask("other", TOKEN, 5.0)
    assert asking.server.requests == []


async def test_no_secret_is_in_a_repr(asking: Asking) -> None:
    endpoint = Endpoint(issuer="i", digest="d", url="https://u.example/?canary", client_id="c", client_secret="canary")

    assert "canary" not in repr(endpoint)


async def test_a_kept_connection_that_was_closed_costs_nothing_but_another() -> None:
    handlers: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.current_task())
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
            body = b'{"active": true}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + body)
            # It takes the next request on the same connection, and closes without an answer.
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            pass  # there was no other one
        finally:
            writer.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    async with listening:
        async with provider_http(allow_loopback_http=True, kept=1) as http:
            bodies = [await http.post(url, {"token": "t"}, basic=None, timeout=5.0, max_size=100) for _ in range(2)]
        await asyncio.gather(*filter(None, handlers))

    assert bodies == [b'{"active": true}'] * 2
    assert len(handlers) == 2
