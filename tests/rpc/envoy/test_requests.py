"""What Envoy asks with is read whatever form it comes in, and what cannot be read is denied."""

from __future__ import annotations

from typing import Any

import pytest

from tools.envoy_requests import body_of, cases, check_request, rules_of
from usherd.domain import Question
from usherd.inbound.body import MAX_OBJECTS, MAX_PARTS
from usherd.inbound.handed_on import GatewayRules
from usherd.inbound.refused import Cause, RequestRefused
from usherd.inbound.request import ReadingRules
from usherd.rpc.envoy.attributes import Taken, Taker
from usherd.rpc.envoy.wire import CheckRequest

BODY = b'{"model":"gpt-4o"}'
JSON = ("content-type", "application/json")
FORMS = pytest.mark.parametrize("raw", [True, False], ids=["raw headers", "joined headers"])


def taken(data: bytes, rules: GatewayRules) -> Taken:
    return Taker(rules).taken(data)


def question(data: bytes, rules: GatewayRules | None = None) -> Question:
    rules = rules or GatewayRules()
    return taken(data, rules).question(rules)


def refused(data: bytes, rules: GatewayRules | None = None) -> Cause:
    with pytest.raises(RequestRefused) as raised:
        question(data, rules)
    return raised.value.cause


@FORMS
@pytest.mark.parametrize("case", cases("credentials.json"), ids=lambda case: case["name"])
def test_credentials_are_those_that_every_client_finds(case: dict[str, Any], raw: bool) -> None:
    data = check_request(case["method"], "/v1/models", case["headers"], raw=raw)
    try:
        found = {"token": question(data, rules_of(case["options"])).token}
    except RequestRefused as error:
        found = {"refused": error.cause.value}

    assert found == {name: value for name, value in case["expect"].items() if name != "source"}


@FORMS
@pytest.mark.parametrize("case", cases("requests.json"), ids=lambda case: case["name"])
def test_questions_are_those_that_every_client_asks(case: dict[str, Any], raw: bool) -> None:
    data = check_request(case["method"], case["target"], case["headers"], body_of(case), raw=raw)
    found = question(data, rules_of(case["options"]))._asdict()

    expected = {name: value for name, value in case["expect"].items() if name != "stream"}
    assert {name: found[name] for name in expected} == expected | {
        "fallback_models": tuple(expected["fallback_models"])
    }


def test_a_routes_own_model_counts_alone() -> None:
    data = check_request(headers=[JSON, ("x-model", "o3")], body=b'{"model":"o3"}', context={"model": "gpt-4o"})
    rules = GatewayRules(reading=ReadingRules(model_header="x-model"), model_metadata=("filter", "model"))

    assert question(data).model == "gpt-4o"
    assert question(data, rules).model == "gpt-4o"


def test_a_routes_own_base_path_counts_alone() -> None:
    rules = GatewayRules(reading=ReadingRules(base_path="/gateway"))
    own = {"base_path": "/fast"}

    assert question(check_request(path="/fast/v1/models?x", context=own), rules).route == "/v1/models"
    assert question(check_request(path="/gateway/v1/models", context=own), rules).route == "/gateway/v1/models"
    assert question(check_request(path="/gateway/v1/models"), rules).route == "/v1/models"
    assert question(check_request(path="/gateway/v1/models", context={"base_path": ""}), rules).route != "/v1/models"


def test_metadata_of_another_filter_count_alone_where_they_are_configured() -> None:
    rules = GatewayRules(model_metadata=("envoy.filters.http.json_to_metadata", "model"))
    named = {"envoy.filters.http.json_to_metadata": {"model": "gpt-4o", "x": "o1"}, "other": {"model": "o1"}}

    assert question(check_request(headers=[JSON], body=b'{"model":"o3"}', metadata=named), rules).model == "gpt-4o"
    assert question(check_request(headers=[JSON], body=b'{"model":"o3"}', metadata=named)).model == "o3"
    for missing in ({}, {"other": {"model": "o1"}}, {"envoy.filters.http.json_to_metadata": {"x": "o1"}}):
        assert question(check_request(headers=[JSON], body=b'{"model":"o3"}', metadata=missing), rules).model is None


@FORMS
@pytest.mark.parametrize("partial", [["true"], ["TRUE"], [""], ["false", "true"], ["1"]], ids=str)
def test_a_body_that_is_not_all_there_names_nothing(partial: list[str], raw: bool) -> None:
    headers = [JSON, *(("x-envoy-auth-partial-body", each) for each in partial)]
    body = b'{"model":"gpt-4o","user":"u","fallbacks":["o3"]}'
    found = question(check_request(headers=headers, body=body, raw=raw))

    assert (found.model, found.fallback_models, found.end_user_id) == (None, (), "")


@FORMS
def test_a_whole_body_says_so(raw: bool) -> None:
    headers = [JSON, ("x-envoy-auth-partial-body", "false")]
    assert question(check_request(headers=headers, body=BODY, raw=raw)).model == "gpt-4o"


def test_two_values_that_were_joined_name_no_model_and_no_team() -> None:
    rules = GatewayRules(reading=ReadingRules(model_header="x-model", team_header="x-team"))
    headers = [("x-model", "gpt-4o"), ("x-model", "o3"), ("x-team", "red"), ("x-team", "blue")]
    found = question(check_request(headers=headers, raw=False), rules)

    assert (found.model, found.team_id) == (None, "")


@pytest.mark.parametrize("place", ["method", "path", "header", "body", "context"])
def test_text_that_is_no_unicode_is_asked_as_text_that_is_denied(place: str) -> None:
    made = CheckRequest.FromString(check_request(headers=[("authorization", "Bearer a.b.c")], context={"model": "m"}))
    broken = b"gpt\xff\xfe"
    if place == "header":
        made.attributes.request.http.header_map.headers[0].raw_value = b"Bearer " + broken
    elif place == "body":
        made.attributes.request.http.raw_body = b'{"model":"' + broken + b'"}'
        del made.attributes.context_extensions[:]
    elif place == "context":
        made.attributes.context_extensions[0].value = broken
    else:
        setattr(made.attributes.request.http, place, broken)
    found = question(made.SerializeToString())

    value = {"header": "token", "path": "route", "body": "model", "context": "model"}.get(place, place)
    assert getattr(found, value) == (None if place == "body" else "\x00")


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"\x0a\x05abc", CheckRequest().SerializeToString()], ids=repr)
def test_bytes_that_are_no_http_request_are_refused(data: bytes) -> None:
    assert refused(data) is Cause.REQUEST_UNREADABLE


def test_a_body_above_the_bound_is_refused_and_one_at_the_bound_is_read() -> None:
    rules = GatewayRules(max_body=1024)
    pad = b'{"model":"gpt-4o","x":"' + b"a" * 2000

    assert refused(check_request(headers=[JSON], body=pad[:1023] + b'"}'), rules) is Cause.BODY_TOO_LARGE
    assert question(check_request(headers=[JSON], body=pad[:1022] + b'"}'), rules).model == "gpt-4o"


@pytest.mark.parametrize(
    "filler",
    [b"[" + b"1," * MAX_PARTS + b"1]", b"[" + b"{}," * MAX_OBJECTS + b"{}]", b"[" * 20_000 + b"]" * 20_000],
    ids=["many elements", "many objects", "very deep"],
)
def test_a_body_that_takes_long_to_read_names_nothing(filler: bytes) -> None:
    assert question(check_request(headers=[JSON], body=b'{"model":"gpt-4o","x":' + filler + b"}")).model is None


WEBSOCKET = ("upgrade", "WebSocket")


@FORMS
@pytest.mark.parametrize(
    ("method", "query", "headers", "body", "model"),
    [
        ("GET", "?model=gpt-4o", [WEBSOCKET], b"", "gpt-4o"),
        ("GET", "?a=1&mod%65l=gpt%2D4o", [WEBSOCKET, ("content-length", "0")], b"", "gpt-4o"),
        ("GET", "?model=gpt-4o&model=o3", [WEBSOCKET], b"", None),
        ("GET", "", [WEBSOCKET], b"", None),
        ("GET", "?model=%ff", [WEBSOCKET], b"", None),
        ("GET", "?model=gpt-4o", [], b"", None),
        ("POST", "?model=gpt-4o", [WEBSOCKET, JSON], b'{"model":"o3"}', "o3"),
        ("GET", "?model=gpt-4o", [WEBSOCKET, JSON], b'{"model":"o3"}', "o3"),
        ("GET", "?model=gpt-4o", [WEBSOCKET, ("content-length", "14")], b"", None),
        ("GET", "?model=gpt-4o", [WEBSOCKET, ("transfer-encoding", "chunked")], b"", None),
    ],
)
def test_a_websockets_handshake_names_its_model_in_the_query_and_nothing_else_does(
    raw: bool, method: str, query: str, headers: list[tuple[str, str]], body: bytes, model: str | None
) -> None:
    found = question(check_request(method, f"/v1/realtime{query}", headers, body, raw=raw))

    assert (found.route, found.model) == ("/v1/realtime", model)


def test_a_member_that_is_there_twice_is_never_taken_for_absent() -> None:
    twice = [
        (b'{"model":"a","organization_id":"o1","organization_id":"o2"}', "organization_id", "\x00"),
        (b'{"model":"a","organization_id":7}', "organization_id", "\x00"),
        (b'{"model":"a","user":"u1","user":"u2"}', "end_user_id", "\x00"),
        (b'{"model":"a","metadata":{"user_id":"u1","user_id":"u2"}}', "end_user_id", "\x00"),
        (b'{"model":"a","guardrails":[],"guardrails":["x"]}', "modifies_guardrails", True),
        (b'{"model":"a","metadata":{},"metadata":{"guardrails":["x"]}}', "modifies_guardrails", True),
        (b'{"model":"a","fallbacks":[],"fallbacks":["o3"]}', "fallback_models", ("",)),
        (b'{"model":"a\\ud800"}', "model", "\x00"),
    ]
    for body, name, expected in twice:
        assert getattr(question(check_request(headers=[JSON], body=body)), name) == expected, body


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("x-request-id", "r-1")], "r-1"),
        ([("x-request-id", "r-1"), ("x-request-id", "r-2")], "17"),
        ([("x-request-id", "x" * 129)], ""),
        ([("x-request-id", "a\tb")], ""),
        ([], "17"),
    ],
    ids=str,
)
def test_a_request_is_known_in_the_records_by_the_id_that_access_logs_have(
    headers: list[tuple[str, str]], expected: str
) -> None:
    assert taken(check_request(headers=headers), GatewayRules()).request_id == expected
