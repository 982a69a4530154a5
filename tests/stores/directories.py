"""The implementations of `ports.Directory`, and rows for them. Each that joins here keeps all promises of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from usherd.domain import Limit
from usherd.facts import EndUser, Membership, Organization, Rows, Team, User
from usherd.ports import Directory, Facts, Wanted
from usherd.stores.memory_directory import MemoryDirectory, new_store_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A directory, and the way to change all of its rows at once."""

    directory: Directory
    replace: Callable[[Rows], Awaitable[int]]


Open = Callable[[Rows, str | None], AbstractAsyncContextManager[Opened]]


@asynccontextmanager
async def _memory(rows: Rows, bare_ids_for: str | None) -> AsyncIterator[Opened]:
    directory = MemoryDirectory(new_store_id(), rows, bare_ids_for=bare_ids_for)

    async def replace(rows: Rows) -> int:
        return directory.replace(rows)

    yield Opened(directory=directory, replace=replace)


IMPLEMENTATIONS: dict[str, Open] = {"memory": _memory}

ROWS = Rows(
    organizations=(
        Organization(id="acme", alias="works"),
        Organization(id="closed", alias="works", blocked=True, limit=Limit(tpm=7)),
        Organization(id="plain"),
    ),
    teams=(
        Team(id="red", issuer="one", alias="colours", models=("*",), members={"u1": Membership(role="admin")}),
        Team(id="blue", issuer="two", alias="colours"),
        Team(id="grey", alias="colours", organization="acme", model_aliases={"fast": "small"}),
        Team(id="plain"),
    ),
    users=(
        User(id="u2", identities=(("two", "alice"),), sso_ids=("sso-alice", "sso-2"), email="alice@example.com"),
        User(id="u1", identities=(("one", "alice"), ("two", "a.lice")), teams=("red",), email="alice@example.com"),
        User(id="bob", sso_ids=("sso-2",), limit=Limit(max_budget_micro_usd=5)),
    ),
    end_users=(EndUser(id="customer", blocked=True),),
)


async def facts_of(directory: Directory) -> Facts:
    return await directory.facts([Wanted(issuer="one", user="alice")])
