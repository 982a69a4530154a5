"""Writes docs/metrics.md from the list of metrics, or checks that it is as written (--check)."""

from __future__ import annotations

import sys

from usherd.telemetry.counts import ENVOY_METHOD, HEALTH_METHODS, MANAGING_METHODS, METHODS, OTHER
from usherd.telemetry.metrics import METRICS, Kind
from written_pages import ROOT, write_or_check

PAGE = ROOT / "docs" / "metrics.md"
HEAD = """\
# Metrics

Written from `server/usherd/telemetry/metrics.py` by `tools/metrics_page.py`; change it there.

`telemetry.metrics` names an address, and `/metrics` there has these in Prometheus text or, if it is asked for,
OpenMetrics: [operations](operations.md#metrics-and-readiness-over-http) says how. Beside them are prometheus-client's
own of the process: `process_*` (CPU seconds, memory, file descriptors, start), `python_info` and `python_gc_*`.

Each label is a closed set: nothing that a caller or a token says is ever one.

* `method`: METHODS; once they are called, `ENVOY` and those that manage what is kept, as
  `EXAMPLE`; `OTHER` for every other
* `reason`: one of [reasons.md](reasons.md); `code`: the gRPC status that goes with a fault
* `issuer`: its configured name; `part`: which of its key sets, from 0
* `option`: a key that `insecure` takes, or that the preset opens
* `result` of a refresh: `ok`, or the word that the log has for its failure

With [several workers](operations/workers.md) the page speaks for all of them. Counters and histograms are summed, with
what workers had counted that have ended; of infos each is there. The last column says what a gauge is: the `sum` of the
workers' values, the `most` or the `least` of them. Of the process's own, memory is summed, descriptors are those of the
process that has the most, and CPU is that of all, the supervisor's included.

| metric | type | labels | meaning | over workers |
|---|---|---|---|---|
"""


def page() -> str:
    """The page's text."""
    methods = ", ".join(f"`{name}`" for name in (*METHODS, *(f"Health/{name}" for name in HEALTH_METHODS)))
    lines = [HEAD.replace("METHODS", methods).replace("ENVOY", ENVOY_METHOD).replace("OTHER", OTHER)]
    lines[0] = lines[0].replace("EXAMPLE", next(iter(MANAGING_METHODS.values())))
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "-"
        over = metric.over or {Kind.INFO: "each"}.get(metric.kind, "sum")
        lines.append(f"| `{metric.shown}` | {metric.kind.value} | {labels} | {metric.meaning} | {over} |\n")
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(write_or_check({PAGE: page()}, "the list of metrics"))
