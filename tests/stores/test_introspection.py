"""Issuers are asked about their tokens: an answer counts not for long, and whoever gives none has not said no."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stores.asking import TOKEN, Asking, ask, fails
from tools.faults import LATE_BUT_GOOD, Fault
from tools.introspection_server import PATH
from usherd.errors import IntrospectionUnavailable
from usherd.stores.introspection import Endpoint, IntrospectionEvent
from usherd.stores.provider_http import provider_http


async def test_what_is_said_of_an_active_token_are_its_claims(asking: Asking) -> None:
    asking.server.issue(TOKEN, sub="alice", groups=["a"])

    said = await ask(await asking.open())

    assert (said.active, dict(said.claims)) == (True, {"sub": "alice", "groups": ["a"]})
    assert (said.asked_at, said.until) == (asking.clock.now, asking.clock.now + 30.0)


async def test_nothing_else_counts_that_is_said_of_one_that_is_not(asking: Asking) -> None:
    said = await ask(await asking.open())

    assert (said.active, dict(said.claims)) == (False, {})
    assert said.until == asking.clock.now + 5.0


async def test_a_no_never_counts_longer_than_a_yes(asking: Asking) -> None:
    asked = await asking.open(cache_for=2.0, cache_inactive_for=5.0)

    assert (await ask(asked)).until == asking.clock.now + 2.0
    asking.server.issue(TOKEN)
    asking.clock.move(2.0)
    assert (await ask(asked)).active


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
