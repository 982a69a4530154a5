"""What Envoy is answered: the next in line is told who asks, and the end user why not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.envoy_requests import told
from tools.rpc_world import ALLOW, decision
from usherd.domain import Effect, Principal, PrincipalKind, Verdict
from usherd.errors import Fault, KeysUnavailable, OutOfTime, ShuttingDown
from usherd.inbound.handed_on import FIELDS, GatewayRules
from usherd.inbound.refused import TERMS, Cause
from usherd.inbound.request import ReadingRules
from usherd.reasons import ANSWERS, Reason
from usherd.rpc.envoy.answers import Answers, failure
from usherd.rpc.envoy.attributes import Sent
from usherd.rpc.envoy.wire import CheckResponse

HOLDER = Principal(
    kind=PrincipalKind.USER, issuer="https://idp.example", subject="sub", client="cli", directory_role="role",
    is_admin=True, user_id="u-1", email="u@corp.example", team_id="red", team_alias="Red", organization_id="org",
    end_user_id="eu", scopes=("a", "b,c"), roles=("r 1", "r2"),
)  # fmt: skip
ALLOWED = replace(ALLOW, principal=HOLDER)


def test_an_allowance_sets_who_asks_and_takes_the_credential_off() -> None:
    found = told(Answers(GatewayRules()).of(decision(ALLOWED)))

    assert (found.kind, found.code) == ("ok", 0)
    assert found.set == {
        "x-usherd-user": "u-1",
        "x-usherd-team": "red",
        "x-usherd-organization": "org",
        "x-usherd-end-user": "eu",
        "x-usherd-model": "gpt-4o",
        "x-usherd-decision-id": "0" * 26,
    }
    assert found.removed == ["authorization", "api-key", "x-api-key", "x-goog-api-key"]
    assert found.metadata == {
        "effect": "ALLOW",
        "reason": "ALLOWED",
        "team": "red",
        "user": "u-1",
        "model": "gpt-4o",
        "decision_id": "0" * 26,
        "revision": "store:7",
    }


def test_headers_that_would_be_empty_are_removed() -> None:
    anonymous = Verdict(effect=Effect.ALLOW, reason=Reason.PUBLIC_ROUTE)
    found = told(Answers(GatewayRules(forward_credential=True)).of(decision(anonymous)))

    assert found.set == {"x-usherd-decision-id": "0" * 26}
    assert found.removed == [
        "x-usherd-user", "x-usherd-team", "x-usherd-organization", "x-usherd-end-user", "x-usherd-model",
    ]  # fmt: skip


def test_what_only_looks_like_such_a_header_is_removed_too() -> None:
    sent = (b"x_usherd_user", b"x-usherd_team", b"x-usherd-user", b"x_other", b"x_usherd_decision_id")
    found = told(Answers(GatewayRules(forward_credential=True)).of(decision(ALLOWED), Sent(odd_headers=sent)))

    assert found.removed == ["x_usherd_user", "x-usherd_team", "x_usherd_decision_id"]


SESSION = Sent(cookies=[b"a=1; litellm_ui_token_7=t"])


def test_a_session_is_taken_off_of_the_cookies_and_their_header_goes_with_the_last() -> None:
    answers = Answers(GatewayRules())

    among_others = told(answers.of(decision(ALLOWED), SESSION))
    alone = told(answers.of(decision(ALLOWED), Sent(cookies=[b"litellm_ui_token_7=t"])))
    none = told(answers.of(decision(ALLOWED), Sent(cookies=[b"a=1"])))

    assert (among_others.set["cookie"], "cookie" in among_others.removed) == ("a=1", False)
    assert ("cookie" in alone.set, alone.removed[-1]) == (False, "cookie")
    assert "cookie" not in {*none.set, *none.removed}


@pytest.mark.parametrize(
    "rules",
    [GatewayRules(forward_credential=True), GatewayRules(reading=ReadingRules(credential_header="x-key"))],
    ids=["forwarded", "no credential here"],
)
def test_cookies_stay_as_they_are_where_they_are_forwarded_or_carry_no_credential(rules: GatewayRules) -> None:
    found = told(Answers(rules).of(decision(ALLOWED), SESSION))

    assert "cookie" not in {*found.set, *found.removed}


def test_every_field_can_be_told_in_a_header() -> None:
    rules = GatewayRules(identity_headers={f"x-{field.replace('_', '-')}": field for field in FIELDS})
    found = told(Answers(rules).of(decision(ALLOWED)))

    assert found.set == {
        "x-kind": "user",
        "x-issuer": "https://idp.example",
        "x-subject": "sub",
        "x-client": "cli",
        "x-user": "u-1",
        "x-email": "u@corp.example",
        "x-directory-role": "role",
        "x-admin": "true",
        "x-team": "red",
        "x-team-alias": "Red",
        "x-organization": "org",
        "x-end-user": "eu",
        "x-scopes": "a,b%2Cc",
        "x-roles": "r%201,r2",
        "x-model": "gpt-4o",
        "x-decision-id": "0" * 26,
    }


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(min_size=1, max_size=5))
def test_no_text_ends_a_header_and_no_two_are_told_alike(one: str, other: str) -> None:
    rules = GatewayRules(identity_headers={"x-user": "user"})

    def header(text: str) -> str:
        verdict = replace(ALLOW, principal=replace(HOLDER, user_id=text))
        return told(Answers(rules).of(decision(verdict))).set["x-user"]

    found = header(one)
    assert found.isascii()
    assert found.isprintable()
    assert " " not in found
    assert "," not in found
    if not any("\ud800" <= each <= "\udfff" for each in other):
        assert (header(other) == found) == (other == one)


@pytest.mark.parametrize("reason", [each for each in Reason if each not in (Reason.ALLOWED, Reason.PUBLIC_ROUTE)])
def test_a_denial_says_its_constant_message(reason: Reason) -> None:
    found = told(Answers(GatewayRules()).of(decision(Verdict(effect=Effect.DENY, reason=reason, principal=HOLDER))))
    answer = ANSWERS[reason]

    assert (found.kind, found.status) == ("denied", answer.http_status)
    assert found.code != 0
    assert found.body["error"]["message"] == answer.message
    assert found.body["error"]["code"] == reason.name.lower()
    assert found.headers.get("www-authenticate", "") == answer.www_authenticate
    assert found.metadata["reason"] == reason.name
    assert found.metadata["decision_id"] == "0" * 26


def test_nothing_but_an_allowance_lets_a_request_pass() -> None:
    verdict = replace(ALLOWED, effect=Effect.DENY)
    found = told(Answers(GatewayRules()).of(decision(verdict)))

    assert (found.kind, found.status, found.code) == ("denied", 403, 7)
    assert found.set == {}


@pytest.mark.parametrize("cause", Cause)
def test_a_refusal_is_a_denial_with_an_id(cause: Cause) -> None:
    verdict = Verdict(effect=Effect.DENY, reason=TERMS[cause].reason, http_status=TERMS[cause].status)
    found = told(Answers(GatewayRules()).refused(cause, decision(verdict)))

    assert (found.kind, found.status) == ("denied", TERMS[cause].status)
    assert found.body["error"]["code"] == cause.value
    assert found.metadata["decision_id"] == "0" * 26


@pytest.mark.parametrize("fault", [KeysUnavailable(), OutOfTime(), ShuttingDown(), Fault()], ids=repr)
def test_a_fault_is_an_error_and_who_knows_no_such_errors_takes_it_for_a_denial(fault: Fault) -> None:
    found = told(failure(fault))

    assert (found.kind, found.status, found.code) == ("error", 503, 14)
    assert found.body["error"]["code"] == "authorization_unavailable"
    assert fault.message not in str(found.body)
    assert found.headers.get("retry-after") == (None if fault.retry_after is None else "1")


def test_what_is_kept_of_a_verdict_gives_the_same_bytes_and_is_forgotten() -> None:
    answers = Answers(GatewayRules())
    one, two = decision(ALLOWED, number=1), decision(ALLOWED, number=2)

    assert answers.of(one, keep=True) == Answers(GatewayRules()).of(one)
    assert answers.of(two, keep=True) == Answers(GatewayRules()).of(two)
    assert CheckResponse.FromString(answers.of(two)) != CheckResponse.FromString(answers.of(one))
    assert len(answers) == 1
    answers.forget()
    assert len(answers) == 0


def test_long_verdicts_are_not_kept() -> None:
    answers = Answers(GatewayRules())
    answers.of(decision(replace(ALLOW, principal=replace(HOLDER, user_id="u" * 9000))), keep=True)

    assert len(answers) == 0
