"""Sends spans to an OTLP receiver in the background. What goes wrong there is told in the log, and nobody waits."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import Literal
from urllib.parse import urlsplit

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Tracer

from usherd.seldom import Seldom

QUEUE = 4096
"""Spans that may wait; beyond it the oldest are dropped."""
BATCH = 512
"""Spans sent together at the most."""
PACE = 2.0
"""Seconds after which spans are sent at the latest."""
PATIENCE = 5.0
"""Seconds for one batch, with what is tried again."""
LAST_SPANS = 5.0
"""Seconds that the last spans have when the server ends."""
TOLD_EVERY = 60.0
"""Seconds between two lines in the log about spans that were lost."""

_PATH = "/v1/traces"

_log = logging.getLogger("usherd.traces")


class Otlp:
    """The way to the receiver."""

    def __init__(self, endpoint: str, protocol: Literal["grpc", "http/protobuf"], headers: dict[str, str]) -> None:
        """`endpoint` is `http(s)://host:port`, over HTTP with another path than `/v1/traces` if it has one."""
        # Its own words hold what it sent and was sent; `_Telling` says the same in ours.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
        self._exporter = _Telling(_exporter(endpoint, protocol, headers))
        self._provider = TracerProvider(
            # Whether a call is sampled is known before there is a span.
            sampler=ALWAYS_ON,
            resource=Resource.create(
                {"service.name": os.environ.get("OTEL_SERVICE_NAME", "usherd"), "service.version": version("usherd")}
            ),
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_span_attribute_length=256),
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._exporter,
                max_queue_size=QUEUE,
                schedule_delay_millis=PACE * 1000,
                max_export_batch_size=BATCH,
                export_timeout_millis=PATIENCE * 1000,
            )
        )

    @property
    def tracer(self) -> Tracer:
        """Makes spans; those that end are sent."""
        return self._provider.get_tracer("usherd", version("usherd"))

    @property
    def lost(self) -> int:
        """Spans that the receiver did not take."""
        return self._exporter.lost

    def close(self) -> None:
        """Sends what waits, within `LAST_SPANS`. It may block for as long."""
        # A thread of its own: the library may wait longer, and a process that ends does not wait for this one.
        ending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        ending.start()
        ending.join(LAST_SPANS)
        if ending.is_alive():
            # Or it would be tried again, however long that takes, while others believe that this has ended.
            self._exporter.shutdown()


class _Telling(SpanExporter):
    """An exporter whose failures are counted, and told once a minute."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._seldom = Seldom(time.monotonic, TOLD_EVERY)
        self.lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result, why = self._exporter.export(spans), "the receiver did not take them"
        except Exception as error:
            result, why = SpanExportResult.FAILURE, type(error).__name__
        if result is not SpanExportResult.SUCCESS:
            self.lost += len(spans)
            if self._seldom.is_due():
                _log.warning("spans_lost", extra={"spans": self.lost, "why": why})
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _exporter(endpoint: str, protocol: str, headers: dict[str, str]) -> SpanExporter:
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        plain = urlsplit(endpoint).scheme == "http"
        return Grpc(endpoint=endpoint, insecure=plain, headers=tuple(headers.items()), timeout=PATIENCE)
    if urlsplit(endpoint).path in ("", "/"):
        endpoint = endpoint.rstrip("/") + _PATH
    return _http_exporter(endpoint, headers)


def _http_exporter(endpoint: str, headers: dict[str, str]) -> SpanExporter:
    import requests
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    def refuse_redirect(response: requests.Response, *others: object, **more: object) -> None:
        # The library would follow it, with our headers, or take it for good: that depends on its version.
        if 300 <= response.status_code < 400:
            response.close()
            raise requests.TooManyRedirects

    session = requests.Session()
    session.hooks["response"].append(refuse_redirect)
    return Http(endpoint=endpoint, headers=headers, timeout=PATIENCE, session=session)
