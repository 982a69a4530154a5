"""A daemon knows its callers by certificate or credential, and follows the files that say who they are."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from clients.asking import Ask, both_faces
from commands import server, usherd
from tools.caller_world import names, server_files
from tools.certificates import Authority
from tools.changing import ROUTE, Daemon
from usher_client import CallerNotAllowed, CallerUnknown, Client

OURS = Authority("ours")
FIRST, SECOND = "f1e2d3c4b5a6978812345678abcdef90", "00112233445566778899aabbccddeeff"
SPIFFE = {"uri": ["spiffe://mesh/ns/edge/sa/gateway"]}


class Guarded(Daemon):
    """A daemon with callers."""

    address = ""

    def __init__(self, folder: Path, callers: list[dict[str, Any]], **more: Any) -> None:
        self.more = more
        self.callers: list[dict[str, Any]] = callers
        (folder / "credential").write_text(FIRST + "\n")
        super().__init__(folder)

    def configure(self, **keys: Any) -> None:
        told = {"callers": self.callers} if self.callers else {}
        super().configure(**(told | self.more | keys))

    def ask(self, *options: object, env: dict[str, str] | None = None) -> CompletedProcess[str]:
        question = ("ask", "-", ROUTE, "gpt-4o", "--server", self.address, "--json", "--timeout", "10")
        return usherd(*question, *options, typed=self.token(), env=env)


def _reason(done: CompletedProcess[str]) -> str:
    """The decision's reason, or the fault's."""
    answer = json.loads(done.stdout)
    return str(answer.get("reason") or answer["fault"])


@contextmanager
def guarded(folder: Path, callers: list[dict[str, Any]], **more: Any) -> Iterator[Guarded]:
    daemon = Guarded(folder, callers, **more)
    with server(folder / "usherd.yaml") as (process, address):
        daemon.process, daemon.address = process, address
        yield daemon


SCRIPT = {"name": "script", "credential": "file:credential", "rpcs": ["AuthorizationService/Check"]}


def test_a_command_shows_a_credential_from_the_environment_or_a_file_and_never_from_its_arguments(
    tmp_path: Path,
) -> None:
    with guarded(tmp_path, [SCRIPT]) as daemon:
        by_file = daemon.ask("--credential-file", tmp_path / "credential")
        by_name = daemon.ask(env={"USHERD_CREDENTIAL": FIRST})
        explained = daemon.ask("--credential-file", tmp_path / "credential", "--explain")
        unknown = daemon.ask(env={"USHERD_CREDENTIAL": SECOND})
        without = daemon.ask()
        daemon.wait_for("caller_unknown")

    assert [_reason(each) for each in (by_file, by_name)] == ["ALLOWED", "ALLOWED"]
    assert _reason(explained) == "EXPLANATION_NOT_ALLOWED"
    assert [(each.returncode, _reason(each)) for each in (unknown, without)] == [(2, "CALLER_UNKNOWN")] * 2
    log = (tmp_path / "server.log").read_text()
    assert not any(each in log for each in (FIRST, SECOND))


def test_a_credential_is_changed_without_a_restart_and_without_a_gap(tmp_path: Path) -> None:
    callers = [SCRIPT | {"credential": ["file:credential", "file:next"]}]
    (tmp_path / "next").write_text(SECOND)
    with guarded(tmp_path, callers) as daemon:
        both = [_reason(daemon.ask(env={"USHERD_CREDENTIAL": each})) for each in (FIRST, SECOND)]
        third = SECOND[::-1]
        (tmp_path / "credential").write_text(third)
        daemon.wait_for("reloaded")
        after = [_reason(daemon.ask(env={"USHERD_CREDENTIAL": each})) for each in (FIRST, SECOND, third)]
        (tmp_path / "credential").write_text("short")
        refused = daemon.wait_for("reload_refused")
        still = _reason(daemon.ask(env={"USHERD_CREDENTIAL": third}))

    assert both == ["ALLOWED", "ALLOWED"]
    assert after == ["CALLER_UNKNOWN", "ALLOWED", "ALLOWED"]
    assert refused["key"] == "callers[0].credential[0]"
    assert still == "ALLOWED"


def test_a_right_that_is_taken_away_ends_with_the_reload(tmp_path: Path) -> None:
    watcher = SCRIPT | {"rpcs": ["AuthorizationService/*", "grpc.health.v1.Health/Watch"]}
    ends: list[grpc.RpcError] = []
    with guarded(tmp_path, [watcher]) as daemon, grpc.insecure_channel(daemon.address) as channel:
        stream = HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(), metadata=(("authorization", f"Bearer {FIRST}"),)
        )
        next(stream)

        def watch() -> None:
            try:
                next(stream)
            except grpc.RpcError as error:
                ends.append(error)

        watching = threading.Thread(target=watch)
        watching.start()
        with Client(daemon.address, bearer=FIRST) as client:
            assert client.authorize(daemon.token(), ROUTE, "gpt-4o", deadline=10.0)
            daemon.callers = [SCRIPT | {"explain": True}]
            daemon.configure()
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for("reloaded")
            watching.join(10)
            with pytest.raises(CallerNotAllowed) as refused:
                client.authorize(daemon.token(), ROUTE, "gpt-4o", deadline=10.0)
        explained = daemon.ask("--explain", env={"USHERD_CREDENTIAL": FIRST})
        late = daemon.events("reload_needs_restart")

    assert [each.code() for each in ends] == [grpc.StatusCode.PERMISSION_DENIED]
    assert refused.value.reason == "CALLER_NOT_ALLOWED"
    assert _reason(explained) == "ALLOWED"
    assert late == []


def test_a_command_shows_a_certificate_and_stays_known_while_authorities_change(tmp_path: Path) -> None:
    tls = server_files(OURS, tmp_path)
    cert, key = OURS.issue_for("edge", names(SPIFFE))
    (tmp_path / "edge.pem").write_bytes(cert)
    (tmp_path / "edge.key").write_bytes(key)
    (tmp_path / "trusted.pem").write_bytes(OURS.certificate)
    edge = {"name": "edge", "spiffe": "spiffe://mesh/ns/edge/*", "rpcs": ["AuthorizationService/*"]}
    listen = {"address": "127.0.0.1:0", "tls": {"cert": "cert.pem", "key": "key.pem", "client_ca": "ca.pem"}}
    shown = ("--cert", tmp_path / "edge.pem", "--key", tmp_path / "edge.key")
    with guarded(tmp_path, [edge], server=listen) as daemon:
        daemon.address = f"localhost:{daemon.address.rpartition(':')[2]}"
        trust = ("--ca", tmp_path / "trusted.pem")
        known, without = daemon.ask(*trust, *shown), daemon.ask(*trust)
        assert tls.client_ca is not None
        tls.client_ca.write_bytes(Authority("others").certificate)
        after = daemon.ask(*trust, *shown)

    assert _reason(known) == "ALLOWED"
    assert [json.loads(each.stdout)["code"] for each in (without, after)] == ["UNAVAILABLE", "UNAVAILABLE"]


def test_a_certificate_that_is_not_its_keys_is_told_and_the_one_in_force_stays_until_both_fit(tmp_path: Path) -> None:
    server_files(OURS, tmp_path)
    (tmp_path / "trusted.pem").write_bytes(OURS.certificate)
    cert, key = OURS.issue("localhost")
    listen = {"address": "127.0.0.1:0", "tls": {"cert": "cert.pem", "key": "key.pem"}}
    with guarded(tmp_path, [], server=listen) as daemon:
        daemon.address = f"localhost:{daemon.address.rpartition(':')[2]}"
        (tmp_path / "cert.pem").write_bytes(cert)
        refused = daemon.wait_for("reload_refused")
        meanwhile = _reason(daemon.ask("--ca", tmp_path / "trusted.pem"))
        too_early = daemon.events("reloaded")
        (tmp_path / "key.pem").write_bytes(key)
        daemon.wait_for("reloaded")
        after = _reason(daemon.ask("--ca", tmp_path / "trusted.pem"))

    assert (refused["key"], refused["problem"].split(":")[0]) == ("server.tls", "cert, key")
    assert (meanwhile, too_early, after) == ("ALLOWED", [], "ALLOWED")


def test_a_probe_needs_nothing_to_ask_whether_the_server_is_well_and_may_ask_nothing_else(tmp_path: Path) -> None:
    with guarded(tmp_path, [SCRIPT]) as daemon, grpc.insecure_channel(daemon.address) as channel:
        health = HealthStub(channel)
        open_to_all = health.Check(health_pb2.HealthCheckRequest()).status
        with pytest.raises(grpc.RpcError) as listing:
            health.List(health_pb2.HealthListRequest())
        daemon.configure(server={"address": "127.0.0.1:0", "health": "callers"})
        daemon.wait_for("reloaded")
        with pytest.raises(grpc.RpcError) as closed:
            health.Check(health_pb2.HealthCheckRequest())

    assert open_to_all == health_pb2.HealthCheckResponse.SERVING
    assert listing.value.code() is closed.value.code() is grpc.StatusCode.UNAUTHENTICATED  # type: ignore[attr-defined]


def test_callers_that_come_with_a_reload_close_a_server_that_was_open(tmp_path: Path) -> None:
    with guarded(tmp_path, []) as daemon:
        before = _reason(daemon.ask())
        daemon.callers = [SCRIPT]
        daemon.configure()
        daemon.wait_for("reloaded")
        after = _reason(daemon.ask())

    assert (before, after) == ("ALLOWED", "CALLER_UNKNOWN")


@both_faces
async def test_both_clients_show_a_credential_in_every_method(ask: Ask, tmp_path: Path) -> None:
    from usher_client import Question

    script = SCRIPT | {"rpcs": ["AuthorizationService/*"]}
    rotated = iter([FIRST, SECOND])
    with guarded(tmp_path, [script]) as daemon:
        question = Question(token=daemon.token(), route=ROUTE, model="gpt-4o")
        show = {"bearer": FIRST}
        allowed = await ask(daemon.address, "authorize", question.token, ROUTE, "gpt-4o", client=show)
        many = await ask(daemon.address, "batch_check", [question], client=show)
        models = await ask(daemon.address, "list_models", question.token, ROUTE, client=show)
        now = await ask(daemon.address, "batch_check", [question], client={"bearer": lambda: next(rotated)})
        for bearer in (None, SECOND, lambda: next(rotated)):
            with pytest.raises(CallerUnknown) as unknown:
                await ask(daemon.address, "authorize", question.token, ROUTE, "gpt-4o", client={"bearer": bearer})
            assert unknown.value.reason == "CALLER_UNKNOWN"

    assert bool(allowed)
    assert [bool(each) for each in many + now] == [True, True]
    assert models == []


@pytest.mark.parametrize("bearer", ["", "a b", "a\n", "é", "x" * 5000, f"Bearer {FIRST}", lambda: "a\r\nb"])
@both_faces
async def test_what_is_no_credential_is_not_sent_and_not_repeated(ask: Ask, bearer: Any) -> None:
    with pytest.raises(ValueError, match=r"^bearer: expected ASCII") as refused:
        await ask("127.0.0.1:1", "authorize", "token", ROUTE, client={"bearer": bearer})

    assert str(refused.value).count("Bearer") == 0


def test_a_command_refuses_half_of_an_identity_and_what_is_no_credential(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("any")
    (tmp_path / "credential").write_text("a b")
    ask = ("ask", "-", ROUTE)

    half = usherd(*ask, "--key", tmp_path / "key.pem", typed="x")
    broken = usherd(*ask, "--credential-file", tmp_path / "credential", typed="x")
    missing = usherd(*ask, "--credential-file", tmp_path / "none", typed="x")
    here = usherd(*ask, "--config", tmp_path / "none", "--cert", tmp_path / "key.pem", typed="x")

    assert {each.returncode for each in (half, broken, missing, here)} == {2}
    assert half.stderr == "usherd: expected --cert and --key together\n"
    assert broken.stderr.endswith("holds no credential; expected ASCII letters, digits and -._~+/, = at the end only\n")
    assert "a b" not in broken.stderr
    assert missing.stderr.endswith("none: cannot be read: No such file or directory\n")
    assert "expected it without --server" in here.stderr
