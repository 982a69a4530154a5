"""The oracle can fail: it knows the one right answer wherever there is one, and finds defects of a real usherd."""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import pytest

from oracle import mutants
from oracle.daemon import ALWAYS, DEADLINE, NEVER, SOMETIMES
from oracle.judge import ALLOWED, NO_KEYS, Call, Oracle, PolicyInForce, Token, Watched
from oracle.provider import Provider
from oracle.tally import Tally
from oracle.timeline import SLACK, KeyHistory, Reload, Rules
from oracle.watch import watching
from tools.faults import Fault
from tools.key_server import KEYS_PATH, KeyServer, Request, Served

RULES = Rules(every=10, stale_for=20, removed_grace=5, cooldown=2)
START = 1000.0
TOKEN = Token(text="a.b.c", provider="idp", kid="first", expires=START + 100)
EXPIRED = replace(TOKEN, expires=START - 1)
FORGED = replace(TOKEN, signed=False)
FOR_OTHERS = replace(TOKEN, for_us=False)
STRANGE = replace(TOKEN, kid="never")


class World:
    """A provider that published `first` at START, and what it does later."""

    def __init__(self, *, well: bool = False) -> None:
        """Unless it is `well`, the provider fails from then on."""
        self.server = KeyServer()
        self.watched = Watched(
            self.server, KeyHistory(RULES, DEADLINE), KEYS_PATH, healthy_since=START - 100 if well else math.inf
        )
        self.policies = [PolicyInForce(frozenset({ALWAYS}), Reload(float("-inf"), float("-inf")))]
        self.oracle = Oracle({"idp": self.watched}, self.policies)
        self.serve(START, "first")

    def serve(self, at: float, *kids: str, withdrawn: tuple[str, ...] = ()) -> None:
        keys = [{"kid": kid} for kid in kids] + [{"kid": kid, "use": "enc"} for kid in withdrawn]
        self.server.requests.append(Request(path=KEYS_PATH, headers={}, at=at))
        self.server.served.append(Served(KEYS_PATH, json.dumps({"keys": keys}).encode(), at, at + 0.01))

    def acceptable(self, token: Token, at: float, *, model: str = ALWAYS, took: float = 0.01) -> set[str]:
        return set(self.oracle.acceptable(Call(token, model, START + at, START + at + took, "")))


@pytest.mark.parametrize(
    ("token", "model", "answer"),
    [
        (TOKEN, ALWAYS, ALLOWED),
        (TOKEN, SOMETIMES, "MODEL_NOT_GRANTED"),
        (EXPIRED, ALWAYS, "TOKEN_EXPIRED"),
        (FORGED, ALWAYS, "SIGNATURE_INVALID"),
        (FOR_OTHERS, ALWAYS, "AUDIENCE_MISMATCH"),
        (STRANGE, ALWAYS, "UNKNOWN_KEY"),
    ],
)
def test_while_keys_are_loaded_there_is_one_right_answer_and_beyond_their_bound_there_is_none(
    token: Token, model: str, answer: str
) -> None:
    world = World()

    assert world.acceptable(token, 5, model=model) == {answer}
    assert world.acceptable(token, 30 - SLACK - 0.1, model=model) == {answer}
    assert world.acceptable(token, 30 - SLACK / 2, model=model) == {answer, NO_KEYS}
    assert world.acceptable(token, 30.1, model=model) == {NO_KEYS}


def test_a_call_before_the_first_keys_has_no_answer() -> None:
    assert World().acceptable(TOKEN, -5) == {NO_KEYS}


def test_a_token_expires_at_its_instant() -> None:
    world = World()

    assert world.acceptable(replace(TOKEN, expires=START + 5), 4.9) == {ALLOWED}
    assert world.acceptable(replace(TOKEN, expires=START + 5), 4.99, took=0.02) == {ALLOWED, "TOKEN_EXPIRED"}
    assert world.acceptable(replace(TOKEN, expires=START + 5), 5.05) == {"TOKEN_EXPIRED"}


def test_a_removed_key_ends_with_its_grace_and_a_withdrawn_one_at_once() -> None:
    world = World()
    world.serve(START + 5, "second")
    world.serve(START + 12, "third", withdrawn=("second",))

    assert world.acceptable(TOKEN, 5 - SLACK - 0.1) == {ALLOWED}
    # Last seen at START, so that it goes 5 seconds after that.
    assert world.acceptable(TOKEN, 7) == {"UNKNOWN_KEY"}
    assert world.acceptable(replace(TOKEN, kid="second"), 7) == {ALLOWED}
    assert world.acceptable(replace(TOKEN, kid="second"), 12 + SLACK + 0.1) == {"UNKNOWN_KEY"}


def test_a_published_key_is_found_unless_something_stands_in_the_way() -> None:
    def published_later() -> World:
        world = World(well=True)
        world.watched.published = {"second": START + 2}
        return world

    later = replace(TOKEN, kid="second")
    world = published_later()
    assert world.acceptable(later, 8) == {ALLOWED}
    assert world.acceptable(later, 8, took=0.5) == {"UNKNOWN_KEY"}
    world.watched.healthy_since = START + 7
    assert world.acceptable(later, 8) == {"UNKNOWN_KEY"}
    world = published_later()
    world.server.requests.append(Request(path=KEYS_PATH, headers={}, at=START + 7))
    assert world.acceptable(later, 8) == {"UNKNOWN_KEY"}


def test_a_refresh_that_does_not_come_excuses_nothing() -> None:
    world = World(well=True)
    world.watched.published = {"first": START, "second": START + 1}
    due = RULES.every + RULES.timeout + 2 * SLACK

    assert world.acceptable(replace(TOKEN, kid="second"), due - 0.1, took=0.5) == {"UNKNOWN_KEY"}
    assert world.acceptable(replace(TOKEN, kid="second"), due + 0.1, took=0.5) == {ALLOWED}
    assert world.acceptable(TOKEN, 40) == {ALLOWED}
    world.watched.healthy_since = START + 35
    assert world.acceptable(TOKEN, 40) == {NO_KEYS}


def test_around_a_reload_both_policies_are_right_and_after_it_the_new_one_alone() -> None:
    world = World()
    world.policies.append(PolicyInForce(frozenset({SOMETIMES}), Reload(START + 5, START + 6)))

    assert world.acceptable(TOKEN, 4) == {ALLOWED}
    assert world.acceptable(TOKEN, 5.5) == {ALLOWED, "MODEL_NOT_GRANTED"}
    assert world.acceptable(TOKEN, 6.1) == {"MODEL_NOT_GRANTED"}
    assert world.acceptable(TOKEN, 6.1, model=SOMETIMES) == {ALLOWED}
    assert world.acceptable(TOKEN, 6.1, model=NEVER) == {"MODEL_NOT_GRANTED"}


@pytest.mark.parametrize(
    ("token", "at", "outcome"),
    [
        (EXPIRED, 5, ALLOWED),
        (FORGED, 5, ALLOWED),
        (STRANGE, 5, ALLOWED),
        (TOKEN, 31, ALLOWED),
        (TOKEN, 31, "UNKNOWN_KEY"),
        (TOKEN, 5, "UNKNOWN_KEY"),
        (TOKEN, 5, NO_KEYS),
        (TOKEN, 5, "DEADLINE_EXCEEDED DEADLINE_EXCEEDED"),
        (EXPIRED, 5, "SIGNATURE_INVALID"),
        (TOKEN, 5, "DENY ALLOWED"),
    ],
)
def test_a_wrong_answer_is_counted_and_told(token: Token, at: float, outcome: str) -> None:
    tally = Tally(World().oracle)
    tally.judge(Call(token, ALWAYS, START + at, START + at + 0.01, outcome))

    assert (tally.all_calls, tally.all_wrong, tally.wrongly_allowed) == (1, 1, int(outcome == ALLOWED))
    assert tally.examples[0]["outcome"] == outcome
    assert token.text not in json.dumps(tally.as_json())


@pytest.mark.parametrize("mutant", mutants.MUTANTS)
@pytest.mark.slow
async def test_a_defect_of_usherd_is_found(mutant: str, tmp_path: Path) -> None:
    well = Provider("well", Rules(stale_for=60, removed_grace=3), deadline=DEADLINE)
    dead = Provider("dead", Rules(), deadline=DEADLINE)
    async with well, dead:
        await dead.fail(Fault.STATUS_500)
        async with watching(tmp_path, [well, dead], program=(mutants.__file__, mutant)) as watch, watch.flowing(100):
            well.rotate()
            well.remove_oldest()
            end = time.monotonic() + 10
            while not watch.tally.all_wrong and time.monotonic() < end:
                await asyncio.sleep(0.1)
                if time.monotonic() > end - 8:
                    await well.fail(Fault.EMPTY_SET)

    assert watch.tally.all_wrong
    assert {each["outcome"] for each in watch.tally.examples} <= mutants.SYMPTOMS[mutant]
