"""Decisions on the wire: nothing is lost, and the same decision always gives the same bytes."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tools.rpc_world import ALLOW, decision
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2
from usherd.domain import (
    CheckOutcome,
    CheckResult,
    Decision,
    Dependency,
    DependencyKind,
    Effect,
    Explanation,
    Limit,
    Limits,
    Principal,
    PrincipalKind,
    ShadowVerdict,
    Verdict,
)
from usherd.errors import Fault, KeysUnavailable
from usherd.reasons import ANSWERS, Reason
from usherd.rpc import answers, messages, replies

PRINCIPAL = Principal(kind=PrincipalKind.USER, issuer="https://idp.example", subject="u-1")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
COUNT = st.none() | st.integers(0, 2**62)
MANY = st.lists(TEXT, max_size=3).map(tuple)

PRINCIPALS = st.builds(
    Principal, kind=st.sampled_from(PrincipalKind), issuer=TEXT, subject=TEXT, client=TEXT, directory_role=TEXT,
    is_admin=st.booleans(), user_id=TEXT, email=TEXT, team_id=TEXT, team_alias=TEXT, organization_id=TEXT,
    end_user_id=TEXT, scopes=MANY, roles=MANY, claims=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
)  # fmt: skip
LIMITS = st.builds(
    Limit, tpm=COUNT, rpm=COUNT, max_budget_micro_usd=COUNT,
    budget_reset_seconds=st.none() | st.integers(0, 10**9), models=MANY,
)  # fmt: skip
CHECKS = st.lists(
    st.builds(CheckResult, TEXT, st.sampled_from(CheckOutcome), st.none() | st.sampled_from(Reason), TEXT), max_size=3
).map(tuple)
SHADOWS = st.builds(
    ShadowVerdict, effect=st.none() | st.sampled_from(Effect), reason=st.none() | st.sampled_from(Reason), policy=TEXT,
    checks=CHECKS,
)  # fmt: skip


def _as_decided(verdict: Verdict) -> Verdict:
    """None stands for the status that goes with the reason, and an allowance has no other."""
    usual = verdict.effect is Effect.ALLOW or verdict.http_status == ANSWERS[verdict.reason].http_status
    return replace(verdict, http_status=None) if usual else verdict


VERDICTS = st.builds(
    Verdict,
    effect=st.sampled_from(Effect),
    reason=st.sampled_from(Reason),
    http_status=st.none() | st.sampled_from([400, 401, 403, 429]),
    principal=st.none() | PRINCIPALS,
    resolved_model=TEXT,
    limits=st.none() | st.builds(Limits, team=st.none() | LIMITS, user=st.none() | LIMITS, member=st.none() | LIMITS),
    depends_on=st.lists(
        st.builds(Dependency, st.sampled_from(DependencyKind), TEXT, TEXT, st.booleans()), max_size=4
    ).map(tuple),
    explanation=st.none()
    | st.builds(Explanation, checks=CHECKS, roles_held=MANY, team_candidates=MANY, shadow=st.none() | SHADOWS),
).map(_as_decided)
DECISIONS = st.builds(
    Decision, verdict=VERDICTS, decision_id=TEXT, revision=TEXT, cacheable=st.booleans(),
    valid_until=st.integers(0, 2**31).map(lambda eighths: eighths / 8),
)  # fmt: skip


@given(made=DECISIONS)
def test_a_decision_comes_back_as_it_was_sent(made: Decision) -> None:
    response = api.CheckResponse.FromString(answers.check_response(made))

    assert replies.decision(response.decision) == made


@given(made=DECISIONS)
def test_both_calls_give_the_canonical_bytes_of_the_same_decision(made: Decision) -> None:
    check, authorize = answers.check_response(made), answers.authorize_response(made)

    unary, first = api.CheckResponse.FromString(check), api.AuthorizeResponse.FromString(authorize)
    assert unary.decision == first.decision
    assert unary.decision == messages.decision_message(made)
    assert unary.SerializeToString(deterministic=True) == check == answers.check_response(made)
    assert first.SerializeToString(deterministic=True) == authorize
    assert (first.WhichOneof("event"), first.terms.mode) == ("decision", api.MODE_ONCE)
    assert not first.terms.HasField("max_silence")


@given(made=DECISIONS)
def test_texts_are_those_of_the_reason_and_so_is_the_status_unless_the_verdict_has_its_own(made: Decision) -> None:
    sent = messages.decision_message(made)

    answer = ANSWERS[made.verdict.reason]
    assert sent.message == answer.message
    assert sent.http_status == (made.verdict.http_status or answer.http_status)
    # A 401 carries a challenge, whatever made it one.
    bare = "Bearer" if sent.http_status == 401 else ""
    assert sent.www_authenticate == (answer.www_authenticate or bare)


@pytest.mark.parametrize(
    ("status", "read"), [(0, None), (200, None), (302, None), (399, None), (500, None), (429, None), (400, 400)]
)
def test_a_denial_is_read_with_a_status_that_a_denial_can_have(status: int, read: int | None) -> None:
    denied = Verdict(effect=Effect.DENY, reason=Reason.TEAM_BUDGET_EXHAUSTED)
    sent = messages.decision_message(decision(denied))
    sent.http_status = status

    assert replies.decision(sent).verdict.http_status == read


def test_an_allowance_is_read_as_one_whatever_its_status_says() -> None:
    sent = messages.decision_message(decision())
    sent.http_status = 403

    assert replies.decision(sent) == decision()


def test_a_candidate_without_an_answer_has_no_effect_and_no_reason() -> None:
    shadow = ShadowVerdict(effect=None, reason=None, policy="digest")
    told = replace(ALLOW, explanation=Explanation(checks=(), shadow=shadow))

    sent = messages.decision_message(decision(told))

    assert sent.effect == decision_pb2.EFFECT_ALLOW
    assert sent.explanation.shadow == decision_pb2.ShadowVerdict(policy="digest")


def test_without_a_candidate_there_is_no_shadow() -> None:
    sent = messages.decision_message(decision(replace(ALLOW, explanation=Explanation(checks=()))))

    assert sent.HasField("explanation")
    assert not sent.explanation.HasField("shadow")


@given(st.floats(10**9, 2**33))
@example(1_800_000_000.9999998)
def test_validity_is_never_rounded_up(valid_until: float) -> None:
    made = decision()._replace(valid_until=valid_until)

    written = api.CheckResponse.FromString(answers.check_response(made)).decision
    for sent in (messages.decision_message(made), written):
        told = Fraction(sent.valid_until.seconds) + Fraction(sent.valid_until.nanos, 10**9)
        assert 0 <= Fraction(valid_until) - told < Fraction(1, 10**6)


def test_a_batch_keeps_ids_order_and_faults() -> None:
    results: list[Decision | Fault] = [decision(number=1), KeysUnavailable(), decision(number=2)]

    sent = api.BatchCheckResponse.FromString(answers.batch_response(["a", "b", "c"], results))

    assert [(each.id, each.WhichOneof("result")) for each in sent.results] == [
        ("a", "decision"),
        ("b", "fault"),
        ("c", "decision"),
    ]
    assert sent.results[1].fault.code == 14
    assert sent.results[1].fault.retry_after.seconds == 1


def test_a_batch_too_long_for_clients_ends_in_faults_of_its_last_items() -> None:
    assert ALLOW.principal is not None
    big = replace(ALLOW, principal=replace(ALLOW.principal, claims=(("c", "x" * 30_000),)))
    ids = [f"{number:0128}" for number in range(1000)]

    data = answers.batch_response(ids, [decision(big)] * 1000)

    sent = api.BatchCheckResponse.FromString(data)
    kinds = [each.WhichOneof("result") for each in sent.results]
    assert len(data) <= answers.MAX_ANSWER
    assert kinds == sorted(kinds)
    assert 100 < kinds.count("decision") < 1000
    assert sent.results[-1].fault.code == 8


@pytest.mark.parametrize(
    "large",
    [
        replace(ALLOW, principal=replace(PRINCIPAL, end_user_id="x" * 100_000)),
        replace(ALLOW, depends_on=(Dependency(DependencyKind.TEAM, "t", "1"),) * 10_000),
    ],
    ids=["text", "dependencies"],
)
def test_large_verdicts_are_not_kept(large: Verdict) -> None:
    tracemalloc.start()
    try:
        for number in range(200):
            # Every verdict has dependencies of its own, as real ones do.
            answers.check_response(decision(replace(large, depends_on=(*large.depends_on,)), number=number), keep=True)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 5_000_000


_MANY_ANSWERS = """
import os
from pathlib import Path
from tools.rpc_world import decision
from usherd.rpc import answers

def answer(numbers):
    for number in numbers:
        answers.authorize_response(decision(number=number)._replace(revision=f"store:{number}"), keep=True)

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

answer(range(20_000))
before = resident()
answer(range(20_000, 220_000))
print(resident() - before)
"""


def test_answers_leave_nothing_behind_in_memory() -> None:
    # In a process of its own: what a message library allocates is seen only from outside.
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", _MANY_ANSWERS], cwd=tests, capture_output=True, text=True, check=True, timeout=60
    )

    assert int(done.stdout) < 2_000_000


def test_a_decision_that_this_version_cannot_read_is_never_an_allowance() -> None:
    sent = messages.decision_message(decision())

    unreadable = []
    for field, number in (("effect", 0), ("effect", 3), ("reason", 999), ("reason", 0)):
        changed = type(sent).FromString(sent.SerializeToString())
        setattr(changed, field, number)
        try:
            replies.decision(changed)
        except Fault as fault:
            unreadable.append(fault.reason.name)

    assert unreadable == ["INTERNAL"] * 4
