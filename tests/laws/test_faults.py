"""A fault at any port call or stage boundary is a fault: never an allowance, never a denial."""

from __future__ import annotations

import ast
import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import usherd
from examples import examples
from laws.strategies import askings, rarely, worlds
from usherd import judge
from usherd.domain import CheckOutcome, Decision, Effect, Question
from usherd.errors import (
    DirectoryUnavailable,
    Fault,
    InternalFault,
    IntrospectionUnavailable,
    KeysUnavailable,
    Refusal,
    RevocationsUnavailable,
)
from usherd.facts import Team
from usherd.permit.checks import CHECKS
from usherd.policy import ProvisionRules, UserRules
from usherd.reasons import Reason
from worlds import CHAT, Recorder, World, policy

law = examples(1000, deadline=None, suppress_health_check=list(HealthCheck))

FAULTS: list[BaseException] = [
    KeysUnavailable(),
    DirectoryUnavailable(),
    RevocationsUnavailable(),
    IntrospectionUnavailable(),
    InternalFault(),
    RuntimeError("canary"),
    KeyError("canary"),
    TypeError(),
    AssertionError(),
    RecursionError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "canary"),
    TimeoutError(),
    MemoryError(),
    ExceptionGroup("canary", [KeysUnavailable()]),
    asyncio.CancelledError(),
]


def bomb(error: BaseException) -> Callable[..., Any]:
    def explode(*_args: object, **_kwargs: object) -> Any:
        raise error

    return explode


def never_revoked(_token: object) -> bool:
    return False


async def always_accepted(_claims: object) -> bool:
    return True


class Revocations:
    revoked = staticmethod(never_revoked)


def boundaries(world: World) -> dict[str, tuple[Any, str]]:
    """Every place where the authorizer asks a port or hands over to a stage: (owner, attribute)."""
    authorizer = world.authorizer
    holders, inner = authorizer._holders, authorizer._judge
    verifier = holders._verifier
    return {
        "keys.find": (world.keys, "find"),
        "keys.trusts": (world.keys, "trusts"),
        "keys.usable_for": (world.keys, "usable_for"),
        "directory.facts": (world.directory, "facts"),
        "revocations.revoked": (holders._revocations, "revoked"),
        "hook": (holders, "_hook"),
        **({"provisioning": (world.provisioning, "write")} if world.provisioning is not None else {}),
        "clock": (authorizer._decisions, "_clock"),
        "verifier.clock": (verifier, "_clock"),
        "new_id": (authorizer._decisions, "_new_id"),
        "authenticate": (verifier, "verify"),
        "profile": (holders._profiler, "profile"),
        "asked": (inner, "asked"),
        "public": (inner, "public"),
        "genuine": (inner, "genuine"),
        "refused": (inner, "refused"),
        "case": (inner._permit, "case"),
        "judge": (inner, "judge"),
        "identify": (judge, "identify"),
        "reading": (judge, "Reading"),
        "allow": (judge, "allow"),
        "deny": (judge, "deny"),
        "principal": (judge, "principal_of"),
        "limits": (inner._limits, "of"),
        "resolved_model": (judge, "resolved_model"),
        **{f"check {check.name}": (judge, "CHECKS") for check in CHECKS},
    }


NAMES = tuple(boundaries(World(revocations=Revocations(), hook=always_accepted, provisioning=Recorder())))


def outcome(world: World, question: Any, explain: bool) -> Decision | BaseException:
    coroutine = world.authorizer.authorize(question, explain=explain)
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: Decision = done.value
        return result._replace(decision_id="")
    except BaseException as error:
        return error
    raise AssertionError("suspended")


@law
@given(worlds(), askings(), st.sampled_from(NAMES), st.sampled_from(FAULTS), st.booleans(), st.booleans(), rarely)
def test_a_fault_anywhere_is_never_an_answer(
    drawn: World, asking: dict[str, Any], name: str, error: BaseException, warm: bool, explain: bool, broken: bool
) -> None:
    world = replace(drawn, revocations=Revocations(), hook=always_accepted)
    question = world.question(**asking)
    if broken:
        question = question._replace(token=question.token[:-8])
    expected = outcome(replace(world), question, explain)
    assert isinstance(expected, Decision)
    if warm:
        outcome(world, question, explain)

    result = with_a_fault(world, question, name, error, explain)

    if name == "hook" and isinstance(result, Decision) and result.verdict.reason is Reason.HOOK_REFUSED:
        # The one error that an option makes a denial of, as the reference does.
        assert world.policy.options.hook_on_error == "deny"
    elif isinstance(result, Decision):
        # It was not reached; or only the explanation, behind a denial, wanted it.
        assert result._replace(verdict=replace(result.verdict, explanation=None)) == expected._replace(
            verdict=replace(expected.verdict, explanation=None)
        )
    elif isinstance(error, asyncio.CancelledError):
        assert result is error
    else:
        assert isinstance(result, Fault)
        kind = DirectoryUnavailable if name == "provisioning" else InternalFault
        assert result is error or isinstance(result, kind)
        assert "canary" not in str(result)


def with_a_fault(
    world: World, question: Question, name: str, error: BaseException, explain: bool
) -> Decision | BaseException:
    owner, attribute = boundaries(world)[name]
    patched: Any = bomb(error)
    if attribute == "CHECKS":
        patched = tuple(each._replace(run=bomb(error)) if name == f"check {each.name}" else each for each in CHECKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, attribute, patched)
        return outcome(world, question, explain)


@pytest.mark.parametrize("name", NAMES)
def test_each_of_these_places_is_really_passed(name: str) -> None:
    everyone = replace(policy(), users=UserRules(provision=ProvisionRules(always=True)))

    def faults(warm: bool, **asked: Any) -> bool:
        world = World(policy=everyone, revocations=Revocations(), hook=always_accepted, provisioning=Recorder())
        question = world.question(**asked)
        if warm:
            # Only the token is known: the verdict would spare the way.
            outcome(world, question._replace(model="o1"), explain=False)
        return isinstance(with_a_fault(world, question, name, RuntimeError(), False), Fault)

    reader = {"roles": "Reader"}

    assert (
        faults(False, claims=reader)
        or faults(True, claims=reader)
        or faults(False, claims={})
        or faults(False, token="x")
    )


def at_hand(world: World, question: Question) -> Decision | BaseException | None:
    try:
        return world.at_hand(question)
    except BaseException as error:
        return error


AT_HAND = (
    "keys.trusts",
    "keys.usable_for",
    "revocations.revoked",
    "clock",
    "verifier.clock",
    "new_id",
    "facts",
    "verdicts",
    "answers",
)


@law
@given(worlds(), askings(), st.sampled_from(AT_HAND), st.sampled_from(FAULTS), st.booleans())
def test_a_fault_on_the_short_way_is_never_an_answer(
    drawn: World, asking: dict[str, Any], name: str, error: BaseException, again: bool
) -> None:
    world = replace(drawn, revocations=Revocations())
    question = world.question(**asking)
    outcome(world, question, explain=False)
    if again:
        # The answer is known by the question's encoding then, and not looked for by what the question says.
        world.at_hand(question)
    places = boundaries(world) | {
        "facts": (world.directory, "at_hand"),
        "verdicts": (world.authorizer._verdicts, "known"),
        "answers": (world.authorizer._at_hand._known, "get"),
    }
    owner, attribute = places[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, attribute, bomb(error))
        answer = at_hand(world, question)

    if isinstance(answer, BaseException):
        # Nothing but what was thrown in comes out; the guard makes a fault of it.
        assert answer is error
        assert not isinstance(answer, Fault)
        return
    # It was left to the long way, or that place is not on the short one.
    passed_by = ("keys.trusts", "keys.usable_for", "revocations.revoked", *(("verdicts",) if again else ()))
    assert answer is None or name in passed_by
    assert answer is None or answer._replace(decision_id="") == outcome(world, question, explain=False)


@pytest.mark.parametrize("is_known", [False, True], ids=["by what it says", "by its encoding"])
def test_the_short_way_asks_dates_keys_and_revocation_anew(is_known: bool) -> None:
    revoked = [False]

    class Listed:
        def revoked(self, _token: Any) -> bool:
            return revoked[0]

    world = World(revocations=Listed())
    question = world.question(claims={"roles": "Reader"})
    world.answer(question)
    asked = itertools.count()

    def is_answered() -> bool:
        # An encoding that never came before, or always the same.
        encoded = b"known" if is_known else bytes(next(asked))
        return world.authorizer.at_hand(encoded, lambda: question) is not None

    assert is_answered()
    revoked[0] = True
    assert not is_answered()
    revoked[0] = False
    assert is_answered()
    keys, world.keys.sets["idp"] = world.keys.sets["idp"], []
    assert not is_answered()
    world.keys.sets["idp"] = keys
    world.keys.unavailable.add("idp")
    assert not is_answered()
    world.keys.unavailable.clear()
    world.answer(question)
    assert is_answered()
    world.directory.replace(replace(world, teams=(Team(id="new"),)).rows())
    assert not is_answered()
    world.answer(question)
    assert is_answered()
    world.now += 700
    assert not is_answered()


def test_a_hook_is_never_passed_by() -> None:
    world = World(hook=always_accepted)
    question = world.question(claims={"roles": "Reader"})
    world.answer(question)

    assert world.at_hand(question) is None
    assert world.at_hand(question) is None


def test_behind_a_denial_a_fault_is_only_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(judge, "CHECKS", (*CHECKS[:-1], CHECKS[-1]._replace(run=bomb(RuntimeError("canary")))))

    verdict = world.ask(route="/nowhere", claims={"roles": "Reader"}, explain=True).verdict

    assert verdict.reason is Reason.ROUTE_NOT_GRANTED
    assert verdict.explanation is not None
    assert verdict.explanation.checks[-1].outcome is CheckOutcome.FAULT


def test_a_hook_that_refuses_by_an_exception_is_a_fault() -> None:
    async def hook(_claims: object) -> bool:
        raise Refusal(Reason.CLAIM_INVALID)

    with pytest.raises(InternalFault):
        World(hook=hook).ask(claims={"roles": "Reader"})


@pytest.mark.parametrize("answer", [False, None, 1, "true", object()])
def test_a_hook_accepts_with_true_and_nothing_else(answer: object) -> None:
    async def hook(_claims: object) -> bool:
        return answer  # type: ignore[return-value]

    assert World(hook=hook).reason(claims={"roles": "Reader"}) == "HOOK_REFUSED"


def test_revocation_and_hook_are_asked_again_for_a_token_that_is_known() -> None:
    revoked: set[str] = set()
    accepting = [True]

    class Listed:
        def revoked(self, token: Any) -> bool:
            return token.token_id in revoked

    async def hook(_claims: object) -> bool:
        return accepting[0]

    world = World(revocations=Listed(), hook=hook)
    question = world.question(claims={"roles": "Reader"})
    before = world.answer(question).verdict
    token_id = next(each.id for each in before.depends_on)

    revoked.add(token_id)
    after_revocation = world.answer(question).verdict.reason
    revoked.clear()
    accepting[0] = False
    after_hook = world.answer(question).verdict.reason

    assert (before.reason, after_revocation, after_hook) == (Reason.ALLOWED, Reason.TOKEN_REVOKED, Reason.HOOK_REFUSED)


def test_a_lost_check_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for lost in range(len(CHECKS)):
        monkeypatch.setattr(judge, "CHECKS", CHECKS[:lost] + CHECKS[lost + 1 :])

        with pytest.raises(InternalFault):
            World().ask(claims={"roles": "Reader"})


def test_one_place_says_allow() -> None:
    """No other module of the daemon names the effect ALLOW, and that one builds it once."""
    package = Path(usherd.__file__).parent
    sayings: list[str] = []
    for file in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "effect" and "ALLOW" in ast.dump(node.value):
                sayings.append(f"{file.relative_to(package)}: effect=")
            elif isinstance(node, ast.Attribute) and node.attr == "ALLOW" and file.name != "decide.py":
                sayings.append(f"{file.relative_to(package)}: {ast.unparse(node)}")

    assert sayings == ["decide.py: effect="]


def test_an_expired_token_that_is_known_is_denied() -> None:
    world = World()
    question = world.question(claims={"roles": "Reader"})
    first = world.answer(question)

    world.now += 600 + 31
    second = world.answer(question)

    assert (first.verdict.effect, second.verdict.reason) == (Effect.ALLOW, Reason.TOKEN_EXPIRED)
    assert first.cacheable
    assert first.valid_until <= world.now - 31


def test_a_key_that_is_no_longer_trusted_verifies_no_known_token() -> None:
    world = World()
    question = world.question(claims={"roles": "Reader"}, route=CHAT)
    first = world.answer(question).verdict

    world.keys.sets["idp"] = []
    second = world.answer(question).verdict

    assert (first.reason, second.reason) == (Reason.ALLOWED, Reason.UNKNOWN_KEY)
