"""The list of all metrics: what each is called, what it counts, and which labels it has. Every label is a closed set.

No label's value comes from a call: routes, models, key ids and issuers of tokens are never among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a metric is, in the words of OpenMetrics."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class Over(StrEnum):
    """What a gauge of several workers is. Counters and histograms are summed, and of infos each is told."""

    SUM = "sum"
    MOST = "most"
    LEAST = "least"


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of series."""

    name: str
    """Without the suffix of its kind."""
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    over: Over | None = None
    """Of gauges: what it is over several workers."""

    @property
    def shown(self) -> str:
        """As it is asked for: with the suffix."""
        return self.name + {Kind.COUNTER: "_total", Kind.INFO: "_info"}.get(self.kind, "")


def _counter(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"usherd_{name}", Kind.COUNTER, meaning, labels)


def _gauge(name: str, over: Over, meaning: str, *labels: str) -> Metric:
    return Metric(f"usherd_{name}", Kind.GAUGE, meaning, labels, over)


def _histogram(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"usherd_{name}", Kind.HISTOGRAM, meaning, labels)


def _info(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"usherd_{name}", Kind.INFO, meaning, labels)


BUILD = _info("build", "The version of usherd and of Python.", "version", "python")
READY = _gauge("ready", Over.LEAST, "1 while questions are welcome, as the health service says.")
DECISIONS = _counter(
    "decisions", "Decisions that were sent, each item of a batch by itself.", "method", "effect", "reason"
)
CALLS = _counter(
    "calls",
    "Calls that ended: with an answer (OK, ANSWERED), by their caller (CANCELLED), or with a fault; SERVICE_UNKNOWN: a"
    " health check of a service that there is not.",
    "method",
    "code",
    "reason",
)
CALL_DURATION = _histogram("call_duration_seconds", "How long calls took, whatever they ended with.", "method")
STAGE_DURATION = _histogram(
    "stage_duration_seconds",
    "How long stages took of single questions that were not answered at hand; queue: only of calls that had to wait.",
    "stage",
)
LOOKUPS = _counter(
    "cache_lookups",
    "Look-ups among what is remembered: answers first, then tokens and verdicts; documents are those of providers.",
    "cache",
    "result",
)
CALLS_IN_FLIGHT = _gauge(
    "calls_in_flight", Over.SUM, "Calls in work or waiting. Those that are answered at hand never show."
)
CALLS_WAITING = _gauge("calls_waiting", Over.SUM, "Calls that wait for their turn.")
QUESTIONS = _gauge("questions_in_work", Over.SUM, "Questions in work, each item of a batch by itself.")
CAPACITY = _gauge(
    "questions_in_work_limit", Over.SUM, "As many questions are in work at a time: server.limits.concurrency."
)
WATCHERS = _gauge("health_watchers", Over.SUM, "Streams of the health service.")
LIVING_STREAMS = _gauge(
    "living_streams", Over.SUM, "Streams of living decisions: Authorize in MODE_WATCH, and Subscribe."
)
LIVING_DECISIONS = _gauge("living_decisions", Over.SUM, "Living decisions, on all streams together.")
LIVING_EVENTS = _counter("living_events", "Events that were told of living decisions.", "event")
LIVING_LOOKS = _counter("living_looks", "Living decisions that were looked at again, whatever came of it.")
SLOW_READERS = _counter("living_slow_readers", "Streams of living decisions that were cut because nobody read them.")
TOLD_AFTER = _histogram(
    "living_told_after_seconds",
    "From the commit of a change to the moment in which the last who depended on it here had been told. The commit is"
    " by the clock of whoever made it.",
)
KEYS_USABLE = _gauge(
    "key_set_usable", Over.LEAST, "1 while the key set is loaded and not past its stale bound.", "issuer", "part"
)
KEYS = _gauge("key_set_keys", Over.LEAST, "Keys of the set that are trusted now.", "issuer", "part")
KEYS_AGE = _gauge(
    "key_set_age_seconds",
    Over.MOST,
    "Time since the last good fetch; no sample where keys are given in full.",
    "issuer",
    "part",
)
KEYS_STALE_IN = _gauge(
    "key_set_stale_in_seconds",
    Over.LEAST,
    "Time until the key set is past its stale bound if nothing is fetched; infinite where keys are given in full.",
    "issuer",
    "part",
)
KEY_REFRESHES = _counter("key_set_refreshes", "Refreshes of key sets: ok, or why they failed.", "issuer", "result")
FORCED_REFRESHES = _counter("key_set_forced_refreshes", "Refreshes that unknown key ids forced.", "issuer")
INSECURE = _gauge("insecure_option", Over.MOST, "1 for each option in force that is laxer than it should be.", "option")
INSECURE_COUNT = _gauge("insecure_options", Over.MOST, "How many such options are in force.")
WARNINGS = _gauge("config_warnings", Over.MOST, "What the log warned of when the configuration took effect.")
CONFIG = _info("config", "The policy in force: its digest, and the preset that it begins with.", "digest", "preset")
RELOADS = _counter("config_reloads", "Attempts to take on a changed configuration.", "result")
RELOADED = _gauge(
    "config_last_reload_successful", Over.LEAST, "0 while the last attempt was refused, and an older policy answers."
)
RELOADED_AT = _gauge(
    "config_last_reload_success_timestamp_seconds", Over.LEAST, "When the configuration in force took effect."
)
RELOAD_PROBLEMS = _gauge("config_last_reload_problems", Over.MOST, "Problems for which the last attempt was refused.")
DIRECTORY_REVISION = _gauge(
    "directory_revision",
    Over.LEAST,
    "The revision of the directory that answers are of; one in memory begins anew with the process.",
)
DIRECTORY_ROWS = _gauge(
    "directory_rows", Over.LEAST, "Rows of a directory in memory; one in a database is not counted.", "kind"
)
DIRECTORY_LAG = _gauge(
    "directory_lag_seconds",
    Over.MOST,
    "Time since what is held of the database was known to be true; beyond directory.max_staleness there are no answers."
    " Without directory.url, no samples of this and the next six.",
)
DIRECTORY_HELD = _gauge("directory_held", Over.SUM, "Look-ups whose findings are held; cache.entities bounds them.")
DIRECTORY_LOOKUPS = _counter(
    "directory_lookups", "Look-ups among what is held, for questions that were not answered at hand.", "result"
)
DIRECTORY_LOADS = _counter("directory_loads", "Snapshots that were read because something was not held.")
DIRECTORY_DISCARDED = _counter(
    "directory_discarded", "Findings that were loaded and not held, because they had changed before the load ended."
)
DIRECTORY_CHANGES = _counter("directory_changes", "Changes of the database that this replica has taken over.")
DIRECTORY_RESYNCS = _counter(
    "directory_resyncs", "How often everything was dropped: the replica was away longer than changes are kept."
)
MODELS = _gauge(
    "kept_models",
    Over.LEAST,
    "Models that the database keeps and that are in force (kept), and models and aliases there that are left aside."
    " Without directory.url, no samples of this and the next two.",
    "state",
)
MODEL_CHANGES = _counter("kept_model_changes", "Attempts to take on changed models of the database.", "result")
MODELS_IN_STEP = _gauge(
    "kept_models_last_attempt_successful",
    Over.LEAST,
    "0 while the last attempt to take on changed models failed, and older ones are in force.",
)
SHADOW = _counter(
    "shadow_questions",
    "Questions that a candidate policy was asked too; without one, no samples. Begins anew with each reload.",
    "result",
)
LOG_WRITTEN = _counter("decision_log_written", "Lines of the decision log that the operating system has taken over.")
LOG_DROPPED = _counter("decision_log_dropped", "Decisions that were answered and not written down.")
LOG_REFUSED = _counter(
    "decision_log_refused", "Decisions that were not answered because they could not be written down."
)
LOG_HEALTHY = _gauge(
    "decision_log_healthy", Over.LEAST, "1 while the decision log can be written. Without one, no samples of these."
)
WORKERS = _gauge("workers", Over.SUM, "Processes that answer calls, by what they do now.", "state")
WORKER_RESTARTS = _counter("worker_restarts", "Workers that ended without being told to, and were started again.")
CRASH_LOOPS = _gauge(
    "workers_in_crash_loop", Over.SUM, "Workers that ended three times in a row before they had lived for 30 s."
)
LAG = _histogram("event_loop_lag_seconds", "How late the event loop comes to what is due, ten times a second.")

METRICS = (
    BUILD,
    READY,
    DECISIONS,
    CALLS,
    CALL_DURATION,
    STAGE_DURATION,
    LOOKUPS,
    CALLS_IN_FLIGHT,
    CALLS_WAITING,
    QUESTIONS,
    CAPACITY,
    WATCHERS,
    LIVING_STREAMS,
    LIVING_DECISIONS,
    LIVING_EVENTS,
    LIVING_LOOKS,
    SLOW_READERS,
    TOLD_AFTER,
    KEYS_USABLE,
    KEYS,
    KEYS_AGE,
    KEYS_STALE_IN,
    KEY_REFRESHES,
    FORCED_REFRESHES,
    INSECURE,
    INSECURE_COUNT,
    WARNINGS,
    CONFIG,
    RELOADS,
    RELOADED,
    RELOADED_AT,
    RELOAD_PROBLEMS,
    DIRECTORY_REVISION,
    DIRECTORY_ROWS,
    DIRECTORY_LAG,
    DIRECTORY_HELD,
    DIRECTORY_LOOKUPS,
    DIRECTORY_LOADS,
    DIRECTORY_DISCARDED,
    DIRECTORY_CHANGES,
    DIRECTORY_RESYNCS,
    MODELS,
    MODEL_CHANGES,
    MODELS_IN_STEP,
    SHADOW,
    LOG_WRITTEN,
    LOG_DROPPED,
    LOG_REFUSED,
    LOG_HEALTHY,
    LAG,
    WORKERS,
    WORKER_RESTARTS,
    CRASH_LOOPS,
)
"""All of them, in the order of the page. Those of the process (`process_*`, `python_*`) are the library's own."""

PROCESS = {
    "process_virtual_memory_bytes": Over.SUM,
    "process_resident_memory_bytes": Over.SUM,
    "process_start_time_seconds": Over.LEAST,
    "process_open_fds": Over.MOST,
    "process_max_fds": Over.LEAST,
}
"""What the library's own gauges are over several processes, the supervisor's among them. Descriptors are those of the
process that has the most: each has its own limit."""


def over(name: str) -> Over:
    """What a family that is no counter and no histogram is over several workers; of unknown ones, the most."""
    return _OVER.get(name, Over.MOST)


_OVER = PROCESS | {metric.name: metric.over for metric in METRICS if metric.over is not None}
