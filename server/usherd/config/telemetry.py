"""Checks what the file says under `telemetry`, and makes the settings of it."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from usherd.config.findings import Found, known, tried
from usherd.config.problems import KeyPath, Unusable
from usherd.config.scalars import is_loopback, read_secret
from usherd.config.schema import File
from usherd.config.schema_telemetry import DecisionLog, Traces
from usherd.config.settings import DecisionLogSettings, TracesSettings

_LOG: KeyPath = ("telemetry", "decision_log")
_TRACES: KeyPath = ("telemetry", "traces")
_EXPORTERS = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http",
}
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")


def check(file: File) -> Found:
    """What is wrong there, but for secrets."""
    if file.telemetry.decision_log is not None:
        yield from _decision_log(file.telemetry.decision_log, file)
    if file.telemetry.traces is not None:
        yield from _traces(file.telemetry.traces)


def _decision_log(log: DecisionLog, file: File) -> Found:
    if (log.file is not None) == log.stdout:
        yield _LOG, "has both file and stdout, or none of them; expected one"
    passed_on = {name for issuer in file.issuers for name in issuer.answer_claims}
    for place, name in enumerate(log.claims):
        yield from known((*_LOG, "claims", place), name, passed_on, "claim that an issuer's answer_claims passes on")
    if log.sample < 1 and "refuse" in (log.on_full, log.on_error):
        yield (*_LOG, "sample"), "leaves decisions out that refuse says must be written; expected 1, or drop"


def _traces(traces: Traces) -> Found:
    yield from tried((*_TRACES, "endpoint"), lambda: _check_endpoint(traces))
    for name in traces.headers:
        if _HEADER.fullmatch(name) is None:
            yield (*_TRACES, "headers"), "has a name that is none of a header; expected lower-case letters and dashes"
    if not _is_installed("opentelemetry.sdk") or not _is_installed(_EXPORTERS[traces.protocol]):
        yield (
            _TRACES,
            "needs OpenTelemetry, which is not installed; expected the extra: pip install 'usherd[otel]'",
        )


def _check_endpoint(traces: Traces) -> None:
    try:
        parts = urlsplit(traces.endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not traces.endpoint.isascii() or " " in traces.endpoint:
        raise Unusable("is no URL; expected http://host:port or https://host:port")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise Unusable("has a user, a query or a fragment in it; expected a URL without, and secrets under headers")
    if traces.protocol == "grpc" and parts.path not in ("", "/"):
        raise Unusable("has a path, which gRPC does not use; expected http://host:port or https://host:port")
    if traces.headers and parts.scheme == "http" and not is_loopback(host):
        raise Unusable("is http, and headers would cross the network in clear; expected https, or no headers")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def decision_log(file: File, folder: Path) -> DecisionLogSettings | None:
    """The settings of the decision log of a file that was checked."""
    log = file.telemetry.decision_log
    if log is None:
        return None
    return DecisionLogSettings(
        file=None if log.file is None else folder / log.file,
        include=frozenset(log.include),
        principal=tuple(dict.fromkeys(log.principal)),
        claims=frozenset(log.claims),
        queue=log.queue,
        on_full=log.on_full,
        on_error=log.on_error,
        sample=log.sample,
    )


def traces(file: File, headers: tuple[tuple[str, str], ...]) -> TracesSettings | None:
    """The settings of the traces of a file that was checked, with their headers."""
    wanted = file.telemetry.traces
    if wanted is None:
        return None
    return TracesSettings(
        endpoint=wanted.endpoint,
        protocol=wanted.protocol,
        sample=wanted.sample,
        headers=headers,
        include=frozenset(wanted.include),
    )


def trace_headers(
    file: File, folder: Path, environment: Mapping[str, str]
) -> tuple[tuple[tuple[str, str], ...], list[tuple[KeyPath, str]]]:
    """The headers for the receiver of traces, and what is wrong with them: places and texts."""
    found: list[tuple[str, str]] = []
    problems: list[tuple[KeyPath, str]] = []
    wanted = file.telemetry.traces
    for name, reference in () if wanted is None else wanted.headers.items():
        try:
            found.append((name, _header_value(read_secret(reference, folder, environment))))
        except Unusable as error:
            problems.append(((*_TRACES, "headers", name), str(error)))
    return tuple(found), problems


def _header_value(secret: bytes) -> str:
    if not secret.isascii() or not secret.decode("ascii").isprintable():
        raise Unusable("holds what no header can hold; expected printable ASCII")
    return secret.decode("ascii")
