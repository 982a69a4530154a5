"""Runs the gRPC server, from the first bind to the last answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import grpc

from usherd.callers import ENVOY
from usherd.calls import Call, Listener
from usherd.rpc import reflection, service
from usherd.rpc.address import UNIX, AddressUnusable, is_local, is_taken
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.directory.service import DirectoryService
from usherd.rpc.envoy.service import EnvoyService, EnvoyTerms, instead, largest_message
from usherd.rpc.guard import AtHand, Begin, Begins, Serve, guarded
from usherd.rpc.guard import Handler as GuardedHandler
from usherd.rpc.health import Health, Readiness
from usherd.rpc.hub_life import kept_running, new_hub
from usherd.rpc.limits import Gate, Limits, Load, management_gate
from usherd.rpc.living import AUTHORIZE, SUBSCRIBE, Living
from usherd.rpc.marks import marks_of
from usherd.rpc.names import AUTHORIZATION, DIRECTORY, REVOCATION, SESSION
from usherd.rpc.open_streams import OpenStreams
from usherd.rpc.options import MAX_REQUEST, MAXIMUM_CONCURRENT_RPCS, channel_options
from usherd.rpc.revocation.kept import KeptRevocations
from usherd.rpc.revocation.service import RevocationService
from usherd.rpc.session.service import SessionService
from usherd.rpc.tls import Tls, check_tls, server_credentials
from usherd.session_desk import SessionDesk
from usherd.shadow import Answering
from usherd.watch.hub import Hub

if TYPE_CHECKING:
    # Generic in the stubs only.
    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]


_SENDING_AWAY = 2.0
"""Seconds over which living streams are sent away, so that they do not come all at once where they go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where the server is, and who may reach it."""

    address: str = "127.0.0.1:50051"
    """`host:port`, `[v6]:port` or `unix:path`. Port 0: any free one."""
    tls: Tls | None = None
    plaintext_allowed: bool = False
    """Whether an address that other machines reach may do without TLS: tokens then cross the network in clear."""
    reflection: Literal["auto", "on", "off"] = "auto"
    """Whether the contract can be asked for. `auto`: on addresses that only this machine reaches."""
    grace: float = 10.0
    """Seconds that calls in flight have to finish once the server ends."""
    moment: float = 0.2
    """Seconds in which an answer reaches its client, and the client's next call comes back."""


class Methods(grpc.GenericRpcHandler):
    """The one list of methods, by full name. What is not in it does not exist (UNIMPLEMENTED)."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = dict(handlers)

    @property
    def names(self) -> frozenset[str]:
        """The full names, such as `/usher.v1.AuthorizationService/Check`."""
        return frozenset(self._handlers)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of exactly that name."""
        return self._handlers.get(handler_call_details.method)


class Managing(Protocol):
    """A service that manages what is kept."""

    def handlers(self) -> Mapping[str, Serve]:
        """The handler of each method with one answer, by full name."""

    def streaming(self) -> Mapping[str, Serve]:
        """The handler of each method that answers with a stream, by full name."""


SERVICES = (AUTHORIZATION, DIRECTORY, REVOCATION, SESSION)
"""Our own, as health and reflection list them."""


def methods(
    served: service.AuthorizationService,
    health: Health,
    managing: Sequence[Managing] = (),
    envoy: EnvoyService | None = None,
    *,
    reflected: Sequence[str] = (),
    begins: Begins,
    streams: OpenStreams,
    living: Living,
    listener: Listener | None = None,
) -> Methods:
    """Every method of the server, each under the guard. `reflected`: the services that are shown; none: there is no
    reflection.

    No handler has a deserialiser: what does not parse would otherwise be answered before the guard sees it.
    """

    def guard(name: str, serve: Serve, at_hand: AtHand | None = None, *, lasting: bool = False) -> GuardedHandler:
        lasted = streams.lasted if lasting else None
        return guarded(serve, begins(name), at_hand, listener, marks_of(name), Call(name), lasted)

    def guard_stream(name: str, serve: Serve) -> GuardedHandler:
        return guard(name, streams.kept(serve, begins(name)), lasting=True)

    handlers: dict[str, Handler] = {}
    at_hand = served.at_hand()
    answers = served.handlers(streams.kept(living.authorize, begins(AUTHORIZE)))
    for name, serve in (answers | health.unary()).items():
        lasting = name == AUTHORIZE
        handlers[name] = grpc.unary_unary_rpc_method_handler(guard(name, serve, at_hand.get(name), lasting=lasting))
    handlers[SUBSCRIBE] = grpc.stream_stream_rpc_method_handler(guard_stream(SUBSCRIBE, living.subscribe))
    if envoy is not None:
        for name, serve in envoy.handlers().items():
            at_once = envoy.at_hand()[name]
            handler = guarded(serve, begins(name), at_once, listener, envoy.marks, unbegun=Call(name), instead=instead)
            handlers[name] = grpc.unary_unary_rpc_method_handler(handler)
    for each in managing:
        for name, serve in each.handlers().items():
            handlers[name] = grpc.unary_unary_rpc_method_handler(guard(name, serve))
    for streams_of in (health.streaming(), *(each.streaming() for each in managing)):
        for name, serve in streams_of.items():
            handlers[name] = grpc.unary_stream_rpc_method_handler(guard_stream(name, serve))
    if reflected:
        for name, serve in reflection.Reflection(reflected).streaming().items():
            handlers[name] = grpc.stream_stream_rpc_method_handler(guard_stream(name, serve))
    return Methods(handlers)


def all_alike(*, may_explain: bool) -> Begins:
    """Calls of callers that are not told apart."""

    def begins(method: str) -> Begin:
        call = Call(method, may_explain=may_explain)
        return lambda context: call

    return begins


class Serving:
    """A server that runs."""

    def __init__(
        self,
        server: grpc.aio.Server,
        served: service.AuthorizationService,
        gates: Sequence[Gate],
        health: Health,
        readiness: Readiness,
        streams: OpenStreams,
        address: str,
        hub: Hub,
        envoy: EnvoyService | None,
        moment: float,
    ) -> None:
        self.hub = hub
        """The living decisions."""
        self._server = server
        self._streams = streams
        self._served = served
        self._envoy = envoy
        self._moment = moment
        self._gates = tuple(gates)
        self._health = health
        self._readiness = readiness
        self.address = address
        """Where it really listens, with the port that it was given."""

    def load(self) -> Load:
        """The questions that there are now."""
        return self._gates[0].load()

    @property
    def watchers(self) -> int:
        """Streams of the health service that live now."""
        return self._health.watchers

    def answer_with(self, authorizer: Answering) -> None:
        """From now on questions are for this authorizer; those that are with another one stay there."""
        self._served.answer_with(authorizer)
        if self._envoy is not None:
            self._envoy.forget()
        self.hub.answer_with(authorizer.judging)

    def judge_again(self) -> None:
        """`begins` goes by other rules now: streams that could not begin by them end, as they would have begun."""
        self._streams.judge_again()

    async def drain(self, grace: float) -> None:
        """Turns new calls away (UNAVAILABLE, SHUTTING_DOWN), lets the others finish for `grace` seconds, and ends.

        gRPC's core drops calls that reach it between its own end and the moment its clients hear of that: they
        would see CANCELLED, which is not to be retried. So callers are kept waiting for that moment, in which they
        send nothing new, and are turned away after it.
        """
        self._readiness.end()
        for gate in self._gates:
            gate.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self.hub.drain(min(_SENDING_AWAY, grace / 4))
                for gate in self._gates:
                    await gate.empty()
        for gate in self._gates:
            gate.hold()
        await asyncio.sleep(self._moment)
        stopping = asyncio.ensure_future(self._server.stop(self._moment * 4))
        try:
            await asyncio.sleep(self._moment)
        finally:
            for gate in self._gates:
                gate.release()
        await stopping


def check_listen(listen: Listen) -> None:
    """Raises AddressUnusable when tokens would cross a network in clear, and for what is no address.

    Raises TlsUnusable for files of `listen.tls` that cannot be used.
    """
    if listen.tls is None and not is_local(listen.address) and not listen.plaintext_allowed:
        raise AddressUnusable(
            "only a loopback address may be served without TLS; expected server.tls, or insecure: {plaintext: true}"
            " where something else encrypts"
        )
    if listen.tls is not None:
        check_tls(listen.tls)


@asynccontextmanager
async def serving(
    authorizer: Answering,
    *,
    listen: Listen,
    limits: Limits,
    readiness: Readiness,
    begins: Begins,
    directory: KeptDirectory | None = None,
    revocations: KeptRevocations | None = None,
    sessions: SessionDesk | None = None,
    envoy: EnvoyTerms | None = None,
    listener: Listener | None = None,
    on_wait: Callable[[float], None] | None = None,
    hub: Hub | None = None,
    **options: int,
) -> AsyncIterator[Serving]:
    """A server that answers with `authorizer` until the block is left, and then drains.

    `begins` may go by other rules from one moment to the next. `directory` is what DirectoryService works with,
    `revocations` what RevocationService does, and `sessions` what SessionService does; None: none is kept. `envoy` says
    how Envoy is answered; None: it is not. `listener` hears of every call, `on_wait` as `Gate` says. `hub` keeps living
    decisions, and hears what changes; None: one that hears nothing, so that they end with what time alone brings about.
    `options` has other values for gRPC options, named without the prefix `grpc.`. Raises AddressUnusable, and
    TlsUnusable for files of `listen.tls`.
    """
    check_listen(listen)
    local = is_local(listen.address)
    gate, managed = Gate(limits, on_wait), management_gate(limits)
    served = service.AuthorizationService(authorizer, limits=limits, gate=gate, listener=listener)
    asked_by_envoy = None if envoy is None else EnvoyService(served, envoy, listener)
    services = SERVICES if envoy is None else (*SERVICES, ENVOY)
    health = Health(readiness, services, watchers=limits.watchers)
    managing = (
        DirectoryService(directory or KeptDirectory(), limits=limits, gate=managed, readiness=readiness),
        RevocationService(revocations, limits=limits, gate=managed),
        SessionService(sessions, limits=limits, gate=managed),
    )
    server = grpc.aio.server(
        options=channel_options(limits, MAX_REQUEST if envoy is None else largest_message(envoy), **options),
        maximum_concurrent_rpcs=MAXIMUM_CONCURRENT_RPCS,
        compression=None,
    )
    shown = listen.reflection == "on" or (listen.reflection == "auto" and local)
    streams = OpenStreams(remember=listener is not None)
    hub = new_hub(limits) if hub is None else hub
    hub.answer_with(authorizer.judging)
    living = Living(hub, limits=limits, gate=gate, call_now=streams.call_now, listener=listener)
    served_methods = methods(
        served,
        health,
        managing,
        asked_by_envoy,
        reflected=services if shown else (),
        begins=begins,
        streams=streams,
        living=living,
        listener=listener,
    )
    server.add_generic_rpc_handlers((served_methods,))
    address = _bind(server, listen)
    gates = (gate, managed)
    running = Serving(server, served, gates, health, readiness, streams, address, hub, asked_by_envoy, listen.moment)
    await server.start()
    life = asyncio.create_task(kept_running(hub), name="living decisions")
    try:
        yield running
    finally:
        await running.drain(listen.grace)
        life.cancel()
        await asyncio.wait([life])


def _bind(server: grpc.aio.Server, listen: Listen) -> str:
    address = listen.address
    if address.startswith(UNIX) and is_taken(address):
        raise AddressUnusable("somebody else listens there")
    try:
        if listen.tls is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, server_credentials(listen.tls))
    except RuntimeError:
        port = 0
    if port == 0:
        raise AddressUnusable("cannot listen: it is taken, not of this machine, or gRPC refuses server.tls")
    return address if address.startswith(UNIX) else f"{address.rpartition(':')[0]}:{port}"
