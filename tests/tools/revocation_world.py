"""A server that keeps a list of revoked tokens, and the client's side of RevocationService."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import keyring
from keyring import NOW, StaticKeys, key_pair
from tools.directory_world import Client
from tools.rpc_world import calling, running
from usher.v1 import revocation_service_pb2
from usherd.authenticate.verifier import Verifier
from usherd.policy import Policy, SessionRules
from usherd.revocable import Revocable
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.revocation.kept import InForce, KeptRevocations
from usherd.stores.sql.database import opened_database
from usherd.stores.sql.revocations import SqlRevocations

SERVICE = revocation_service_pb2.DESCRIPTOR.services_by_name["RevocationService"]
METHODS = tuple(f"/{SERVICE.full_name}/{method.name}" for method in SERVICE.methods)
"""All of the contract, by full name."""
PAIR = key_pair("P-256")
SECRET = b"a master key of more than 32 bytes, for tests"


def policy(**rules: Any) -> Policy:
    """One issuer, and sessions."""
    return replace(keyring.policy(**rules), session=SessionRules(secret=SECRET))


@dataclass
class Revoking:
    """A client, and what is behind the server."""

    call: Client
    store: SqlRevocations
    verifier: Verifier
    address: str

    async def ids(self, **wanted: Any) -> list[str]:
        return [each.id for each in (await self.call("ListRevocations", **wanted)).revocations]


@dataclass
class Hands:
    """The clock of the server and of its store."""

    now: float = field(default=NOW)

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def revoking(
    made: Policy | None = None, clock: Hands | None = None, *, keys: Any = None, **more: Any
) -> AsyncIterator[Revoking]:
    clock, made = clock or Hands(), made or policy()
    async with opened_database("sqlite:///:memory:", upgrade=True, clock=clock) as database:
        keys = StaticKeys.of(idp=[PAIR]) if keys is None else keys
        verifier = Verifier(made, keys, clock, store_key=database.token_key)
        store = SqlRevocations(database, **({"bound": more.pop("bound"), "reserved": 0} if "bound" in more else {}))
        in_force = InForce(verifier=verifier, revocable=Revocable(made))
        kept = KeptRevocations(store=store, in_force=lambda: in_force, clock=clock)
        begins = more.pop("begins", None) or Admission(Terms(may_manage=True)).begins
        async with running(revocations=kept, begins=begins, **more) as server, calling(server) as channel:
            yield Revoking(Client(channel, service=SERVICE), store, verifier, server.address)
