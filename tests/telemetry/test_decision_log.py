"""Every decision has its line before it is answered, with what was asked for by name and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.rpc_world import (
    ALLOW,
    CANARY,
    DENY,
    QUESTION,
    SERVICE,
    Answers,
    call,
    calling,
    check_bytes,
    decision,
    running,
)
from tools.stuck_file import Stuck
from tools.waiting import until
from usher.v1 import authorization_service_pb2 as api
from usherd.calls import Asked, Call, Trace
from usherd.domain import Dependency, DependencyKind, Principal, PrincipalKind, Question, Verdict
from usherd.errors import DecisionLogUnavailable
from usherd.telemetry.decision_log import DecisionLog, OrElse
from usherd.telemetry.decision_record import MAX_VALUES, Fields, Records
from usherd.telemetry.line_file import LineFile
from usherd.telemetry.line_writer import LineWriter
from usherd.telemetry.log import _UNSAFE, MAX_TEXT

CALL = Call(
    f"{SERVICE}/Check", caller="gateway-1", trace=Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)
)
ASKED = Asked("/v1/chat/completions", "POST", "gpt-4o")
HOLDER = Principal(
    kind=PrincipalKind.USER,
    issuer="https://idp.example",
    subject="s-1",
    client="c-1",
    directory_role="internal_user",
    is_admin=True,
    user_id="u-1",
    email="u@example.com",
    team_id="t-1",
    team_alias="Team One",
    organization_id="o-1",
    end_user_id="e-1",
    scopes=("a", "b"),
    roles=("r",),
    claims=(("department", '"sales"'), ("level", "3"), ("secret", '"canary"')),
)
VERDICT = replace(
    ALLOW,
    principal=HOLDER,
    depends_on=(
        Dependency(DependencyKind.TOKEN, "0" * 32),
        Dependency(DependencyKind.KEY, "idp/thumb-print"),
        Dependency(DependencyKind.ISSUER, "idp", "digest"),
        Dependency(DependencyKind.POLICY, "f" * 64),
    ),
)
EVERY_LINE = {
    "v": 1,
    "time": "2027-01-15T08:00:00.250Z",
    "decision_id": f"{7:026}",
    "request_id": "r-1",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "rpc": f"{SERVICE}/Check",
    "caller": "gateway-1",
    "revision": "store:7",
    "effect": "ALLOW",
    "reason": "ALLOWED",
    "http_status": 200,
    "policy": "f" * 64,
    "issuer": "idp",
    "key": "thumb-print",
    "token_id": "0" * 32,
    "kind": "USER",
}
PRINCIPAL = {
    "subject": "s-1",
    "client": "c-1",
    "directory_role": "internal_user",
    "admin": True,
    "user": "u-1",
    "email": "u@example.com",
    "team": "t-1",
    "team_alias": "Team One",
    "organization": "o-1",
    "end_user": "e-1",
    "scopes": ["a", "b"],
    "roles": ["r"],
}


def _line(
    fields: Fields | None = None, *, verdict: Verdict = VERDICT, asked: Asked = ASKED, request_id: str = "r-1"
) -> dict[str, Any]:
    records = Records(fields or Fields(), lambda: 1_800_000_000.25)
    line = records.line(CALL, request_id, lambda: asked, decision(verdict, number=7))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.isascii()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_has_these_fields_and_no_word_of_question_holder_or_claims() -> None:
    assert _line() == EVERY_LINE
    assert list(_line()) == list(EVERY_LINE)


def test_a_decision_about_nobody_has_the_same_fields() -> None:
    line = _line(Fields(principal=("user",), claims=frozenset({"level"})), verdict=DENY)

    nobody = {"policy": "", "issuer": "", "key": "", "token_id": "", "kind": "", "principal": {}, "claims": {}}
    assert line == EVERY_LINE | nobody | {"effect": "DENY", "reason": "MODEL_NOT_GRANTED", "http_status": 403}


def test_a_time_is_utc_in_milliseconds() -> None:
    assert datetime.fromisoformat(_line()["time"]).timestamp() == 1_800_000_000.25


@pytest.mark.parametrize("name", ["route", "method", "model", "resolved_model"])
def test_of_the_question_a_line_has_what_is_named(name: str) -> None:
    values = {"route": ASKED.route, "method": "POST", "model": "gpt-4o", "resolved_model": "gpt-4o"}

    assert _line(Fields(include=frozenset({name}))) == EVERY_LINE | {name: values[name]}


def test_a_question_without_a_model_has_none() -> None:
    assert _line(Fields(include=frozenset({"model"})), asked=Asked("/", "", None))["model"] is None


def test_what_follows_a_question_mark_is_no_part_of_the_route() -> None:
    line = _line(Fields(include=frozenset({"route"})), asked=Asked("/v1/models?api_key=canary", "", None))

    assert line["route"] == "/v1/models"


@pytest.mark.parametrize("name", PRINCIPAL)
def test_of_the_holder_a_line_has_what_is_named(name: str) -> None:
    assert _line(Fields(principal=(name,))) == EVERY_LINE | {"principal": {name: PRINCIPAL[name]}}


def test_of_the_claims_a_line_has_those_that_are_named() -> None:
    line = _line(Fields(claims=frozenset({"department", "level", "absent"})))

    assert line == EVERY_LINE | {"claims": {"department": "sales", "level": "3"}}


def test_a_line_of_a_sampled_log_says_so() -> None:
    assert _line(Fields(sample=0.25)) == EVERY_LINE | {"sample": 0.25}


@pytest.mark.parametrize("text", [CANARY, f"x {CANARY}", "/v1/" + CANARY, "A" * 60, CANARY[:30], "/a/" + "b_-9" * 20])
def test_a_token_that_stands_where_another_word_should_is_not_repeated(text: str) -> None:
    every = Fields(include=frozenset({"route", "method", "model", "resolved_model"}))
    line = json.dumps(
        _line(every, asked=Asked(text, text, text), verdict=replace(VERDICT, resolved_model=text), request_id=text)
    )

    assert "canary" not in line
    assert "eyJ" not in line
    assert "A" * 40 not in line
    assert "b_-9" * 10 not in line


def test_a_token_among_the_holders_words_is_not_repeated_and_a_long_id_is() -> None:
    subject = "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ"
    holder = replace(HOLDER, user_id=CANARY, subject=subject, claims=(("a", json.dumps(CANARY)),))
    line = _line(
        Fields(principal=("user", "subject"), claims=frozenset({"a"})), verdict=replace(VERDICT, principal=holder)
    )

    assert line["principal"] == {"user": "[redacted]", "subject": subject}
    assert line["claims"] == {"a": "[redacted]"}


def test_routes_and_models_of_many_words_are_no_tokens() -> None:
    route, model = (
        "/openai/deployments/gpt-4o/chat/completions",
        "fireworks_ai/accounts/fireworks/models/llama-v3p1-405b",
    )
    line = _line(Fields(include=frozenset({"route", "model"})), asked=Asked(route, "POST", model))

    assert (line["route"], line["model"]) == (route, model)


@given(st.text(max_size=5000), st.text(max_size=300), st.text(max_size=300))
def test_whatever_is_asked_a_line_is_one_short_line(route: str, model: str, value: str) -> None:
    holder = replace(
        HOLDER, user_id=value, scopes=(value,) * 100, claims=(("a", json.dumps(value)), ("b", json.dumps([value])))
    )
    fields = Fields(include=frozenset({"route", "model"}), principal=("user", "scopes"), claims=frozenset({"a", "b"}))
    line = _line(fields, verdict=replace(VERDICT, principal=holder), asked=Asked(route, route, model))

    texts = [line["route"], line["model"], line["principal"]["user"], *line["claims"].values()]
    # An escape takes six characters.
    assert all(len(text) <= MAX_TEXT * 6 and not _UNSAFE.search(text) for text in texts)
    assert len(line["principal"]["scopes"]) == MAX_VALUES


def _log(
    file: LineFile, *, size: int = 1000, sample: float = 1.0, on_full: OrElse = "drop", on_error: OrElse = "drop"
) -> DecisionLog:
    return DecisionLog(
        Records(Fields(include=frozenset({"model"}))),
        LineWriter(file, size),
        sample=sample,
        on_full=on_full,
        on_error=on_error,
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _decide(log: DecisionLog, verdict: Verdict = VERDICT) -> None:
    log.decided(CALL, "r-1", lambda: ASKED, decision(verdict))


async def test_each_decision_of_a_batch_has_a_line(tmp_path: Path) -> None:
    items = []
    for number in range(1000):
        item = api.BatchCheckRequest.Item(id=str(number), question=QUESTION)
        item.question.model = f"m-{number}"
        item.question.ClearField("token")
        items.append(item)
    log = _log(LineFile(tmp_path / "a"), size=2000)
    async with running(listener=log) as server, calling(server) as channel:
        request = api.BatchCheckRequest(token=CANARY, items=items, options=api.Options(request_id="r-9"))
        await call(channel, "BatchCheck", request.SerializeToString())
        await call(channel, "Check", check_bytes())
    log.close()

    lines = _lines(tmp_path / "a")
    assert [line["model"] for line in lines] == [f"m-{number}" for number in range(1000)] + ["gpt-4o"]
    assert [line["request_id"] for line in lines] == ["r-9"] * 1000 + [""]
    assert len({line["decision_id"] for line in lines}) == 1001
    assert log.written == 1001


async def test_a_decision_that_cannot_be_written_down_is_not_answered(tmp_path: Path) -> None:
    file = Stuck(tmp_path / "a")
    log = _log(file, on_error="refuse")
    async with running(listener=log) as server, calling(server) as channel:
        before = await call(channel, "Check", check_bytes())
        file.broken = True
        # This one is answered: its line is in the queue, and stays there until it can be written.
        await call(channel, "Check", check_bytes())
        until(lambda: not log._writer.healthy)
        meanwhile = [await call(channel, method, check_bytes()) for method in ("Check", "Authorize")]
        file.broken = False
        until(lambda: log._writer.healthy)
        after = await call(channel, "Check", check_bytes())
    log.close()

    assert before.code is after.code is grpc.StatusCode.OK
    for outcome in meanwhile:
        assert (outcome.code, outcome.reason) == (grpc.StatusCode.UNAVAILABLE, "DECISION_LOG_UNAVAILABLE")
        assert outcome.answer == b""
    assert (log.written, log.dropped, log.refused) == (3, 0, 2)
    assert len(_lines(tmp_path / "a")) == 3


def test_a_full_queue_drops_or_refuses_as_it_was_told(tmp_path: Path) -> None:
    for on_full in ("drop", "refuse"):
        file = Stuck(tmp_path / on_full)
        log = _log(file, size=3, on_full=on_full, on_error="drop")  # type: ignore[arg-type]
        file.free.clear()
        for _ in range(3):
            _decide(log)
        if on_full == "refuse":
            with pytest.raises(DecisionLogUnavailable):
                _decide(log)
        else:
            _decide(log)
        file.free.set()
        log.close()

        assert len(_lines(tmp_path / on_full)) == 3
        assert (log.dropped, log.refused) == ((1, 0) if on_full == "drop" else (0, 1))


def test_a_queue_that_fills_up_between_two_looks_at_it_drops_nothing_that_was_to_be_refused(tmp_path: Path) -> None:
    class Flickering(LineWriter):
        """Its thread takes a batch, which is counted twice for a moment, just after the first look."""

        looks = 0

        @property
        def full(self) -> bool:
            self.looks += 1
            return self.looks > 1

    writer = Flickering(LineFile(tmp_path / "a"), 1000)
    log = DecisionLog(Records(Fields()), writer, sample=1.0, on_full="refuse", on_error="refuse")
    _decide(log)
    with pytest.raises(DecisionLogUnavailable):
        _decide(log)
    log.close()

    assert (log.written, log.dropped, log.refused) == (1, 0, 1)


def test_while_the_file_fails_it_is_on_error_that_counts(tmp_path: Path) -> None:
    file = Stuck(tmp_path / "a")
    log = _log(file, size=3, on_full="refuse", on_error="drop")
    file.broken = True
    _decide(log)
    until(lambda: not log._writer.healthy)
    for _ in range(4):
        _decide(log)
    file.broken = False
    log.close()

    assert (log.written, log.dropped, log.refused) == (3, 2, 0)


def test_a_share_of_what_is_allowed_and_all_that_is_denied_is_written(tmp_path: Path) -> None:
    log = _log(LineFile(tmp_path / "a"), size=10_000, sample=0.1)
    for _ in range(1000):
        _decide(log)
        _decide(log, DENY)
    log.close()

    effects = [line["effect"] for line in _lines(tmp_path / "a")]
    assert effects.count("DENY") == 1000
    assert 40 < effects.count("ALLOW") < 180


async def test_a_question_that_is_answered_at_once_is_written_down_too(tmp_path: Path) -> None:
    class AtHand(Answers):
        def at_hand(self, encoded: bytes, read: object) -> Any:
            return decision(number=5)

        async def authorize(self, question: Question, **more: object) -> Any:
            raise AssertionError("it is at hand")

    log = _log(LineFile(tmp_path / "a"))
    async with running(AtHand(), listener=log) as server, calling(server) as channel:
        await call(channel, "Check", check_bytes(request_id="r-5"))
    log.close()

    (line,) = _lines(tmp_path / "a")
    assert (line["decision_id"], line["request_id"], line["model"]) == (f"{5:026}", "r-5", "gpt-4o")
