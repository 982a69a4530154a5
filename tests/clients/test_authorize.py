"""Authorize, from both clients: only one complete ALLOW on a stream that ends with OK is an allowance."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from clients.asking import ROUTE, TOKEN, Ask, both_faces
from clients.scripted import Script, allow, deny, details, event, serving
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, principal_pb2, reason_pb2
from usher_client import (
    AsyncClient,
    BadAnswer,
    CallerNotAllowed,
    CallerUnknown,
    InternalFault,
    InvalidRequest,
    OutOfTime,
    Overloaded,
    Precondition,
    Unavailable,
    UsherFault,
)

ALLOWED = event(allow())


@both_faces
async def test_an_allow_is_true_and_complete(ask: Ask) -> None:
    async with serving(Script((ALLOWED,))) as target:
        decision = await ask(target, "authorize", TOKEN, ROUTE, "gpt-4o")

    assert decision
    assert decision.allowed is True
    assert (decision.reason, decision.http_status, decision.resolved_model) == ("ALLOWED", 200, "gpt-4o")
    assert (decision.principal.kind, decision.principal.subject) == ("USER", "canary-subject")
    assert decision.valid_until == datetime.fromtimestamp(1_900_000_000, UTC)
    assert decision.cacheable


@both_faces
async def test_a_denial_is_an_answer_and_false(ask: Ask) -> None:
    async with serving(Script((event(deny()),))) as target:
        decision = await ask(target, "authorize", TOKEN, ROUTE)

    assert not decision
    assert (decision.reason, decision.http_status) == ("TOKEN_EXPIRED", 401)
    assert decision.www_authenticate == 'Bearer error="invalid_token"'
    assert decision.principal is None


@both_faces
async def test_a_denial_for_a_reason_of_the_future_is_a_denial(ask: Ask) -> None:
    async with serving(Script((event(deny(reason=999)),))) as target:
        decision = await ask(target, "authorize", TOKEN, ROUTE)

    assert not decision
    assert decision.reason == "UNKNOWN"


WRONG: dict[str, Script] = {
    "no_message": Script(),
    "empty_message": Script((b"",)),
    "bytes_that_are_no_message": Script((b"\xff\xff\xff",)),
    "terms_without_decision": Script((api.AuthorizeResponse(terms=api.StreamTerms(mode=1)).SerializeToString(),)),
    "event_of_the_future": Script((b"\x12\x00",)),
    "effect_unset": Script((event(allow(effect=decision_pb2.EFFECT_UNSPECIFIED)),)),
    "effect_of_the_future": Script((event(allow(effect=99)),)),
    "allow_without_reason": Script((event(allow(reason=reason_pb2.REASON_UNSPECIFIED)),)),
    "allow_for_a_denials_reason": Script((event(allow(reason=reason_pb2.REASON_TOKEN_EXPIRED)),)),
    "allow_for_a_reason_of_the_future": Script((event(allow(reason=999)),)),
    "allow_for_an_allowances_reason_of_the_future": Script((event(allow(reason=3)),)),
    "deny_for_an_allowances_reason_of_the_future": Script((event(deny(reason=3)),)),
    "deny_for_an_allowances_reason": Script((event(deny(reason=reason_pb2.REASON_ALLOWED)),)),
    "allow_for_nobody": Script((event(allow(principal=None)),)),
    "allow_in_another_mode": Script(
        (api.AuthorizeResponse(decision=allow(), terms=api.StreamTerms(mode=2)).SerializeToString(),)
    ),
    "two_allows": Script((ALLOWED, ALLOWED)),
    "allow_then_deny": Script((ALLOWED, event(deny()))),
    "allow_then_empty_message": Script((ALLOWED, b"")),
}


@both_faces
@pytest.mark.parametrize("script", WRONG.values(), ids=WRONG.keys())
async def test_an_ok_answer_that_is_no_decision_is_a_fault(ask: Ask, script: Script) -> None:
    async with serving(Script(script.messages)) as target:
        with pytest.raises(BadAnswer):
            await ask(target, "authorize", TOKEN, ROUTE)


STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.FAILED_PRECONDITION: Precondition,
    grpc.StatusCode.UNAUTHENTICATED: CallerUnknown,
    grpc.StatusCode.PERMISSION_DENIED: CallerNotAllowed,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.DEADLINE_EXCEEDED: OutOfTime,
} | dict.fromkeys(
    (
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.NOT_FOUND,
    ),
    InternalFault,
)


@both_faces
@pytest.mark.parametrize("messages", [(), (ALLOWED,)], ids=["at_once", "after_an_allow"])
@pytest.mark.parametrize("code", STATUSES, ids=lambda code: code.name.lower())
async def test_an_error_status_is_its_fault_whatever_came_before(
    ask: Ask, code: grpc.StatusCode, messages: tuple[bytes, ...]
) -> None:
    async with serving(Script(messages, code=code, text=TOKEN)) as target:
        with pytest.raises(UsherFault) as caught:
            await ask(target, "authorize", TOKEN, ROUTE)

    assert type(caught.value) is STATUSES[code]
    assert not caught.value
    assert caught.value.allowed is False


@both_faces
async def test_a_fault_carries_the_servers_reason_and_advice(ask: Ask) -> None:
    trailers = (("grpc-status-details-bin", details("KEYS_UNAVAILABLE", retry_after=1.5)),)
    script = Script(code=grpc.StatusCode.UNAVAILABLE, trailers=trailers)
    async with serving(script) as target:
        with pytest.raises(Unavailable) as caught:
            await ask(target, "authorize", TOKEN, ROUTE)

    assert (caught.value.reason, caught.value.retry_after) == ("KEYS_UNAVAILABLE", 1.5)


@both_faces
async def test_trailers_larger_than_the_client_takes_are_a_fault(ask: Ask) -> None:
    trailers = (("grpc-status-details-bin", b"x" * 100_000),)
    script = Script((ALLOWED,), code=grpc.StatusCode.UNAVAILABLE, trailers=trailers)
    async with serving(script) as target:
        with pytest.raises(UsherFault):
            await ask(target, "authorize", TOKEN, ROUTE)


@both_faces
@pytest.mark.parametrize("messages", [(), (ALLOWED,)], ids=["silent", "allow_then_silent"])
async def test_a_server_that_hangs_is_out_of_time(ask: Ask, messages: tuple[bytes, ...]) -> None:
    async with serving(Script(messages, hang=True)) as target:
        with pytest.raises(OutOfTime):
            await ask(target, "authorize", TOKEN, ROUTE, deadline=0.2)


async def test_a_call_ends_though_nobody_said_when() -> None:
    async with serving(Script(hang=True)) as target, AsyncClient(target) as client:
        with pytest.raises(OutOfTime):
            await client.authorize(TOKEN, ROUTE)


@both_faces
async def test_a_server_that_is_not_there_is_unavailable(ask: Ask) -> None:
    async with serving(Script()) as target:
        pass

    with pytest.raises((Unavailable, OutOfTime)):
        await ask(target, "authorize", TOKEN, ROUTE, deadline=0.5)


@both_faces
async def test_two_failures_in_a_row_are_retried(ask: Ask) -> None:
    script = Script((ALLOWED,), fail_first=2)
    async with serving(script) as target:
        decision = await ask(target, "authorize", TOKEN, ROUTE)

    assert decision
    assert len(script.requests) == 3


@both_faces
async def test_a_third_failure_is_the_answer(ask: Ask) -> None:
    script = Script((ALLOWED,), fail_first=3)
    async with serving(script) as target:
        with pytest.raises(Unavailable):
            await ask(target, "authorize", TOKEN, ROUTE)

    assert len(script.requests) == 3


@both_faces
async def test_other_errors_are_not_retried(ask: Ask) -> None:
    script = Script(code=grpc.StatusCode.RESOURCE_EXHAUSTED)
    async with serving(script) as target:
        with pytest.raises(Overloaded):
            await ask(target, "authorize", TOKEN, ROUTE)

    assert len(script.requests) == 1


@both_faces
async def test_the_question_arrives_as_it_was_asked(ask: Ask) -> None:
    script = Script((ALLOWED,))
    async with serving(script) as target:
        await ask(
            target,
            "authorize",
            TOKEN,
            ROUTE,
            "",
            method="POST",
            fallback_models=["a", "b"],
            team_alias="blue",
            end_user_id="customer",
            organization_id="org",
            modifies_guardrails=True,
            deadline=40,
            explain=True,
            request_id="req-1",
            at_least_as_fresh="store:7",
        )

    request = api.AuthorizeRequest.FromString(script.requests[0])
    assert request.question.HasField("model")
    assert request.question.model == ""
    assert (request.question.token, request.question.route, request.question.method) == (TOKEN, ROUTE, "POST")
    assert list(request.question.fallback_models) == ["a", "b"]
    assert request.question.WhichOneof("team_wish") == "team_alias"
    assert (request.question.end_user_id, request.question.organization_id) == ("customer", "org")
    assert request.question.modifies_guardrails
    assert request.options == api.Options(explain=True, request_id="req-1", at_least_as_fresh="store:7")
    assert request.mode == api.MODE_ONCE
    assert 20 < script.deadlines[0] < 60


@both_faces
@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"token": "x" * 1_000_000}, "token"),
        ({"token": "é" * 1_000_000}, "token"),
        ({"route": "/" + "x" * 1_000_000}, "route"),
        ({"model": "😀" * 1_000_000}, "model"),
        ({"method": "X" * 1_000_000}, "method"),
        ({"team_id": "x" * 1_000_000}, "team_id"),
        ({"end_user_id": "x" * 1_000_000}, "end_user_id"),
        ({"fallback_models": ["😀" * 1_000_000] * 1000}, "fallback_models"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_an_end_user_makes_too_long_still_reaches_the_judge(
    ask: Ask, asked: dict[str, Any], field: str
) -> None:
    script = Script((event(deny()),))
    async with serving(script) as target:
        decision = await ask(target, "authorize", **({"token": TOKEN, "route": ROUTE} | asked))

    question = api.AuthorizeRequest.FromString(script.requests[0]).question
    assert not decision
    assert len(script.requests[0]) < 256 * 1024
    if field == "fallback_models":
        assert len(question.fallback_models) == 17
    else:
        assert len(getattr(question, field).encode()) > {"token": 16 * 1024, "route": 1024, "method": 16}.get(
            field, 256
        )


@both_faces
async def test_text_that_is_no_unicode_reaches_the_judge_as_something_to_deny(ask: Ask) -> None:
    script = Script((event(deny()),))
    async with serving(script) as target:
        await ask(target, "authorize", "canary\udcff", "/v1\udcff", "gpt\udcff")

    question = api.AuthorizeRequest.FromString(script.requests[0]).question
    assert (question.token, question.route, question.model) == ("\x00", "\x00", "\x00")


@both_faces
@pytest.mark.parametrize("deadline", [None, 0, -1, float("inf"), float("nan"), True, "1", 61])
async def test_a_call_without_a_finite_deadline_is_not_made(ask: Ask, deadline: Any) -> None:
    script = Script((ALLOWED,))
    async with serving(script) as target:
        with pytest.raises(ValueError, match="deadline"):
            await ask(target, "authorize", TOKEN, ROUTE, deadline=deadline)

    assert script.requests == []


@both_faces
async def test_two_team_wishes_are_refused(ask: Ask) -> None:
    with pytest.raises(ValueError, match="team_id"):
        await ask("localhost:1", "authorize", TOKEN, ROUTE, team_id="a", team_alias="b")


NO_TEXT = [5, 1.5, True, b"gpt-4o", ["gpt-4o"], {"a": 1}]


@both_faces
@pytest.mark.parametrize("value", NO_TEXT, ids=str)
async def test_what_is_no_text_reaches_the_judge_as_something_to_deny(ask: Ask, value: Any) -> None:
    fields = ("token", "route", "model", "method", "team_id", "end_user_id", "organization_id")
    script = Script((event(deny()),))
    async with serving(script) as target:
        await ask(target, "authorize", **dict.fromkeys(fields, value), fallback_models=["a", value, None])
        await ask(target, "authorize", TOKEN, ROUTE, team_alias=value)

    first, second = (api.AuthorizeRequest.FromString(each).question for each in script.requests)
    assert {getattr(first, field) for field in fields} == {"\x00"}
    assert list(first.fallback_models) == ["a", "\x00", "\x00"]
    assert second.team_alias == "\x00"


@both_faces
@pytest.mark.parametrize("field", ["token", "route", "method", "end_user_id", "organization_id"])
async def test_none_where_text_is_expected_is_something_to_deny(ask: Ask, field: str) -> None:
    script = Script((event(deny()),))
    async with serving(script) as target:
        await ask(target, "authorize", **({"token": TOKEN, "route": ROUTE} | {field: None}))

    assert getattr(api.AuthorizeRequest.FromString(script.requests[0]).question, field) == "\x00"


@both_faces
@pytest.mark.parametrize("value", ["gpt-4o", b"gpt-4o", bytearray(b"a"), None, 5, {"a": "b"}, {"a"}], ids=str)
async def test_fallback_models_that_are_no_list_are_something_to_deny(ask: Ask, value: Any) -> None:
    script = Script((event(deny()),))
    async with serving(script) as target:
        await ask(target, "authorize", TOKEN, ROUTE, fallback_models=value)

    assert list(api.AuthorizeRequest.FromString(script.requests[0]).question.fallback_models) == ["\x00"]


@both_faces
@pytest.mark.parametrize(
    ("value", "told"),
    [(None, False), (0, False), ("", False), ([], False), (1, True), ("no", True), (["pii"], True), ({"a": 1}, True)],
    ids=str,
)
async def test_a_change_of_guardrails_is_told_when_there_is_one_in_any_form(ask: Ask, value: Any, told: bool) -> None:
    script = Script((event(deny()),))
    async with serving(script) as target:
        await ask(target, "authorize", TOKEN, ROUTE, modifies_guardrails=value)

    assert api.AuthorizeRequest.FromString(script.requests[0]).question.modifies_guardrails is told


async def test_a_cancelled_task_is_cancelled() -> None:
    script = Script((ALLOWED,), hang=True)
    async with serving(script) as target, AsyncClient(target) as client:
        task = asyncio.create_task(client.authorize(TOKEN, ROUTE, deadline=30))
        await script.asked.wait()
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task


@both_faces
@pytest.mark.parametrize(
    "script",
    [
        Script((ALLOWED,)),
        Script((b"\xff\xff canary",)),
        Script((ALLOWED,), code=grpc.StatusCode.INTERNAL, text=TOKEN),
        Script((ALLOWED, ALLOWED)),
    ],
    ids=["good", "undecodable", "error", "two"],
)
async def test_neither_token_nor_claims_are_ever_shown(
    ask: Ask, script: Script, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[object] = []
    async with serving(Script(script.messages, code=script.code, text=script.text)) as target:
        try:
            decision = await ask(target, "authorize", TOKEN, ROUTE)
            shown += [decision, decision.principal]
        except UsherFault as fault:
            shown += [fault, fault.args, fault.__cause__, fault.__context__]

    text = "".join(f"{each!r}{each!s}" for each in shown) + "".join(capfd.readouterr()) + caplog.text
    assert "canary" not in text


@both_faces
@pytest.mark.parametrize(
    ("wire", "view"),
    [
        (allow(valid_until=None), {"cacheable": False, "valid_until": None}),
        (allow(valid_until=Timestamp(seconds=2**62)), {"cacheable": False, "valid_until": None}),
        (allow(depends_on=[decision_pb2.Dependency(kind=77)]), {"cacheable": False}),
        (allow(depends_on=[decision_pb2.Dependency()]), {"cacheable": False}),
        (allow(depends_on=[decision_pb2.Dependency(kind=1)]), {"cacheable": True}),
        (allow(depends_on=[decision_pb2.Dependency(kind=9, id="team:a", revision="within")]), {"cacheable": True}),
        (allow(http_status=500), {"http_status": 200}),
        (deny(http_status=200), {"http_status": 403}),
        (deny(http_status=0), {"http_status": 403}),
        (deny(http_status=400), {"http_status": 400}),
        (deny(http_status=429), {"http_status": 429}),
        (deny(resolved_model="gpt-4o"), {"resolved_model": ""}),
        (allow(principal=principal_pb2.Principal(kind=77)), {"allowed": True}),
    ],
    ids=str,
)
async def test_the_view_is_never_laxer_than_the_contract(
    ask: Ask, wire: decision_pb2.Decision, view: dict[str, Any]
) -> None:
    async with serving(Script((event(wire),))) as target:
        decision = await ask(target, "authorize", TOKEN, ROUTE)

    assert {name: getattr(decision, name) for name in view} == view
