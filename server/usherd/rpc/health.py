"""Says whether this server can answer: grpc.health.v1, fed by what the rest of the house reports."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import NamedTuple

import grpc
from grpc_health.v1 import health_pb2

from usherd.calls import Call
from usherd.errors import Overloaded, ShuttingDown
from usherd.rpc import names
from usherd.rpc.guard import Context, Serve
from usherd.rpc.lenient import parse

_Status = health_pb2.HealthCheckResponse


class Conditions(NamedTuple):
    """What readiness consists of, each by itself: all must hold."""

    policy_loaded: bool
    issuers_tried: bool
    """Each issuer's first load has finished or timed out."""
    issuer_usable: bool
    """At least one issuer is usable, or the policy has none."""
    directory_fresh: bool
    not_ending: bool
    """The server does not shut down."""


class Readiness:
    """What must hold before a load balancer may send questions here.

    Ready: a policy is loaded, each issuer's first load has finished or timed out, at least one issuer is usable (or
    the policy has none), the directory is within its staleness bound, and the server does not shut down. A dead
    issuer beside a living one is a fault for its own tokens only.
    """

    def __init__(self) -> None:
        self._pending: set[str] | None = None
        self._usable: dict[str, bool] = {}
        self._directory_fresh = False
        self._ending = False
        self._changed = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether questions are welcome."""
        return all(self.conditions)

    @property
    def conditions(self) -> Conditions:
        """Each of them."""
        return Conditions(
            policy_loaded=self._pending is not None,
            issuers_tried=not self._pending,
            issuer_usable=any(self._usable.values()) or not self._usable,
            directory_fresh=self._directory_fresh,
            not_ending=not self._ending,
        )

    @property
    def ending(self) -> bool:
        """Whether the server shuts down."""
        return self._ending

    def policy_loaded(self, issuers: Collection[str]) -> None:
        """A policy is in force, with these issuers; what is known of issuers that stay is kept."""
        self._pending = {name for name in issuers if name not in self._usable}
        self._usable = {name: usable for name, usable in self._usable.items() if name in issuers}
        self._tell()

    def issuer(self, name: str, *, usable: bool) -> None:
        """The issuer's first load has finished or timed out, or its keys have become usable or unusable since."""
        self._usable[name] = usable
        if self._pending is not None:
            self._pending.discard(name)
        self._tell()

    def directory(self, *, fresh: bool) -> None:
        """The directory is, or is no longer, within its staleness bound."""
        self._directory_fresh = fresh
        self._tell()

    def end(self) -> None:
        """The server shuts down: not ready, for good."""
        self._ending = True
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def changed(self) -> asyncio.Event:
        """Set at the next report. Take it before reading the state, and no change is missed."""
        return self._changed


class Health:
    """Check, List and Watch for the server as a whole ("") and for each service.

    The library's own servicer holds a lock while it writes to a watcher, so that one watcher who does not read keeps
    the status from changing for all; here each watcher follows the state on its own and gets the newest.
    """

    def __init__(self, readiness: Readiness, services: Collection[str], *, watchers: int) -> None:
        self._readiness = readiness
        self._services = ("", *services)
        self._room = self._watchers = watchers

    def _status(self, service: str) -> health_pb2.HealthCheckResponse:
        if service not in self._services:
            return _Status(status=_Status.SERVICE_UNKNOWN)
        return _Status(status=_Status.SERVING if self._readiness.ready else _Status.NOT_SERVING)

    @property
    def watchers(self) -> int:
        """Watch streams that live now."""
        return self._watchers - self._room

    def unary(self) -> dict[str, Serve]:
        """The methods with one answer, by full name."""
        return {f"/{names.HEALTH}/Check": self._check, f"/{names.HEALTH}/List": self._list}

    def streaming(self) -> dict[str, Serve]:
        """The methods that stream, by full name."""
        return {f"/{names.HEALTH}/Watch": self._watch}

    async def _check(self, data: bytes, context: Context, call: Call) -> bytes:
        status = self._status(parse(health_pb2.HealthCheckRequest, data).service)
        if status.status == _Status.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return bytes(status.SerializeToString())

    async def _list(self, data: bytes, context: Context, call: Call) -> bytes:
        parse(health_pb2.HealthListRequest, data)
        statuses = {service: self._status(service) for service in self._services}
        return bytes(health_pb2.HealthListResponse(statuses=statuses).SerializeToString(deterministic=True))

    async def _watch(self, data: bytes, context: Context, call: Call) -> None:
        service = parse(health_pb2.HealthCheckRequest, data).service
        if self._room <= 0:
            raise Overloaded
        self._room -= 1
        try:
            told = None
            while True:
                changed = self._readiness.changed()
                status, ending = self._status(service), self._readiness.ending
                if status != told:
                    await context.write(status.SerializeToString())
                    told = status
                # As it was before the write: what has happened meanwhile is still to be told.
                if ending:
                    # A stream that stayed would hold up the end of the server.
                    raise ShuttingDown
                await changed.wait()
        finally:
            self._room += 1
