"""The fuzzing targets are alive: thousands of strange inputs break no promise, and a broken promise is noticed."""

from __future__ import annotations

import time
from random import Random

import pytest

from fuzz.judge import LONGEST, Judge
from fuzz.short_run import run
from fuzz.target import MODULES, Target, files, load


@pytest.mark.parametrize("name", MODULES)
def test_strange_inputs_break_no_promise(name: str) -> None:
    target = load(name)

    judge = run(target, target.short_run)

    assert judge.crashers == {}
    assert judge.executions == target.short_run


@pytest.mark.parametrize("name", MODULES)
def test_a_target_changes_inputs_alike_for_the_same_choices(name: str) -> None:
    target = load(name)
    seeds = target.seeds()

    changed = [[target.mutate(seed, Random(number)) for number, seed in enumerate(seeds[:50])] for _ in range(2)]

    assert changed[0] == changed[1]
    assert sum(before != after for before, after in zip(seeds, changed[0], strict=False)) > len(changed[0]) / 2
    assert len(set(seeds)) > 20


@pytest.mark.parametrize("name", MODULES)
def test_a_target_names_files_that_there_are(name: str) -> None:
    assert all(file.is_file() for file in files(name))
    assert load(name).name == name


def _judged(check: object, *inputs: bytes) -> Judge:
    judge = Judge(Target(name="x", seeds=list, check=check, mutate=lambda data, _: data))  # type: ignore[arg-type]
    for data in inputs:
        judge(data, again=True)
    return judge


def test_what_a_check_raises_is_kept_once_with_the_shortest_input() -> None:
    def check(data: bytes) -> object:
        raise KeyError(data)

    ((data, text),) = _judged(check, b"long input", b"in", b"input").crashers.values()

    assert data == b"in"
    assert "KeyError" in text


def test_another_answer_to_the_same_bytes_is_noticed() -> None:
    answers = iter(range(100))

    crashers = _judged(lambda _: next(answers), b"x").crashers

    assert [place.split()[0] for place in crashers] == ["OtherAnswer"]


def test_an_input_that_takes_long_is_noticed() -> None:
    def check(data: bytes) -> None:
        end = time.process_time() + LONGEST * 1.2
        while time.process_time() < end:
            pass

    judge = _judged(check, b"x")

    assert [place.split()[0] for place in judge.crashers] == ["TooSlow"]
    assert judge.slowest > LONGEST
