"""The daemon reads requests as every client does: by the same cases."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tools.envoy_requests import CASES, body_of, cases, rules_of
from usherd.domain import Question
from usherd.inbound import answer
from usherd.inbound.credentials import credential
from usherd.inbound.headers import Headers
from usherd.inbound.refused import Cause, RequestRefused
from usherd.inbound.request import Received, question_of

NOT_HERE = {
    "requests.json: expect.stream": "Envoy does not ask again while an answer streams, so nobody wants to know",
    "errors.json: cut": "the daemon answers before a response begins, and cuts none",
    "cookies.json": "the gateway sets and clears cookies; the daemon's own pages are tested in tests/sessions",
}
"""What is in the files and does not apply to the daemon, each with the reason."""


def names(found: list[dict[str, Any]]) -> list[str]:
    return [each["name"] for each in found]


@pytest.mark.parametrize("case", cases("credentials.json"), ids=names(cases("credentials.json")))
def test_a_credential_is_found_or_refused_as_every_client_does(case: dict[str, Any]) -> None:
    reading = rules_of(case["options"]).reading
    headers = Headers([(name, value) for name, value in case["headers"]])
    found: dict[str, str]
    try:
        token, source = credential(headers, case["method"], reading.credential_header, reading.origins)
        found = {"token": token, "source": source}
    except RequestRefused as refused:
        found = {"refused": refused.cause.value}

    assert found == case["expect"]


@pytest.mark.parametrize("case", cases("requests.json"), ids=names(cases("requests.json")))
def test_a_question_is_made_of_a_request_as_every_client_does(case: dict[str, Any]) -> None:
    headers = Headers([(name, value) for name, value in case["headers"]])
    request = Received(case["method"], case["target"], headers, body_of(case))
    question, _ = question_of(request, rules_of(case["options"]).reading)

    found = question._asdict() | {"fallback_models": list(question.fallback_models)}
    expected = {name: value for name, value in case["expect"].items() if name != "stream"}
    assert {name: found[name] for name in expected} == expected
    assert set(found) - set(expected) == {"token"}


@pytest.mark.parametrize("case", cases("errors.json"), ids=names(cases("errors.json")))
def test_a_request_that_may_not_pass_is_answered_as_by_every_client(case: dict[str, Any]) -> None:
    expected = case["expect"]
    if "decision" in case:
        denied = case["decision"]
        made = answer.denial(denied["reason"], denied["http_status"], denied["message"], denied["www_authenticate"])
    elif "fault" in case:
        made = answer.unavailable(case["fault"].get("retry_after"))
    else:
        made = answer.refused(Cause(case["refused"]))

    assert made.status == expected["status"]
    assert dict(made.headers) == expected["headers"]
    assert json.loads(made.body) == expected["body"]


def test_what_does_not_apply_here_is_named() -> None:
    """A file, or a kind of expectation, that comes is thought about here."""
    files = {path.name for path in CASES.glob("*.json")}
    whole = json.loads((CASES / "errors.json").read_text("utf-8"))
    expected = {name for case in cases("requests.json") for name in case["expect"]}

    assert files == {"credentials.json", "requests.json", "errors.json"} | {
        each for each in NOT_HERE if ":" not in each
    }
    assert set(whole) == {"cases", "cut"}
    assert expected == {*Question._fields, "stream"} - {"token"}
