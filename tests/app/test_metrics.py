"""An operator sees what a daemon does: a port of its own, which is there from the start to the end, or not at all."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from commands import usherd
from keyring import key_pair
from tools.changing import ROUTE, Daemon, running
from tools.rpc_world import call, calling
from tools.rpc_world import running as serving
from tools.waiting import PATIENCE, until
from tools.watched import fetched, metrics_address, scraped
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usher_client import Unavailable
from usherd.errors import FaultReason
from usherd.ports import Stage
from usherd.rpc.limits import Limits
from usherd.telemetry.counts import Counts
from usherd.telemetry.page import MetricsPage
from worlds import World

METRICS = {"telemetry": {"metrics": "127.0.0.1:0", "log": "json"}}
CANARY = "canary-5f3a"


class Watched(Daemon):
    """A daemon with metrics, whatever else is configured."""

    def configure(self, *, issuer: dict[str, Any] | None = None, **keys: Any) -> None:
        super().configure(issuer=issuer, **METRICS | keys)


def value(address: str, name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(scraped(address)):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    raise AssertionError(f"no {name} {labels}")


def readiness(address: str) -> tuple[int, dict[str, Any]]:
    status, page = fetched(address, "/readyz")
    return status, json.loads(page)


def test_a_reload_is_told_whether_it_was_taken_on_or_refused(tmp_path: Path) -> None:
    with running(tmp_path, Watched) as daemon:
        address = metrics_address(tmp_path)
        daemon.configure(rolls=[], models=4)
        daemon.wait_for("reload_refused", 2)
        until(lambda: value(address, "usherd_config_reloads_total", result="refused") == 1)
        refused = readiness(address)
        successful = value(address, "usherd_config_last_reload_successful")
        problems = value(address, "usherd_config_last_reload_problems")
        since = value(address, "usherd_config_last_reload_success_timestamp_seconds")
        before = refused[1]["policy"]["digest"]

        daemon.configure(access={"user.unknown": "refused"})
        daemon.wait_for("reloaded")
        until(lambda: value(address, "usherd_config_reloads_total", result="applied") == 1)
        applied = readiness(address)

        assert (successful, problems) == (0, 2)
        assert refused[0] == applied[0] == 200
        assert refused[1]["configuration"]["outdated"] is True
        assert refused[1]["configuration"]["last_reload"]["result"] == "refused"
        assert refused[1]["configuration"]["last_reload"]["problems"] == 2
        assert applied[1]["configuration"]["outdated"] is False
        assert applied[1]["configuration"]["last_reload"]["result"] == "applied"
        assert applied[1]["policy"]["digest"] != before
        assert value(address, "usherd_config_last_reload_successful") == 1
        assert value(address, "usherd_config_last_reload_success_timestamp_seconds") > since
        digest = applied[1]["policy"]["digest"]
        assert value(address, "usherd_config_info", digest=digest, preset="strict") == 1


def test_counts_go_on_over_a_reload(tmp_path: Path) -> None:
    with running(tmp_path, Watched) as daemon:
        address, token = metrics_address(tmp_path), daemon.token()
        assert [daemon.reason(token) for _ in range(3)] == ["ALLOWED"] * 3
        daemon.configure(access={"user.unknown": "refused"})
        daemon.wait_for("reloaded")
        assert daemon.reason(token) == "USER_UNKNOWN"

        decided = {"method": "Authorize", "effect": "ALLOW", "reason": "ALLOWED"}
        assert value(address, "usherd_decisions_total", **decided) == 3
        denied = {"method": "Authorize", "effect": "DENY", "reason": "USER_UNKNOWN"}
        assert value(address, "usherd_decisions_total", **denied) == 1
        assert value(address, "usherd_cache_lookups_total", cache="answers", result="hit") == 2
        assert value(address, "usherd_cache_lookups_total", cache="answers", result="miss") == 2
        # Under the other policy the token was verified anew.
        assert value(address, "usherd_cache_lookups_total", cache="tokens", result="miss") == 2
        assert value(address, "usherd_stage_duration_seconds_count", stage="judge") == 2


def test_decisions_that_are_not_written_down_are_told_and_are_no_decisions(tmp_path: Path) -> None:
    def written_down(folder: Path) -> Daemon:
        daemon = Watched(folder)
        (folder / "logs").mkdir()
        log = {"file": "logs/decisions.jsonl", "on_error": "refuse"}
        daemon.configure(telemetry=METRICS["telemetry"] | {"decision_log": log})
        return daemon

    with running(tmp_path, written_down) as daemon:
        address = metrics_address(tmp_path)
        assert daemon.reason(daemon.token()) == "ALLOWED"
        until(lambda: value(address, "usherd_decision_log_written_total") == 1)
        # A folder in the file's place cannot be written.
        (tmp_path / "logs" / "decisions.jsonl").unlink()
        (tmp_path / "logs" / "decisions.jsonl").mkdir()
        refused = 0
        while not refused:
            try:
                daemon.reason(daemon.token())
            except Unavailable:
                refused += 1
            time.sleep(0.1)
        allowed = {"method": "Authorize", "effect": "ALLOW", "reason": "ALLOWED"}
        ended = {"method": "Authorize", "code": "UNAVAILABLE", "reason": "DECISION_LOG_UNAVAILABLE"}
        answered = {"method": "Authorize", "code": "OK", "reason": "ANSWERED"}

        assert value(address, "usherd_decision_log_healthy") == 0
        assert value(address, "usherd_decision_log_refused_total") == value(address, "usherd_calls_total", **ended) >= 1
        assert value(address, "usherd_decisions_total", **allowed) == value(address, "usherd_calls_total", **answered)
        (tmp_path / "logs" / "decisions.jsonl").rmdir()
        until(lambda: value(address, "usherd_decision_log_healthy") == 1)


def test_a_daemon_that_begins_or_ends_is_live_and_not_ready(tmp_path: Path) -> None:
    daemon = Watched(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent, (tmp_path / "server.log").open("w") as log:
        daemon.issuer["keys"] = {"jwks_url": f"http://127.0.0.1:{silent.getsockname()[1]}/keys"}
        daemon.configure(insecure={"loopback_http": True})
        command = [sys.executable, "-m", "usherd", "serve", "--config", str(tmp_path / "usherd.yaml")]
        process = subprocess.Popen(command, stdout=DEVNULL, stderr=log)
        try:
            address = metrics_address(tmp_path)
            # It waits for its keys.
            waiting, _ = silent.accept()
            with waiting:
                live, (status, told) = fetched(address, "/healthz"), readiness(address)
                page = scraped(address)
        finally:
            process.kill()
            process.wait()

    assert live == (200, "live\n")
    assert status == 503
    assert told["ready"] is False
    assert told["conditions"]["policy_loaded"] is False
    assert "usherd_ready 0.0" in page


def test_an_issuer_without_keys_is_told_with_its_cause_and_nothing_secret(tmp_path: Path) -> None:
    daemon = Watched(tmp_path)
    daemon.issuer["keys"] = {"jwks_url": f"http://127.0.0.1:1/{CANARY}"}
    with running(tmp_path, lambda folder: _with(daemon, insecure={"loopback_http": True})) as daemon:
        address = metrics_address(tmp_path)
        assert readiness(address)[0] == 503
        told = readiness(address)[1]
        refreshes = value(address, "usherd_key_set_refreshes_total", issuer="idp", result="connect")
        page = scraped(address) + fetched(address, "/readyz")[1]
        usable = value(address, "usherd_key_set_usable", issuer="idp", part="0")
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(PATIENCE) == 0

    assert told["conditions"] == {
        "policy_loaded": True,
        "issuers_tried": True,
        "issuer_usable": False,
        "directory_fresh": True,
        "not_ending": True,
    }
    assert told["issuers"]["idp"]["usable"] is False
    assert told["issuers"]["idp"]["key_sets"][0]["last_error"] == "connect"
    assert (usable, refreshes >= 1) == (0, True)
    assert CANARY not in page


def _with(daemon: Daemon, **keys: Any) -> Daemon:
    daemon.configure(**keys)
    return daemon


def test_where_no_address_is_given_nothing_listens_and_nothing_is_counted(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        assert daemon.reason(daemon.token()) == "ALLOWED"
        listening = _listening(daemon.process.pid)
        daemon.configure(**METRICS)
        needs = daemon.wait_for("reload_needs_restart")
        assert daemon.events("metrics_served") == []

    assert len(listening) == 1
    assert "metrics.address" in needs["keys"].split(", ")


def _listening(process: int) -> set[str]:
    """Inodes of the sockets that the process listens at over TCP."""
    lines = [line.split() for line in Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]]
    lines += [line.split() for line in Path(f"/proc/{process}/net/tcp6").read_text().splitlines()[1:]]
    inodes = {f"socket:[{line[9]}]" for line in lines if line[3] == "0A"}
    return {str(each.readlink()) for each in Path(f"/proc/{process}/fd").iterdir() if each.is_symlink()} & inodes


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("0.0.0.0:9464", "only a loopback address may be served; others need insecure: {remote_metrics: true}"),
        ("metrics.example:9464", "only a loopback address may be served; others need insecure: {remote_metrics: true}"),
        ("unix:/tmp/metrics", "expected host:port or [v6]:port"),
        ("9464", "expected host:port or [v6]:port"),
        ("::1:9464", "expected brackets around an IPv6 address"),
    ],
)
@pytest.mark.parametrize("command", [("serve", "--config"), ("config", "check")])
def test_an_address_that_others_reach_is_refused(
    tmp_path: Path, command: tuple[str, ...], address: str, problem: str
) -> None:
    Daemon(tmp_path).configure(telemetry={"metrics": address})
    done = usherd(*command, tmp_path / "usherd.yaml")

    assert done.returncode == 2
    assert f"telemetry.metrics: {problem}" in done.stderr


def test_an_address_that_others_reach_may_be_served_by_name(tmp_path: Path) -> None:
    def exposed(folder: Path) -> Daemon:
        daemon = Watched(folder)
        daemon.configure(telemetry={"metrics": "0.0.0.0:0", "log": "json"}, insecure={"remote_metrics": True})
        return daemon

    with running(tmp_path, exposed) as daemon:
        address = metrics_address(tmp_path).replace("0.0.0.0", "127.0.0.1")
        assert value(address, "usherd_insecure_option", option="remote_metrics") == 1
        assert value(address, "usherd_insecure_options") == 1
        warned = [event["setting"] for event in daemon.events("insecure_setting")]

    assert warned == ["insecure.remote_metrics: other machines may read metrics and the state of the server"]


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        Daemon(tmp_path).configure(telemetry={"metrics": f"127.0.0.1:{taken.getsockname()[1]}"})
        done = usherd("serve", "--config", tmp_path / "usherd.yaml")

    assert done.returncode == 2
    assert "telemetry.metrics: cannot listen" in done.stderr


async def test_ten_thousand_made_up_questions_make_no_series() -> None:
    counts, chance = Counts(), random.Random(3)

    async def series() -> set[str]:
        body, _ = await MetricsPage("1", counts, lambda: None).write("", lambda: asyncio.sleep(0))
        return {line.rpartition(" ")[0] for line in body.decode().splitlines() if line.startswith("usherd_")}

    def made_up() -> str:
        return f"{chance.randrange(10**12):x}"

    before = await series()
    async with serving(listener=counts) as server, calling(server) as channel:
        for _ in range(10):
            items = [
                api.BatchCheckRequest.Item(
                    id=str(number),
                    question=question_pb2.Question(route=f"/{made_up()}", method=made_up(), model=made_up()),
                )
                for number in range(1000)
            ]
            # Nobody verifies it here; what it says may be anything, as its key id may.
            token = key_pair("Ed25519", made_up()).token({"iss": made_up(), "sub": made_up()})
            request = api.BatchCheckRequest(token=token, items=items)
            await call(channel, "BatchCheck", request.SerializeToString())
        for _ in range(100):
            await call(channel, made_up(), b"")

    assert await series() == before
    assert sum(map(sum, counts.methods["BatchCheck"].decisions)) == 10_000


async def test_calls_that_wait_for_their_turn_are_seen() -> None:
    counts, go_on = Counts(), asyncio.Event()

    class Slow:
        judging = World().authorizer.judging

        def at_hand(self, *_: object) -> None:
            return None

        async def authorize(self, *_: object, **__: object) -> None:
            await go_on.wait()
            raise ValueError

    one_at_a_time = Limits(concurrency=1, queue=1, queue_time=0.3)
    question = api.CheckRequest(question=question_pb2.Question(token="t", route=ROUTE)).SerializeToString()
    async with (
        serving(Slow(), limits=one_at_a_time, listener=counts, on_wait=counts.waited) as server,
        calling(server) as channel,
    ):
        first = asyncio.create_task(call(channel, "Check", question))
        async with asyncio.timeout(PATIENCE):
            while server.load().questions == 0:  # noqa: ASYNC110 (another process's calls have no event)
                await asyncio.sleep(0.01)
        second = asyncio.create_task(call(channel, "Check", question))
        async with asyncio.timeout(PATIENCE):
            while server.load().waiting == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        busy = server.load()
        waited = await second
        go_on.set()
        await first
        idle = server.load()

    assert (busy.calls, busy.waiting, busy.questions, busy.capacity) == (2, 1, 1, 1)
    assert (idle.calls, idle.waiting, idle.questions) == (0, 0, 0)
    assert waited.reason == "OVERLOADED"
    assert counts.stages[Stage.QUEUE].count == 1
    assert counts.stages[Stage.QUEUE].total >= 0.25
    assert counts.methods["Check"].faults[FaultReason.OVERLOADED] == 1
