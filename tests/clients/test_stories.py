"""Every story that a caller can see, told through both faces of the client against the real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.told import FACES, Face, Telling, differences, opened, tell
from tools.teller import Teller, teller
from usher.v1 import decision_pb2, reason_pb2
from usher_client import DecisionCache, Unavailable
from usher_client.answers import decision_of
from usherd.stories.book import read_book
from usherd.stories.finding import story_files

STORIES = Path(__file__).parents[1] / "stories"
NAMES = {
    file.relative_to(STORIES).with_suffix("").as_posix(): [story.name for story in read_book(file).book.stories]
    for file in story_files([STORIES])
}
"""The stories of each book, from the files themselves."""

LEFT_OUT = {
    "scopes that are enforced and map nothing do not load",
    "a policy without an issuer does not load",
    "an issuer without an audience does not load",
    "a master key that can be guessed does not load",
    "without a shadow there is nothing of it",
}
"""The first are about policies under which nothing can be asked; a caller never sees what the last one is about."""


@pytest.fixture(scope="module")
def server() -> Iterator[Teller]:
    with teller() as running:
        yield running


def test_every_story_is_told_or_left_out_by_name(server: Teller) -> None:
    listed = server.stories()

    told = {(story["book"], story["name"]) for story in listed["stories"]}
    left_out = {(story["book"], story["name"]) for story in listed["left_out"]}
    assert {name for _, name in left_out} == LEFT_OUT
    assert len(told) + len(left_out) == len(listed["stories"]) + len(listed["left_out"])
    assert told | left_out == {(book, name) for book, names in NAMES.items() for name in names}
    assert len(told) >= 269


@pytest.mark.parametrize("book", NAMES)
@pytest.mark.parametrize("cached", [False, True], ids=["asked", "cached"])
@pytest.mark.parametrize("face", FACES)
async def test_a_story_is_the_same_for_whoever_asks_through_the_client(
    server: Teller, face: Face, cached: bool, book: str
) -> None:
    stories = [story for story in server.stories()["stories"] if story["book"] == book]

    tellings = {story["name"]: await _told(server, face, story, cached=cached) for story in stories}

    assert [f"{name}: {each}" for name, telling in tellings.items() for each in telling.differences] == []
    assert len(tellings) == len(stories) > 0
    assert all(telling.asked for telling in tellings.values())
    assert any(telling.hits for telling in tellings.values()) is cached


async def _told(server: Teller, face: Face, story: dict[str, Any], *, cached: bool) -> Telling:
    async with opened(face, server.grpc, cache=DecisionCache() if cached else None) as client:
        return await tell(server, story, client, cached=cached)


DENIED = {"effect": "DENY", "reason": "NOT_ENTITLED", "http_status": 403, "kind": None, "limits": {"team": None}}


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"effect": "ALLOW"}, "effect: expected ALLOW, got DENY"),
        ({"reason": None}, "reason: expected None, got NOT_ENTITLED"),
        ({"admin": False}, "admin: expected False, got None"),
        ({"limits": {"team": {"rpm": 1}}}, "limits: expected {'team': {'rpm': 1}}, got"),
        ({"fault": "OVERLOADED"}, "fault: expected OVERLOADED, got None"),
        ({"weather": None}, "weather: expected None, got None"),
    ],
)
def test_an_answer_that_is_not_as_expected_is_noticed(wrong: dict[str, Any], found: str) -> None:
    decision = decision_of(
        decision_pb2.Decision(effect=decision_pb2.EFFECT_DENY, reason=reason_pb2.REASON_NOT_ENTITLED)
    )

    assert differences(DENIED, decision) == []
    [noticed] = differences(DENIED | wrong, decision)
    assert noticed.startswith(found)


def test_a_fault_is_what_is_expected_only_where_it_is_expected() -> None:
    fault = Unavailable("KEYS_UNAVAILABLE")

    assert differences({"fault": "KEYS_UNAVAILABLE"}, fault) == []
    assert differences({"fault": "OVERLOADED"}, fault) == ["fault: expected OVERLOADED, got KEYS_UNAVAILABLE"]
    assert differences(DENIED, fault) == ["fault: KEYS_UNAVAILABLE where a decision was expected"]
