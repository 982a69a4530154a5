"""Writes the log: JSON lines in closed words, in which no token, key, claim or exception text can stand."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

Event = MutableMapping[str, Any]

MAX_TEXT = 128
"""Characters of the longest text in a line."""

REDACTED = "[redacted]"

_SECRET_NAME = re.compile(
    r"token|authorization|secret|password|passwd|credential|cookie|session|private|api_?key|jwt|assertion|signature",
    re.IGNORECASE,
)
# A compact JWS or JWE, whole or cut: its header is JSON, and so begins with "eyJ" or, with spaces, "eyA" or "ewo".
_COMPACT = r"e(?:yJ|yA|wo)[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}"
# Any long base64 or base64url: a part of a token, or a key.
_TOKEN = re.compile(_COMPACT + r"|[A-Za-z0-9_+/-]{40,}={0,2}")
_TOKEN_IN_PATH = re.compile(_COMPACT + r"|[A-Za-z0-9_+-]{40,}={0,2}")
_TOKEN_IN_ID = re.compile(_COMPACT)
_EVENT = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEEP = frozenset({"event", "level", "timestamp", "logger", "where"})
"""What this module and the code write themselves: never from a request."""
_UNSAFE = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff\\ud800-\\udfff]"
)


def redacted(text: str) -> str:
    """`text` with all in it that looks like a token or key taken out, at most 128 characters, escaped."""
    return _safe(_TOKEN, text)


def redacted_path(text: str) -> str:
    """As `redacted`, for texts with slashes in them: a long path of short words is no key."""
    return _safe(_TOKEN_IN_PATH, text)


def redacted_id(text: str) -> str:
    """As `redacted`, for verified ids that somebody asked for by name: only what is a token is taken out of them."""
    return _safe(_TOKEN_IN_ID, text)


def _safe(secrets: re.Pattern[str], text: str) -> str:
    # What lies far beyond the cut is not searched: the text may be large, and the rest of it is not shown.
    safe = secrets.sub(REDACTED, text[: MAX_TEXT * 64])
    if len(safe) > MAX_TEXT:
        safe = safe[: MAX_TEXT - 1] + "…"
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", safe)


def redact(logger: Any, method: str, event: Event) -> Event:
    """A processor: only short, escaped text, numbers and booleans pass, and nothing whose name speaks of secrets."""
    for name, value in list(event.items()):
        if name in _KEEP and isinstance(value, str):
            event[name] = _UNSAFE.sub("?", value)[: MAX_TEXT * 4]
        elif _SECRET_NAME.search(name) and not (isinstance(value, int) and name.startswith("dropped_")):
            # Counts of dropped keys say `private` in their names, and nothing else.
            event[name] = REDACTED
        elif value is None or isinstance(value, bool | int | float):
            continue
        elif isinstance(value, str):
            event[name] = redacted(value)
        else:
            # The repr of a thing is whatever its author thought of.
            event[name] = type(value).__name__
    return event


def without_exception_text(logger: Any, method: str, event: Event) -> Event:
    """A processor: of an exception only its class and the place of its last frame are kept."""
    found = event.pop("exc_info", None)
    event.pop("stack_info", None)
    event.pop("stack", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        event["error"] = type(error).__name__
        if frame is not None:
            event["where"] = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
    return event


def closed_words(logger: Any, method: str, event: Event) -> Event:
    """A processor: an event is one word of ours; a library's words, which may hold anything, become their place."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord) and record.name.partition(".")[0] != "usherd":
        event["event"] = "library_warning" if record.levelno < logging.ERROR else "library_error"
        event["where"] = f"{record.pathname}:{record.lineno}"
    elif not _EVENT.fullmatch(str(event.get("event"))):
        event["event"] = "unnamed_event"
    return event


def configure(
    *,
    level: str = "info",
    form: Literal["auto", "json", "console"] = "auto",
    stream: TextIO | None = None,
    worker: int | None = None,
) -> None:
    """Sends every log line of this process, libraries included, through the processors above to standard error.

    `level` is that of usherd's own lines (debug writes one for each decision); libraries are heard from WARNING on.
    `auto` is console on a terminal, JSON elsewhere. `worker`: the number of this worker, of several, for each line.
    """
    stream = sys.stderr if stream is None else stream
    console = form == "console" or (form == "auto" and stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if worker is not None:
        shared.append(_of_worker(worker))
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                without_exception_text,
                closed_words,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                _renderer(console),
            ],
            use_get_message=False,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("usherd").setLevel(level.upper())
    logging.captureWarnings(capture=True)
    # A handler that fails would print the record, and what it was called with, on its own.
    logging.raiseExceptions = False
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _of_worker(number: int) -> structlog.typing.Processor:
    def add(logger: Any, method: str, event: Event) -> Event:
        event["worker"] = number
        return event

    return add


def _renderer(console: bool) -> structlog.typing.Processor:
    if console:
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False)
