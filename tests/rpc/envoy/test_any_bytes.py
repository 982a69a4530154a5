"""Whatever bytes arrive, Envoy is answered, and nothing passes without a token that may."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from tools.envoy_requests import CHECK, check_request, told
from usherd.calls import Call
from usherd.inbound.handed_on import GatewayRules
from usherd.rpc.envoy.service import EnvoyService, EnvoyTerms, instead
from usherd.rpc.guard import guarded
from usherd.rpc.limits import Gate, Limits
from usherd.rpc.server import all_alike
from usherd.rpc.service import AuthorizationService
from worlds import CHAT, World

WORLD = World()
TOKEN = WORLD.token(roles=["Reader"])
JSON = ("content-type", "application/json")
GOOD = check_request(
    path=CHAT, headers=[("authorization", f"Bearer {TOKEN}"), JSON], body=b'{"model":"gpt-4o"}', context={"a": "b"}
)
"""What may pass."""
BAD = check_request(
    path=CHAT, headers=[("authorization", f"Bearer {TOKEN[:-8]}AAAAAAAA"), JSON], body=b'{"model":"gpt-4o"}'
)
"""The same with a signature that is none."""


class Context:
    """Of a call without a deadline."""

    def time_remaining(self) -> None:
        return None


def _handler() -> Any:
    limits = Limits()
    served = AuthorizationService(WORLD.authorizer, limits=limits, gate=Gate(limits))
    service = EnvoyService(served, EnvoyTerms(GatewayRules(), lambda: "i" * 26))
    serve, at_hand = service.handlers()[CHECK], service.at_hand()[CHECK]
    return guarded(serve, all_alike(may_explain=False)(CHECK), at_hand, unbegun=Call(CHECK), instead=instead)


HANDLER = _handler()


def _at_once(work: Coroutine[Any, Any, bytes]) -> bytes:
    try:
        work.send(None)
    except StopIteration as done:
        return bytes(done.value)
    raise AssertionError("it waited")


def answered(data: bytes) -> str:
    return told(_at_once(HANDLER(data, Context()))).kind


def test_the_samples_are_what_they_are_said_to_be() -> None:
    assert asyncio.run(_first()) == "ok"
    assert answered(BAD) == "denied"


async def _first() -> str:
    return told(await HANDLER(GOOD, Context())).kind


@st.composite
def _changed(draw: st.DrawFn, sample: bytes) -> bytes:
    data = bytearray(sample)
    for place in draw(st.lists(st.integers(0, len(data) - 1), max_size=5)):
        data[place] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(data)))
    return bytes(data[cut:] if draw(st.booleans()) else data[: len(data) - cut // 4])


@examples(1500)
@given(st.binary(max_size=200) | _changed(BAD))
def test_without_a_genuine_token_nothing_passes_and_nothing_is_an_error(data: bytes) -> None:
    assert answered(data) == "denied"


@examples(1500)
@given(_changed(GOOD))
def test_with_one_everything_is_answered_and_no_end_user_can_make_it_an_error(data: bytes) -> None:
    assert answered(data) in ("ok", "denied")
