"""The stories of tests/stories, told by a server: step by step, beginning now."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.story_server.stage import Stage
from usherd.config.schema_stories import Asking, Expect, Step, Story
from usherd.domain import Question
from usherd.stores.provider_http import provider_http
from usherd.stories.book import OpenBook, read_book
from usherd.stories.compiled import Compiler
from usherd.stories.finding import story_files
from usherd.stories.run import question_of
from usherd.stories.world import World

STORIES = Path(__file__).parents[2] / "stories"

UNSEEN = frozenset({"writes", "shadow", "problem"})
"""What is expected and cannot be seen by whoever asks."""
OF_THEIR_DATE = {
    "budgets": {"a budget begins anew with its period"},
    "defects": {"clock differences are forgiven as far as the issuer's leeway goes"},
    "faults": {"a token that is known expires all the same"},
    "sessions": {"a session ends with the second that it names"},
}
"""Stories that are about seconds of the date that their book names. They are told at that date, on which time stands
still; as it is over, whoever asks keeps nothing of what is answered. All others begin now, and time goes on in them.
"""

OF_WRITES = {
    "provisioning": {
        "the rows of one minute are bounded, and there is no answer beyond the bound",
        "what cannot be written is no answer",
    },
}
"""Stories that are about writes that fail. Living decisions write nothing: whoever waits for a cache to answer waits in
vain there."""


class Plays:
    """All stories by id."""

    def __init__(self, plays: Mapping[str, tuple[str, OpenBook, int, Compiler]], stage: Stage) -> None:
        self._plays = plays
        self._stage = stage
        self._id = ""
        self._world: World | None = None

    def listed(self, without: Collection[str]) -> dict[str, Any]:
        """What can be told, and what is left out and why."""
        told, left_out = [], []
        for each, (book, opened, index, _) in self._plays.items():
            story = opened.book.stories[index]
            why = left_out_for(story, without)
            if "writes" in without and story.name in OF_WRITES.get(book, ()):
                why = "a cache never answers there"
            shown = {"id": each, "book": book, "name": story.name}
            if why:
                left_out.append(shown | {"why": why})
            else:
                told.append(shown | {"steps": len(steps_of(story))})
        return {"stories": told, "left_out": left_out}

    def begin(self, story_id: str) -> dict[str, Any]:
        """The server answers for that story's world."""
        book, opened, index, compiler = self._play(story_id)
        story = opened.book.stories[index]
        place = ("stories", index)
        if story.name in OF_THEIR_DATE.get(book, ()):
            world = World(opened, story, place, compiler)
        else:
            # A whole second: stories are about whole ones, and a second more or less.
            now, began = float(int(time.time())), time.monotonic()
            world = World(replace(opened, now=now), story, place, compiler, lambda: time.monotonic() - began)
        self._id, self._world = story_id, world
        self._stage.show(world.authorizer, world.directory, world.clock)
        return {}

    def step(self, story_id: str, number: int, without: Collection[str]) -> dict[str, Any]:
        """Makes a change, or says what to ask and what to expect."""
        world = self._world
        if world is None or story_id != self._id:
            raise LookupError(f"story {story_id} under way")
        _, opened, index, _ = self._play(story_id)
        story = opened.book.stories[index]
        steps = steps_of(story)
        if not 0 <= number < len(steps):
            raise LookupError(f"step {number}")
        step = steps[number]
        if isinstance(step, Step) and step.change is not None:
            world.change(step.change, ("stories", index, "steps", number, "change"))
            self._stage.answer_with(world.authorizer)
            return {"changed": True}
        assert step.expect is not None
        asked = asked_of(question_of(opened.book, world, story, step))
        return {"ask": asked, "expect": expected(step.expect, without)}

    def _play(self, story_id: str) -> tuple[str, OpenBook, int, Compiler]:
        try:
            return self._plays[story_id]
        except KeyError:
            raise LookupError(f"story {story_id}") from None


def steps_of(story: Story) -> list[Asking]:
    """A story of one question is a sequence of one step."""
    return [story] if story.steps is None else list(story.steps)


def left_out_for(story: Story, without: Collection[str]) -> str:
    """Why a story cannot be told through a client; empty: it can be."""
    expecting = [step.expect for step in steps_of(story) if step.expect is not None]
    if any("problem" in expect.model_fields_set for expect in expecting):
        return "its policy does not load"
    if not any(expected(expect, without) for expect in expecting):
        return "nothing of what it expects can be seen by a caller"
    return ""


def expected(expect: Expect, without: Collection[str]) -> dict[str, Any]:
    """What is expected, in the words of stories."""
    left_out = UNSEEN | set(without)
    shown = expect.model_dump(mode="json", exclude_unset=True, by_alias=True)
    return {name: value for name, value in shown.items() if name not in left_out}


def asked_of(question: Question) -> dict[str, Any]:
    """A question as JSON."""
    return {
        "token": question.token,
        "route": question.route,
        "method": question.method,
        "model": question.model,
        "fallback_models": list(question.fallback_models),
        "team_id": question.team_id,
        "team_alias": question.team_alias,
        "end_user_id": question.end_user_id,
        "organization_id": question.organization_id,
        "modifies_guardrails": question.modifies_guardrails,
    }


@asynccontextmanager
async def opened_plays(stage: Stage) -> AsyncIterator[Plays]:
    """All stories beside the project's tests."""
    async with provider_http() as http:
        plays = {}
        for file in story_files([STORIES]):
            book = file.relative_to(STORIES).with_suffix("").as_posix()
            opened = read_book(file)
            compiler = Compiler(opened, http)
            for index in range(len(opened.book.stories)):
                plays[f"{book}/{index}"] = (book, opened, index, compiler)
        yield Plays(plays, stage)
