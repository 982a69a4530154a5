"""The cases that every client answers alike (clients/cases): Python's runner, which fails on one that it cannot run."""

from __future__ import annotations

import base64
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from usher_client import Decision, UsherFault
from usher_client.http import (
    HttpAnswer,
    Reading,
    RequestRefused,
    clear_sessions,
    denial_answer,
    fault_answer,
    read_credential,
    read_request,
    refusal_answer,
    set_session,
    sse_denial,
)

CASES = Path(__file__).parents[2] / "clients" / "cases"
Case = dict[str, Any]


def document(file: str) -> Case:
    return json.loads((CASES / file).read_text("utf-8"))


def cases(file: str) -> Any:
    listed = document(file)["cases"]
    assert listed
    return pytest.mark.parametrize("case", listed, ids=[each["name"] for each in listed])


def only(case: Case, *known: str) -> None:
    """Fails on what this runner does not look at: a case that is half run is none."""
    assert set(case) <= set(known), case


def pairs(headers: list[list[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers]


def decision(*, reason: str, http_status: int, message: str, www_authenticate: str = "") -> Decision:
    given = {"reason": reason, "http_status": http_status, "message": message, "www_authenticate": www_authenticate}
    others = {each.name: None for each in fields(Decision)} | {"allowed": False}
    return Decision(**(others | given))


def test_every_file_of_cases_is_run() -> None:
    assert {each.name for each in CASES.glob("*.json")} == {
        "cookies.json",
        "credentials.json",
        "errors.json",
        "requests.json",
    }
    for file in CASES.glob("*.json"):
        only(json.loads(file.read_text("utf-8")), "cases", *(["cut"] if file.name == "errors.json" else []))


@cases("credentials.json")
def test_a_credential_is_read_as_every_client_reads_it(case: Case) -> None:
    only(case, "name", "method", "headers", "options", "expect")
    only(case["options"], "header", "origins")
    reading = Reading(**case["options"])
    if "refused" in case["expect"]:
        with pytest.raises(RequestRefused) as caught:
            read_credential(case["method"], pairs(case["headers"]), reading)
        assert case["expect"] == {"refused": caught.value.code}
        return
    found = read_credential(case["method"], pairs(case["headers"]), reading)
    assert case["expect"] == {"token": found.token, "source": found.source}


@cases("requests.json")
def test_a_request_is_read_as_every_client_reads_it(case: Case) -> None:
    only(case, "name", "method", "target", "headers", "options", "expect", "body", "body_base64")
    only(case["options"], "base_path", "model_header", "team_header", "team_alias_header")
    assert ("body" in case) is not ("body_base64" in case)
    body = case["body"].encode() if "body" in case else base64.b64decode(case["body_base64"], validate=True)

    asked = read_request(case["method"], case["target"], pairs(case["headers"]), body, Reading(**case["options"]))

    found = asked.wishes() | {"stream": asked.stream, "fallback_models": list(asked.fallback_models)}
    assert found == case["expect"]


@cases("errors.json")
def test_a_request_that_may_not_pass_is_answered_as_every_client_answers_it(case: Case) -> None:
    only(case, "name", "decision", "fault", "refused", "expect")
    kinds = [each for each in ("decision", "fault", "refused") if each in case]
    match kinds:
        case ["decision"]:
            answer = denial_answer(decision(**case["decision"]))
        case ["fault"]:
            only(case["fault"], "retry_after")
            answer = fault_answer(UsherFault(**case["fault"]))
        case ["refused"]:
            answer = refusal_answer(case["refused"])
        case _:
            pytest.fail(f"one of decision, fault, refused: {kinds}")
    found = {"status": answer.status, "headers": dict(answer.headers), "body": json.loads(answer.body)}
    assert found == case["expect"]
    assert len(answer.headers) == len(dict(answer.headers))


def test_a_stream_that_is_cut_ends_as_with_every_client() -> None:
    cut = document("errors.json")["cut"]
    only(cut, "denial", "sse")

    assert sse_denial(decision(**cut["denial"])) == cut["sse"].encode()


@cases("cookies.json")
def test_a_session_cookie_is_set_and_cleared_as_by_every_client(case: Case) -> None:
    only(case, "name", "set", "clear", "expect")
    assert ("set" in case) is not ("clear" in case)
    if "clear" in case:
        only(case["clear"], "cookies")
        assert {"headers": [list(each) for each in clear_sessions(case["clear"]["cookies"])]} == case["expect"]
        return
    if "error" in case["expect"]:
        with pytest.raises(ValueError, match=f"^{case['expect']['error']}: ") as caught:
            set_session(**case["set"])
        only(case["expect"], "error")
        assert case["set"]["token"] not in str(caught.value)
        return
    answer = set_session(**case["set"])
    assert isinstance(answer, HttpAnswer)
    assert answer.body == b""
    assert {"status": answer.status, "headers": [list(each) for each in answer.headers]} == case["expect"]
