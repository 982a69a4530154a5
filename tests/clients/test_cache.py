"""The cache of both clients over real sockets, against a server that says what a test wants."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import pytest

from clients import said
from clients.asking import ROUTE, TOKEN
from clients.faces import Face, Opens, both_clients
from clients.said import may, may_not
from clients.scripted import event
from clients.speaking import Call, Speaking, speaking
from usher.v1 import fault_pb2
from usher_client import Closed, DecisionCache, OutOfTime, Unavailable, UsherFault
from usher_client.calls_aio import outcome
from usher_client.channels import SERVICE

ROOMY = 30.0
CACHE = DecisionCache()


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def bring(world: Speaking, client: Face, silence: float = 15.0) -> Call:
    """A stream that is there, with nothing on it."""
    await client.authorize("probe", ROUTE, deadline=ROOMY)
    stream = await world.stream()
    probe = (await stream.hear()).add[0]
    stream.say(said.first(probe.id, may("PROBE", cacheable=False), said.terms(silence)))
    assert list((await stream.hear()).remove) == [probe.id]
    return stream


def ask(client: Face, token: str = TOKEN, **options: Any) -> asyncio.Future[Any]:
    return asyncio.ensure_future(client.authorize(token, ROUTE, **({"deadline": ROOMY} | options)))


async def keep(stream: Call, client: Face, token: str = TOKEN, name: str = "A") -> int:
    asked = ask(client, token)
    added = (await stream.hear()).add[0]
    assert added.question.token == token
    stream.say(said.first(added.id, may(name)))
    assert (await asked).decision_id == name
    return int(added.id)


@both_clients
async def test_what_was_told_is_answered_from_memory(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        stream = await bring(world, client)
        await keep(stream, client)
        answers = [await client.authorize(TOKEN, ROUTE) for _ in range(3)]

        assert [each.decision_id for each in answers] == ["A"] * 3
        assert stream.asked.empty()
        assert len(world.asked_once) == 1
        statistics = client.cache_statistics()
        assert statistics is not None
        assert (statistics.hits, statistics.misses, statistics.entries, statistics.asked_by_itself) == (3, 2, 1, 1)


@both_clients
async def test_the_question_that_opens_the_stream_is_answered_by_itself_and_kept(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        assert (await client.authorize(TOKEN, ROUTE, deadline=ROOMY)).decision_id == "ONCE"
        stream = await world.stream()
        stream.say(said.first((await stream.hear()).add[0].id, may("A"), said.terms()))
        await until(lambda: client.cache_statistics().entries == 1)  # type: ignore[union-attr]

        assert (await client.authorize(TOKEN, ROUTE)).decision_id == "A"


@both_clients
async def test_without_a_cache_there_is_no_stream(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        for _ in range(2):
            await client.authorize(TOKEN, ROUTE, deadline=ROOMY)

        assert client.cache_statistics() is None
        assert world.streams.empty()
        assert len(world.asked_once) == 2


@both_clients
async def test_explanations_and_freshness_pass_the_cache_by(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        stream = await bring(world, client)
        await keep(stream, client)
        await client.authorize(TOKEN, ROUTE, explain=True, deadline=ROOMY)
        await client.authorize(TOKEN, ROUTE, at_least_as_fresh="store:7", deadline=ROOMY)

        assert [each.options.explain for each in world.asked_once] == [False, True, False]
        assert world.asked_once[2].options.at_least_as_fresh == "store:7"
        assert client.cache_statistics().hits == 0  # type: ignore[union-attr]


DIFFERENT: list[dict[str, Any]] = [
    {"token": "other"},
    {"route": "/other"},
    {"model": ""},
    {"model": "gpt-4o"},
    {"method": "GET"},
    {"fallback_models": ["a", "b"]},
    {"fallback_models": ["b", "a"]},
    {"team_id": "x"},
    {"team_alias": "x"},
    {"team_id": ""},
    {"end_user_id": "x"},
    {"organization_id": "x"},
    {"modifies_guardrails": True},
]


@both_clients
async def test_every_part_of_a_question_makes_another_one_of_it(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        stream = await bring(world, client)
        questions = [{"token": TOKEN, "route": ROUTE} | each for each in [{}, *DIFFERENT]]
        for number, question in enumerate(questions):
            asked = asyncio.ensure_future(client.authorize(**question, deadline=ROOMY))
            stream.say(said.first((await stream.hear()).add[0].id, may(f"{number}")))
            assert (await asked).decision_id == f"{number}"

        answers = [await client.authorize(**question, deadline=ROOMY) for question in questions]

        assert [each.decision_id for each in answers] == [f"{number}" for number in range(len(questions))]
        # Lists and tuples of the same names are the same question.
        again = await client.authorize(TOKEN, ROUTE, fallback_models=("a", "b"))
        assert again.decision_id == "6"


@both_clients
@pytest.mark.parametrize("model", [7, ["gpt-4o"], {"a": 1}, b"gpt-4o", True])
async def test_what_is_no_text_is_asked_by_itself(opens: Opens, model: Any) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        await bring(world, client)
        for _ in range(2):
            assert (await client.authorize(TOKEN, ROUTE, model, deadline=ROOMY)).decision_id == "ONCE"

        assert [each.question.model for each in world.asked_once[1:]] == ["\x00"] * 2


@both_clients
@pytest.mark.parametrize(
    "large",
    [
        {"model": "m" * 17_000},
        {"fallback_models": ["m"] * 17_000},
        {"end_user_id": "é" * 17_000},
        {"route": "é" * 17_000},
    ],
    ids=["model", "fallbacks", "end user", "route"],
)
async def test_a_large_question_is_not_kept_in_memory_though_it_is_cut_before_it_is_sent(
    opens: Opens, large: dict[str, Any]
) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        stream = await bring(world, client)
        question = {"token": TOKEN, "route": ROUTE} | large
        for _ in range(2):
            assert (await client.authorize(**question, deadline=ROOMY)).decision_id == "ONCE"

        assert stream.asked.empty()
        assert client.cache_statistics().asked_by_itself == 3  # type: ignore[union-attr]


@both_clients
async def test_arguments_that_are_wrong_are_wrong_with_a_cache_too(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        await keep(await bring(world, client), client)
        with pytest.raises(ValueError, match="team_id"):
            await client.authorize(TOKEN, ROUTE, team_id="a", team_alias="a")
        with pytest.raises(ValueError, match="deadline"):
            await client.authorize(TOKEN, ROUTE, deadline=0)


@both_clients
async def test_many_who_ask_the_same_are_one_addition(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        stream = await bring(world, client)
        asked = [ask(client) for _ in range(4)]
        added = (await stream.hear()).add
        await until(lambda: client.cache_statistics().misses == 5)  # type: ignore[union-attr]
        assert stream.asked.empty()
        stream.say(said.first(added[0].id, may("A")))

        assert {each.decision_id for each in await asyncio.gather(*asked)} == {"A"}
        assert len(added) == 1
        assert len(world.asked_once) == 1


@both_clients
async def test_who_gives_up_does_not_take_the_answer_from_the_others(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        stream = await bring(world, client)
        world.once = lambda request: event(may("BY_ITSELF"))
        leader = ask(client, deadline=0.4)
        added = (await stream.hear()).add[0]
        follower = ask(client)
        assert (await leader).decision_id == "BY_ITSELF"
        assert not follower.done()
        stream.say(said.first(added.id, may("A")))

        assert (await follower).decision_id == "A"
        assert (await client.authorize(TOKEN, ROUTE)).decision_id == "A"


async def test_a_task_that_is_cancelled_does_not_take_the_answer_from_the_others() -> None:
    from clients.faces import open_async

    async with speaking() as world, open_async(world.target, cache=CACHE) as client:
        stream = await bring(world, client)
        leader = ask(client)
        added = (await stream.hear()).add[0]
        follower = ask(client)
        await asyncio.sleep(0)
        leader.cancel()
        stream.say(said.first(added.id, may("A")))

        assert (await follower).decision_id == "A"
        assert leader.cancelled()


@both_clients
async def test_who_waits_has_a_deadline_of_its_own(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        await bring(world, client)

        def slow(request: object) -> bytes:
            raise AssertionError

        begun = time.monotonic()
        world.once = slow
        with pytest.raises(Exception) as fault:  # noqa: PT011
            await client.authorize(TOKEN, ROUTE, deadline=0.3)
        assert type(fault.value).__name__ in ("OutOfTime", "InternalFault")
        assert time.monotonic() - begun < 5


@both_clients
async def test_a_fault_is_the_answer_of_all_who_wait_and_each_has_its_own(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        stream = await bring(world, client)
        asked = [ask(client) for _ in range(3)]
        added = (await stream.hear()).add[0]
        await until(lambda: client.cache_statistics().misses == 4)  # type: ignore[union-attr]
        stream.say(said.fault(added.id))
        faults = await asyncio.gather(*asked, return_exceptions=True)

        assert all(isinstance(each, Unavailable) and each.reason == "KEYS_UNAVAILABLE" for each in faults)
        assert len({id(each) for each in faults}) == 3


@both_clients
async def test_an_overloaded_stream_is_no_reason_not_to_ask(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        stream = await bring(world, client)
        asked = ask(client)
        stream.say(said.fault((await stream.hear()).add[0].id, fault_pb2.CODE_RESOURCE_EXHAUSTED))

        assert (await asked).decision_id == "ONCE"
        assert client.cache_statistics().entries == 0  # type: ignore[union-attr]


@both_clients
async def test_a_change_is_served_as_soon_as_it_is_heard(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        stream = await bring(world, client)
        number = await keep(stream, client)
        stream.say(said.changed(number, "A", may_not("B")))
        await until(lambda: client.cache_statistics().changed == 1)  # type: ignore[union-attr]

        answer = await client.authorize(TOKEN, ROUTE)
        assert (answer.decision_id, answer.allowed) == ("B", False)


@both_clients
@pytest.mark.parametrize(
    "end",
    [
        lambda stream: stream.end(),
        lambda stream: stream.end(grpc.StatusCode.UNAVAILABLE),
        lambda stream: stream.say(said.resync(0)),
        lambda stream: stream.say(b"\xff\xff\xff"),
    ],
    ids=["ok", "error", "resync", "no_message"],
)
async def test_with_the_stream_everything_is_gone_and_it_is_opened_anew(opens: Opens, end: Any) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        stream = await bring(world, client)
        await keep(stream, client)
        asked = ask(client, "waiting")
        await stream.hear()
        begun = time.monotonic()
        end(stream)

        assert (await asked).decision_id == "ONCE"
        assert client.cache_statistics().entries == 0  # type: ignore[union-attr]
        assert (await client.authorize(TOKEN, ROUTE, deadline=ROOMY)).decision_id == "ONCE"
        again = await world.stream()
        assert time.monotonic() - begun >= 0.07
        async with asyncio.timeout(10):
            await stream.over.wait()
        added = (await again.hear()).add[0]
        again.say(said.first(added.id, may("NEW"), said.terms()))
        await until(lambda: client.cache_statistics().entries == 1)  # type: ignore[union-attr]
        assert (await client.authorize(added.question.token, ROUTE)).decision_id == "NEW"
        assert client.cache_statistics().streams_lost == 1  # type: ignore[union-attr]


@both_clients
async def test_silence_ends_the_stream_and_nothing_is_served_after_it(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        stream = await bring(world, client, silence=0.5)
        number = await keep(stream, client)
        since = time.monotonic()
        while (answer := await client.authorize(TOKEN, ROUTE, deadline=ROOMY)).decision_id == "A":
            assert time.monotonic() - since < 5
            await asyncio.sleep(0.001)
        assert answer.decision_id == "ONCE"
        assert time.monotonic() - since >= 0.45
        stream.say(said.checkpoint(), said.changed(number, "A", may("B")))
        await world.stream()

        assert (await client.authorize(TOKEN, ROUTE, deadline=ROOMY)).decision_id == "ONCE"
        statistics = client.cache_statistics()
        assert statistics is not None
        assert (statistics.silences, statistics.streams_lost, statistics.entries) == (1, 1, 0)


@both_clients
async def test_silence_is_noticed_though_nobody_asks(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        stream = await bring(world, client, silence=0.3)
        await keep(stream, client)
        async with asyncio.timeout(5):
            await stream.over.wait()
            await world.stream()

        assert client.cache_statistics().silences == 1  # type: ignore[union-attr]


@both_clients
async def test_a_stream_of_an_old_server_is_not_used(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=CACHE) as client:
        await client.authorize(TOKEN, ROUTE, deadline=ROOMY)
        stream = await world.stream()
        stream.say(said.first((await stream.hear()).add[0].id, may("A")))
        await world.stream()

        assert (await client.authorize(TOKEN, ROUTE, deadline=ROOMY)).decision_id == "ONCE"
        assert client.cache_statistics().entries == 0  # type: ignore[union-attr]


@both_clients
async def test_what_goes_to_make_room_is_removed_from_the_stream(opens: Opens) -> None:
    async with speaking() as world, opens(world.target, cache=DecisionCache(max_entries=2)) as client:
        stream = await bring(world, client)
        numbers = [await keep(stream, client, token) for token in "ab"]
        asked = ask(client, "c")
        message = await stream.hear()
        removed = list(message.remove) or list((await stream.hear()).remove)
        stream.say(said.first(message.add[0].id, may("C")))

        assert removed == numbers[:1]
        assert (await asked).decision_id == "C"
        assert client.cache_statistics().evicted == 1  # type: ignore[union-attr]


@both_clients
async def test_a_closed_client_answers_nothing_from_memory(opens: Opens) -> None:
    async with speaking() as world:
        async with opens(world.target, cache=CACHE) as client:
            stream = await bring(world, client)
            await keep(stream, client)
            waiting = ask(client, "waiting")
            await stream.hear()
        with pytest.raises(Closed):
            await client.authorize(TOKEN, ROUTE)
        with pytest.raises((Closed, Unavailable, OutOfTime)):
            await waiting
        async with asyncio.timeout(10):
            await stream.over.wait()


@both_clients
async def test_a_credential_that_cannot_be_had_is_not_hidden_by_the_cache(opens: Opens) -> None:
    def no_credential() -> str:
        raise LookupError("canary")

    async with speaking() as world, opens(world.target, cache=CACHE, bearer=no_credential) as client:
        for _ in range(2):
            with pytest.raises(LookupError):
                await client.authorize(TOKEN, ROUTE)
        assert world.streams.empty()


async def test_what_is_written_on_a_stream_that_has_just_ended_ends_with_a_fault() -> None:
    """Whoever sends may not have heard of the end yet: asyncio would complain about an error that nobody waits for."""
    async with speaking() as world, grpc.aio.insecure_channel(world.target) as channel:
        call: Any = channel.stream_stream(f"/{SERVICE}/Subscribe")()
        stream = await world.stream()
        stream.end()
        await call.code()

        with pytest.raises(UsherFault):
            await outcome(partial(call.write, b""))
