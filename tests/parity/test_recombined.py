"""What named differences imply holds beyond the recorded questions: for their parts, put together anew."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from usherd.parity.answers import Outcome
from usherd.parity.cases import Case, read_cases
from usherd.parity.differences import difference_of
from usherd.parity.fixtures import importable
from usherd.parity.results import is_implied
from usherd.parity.runner import running

from .support import CASES, DOCUMENTS

QUESTIONS = 600
AREAS = ("roles", "team", "team_ids", "user", "org", "end_user", "post", "combo", "odd", "rbac")


def recombined(seed: int) -> Iterator[Case]:
    chance = random.Random(seed)
    by_area: dict[str, list[Case]] = defaultdict(list)
    for case in read_cases(CASES):
        by_area[case.area].append(case)
    for _ in range(QUESTIONS):
        area = chance.choice(AREAS)
        config, said, rows = (chance.choice(by_area[area]) for _ in range(3))
        if chance.random() < 0.3:
            said = chance.choice(by_area[chance.choice(AREAS)])
        asked = chance.choice([config, chance.choice(by_area["post"])])
        yield replace(
            config,
            id=f"{config.id} + {said.id} + {asked.id}",
            token=said.token,
            claims=said.claims,
            directory=chance.choice([said, rows]).directory,
            model=asked.model,
            route=chance.choice([config, asked]).route,
        )


async def test_recombined_questions_get_an_answer_and_the_implied_one() -> None:
    held, wrong, faults = 0, [], []
    with importable(CASES):
        async with running(DOCUMENTS) as runner:
            for case in recombined(seed=63):
                answer = await runner.ask(case)
                if answer.outcome is Outcome.FAULT:
                    faults.append(case.id)
                difference = difference_of(case, DOCUMENTS.value(case.keys))
                if difference is not None:
                    held += 1
                    if not await is_implied(runner, case, difference, answer):
                        wrong.append((case.id, difference.name, answer.reason))

    assert (wrong, faults) == ([], [])
    assert held > QUESTIONS / 20
