"""A short run without a fuzzer: seeds, and changes of them that are the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from fuzz.judge import Judge
from fuzz.mutators import mutate_bytes
from fuzz.target import Target

SEED = 20261128
_SEEDS = 0.4
"""The most of a run that seeds as they are may be."""


def run(target: Target, inputs: int, *, until_broken: bool = False) -> Judge:
    """What became of so many inputs; `until_broken`: of those up to the first that breaks a promise."""
    judge = Judge(target)
    for data in _inputs(target, inputs):
        judge(data)
        if until_broken and judge.crashers:
            break
    return judge


def _inputs(target: Target, inputs: int) -> Iterator[bytes]:
    random = Random(SEED)
    seeds = list(target.seeds())
    chosen = seeds if len(seeds) <= inputs * _SEEDS else random.sample(seeds, int(inputs * _SEEDS))
    yield from chosen
    pool = list(seeds)
    for number in range(inputs - len(chosen)):
        mutate = mutate_bytes if random.random() < 0.1 else target.mutate
        data = mutate(random.choice(pool), random)[: target.max_size]
        # Some changes are changed again.
        if number % 4 == 0:
            pool.append(data)
        yield data
