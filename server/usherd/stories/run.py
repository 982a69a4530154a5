"""Tells stories: asks what they ask, and finds every answer that is not the expected one."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, Literal

from usherd.config.problems import ConfigError, KeyPath, Problem, Unusable
from usherd.config.schema_stories import Ask, Asking, Book, Story
from usherd.domain import Decision, Question
from usherd.errors import Fault
from usherd.stores.provider_http import provider_http
from usherd.stories.answers import Answered, Difference, checks, differences
from usherd.stories.book import OpenBook
from usherd.stories.compiled import Compiler
from usherd.stories.tokens import Recipe
from usherd.stories.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An answer that is not the expected one."""

    step: str
    """Which step of a sequence it is; empty for a single question."""
    differences: tuple[Difference, ...]
    checks: tuple[str, ...] = ()
    """How the checks of the decision went; or what kind of error there was instead of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one story went."""

    book: str
    """The file as messages call it."""
    line: int
    name: str
    tags: tuple[str, ...]
    seconds: float
    failures: tuple[Failure, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Why the story could not be told: it, its policy or its directory is malformed."""

    @property
    def outcome(self) -> Literal["passed", "failed", "malformed"]:
        """Whether everything was as expected, something was not, or the story could not be told."""
        return "malformed" if self.problems else "failed" if self.failures else "passed"

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return self.outcome == "passed"


async def run(opened: OpenBook, chosen: Callable[[Story], bool] = lambda story: True) -> AsyncGenerator[Result, None]:
    """Tells the chosen stories of a file, in their order."""
    async with provider_http() as http:
        compiler = Compiler(opened, http)
        for index, story in enumerate(opened.book.stories):
            if chosen(story):
                yield await _tell(opened, story, ("stories", index), compiler)


async def _tell(opened: OpenBook, story: Story, place: KeyPath, compiler: Compiler) -> Result:
    began = time.perf_counter()
    failures: list[Failure] = []
    problems: tuple[Problem, ...] = ()
    try:
        failures = await _failures(opened, story, place, compiler)
    except ConfigError as error:
        problems = error.problems
    return Result(
        book=opened.name,
        line=opened.line(place),
        name=story.name,
        tags=tuple(story.tags),
        seconds=time.perf_counter() - began,
        failures=tuple(failures),
        problems=problems,
    )


async def _failures(opened: OpenBook, story: Story, place: KeyPath, compiler: Compiler) -> list[Failure]:
    if story.steps is None and story.expect is not None and story.expect.problem is not None:
        return _loads(opened, story, story.expect.problem, place, compiler)
    world = World(opened, story, place, compiler)
    if story.steps is None:
        found = await _ask(opened, world, story, story, place)
        return [] if found is None else [found]
    failures = []
    for index, step in enumerate(story.steps):
        here = (*place, "steps", index)
        if step.change is not None:
            world.change(step.change, (*here, "change"))
        elif (found := await _ask(opened, world, story, step, here, step.name or f"step {index + 1}")) is not None:
            failures.append(found)
    return failures


def _loads(opened: OpenBook, story: Story, problem: str, place: KeyPath, compiler: Compiler) -> list[Failure]:
    """The failure of a policy that loads although it must not, or that does not for another reason."""
    try:
        World(opened, story, place, compiler)
    except ConfigError as error:
        said = [f"{each.key}: {each.text}" for each in error.problems]
        if any(problem in text for text in said):
            return []
        return [Failure(step="", differences=(Difference("problem", problem, said),))]
    return [Failure(step="", differences=(Difference("problem", problem, None),))]


async def _ask(
    opened: OpenBook, world: World, story: Story, asking: Asking, place: KeyPath, step: str = ""
) -> Failure | None:
    expect = asking.expect
    if expect is None:
        raise ConfigError([opened.document.problem(place, "expects nothing; expected expect")])
    try:
        question = question_of(opened.book, world, story, asking)
    except Unusable as error:
        raise ConfigError([opened.document.problem(place, str(error))]) from None
    answer, writes = await world.answer(question)
    answered = Answered(
        answer=answer,
        writes=writes,
        models=await world.models(question) if "models" in expect.model_fields_set else None,
        shadow=await world.shadow(question) if "shadow" in expect.model_fields_set else None,
    )
    found = differences(expect, answered)
    if not found:
        return None
    return Failure(step=step, differences=tuple(found), checks=await _how(world, question, answer))


async def _how(world: World, question: Question, answer: Decision | Fault) -> tuple[str, ...]:
    """How the checks went; of a fault, the kind of error that it came from."""
    if isinstance(answer, Fault):
        return () if answer.__cause__ is None else (f"caused by {type(answer.__cause__).__name__}",)
    explained = await world.explained(question)
    return () if explained is None else tuple(checks(explained))


def question_of(book: Book, world: World, story: Story, asking: Asking) -> Question:
    """The question of a step, or of the story itself. What a step leaves out is the story's."""
    token = asking.token
    if token is None and story.token is not None and asking.claims is None:
        token = story.token
    if token is None:
        token = world.token(
            Recipe(
                issuer=_first(asking.issuer, story.issuer),
                key=_first(asking.key, story.key),
                claims=_claims(book, _first(asking.claims, story.claims) or {}),
                omit=_first(asking.omit, story.omit) or [],
                header=_first(asking.header, story.header) or {},
            )
        )
    asked = _asked(book, _first(asking.ask, story.ask))
    asked["fallback_models"] = tuple(asked.get("fallback_models", ()))
    return Question(token=token, **asked)


def _first(own: Any, inherited: Any) -> Any:
    return inherited if own is None else own


def _claims(book: Book, written: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in written.items() if name != "fixture"}
    return {**book.fixtures.claims.get(str(written.get("fixture")), {}), **own}


def _asked(book: Book, written: Ask | None) -> dict[str, Any]:
    fixture = None if written is None else book.fixtures.asks.get(written.fixture or "")
    parts = {
        name: value
        for each in (fixture, written)
        if each is not None
        for name, value in each.model_dump(exclude_unset=True, exclude={"fixture"}).items()
    }
    return {name: value for name, value in parts.items() if value is not None}
