"""Where a server may be, what it serves there, and how it ends."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc._cython import cygrpc
from grpc_reflection.v1alpha import reflection_pb2

import usherd
from tools.directory_world import METHODS as DIRECTORY_METHODS
from tools.envoy_requests import CHECK as ENVOY_CHECK
from tools.revocation_world import METHODS as REVOCATION_METHODS
from tools.rpc_world import Answers, call, calling, check_bytes, ended, ready, running
from tools.session_world import METHODS as SESSION_METHODS
from usherd.callers import ENVOY, MANAGING, RPCS
from usherd.inbound.handed_on import GatewayRules
from usherd.rpc.address import AddressUnusable, check_free, is_local
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.directory.service import DirectoryService
from usherd.rpc.envoy.service import EnvoyService, EnvoyTerms
from usherd.rpc.guard import method_of
from usherd.rpc.health import Health
from usherd.rpc.hub_life import new_hub
from usherd.rpc.limits import Gate, Limits
from usherd.rpc.living import Living
from usherd.rpc.marks import marks_of
from usherd.rpc.open_streams import OpenStreams
from usherd.rpc.options import channel_options, options
from usherd.rpc.revocation.service import RevocationService
from usherd.rpc.server import Listen, all_alike, methods
from usherd.rpc.service import AuthorizationService
from usherd.rpc.session.service import SessionService
from usherd.telemetry import counts

OK = grpc.StatusCode.OK
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
METHODS = {
    "/usher.v1.AuthorizationService/Authorize",
    "/usher.v1.AuthorizationService/Check",
    "/usher.v1.AuthorizationService/BatchCheck",
    "/usher.v1.AuthorizationService/ListModels",
    "/usher.v1.AuthorizationService/Subscribe",
    *DIRECTORY_METHODS,
    *REVOCATION_METHODS,
    *SESSION_METHODS,
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Watch",
}


async def test_these_methods_are_served_and_no_others() -> None:
    limits = Limits()
    service = AuthorizationService(Answers(), limits=limits, gate=Gate(limits))
    health, begins = Health(ready(), (), watchers=1), all_alike(may_explain=True)
    managing = [
        DirectoryService(KeptDirectory(), limits=limits, gate=Gate(limits), readiness=ready()),
        RevocationService(None, limits=limits, gate=Gate(limits)),
        SessionService(None, limits=limits, gate=Gate(limits)),
    ]

    def names(*reflected: str, envoy: EnvoyService | None = None) -> frozenset[str]:
        streams = OpenStreams()
        living = Living(new_hub(limits), limits=limits, gate=Gate(limits), call_now=streams.call_now)
        return methods(
            service, health, managing, envoy, reflected=reflected, begins=begins, streams=streams, living=living
        ).names

    asked_by_envoy = EnvoyService(service, EnvoyTerms(GatewayRules(), lambda: "0" * 26))
    assert names() == METHODS
    assert names("usher.v1.AuthorizationService") == METHODS | {REFLECTION}
    assert names(envoy=asked_by_envoy) == METHODS | {ENVOY_CHECK}
    # What has a name that a caller's rights could have is served, and the other way round.
    everything = {f"/{each}/{name}" for each, found in RPCS.items() for name in found}
    assert everything == METHODS | {REFLECTION, ENVOY_CHECK}
    assert {*DIRECTORY_METHODS, *REVOCATION_METHODS, *SESSION_METHODS} == MANAGING


def test_every_method_but_reflection_is_counted_by_its_name_and_our_own_with_bugs_by_their_ids() -> None:
    ours = {*(f"{counts.SERVICE}{name}" for name in counts.METHODS), *counts.MANAGING_METHODS}

    assert ours | {f"{counts.HEALTH}{name}" for name in counts.HEALTH_METHODS} == METHODS
    assert f"/{ENVOY}/Check" == ENVOY_CHECK
    assert counts.ENVOY_METHOD in counts.Counts().methods
    # A subscribing stream has many questions, and no id of its own.
    assert {name for name in METHODS if marks_of(name) is not method_of} == ours - {f"{counts.SERVICE}Subscribe"}


def test_grpc_knows_every_option_by_its_name() -> None:
    binary = Path(cygrpc.__file__).read_bytes()

    known = options(Limits())
    assert [option.name for option in known if option.name.encode() not in binary] == []
    assert len(channel_options(Limits())) == len(known) == len({option.name for option in known})


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1:0", True),
        ("127.8.8.8:50051", True),
        ("[::1]:50051", True),
        ("localhost:1", True),
        ("unix:/run/usherd.sock", True),
        ("0.0.0.0:50051", False),
        ("[::]:50051", False),
        ("192.0.2.1:50051", False),
        ("localhost.example:1", False),
        ("usherd:50051", False),
        ("2130706433:1", False),
        ("[::ffff:192.0.2.1]:1", False),
    ],
)
def test_an_address_is_local_when_only_this_machine_reaches_it(address: str, local: bool) -> None:
    assert is_local(address) is local


@pytest.mark.parametrize(
    "address", ["", ":50051", "host", "127.0.0.1:", "::1:50051", "127.0.0.1:x", "a:65536", "unix:", "a:٣"]
)
def test_what_is_no_address_is_refused_by_its_setting(address: str) -> None:
    with pytest.raises(AddressUnusable, match=r"^server\.address: "):
        is_local(address)


async def test_plaintext_beyond_this_machine_must_be_allowed_by_name() -> None:
    with pytest.raises(AddressUnusable, match=r"^server\.address: "):
        async with running(listen=Listen(address="0.0.0.0:0")):
            pass
    async with running(listen=Listen(address="0.0.0.0:0", plaintext_allowed=True, grace=0)) as server:
        port = server.address.rpartition(":")[2]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            outcome = await call(channel, "Check", check_bytes())

    assert outcome.code is OK


async def test_a_port_belongs_to_one_server() -> None:
    async with running() as server:
        with pytest.raises(AddressUnusable, match=r"^server\.address: "):
            async with running(listen=Listen(address=server.address)):
                pass


async def test_a_port_of_somebody_else_is_not_shared() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(AddressUnusable):
            async with running(listen=Listen(address=f"127.0.0.1:{other.getsockname()[1]}")):
                pass


def test_where_nobody_can_listen_is_told_with_its_cause_before_anything_begins(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(AddressUnusable, match="taken"):
            check_free(taken)
    check_free(taken)
    with pytest.raises(AddressUnusable, match="not of this machine"):
        check_free("192.0.2.1:50051")  # of documents only (RFC 5737)
    check_free("127.0.0.1:0")
    check_free("localhost:50051")
    check_free(f"unix:{tmp_path / 'usherd.sock'}")


async def test_a_unix_socket_belongs_to_one_server_and_outlives_none(tmp_path: Path) -> None:
    listen = Listen(address=f"unix:{tmp_path / 'usherd.sock'}", grace=0)
    codes = []
    for _ in range(2):
        async with running(listen=listen) as server, calling(server) as channel:
            with pytest.raises(AddressUnusable, match="somebody else"):
                async with running(listen=listen):
                    pass
            codes.append((await call(channel, "Check", check_bytes())).code)

    assert codes == [OK, OK]


async def _services(channel: grpc.aio.Channel) -> list[str]:
    stream = channel.stream_stream(REFLECTION)(timeout=5)
    await stream.write(reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString())
    answer = reflection_pb2.ServerReflectionResponse.FromString(await stream.read())
    await stream.done_writing()
    return [service.name for service in answer.list_services_response.service]


@pytest.mark.parametrize(
    ("listen", "shown"),
    [
        (Listen(address="127.0.0.1:0", grace=0), True),
        (Listen(address="127.0.0.1:0", grace=0, reflection="off"), False),
        (Listen(address="0.0.0.0:0", grace=0, plaintext_allowed=True), False),
        (Listen(address="0.0.0.0:0", grace=0, plaintext_allowed=True, reflection="on"), True),
    ],
)
async def test_reflection_is_for_this_machine_unless_told_otherwise(listen: Listen, shown: bool) -> None:
    async with (
        running(listen=listen) as server,
        grpc.aio.insecure_channel(server.address.replace("0.0.0.0", "127.0.0.1")) as channel,
    ):
        if shown:
            services = ["AuthorizationService", "DirectoryService", "RevocationService", "SessionService"]
            assert await _services(channel) == [f"usher.v1.{each}" for each in services]
            return
        # In one piece: gRPC may call it INTERNAL when a stream is refused while more is being written to it.
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(REFLECTION)(b"", timeout=5)

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_reflection_shows_the_contract_and_refuses_what_is_no_message() -> None:
    async with running() as server, calling(server) as channel:
        stream = channel.stream_stream(REFLECTION)(timeout=5)
        asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol="usher.v1.AuthorizationService")
        await stream.write(asked.SerializeToString())
        answer = reflection_pb2.ServerReflectionResponse.FromString(await stream.read())
        files = [
            descriptor_pb2.FileDescriptorProto.FromString(data).name
            for data in answer.file_descriptor_response.file_descriptor_proto
        ]
        await stream.write(b"\xff")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stream.read()

    assert {"usher/v1/question.proto", "usher/v1/authorization_service.proto"} <= set(files)
    assert ended(raised.value).reason == "REQUEST_UNDECODABLE"


async def test_channelz_is_not_served() -> None:
    async with running() as server, calling(server) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary("/grpc.channelz.v1.Channelz/GetServers")(b"", timeout=5)

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_nothing_in_the_daemon_forks() -> None:
    # gRPC's threads do not survive a fork.
    source = Path(usherd.__file__).parent
    # `usherd dev` is no daemon: it starts one. A supervisor has no gRPC in it, and starts daemons.
    files = [
        path for path in source.rglob("*.py") if not path.name.startswith("dev_") and path.parent != source / "workers"
    ]
    forking = re.compile(r"\b(os\.fork|forkpty|posix_spawn|multiprocessing|ProcessPoolExecutor|subprocess)\b")

    assert files
    assert [path.name for path in files if forking.search(path.read_text("utf-8"))] == []
