"""No line of the log can hold a token, a secret or an exception's text, or be mistaken for two lines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from usherd.telemetry import log

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1LTEifQ.c2lnbmF0dXJl"


@pytest.fixture
def sink() -> Iterator[io.StringIO]:
    root, ours = logging.getLogger(), logging.getLogger("usherd")
    kept = root.handlers[:], root.level, ours.level, logging.raiseExceptions
    stream = io.StringIO()
    log.configure(level="debug", stream=stream)
    yield stream
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    root.handlers[:], logging.raiseExceptions = kept[0], kept[3]
    root.setLevel(kept[1])
    ours.setLevel(kept[2])


def _lines(sink: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sink.getvalue().splitlines()]


@pytest.mark.parametrize("through", ["logging", "structlog"])
def test_a_line_is_json_with_a_utc_time_a_level_and_an_event(sink: io.StringIO, through: str) -> None:
    if through == "logging":
        logging.getLogger("usherd.rpc").info("started", extra={"port": 5, "address": "127.0.0.1"})
    else:
        structlog.get_logger("usherd.rpc").info("started", port=5, address="127.0.0.1")

    (line,) = _lines(sink)
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset().total_seconds() == 0  # type: ignore[union-attr]
    assert line == {"event": "started", "level": "info", "logger": "usherd.rpc", "port": 5, "address": "127.0.0.1"}


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"Bearer {TOKEN}",
        TOKEN + ".a.b",
        TOKEN[:30],
        "prefix" + "A" * 60,
        "x=" + "ab_-" * 12,
        "ewogICJhbGciOiAibm9uZSIKfQ.e30.",
    ],
)
def test_what_looks_like_a_token_is_taken_out(text: str) -> None:
    shown = log.redacted(text)

    assert log.REDACTED in shown
    assert not any(text[place : place + 12] in shown for place in range(len(text) - 12) if text[place] not in "B ")


@pytest.mark.parametrize(
    "text", ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "/v1/chat/completions", "store:77", "gpt-4o-mini-2024-07-18"]
)
def test_what_does_not_is_kept(text: str) -> None:
    assert log.redacted(text) == text


@pytest.mark.parametrize(
    "name", ["token", "access_token", "Authorization", "client_secret", "password", "cookie", "api_key", "private_key"]
)
def test_what_is_named_a_secret_is_taken_out(sink: io.StringIO, name: str) -> None:
    logging.getLogger("usherd").warning("named", extra={name: "short"})

    assert _lines(sink)[0][name] == log.REDACTED


@given(text=st.text(max_size=400))
def test_text_stays_short_and_on_its_line(text: str) -> None:
    shown = log.redacted(text)

    assert len(log.redacted(text)) <= log.MAX_TEXT * 6
    assert shown.isprintable() or not any(
        ord(each) < 0x20 or each in "\x7f\x85\u2028\u2029\u202e\u2066" for each in shown
    )
    assert len(shown.splitlines()) <= 1


def test_things_are_shown_by_their_kind(sink: io.StringIO) -> None:
    logging.getLogger("usherd").info(
        "things", extra={"a": {"token": TOKEN}, "b": [TOKEN], "c": ValueError(TOKEN), "d": b"x"}
    )

    line = _lines(sink)[0]
    assert [line[name] for name in "abcd"] == ["dict", "list", "ValueError", "bytes"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_of_an_exception_only_its_kind_and_place_are_logged(sink: io.StringIO, form: Any) -> None:
    log.configure(form=form, stream=sink)
    try:
        raise ValueError("canary")
    except ValueError as error:
        logging.getLogger("usherd").exception("failed")
        logging.getLogger("usherd").error("failed", exc_info=error, stack_info=True)
        structlog.get_logger("usherd").exception("failed")

    assert "canary" not in sink.getvalue()
    assert sink.getvalue().count("ValueError") == 3
    assert sink.getvalue().count("test_log.py:") == 3
    assert len(sink.getvalue().splitlines()) == 3


def test_a_librarys_words_are_replaced_by_their_place(sink: io.StringIO) -> None:
    for name in ("grpc", "asyncio", "httpx", "aiocache"):
        logging.getLogger(name).warning("it said %s", "canary")
        logging.getLogger(name).error("canary")
        logging.getLogger(name).info("unheard")

    lines = _lines(sink)
    assert "canary" not in sink.getvalue()
    assert [line["event"] for line in lines] == ["library_warning", "library_error"] * 4
    assert {line["logger"] for line in lines} == {"grpc", "asyncio", "httpx", "aiocache"}
    assert all("test_log.py:" in line["where"] for line in lines)


def test_our_own_events_are_words(sink: io.StringIO) -> None:
    logging.getLogger("usherd").info("Something %s", "canary")

    assert _lines(sink)[0]["event"] == "unnamed_event"


def test_a_record_that_cannot_be_formatted_tells_nothing(sink: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("grpc").handle(logging.LogRecord("grpc", logging.ERROR, "x.py", 1, "%d %d", ("canary",), None))

    assert "canary" not in sink.getvalue() + "".join(capsys.readouterr())


def test_a_count_of_dropped_keys_is_no_secret(sink: io.StringIO) -> None:
    structlog.get_logger("usherd.app").warning("key_set_loaded", dropped_private=1, private=2)

    (line,) = _lines(sink)
    assert (line["dropped_private"], line["private"]) == (1, "[redacted]")
