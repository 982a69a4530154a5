"""The soak tells what came of it, and which bound was broken."""

from __future__ import annotations

import pytest

from oracle import mutants
from oracle.soak import MEMORY_BOUND, growth, problems, soak, text

FINE = {"wrong": 0, "wrongly_allowed": 0, "memory_growth": 1.0, "exit_code": 0, "log_events": {"serving": 1}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"wrong": 3, "wrongly_allowed": 1}, "3 wrong answers, 1 of them ALLOW"),
        ({"memory_growth": 1.051}, f"memory: the last third is 1.051 of the middle one, bound {MEMORY_BOUND}"),
        ({"exit_code": -9}, "usherd ended with exit code -9"),
        ({"log_events": {"serving": 1, "call_failed": 2}}, "the log has call_failed"),
    ],
)
def test_a_broken_bound_is_told(change: dict[str, object], told: str) -> None:
    assert problems(FINE) == []
    assert problems(FINE | change) == [told]


def test_memory_is_compared_by_the_medians_of_its_thirds() -> None:
    assert growth([900, 500, 300, 100, 100, 200, 110, 110, 90]) == 1.1
    assert growth([1, 2]) == 1.0


@pytest.mark.slow
async def test_a_short_soak_counts_calls_under_each_fault_and_finds_nothing_wrong() -> None:
    result = await soak(7, minute=6)

    assert result["wrong"] == 0, result["examples_of_wrong"]
    assert (result["exit_code"], set(result["log_events"]) - {"key_set_failed"} >= {"reloaded", "key_set_loaded"}) == (
        0,
        True,
    )
    assert set(result["by_fault"]) == {"none", "down"}
    assert all(each["calls"] > 10 for each in result["by_fault"].values())
    assert result["reloads"] >= 1
    assert result["memory_bytes"]["samples"] >= 5
    assert f"{'all':<24}{result['calls']:>10}{0:>8}" in text(result)


@pytest.mark.slow
async def test_a_soak_of_a_defect_is_broken() -> None:
    result = await soak(2, program=(mutants.__file__, "expired_tokens_pass"))

    assert any("wrong answers" in each for each in result["problems"])
    assert result["wrongly_allowed"] > 0
    assert "BROKEN: " in text(result)
