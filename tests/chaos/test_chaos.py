"""Replicas that are killed and cut off break no promise; and the chaos finds those that do."""

from __future__ import annotations

import pytest

from chaos import defects
from chaos.report import problems, result_of, text
from chaos.run import REPLICAS, calm, news, scene, stormy
from chaos.score import BROKEN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FINE = {"broken": dict.fromkeys(BROKEN, 0), "log_events": {"serving": 2}}


def _silent(line: str) -> None:
    pass


async def test_replicas_that_are_killed_and_cut_off_break_no_promise() -> None:
    async with scene() as running:
        await calm(running, 3, every=0.5)
        await stormy(running, 1, _silent, kinds=["freeze PostgreSQL"])
        await stormy(running, 1, _silent, kinds=["kill a replica and PostgreSQL"])
        result = result_of(running)
        told = news(running)
    assert problems(result) == [], result["examples"]
    assert result["writes"] > 10
    assert sum(result["answers"].get(each, 0) for each in ("ALLOWED", "TEAM_BLOCKED", "TOKEN_REVOKED")) > 50
    assert set(told) == {"block", "budget", "revocation"}
    # Who was cut off said so, and did not go on for ever.
    assert 0 < result["silenced"]["max_ms"] < 10_000
    assert any(each.startswith("UNAVAILABLE ") for each in result["answers"])


@pytest.mark.parametrize(
    ("defect", "promises"),
    [
        ("the_feed_passes_over_teams", {"wrong_allow", "allow_against_its_revision"}),
        ("revocations_are_not_heard", {"wrong_allow"}),
    ],
)
async def test_a_defect_is_found(defect: str, promises: set[str]) -> None:
    async with scene((defects.__file__, defect)) as running:
        await calm(running, 5, every=0.5)
        result = result_of(running)
    assert promises <= {name for name, count in result["broken"].items() if count}
    assert result["examples"]


async def test_a_write_that_is_answered_and_not_made_is_found() -> None:
    async with scene((defects.__file__, "some_writes_are_answered_and_not_made")) as running:
        subject = running.ledger.subjects[0]
        # Of so many one replica makes its fourth. What is written next would hide it, so it is looked for at once.
        for _ in range(REPLICAS * 3 + 1):
            await running.writers.change(subject, closed=not subject.state)
            await running.writers.read_back()
        result = result_of(running)
    assert result["broken"]["lost_writes"]
    assert result["examples"]


async def test_a_replica_that_goes_on_without_the_log_is_found() -> None:
    async with scene((defects.__file__, "facts_are_never_too_old")) as running:
        await stormy(running, 1, _silent, kinds=["freeze PostgreSQL"])
        result = result_of(running)
    assert result["broken"]["answers_while_cut_off"]
    assert result["broken"]["stale_checkpoints"]


def test_a_broken_promise_is_told() -> None:
    assert problems(FINE) == []
    assert problems(FINE | {"broken": FINE["broken"] | {"lost_writes": 2}}) == ["2 x lost writes"]
    assert problems(FINE | {"log_events": {"internal_fault": 1}}) == ["the log has 1 bugs"]


def test_the_result_is_told_in_words() -> None:
    spread = {"count": 3, "p50_ms": 12.0, "p99_ms": 30.0, "max_ms": 31.0}
    result = FINE | {
        "faults": {"kill a replica": 2},
        "recovery": {"kill a replica": spread},
        "news": {"block": {"since_asked": spread}},
        "news_without_notifications": {},
        "silenced": spread,
        "failover": spread,
        "writes": 9,
        "writes_sent_again": 1,
        "reconnects": 4,
        "examples": [],
        "problems": ["2 x lost writes"],
    }
    shown = text(result)
    assert "block to the last who watches, with notifications: p50 12 ms, p99 30 ms of 3" in shown
    assert "BROKEN: 2 x lost writes" in shown
