"""Load balancers are told the truth, at once, and one that does not listen holds nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from tools.rpc_world import calling, ended, ready, running
from usherd.calls import Call
from usherd.errors import ShuttingDown
from usherd.rpc.guard import Context
from usherd.rpc.health import Health, Readiness
from usherd.rpc.limits import Limits

Request = health_pb2.HealthCheckRequest
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
DIRECTORY = "usher.v1.DirectoryService"
REVOCATION = "usher.v1.RevocationService"
SESSION = "usher.v1.SessionService"
OURS = "usher.v1.AuthorizationService"


def test_a_server_is_ready_only_when_everything_has_been_reported() -> None:
    readiness = Readiness()
    steps: list[Callable[[], None]] = [
        lambda: readiness.directory(fresh=True),
        lambda: readiness.policy_loaded(["a", "b"]),
        lambda: readiness.issuer("a", usable=True),
        lambda: readiness.issuer("b", usable=False),
    ]
    seen = [readiness.ready]
    for step in steps:
        step()
        seen.append(readiness.ready)

    assert seen == [False, False, False, False, True]


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (lambda readiness: readiness.issuer("idp", usable=False), False),
        (lambda readiness: readiness.directory(fresh=False), False),
        (lambda readiness: readiness.policy_loaded(["idp"]), True),
        (lambda readiness: readiness.policy_loaded(["idp", "new"]), False),
        (lambda readiness: readiness.policy_loaded(["new"]), False),
        (lambda readiness: readiness.policy_loaded([]), True),
        (lambda readiness: readiness.end(), False),
    ],
)
def test_readiness_follows_each_report(change: Callable[[Readiness], None], after: bool) -> None:
    readiness = ready()

    change(readiness)

    assert readiness.ready is after


def test_an_issuer_may_report_before_its_policy_is_loaded() -> None:
    readiness = Readiness()
    readiness.directory(fresh=True)
    readiness.issuer("idp", usable=True)

    readiness.policy_loaded(["idp"])

    assert readiness.ready


def test_a_server_that_ends_is_never_ready_again() -> None:
    readiness = ready()
    readiness.end()

    readiness.issuer("idp", usable=True)
    readiness.directory(fresh=True)

    assert not readiness.ready


@pytest.mark.parametrize("service", ["", OURS])
async def test_check_and_watch_go_both_ways(service: str) -> None:
    readiness = ready()
    async with running(readiness=readiness) as server, calling(server) as channel:
        health = HealthStub(channel)
        watch = health.Watch(Request(service=service), timeout=10)
        seen = [(await watch.read()).status]
        checks = [(await health.Check(Request(service=service))).status]
        for usable in (False, True):
            readiness.issuer("idp", usable=usable)
            seen.append((await watch.read()).status)
            checks.append((await health.Check(Request(service=service))).status)
        watch.cancel()

    assert seen == checks == [SERVING, NOT_SERVING, SERVING]


async def test_list_names_every_service() -> None:
    async with running() as server, calling(server) as channel:
        listed = await HealthStub(channel).List(health_pb2.HealthListRequest())

    assert {name: each.status for name, each in listed.statuses.items()} == {
        "": SERVING,
        OURS: SERVING,
        DIRECTORY: SERVING,
        REVOCATION: SERVING,
        SESSION: SERVING,
    }


async def test_a_service_that_is_not_here_is_unknown() -> None:
    async with running() as server, calling(server) as channel:
        health = HealthStub(channel)
        watch = health.Watch(Request(service="other"), timeout=10)
        watched = (await watch.read()).status
        watch.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await health.Check(Request(service="other"))

    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert watched == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


async def test_watchers_beyond_the_cap_are_refused_and_places_come_back() -> None:
    async with running(limits=Limits(watchers=2)) as server, calling(server) as channel:
        health = HealthStub(channel)
        watches = [health.Watch(Request(), timeout=10) for _ in range(2)]
        for watch in watches:
            await watch.read()
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await health.Watch(Request(), timeout=10).read()
        watches[0].cancel()
        status = None
        async with asyncio.timeout(20):
            while status is None:
                again = health.Watch(Request(), timeout=10)
                try:
                    status = (await again.read()).status
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.01)
        again.cancel()
        watches[1].cancel()

    assert ended(raised.value).reason == "OVERLOADED"
    assert status == SERVING


async def test_watchers_hear_of_the_end_and_do_not_hold_it_up() -> None:
    async with running() as server, calling(server) as channel:
        watch = HealthStub(channel).Watch(Request(), timeout=30)
        seen = [(await watch.read()).status]
        async with asyncio.timeout(20):
            await server.drain(60)
        seen.append((await watch.read()).status)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await watch.read()

    assert seen == [SERVING, NOT_SERVING]
    assert ended(raised.value).reason == "SHUTTING_DOWN"


async def test_a_change_during_a_write_is_told_after_it() -> None:
    readiness = ready()
    told: list[int] = []

    class Slow:
        async def write(self, data: bytes) -> None:
            told.append(health_pb2.HealthCheckResponse.FromString(data).status)
            readiness.end()

    watch = Health(readiness, (), watchers=1).streaming()["/grpc.health.v1.Health/Watch"]
    with pytest.raises(ShuttingDown):
        await watch(b"", cast(Context, Slow()), Call(""))

    assert told == [SERVING, NOT_SERVING]


@pytest.mark.parametrize("method", ["Check", "List", "Watch"])
async def test_bytes_that_are_no_message_are_our_fault_here_too(method: str) -> None:
    async with running() as server, calling(server) as channel:
        call = channel.unary_stream(f"/grpc.health.v1.Health/{method}")(b"\xff", timeout=5)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call.read()

    assert ended(raised.value).reason == "REQUEST_UNDECODABLE"


def test_each_condition_is_told_by_itself() -> None:
    readiness = ready()
    readiness.issuer("idp", usable=False)
    readiness.end()

    assert readiness.conditions._asdict() == {
        "policy_loaded": True,
        "issuers_tried": True,
        "issuer_usable": False,
        "directory_fresh": True,
        "not_ending": False,
    }


async def test_watchers_are_counted_while_they_live() -> None:
    async with running() as server, calling(server) as channel:
        watch = HealthStub(channel).Watch(Request())
        await watch.read()
        living = server.watchers
        watch.cancel()
        for _ in range(500):
            if server.watchers == 0:
                break
            await asyncio.sleep(0.01)

        assert (living, server.watchers) == (1, 0)
