"""What is counted is on the page, in both formats; and nothing that a caller sends makes a series."""

from __future__ import annotations

import platform
import random
import string
from collections.abc import Iterator
from itertools import product

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from usherd.calls import Asked, Call, Ended, Ending
from usherd.domain import Decision, Effect, Verdict
from usherd.errors import CODES, Code, Fault, FaultReason, InvalidRequest, KeysUnavailable
from usherd.ports import Cache, Stage
from usherd.reasons import Reason
from usherd.telemetry.counts import SERVICE, Counts
from usherd.telemetry.histogram import Histogram
from usherd.telemetry.metrics import METRICS
from usherd.telemetry.page import MetricsPage
from usherd.telemetry.state import (
    DecisionLogState,
    HeldState,
    KeySetState,
    LoadState,
    ModelsState,
    ReloadState,
    State,
)

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
ASKED = Asked("/v1/chat/completions", "POST", "gpt-4o")


def state(**changes: object) -> State:
    key_set = KeySetState(issuer="idp", part=0, usable_for=60.0, given=False, age=12.5, keys=2, last_error=None)
    values: dict[str, object] = {
        "ready": True,
        "load": LoadState(calls=3, waiting=1, questions=4, capacity=8, watchers=2),
        "key_sets": (key_set,),
        "insecure": ("token.typ",),
        "warnings": 1,
        "digest": "abc",
        "preset": "strict",
        "reloads": ReloadState(applied=1, refused=2, in_force_since=1.0, last_at=2.0, problems=3),
        "revision": 7,
        "rows": {"team": 5},
        "held": HeldState(lag=0.25, entities=10, hits=11, misses=12, loads=13, discarded=14, changes=15, resyncs=16),
        "documents": (1, 2),
        "shadow": {"agreed": 9},
        "decision_log": DecisionLogState(written=6, dropped=5, refused=4, healthy=False),
        "models": ModelsState(kept=17, left_aside=18, taken=19, failed=20, outdated=True),
    }
    return State(**(values | changes))  # type: ignore[arg-type]


async def written(counts: Counts, now: State | None = None, accept: str = "") -> str:
    async def rest() -> None:
        return None

    body, _ = await MetricsPage("1.2.3", counts, lambda: now).write(accept, rest)
    return body.decode()


PLAIN, OPEN = "text/plain; version=0.0.4; charset=utf-8", "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3"
)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/plain;version=0.0.4", PLAIN),
        (PROMETHEUS, OPEN),
        ("application/openmetrics-text", OPEN),
        ("text/html , application/openmetrics-text ; q=0.5", OPEN),
        ("application/openmetrics-text;version=0.0.1", PLAIN),
        ("application/openmetrics-text;version=words", PLAIN),
        ("application/openmetrics-text;version=1.0.0.canary", PLAIN),
        ("application/openmetrics-text;version=2.0.0;version=1.0.0", PLAIN),
        ("text/plain;version=words", PLAIN),
        ("text/plain;version=1.0.0;escaping=\xff", PLAIN),
        (";,;=,;version=", PLAIN),
    ],
)
async def test_whatever_is_accepted_there_is_a_page_and_its_type_is_in_our_words(accept: str, form: str) -> None:
    async def rest() -> None:
        return None

    body, content_type = await MetricsPage("1.2.3", Counts(), lambda: None).write(accept, rest)

    assert content_type.startswith(form)
    assert "canary" not in content_type
    assert body.endswith(b"# EOF\n") == (form == OPEN)


async def samples(counts: Counts, now: State | None = None) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = read_text(await written(counts, now))
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def decision(reason: Reason = Reason.ALLOWED) -> Decision:
    effect = Effect.ALLOW if reason in (Reason.ALLOWED, Reason.PUBLIC_ROUTE) else Effect.DENY
    return Decision(Verdict(effect=effect, reason=reason), "0" * 26, "store:1", 0.0, False)


async def test_calls_and_decisions_are_counted_by_method_and_how_they_ended() -> None:
    counts = Counts()
    call = Call(f"{SERVICE}Check")
    counts.decided(call, "", lambda: ASKED, decision())
    counts.decided(call, "", lambda: ASKED, decision(Reason.TEAM_BLOCKED))
    for ending in (Ended.ANSWERED, Ended.ANSWERED, Ended.CANCELLED, FaultReason.KEYS_UNAVAILABLE):
        counts.ended(call, ending, 0.003)
    counts.ended(Call("/grpc.health.v1.Health/Check"), Ended.NOT_FOUND, 0.003)

    found = await samples(counts)
    method = {"method": "Check"}
    assert found[key("usherd_decisions_total", **method, effect="ALLOW", reason="ALLOWED")] == 1
    assert found[key("usherd_decisions_total", **method, effect="DENY", reason="TEAM_BLOCKED")] == 1
    assert found[key("usherd_calls_total", **method, code="OK", reason="ANSWERED")] == 2
    assert found[key("usherd_calls_total", **method, code="CANCELLED", reason="CANCELLED")] == 1
    assert found[key("usherd_calls_total", **method, code="UNAVAILABLE", reason="KEYS_UNAVAILABLE")] == 1
    assert found[key("usherd_calls_total", method="Health/Check", code="NOT_FOUND", reason="SERVICE_UNKNOWN")] == 1
    assert found[key("usherd_calls_total", method="Health/Check", code="CANCELLED", reason="CANCELLED")] == 0
    assert found[key("usherd_call_duration_seconds_count", **method)] == 4
    assert found[key("usherd_call_duration_seconds_bucket", **method, le="0.0025")] == 0
    assert found[key("usherd_call_duration_seconds_bucket", **method, le="0.005")] == 4
    assert sum(value for (name, _), value in found.items() if name == "usherd_decisions_total") == 2
    assert sum(value for (name, _), value in found.items() if name == "usherd_calls_total") == 5


async def test_an_effect_that_does_not_go_with_its_reason_is_shown_as_it_was() -> None:
    counts = Counts()
    odd = Verdict(effect=Effect.ALLOW, reason=Reason.TEAM_BLOCKED)
    counts.decided(Call(f"{SERVICE}Check"), "", lambda: ASKED, decision()._replace(verdict=odd))

    found = await samples(counts)
    assert found[key("usherd_decisions_total", method="Check", effect="ALLOW", reason="TEAM_BLOCKED")] == 1


async def test_stages_caches_and_what_is_so_now_are_on_the_page() -> None:
    counts = Counts()
    counts.took(Stage.JUDGE, 0.0002)
    counts.waited(0.02)
    counts.looked_up(Cache.TOKENS, found=True)
    counts.refreshes["idp", "timeout"] += 1
    counts.refreshes["gone", "ok"] += 1
    counts.forced["idp"] += 1
    counts.lag.observe(0.3)

    found = await samples(counts, state())
    expected = {
        key("usherd_stage_duration_seconds_count", stage="judge"): 1,
        key("usherd_stage_duration_seconds_count", stage="queue"): 1,
        key("usherd_cache_lookups_total", cache="tokens", result="hit"): 1,
        key("usherd_cache_lookups_total", cache="tokens", result="miss"): 0,
        key("usherd_cache_lookups_total", cache="documents", result="miss"): 1,
        key("usherd_cache_lookups_total", cache="documents", result="hit"): 2,
        key("usherd_calls_in_flight"): 3,
        key("usherd_calls_waiting"): 1,
        key("usherd_questions_in_work"): 4,
        key("usherd_questions_in_work_limit"): 8,
        key("usherd_health_watchers"): 2,
        key("usherd_key_set_usable", issuer="idp", part="0"): 1,
        key("usherd_key_set_age_seconds", issuer="idp", part="0"): 12.5,
        key("usherd_key_set_stale_in_seconds", issuer="idp", part="0"): 60,
        key("usherd_key_set_refreshes_total", issuer="idp", result="ok"): 0,
        key("usherd_key_set_refreshes_total", issuer="idp", result="timeout"): 1,
        key("usherd_key_set_forced_refreshes_total", issuer="idp"): 1,
        key("usherd_insecure_option", option="token.typ"): 1,
        key("usherd_insecure_options"): 1,
        key("usherd_config_info", digest="abc", preset="strict"): 1,
        key("usherd_config_reloads_total", result="refused"): 2,
        key("usherd_config_last_reload_successful"): 0,
        key("usherd_config_last_reload_problems"): 3,
        key("usherd_directory_rows", kind="team"): 5,
        key("usherd_shadow_questions_total", result="agreed"): 9,
        key("usherd_decision_log_written_total"): 6,
        key("usherd_decision_log_dropped_total"): 5,
        key("usherd_decision_log_refused_total"): 4,
        key("usherd_decision_log_healthy"): 0,
        key("usherd_event_loop_lag_seconds_bucket", le="0.25"): 0,
        key("usherd_event_loop_lag_seconds_bucket", le="0.5"): 1,
        key("usherd_build_info", version="1.2.3", python=platform.python_version()): 1,
    }
    assert {each: found.get(each) for each in expected} == expected
    # The counts of an issuer that is configured no more are gone with it.
    assert not any(("issuer", "gone") in labels for _, labels in found)


async def test_what_a_replica_holds_of_a_kept_directory_is_on_the_page_and_of_none_there_is_nothing() -> None:
    kept, in_memory = await written(Counts(), state()), await written(Counts(), state(held=None, models=None))

    for line in (
        "usherd_directory_lag_seconds 0.25",
        "usherd_directory_held 10.0",
        'usherd_directory_lookups_total{result="hit"} 11.0',
        'usherd_directory_lookups_total{result="miss"} 12.0',
        "usherd_directory_loads_total 13.0",
        "usherd_directory_discarded_total 14.0",
        "usherd_directory_changes_total 15.0",
        "usherd_directory_resyncs_total 16.0",
        'usherd_kept_models{state="kept"} 17.0',
        'usherd_kept_models{state="left_aside"} 18.0',
        'usherd_kept_model_changes_total{result="applied"} 19.0',
        'usherd_kept_model_changes_total{result="refused"} 20.0',
        "usherd_kept_models_last_attempt_successful 0.0",
    ):
        assert line in kept.splitlines()
        assert f"\n{line.partition(chr(32))[0]}" not in in_memory


async def test_ten_thousand_made_up_values_make_no_series() -> None:
    counts = Counts()
    for ending in (*Ended, *FaultReason):
        # What methods that nobody knows end with is shown once it has happened: a closed set, too.
        counts.ended(Call("unknown"), ending, 0.0)
        counts.ended(Call(f"{SERVICE}Check"), ending, 0.0)
    before = set(await samples(counts, state()))
    chance = random.Random(4)
    reasons, endings = list(Reason), _endings()
    for _ in range(10_000):
        made_up = "".join(chance.choices(string.printable, k=24))
        method = chance.choice([f"{SERVICE}Check", f"{SERVICE}{made_up}", made_up, f"/grpc.health.v1.Health/{made_up}"])
        asked = Asked(f"/{made_up}", made_up, made_up)
        call = Call(method, caller=made_up)
        if method == f"{SERVICE}Check":
            counts.decided(call, made_up, lambda asked=asked: asked, decision(chance.choice(reasons)))  # type: ignore[misc]
        counts.ended(call, next(endings), chance.random())

    after = await samples(counts, state())
    assert set(after) == before
    assert sum(value for (name, _), value in after.items() if name == "usherd_calls_total") == 10_000 + 2 * _KINDS


_KINDS = len(Ended) + len(FaultReason)


def _endings() -> Iterator[Ending]:
    chance = random.Random(5)
    every: list[Ending] = [*Ended, *FaultReason]
    while True:
        yield chance.choice(every)


async def test_both_formats_are_read_by_their_parsers_and_say_the_same() -> None:
    counts = Counts()
    for reason, method in product(Reason, ("Authorize", "BatchCheck")):
        counts.decided(Call(f"{SERVICE}{method}"), "", lambda: ASKED, decision(reason))
    text, openmetrics = await written(counts, state()), await written(counts, state(), OPENMETRICS)

    ours = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in read_text(text)
        for sample in family.samples
        if sample.name.startswith("usherd_")
    }
    theirs = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in read_openmetrics(openmetrics)
        for sample in family.samples
        if sample.name.startswith("usherd_")
    }
    assert ours == theirs
    assert len(ours) > 300


async def test_the_list_of_metrics_is_what_is_on_the_page() -> None:
    families = list(MetricsPage("1", Counts(), state).families())

    ours = [family for family in families if family.name.startswith("usherd_")]
    assert {(family.name, family.type, family.documentation) for family in ours} == {
        (metric.name, metric.kind.value, metric.meaning) for metric in METRICS
    }
    labels = {metric.name: set(metric.labels) for metric in METRICS}
    for family in ours:
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == labels[family.name], family.name


async def test_a_page_without_a_policy_in_force_says_that_it_is_not_ready() -> None:
    found = await samples(Counts(), None)

    assert found[key("usherd_ready")] == 0
    assert key("usherd_config_info", digest="abc", preset="strict") not in found


def test_each_reason_of_a_fault_has_the_status_that_it_ends_with() -> None:
    assert set(CODES) == set(FaultReason)
    assert CODES[FaultReason.KEYS_UNAVAILABLE] is KeysUnavailable.code is Code.UNAVAILABLE
    assert CODES[FaultReason.PAGE_INVALID] is InvalidRequest(FaultReason.PAGE_INVALID).code
    assert CODES[FaultReason.INTERNAL] is Fault.code is Code.INTERNAL


def test_a_histogram_counts_what_is_at_its_bound_below_it() -> None:
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.1, 0.5, 2.0):
        histogram.observe(seconds)

    assert histogram.buckets() == [(0.1, 1), (1.0, 2), (float("inf"), 3)]
    assert (histogram.count, histogram.total) == (3, 2.6)
