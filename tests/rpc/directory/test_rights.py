"""Whoever manages the directory has been given the right to it, call by call."""

from __future__ import annotations

import pytest

from tools.caller_world import CREDENTIAL, OTHER, rule
from tools.directory_world import METHODS, Client, Failed, directory
from tools.memory_store import MemoryStore
from tools.rpc_world import calling, running
from usherd.callers import rpc_names
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.directory.rows import Names


@pytest.mark.parametrize("method", METHODS)
async def test_where_callers_are_not_told_apart_only_this_machine_manages(method: str) -> None:
    admission = Admission(Terms(may_manage=False))
    async with running(begins=admission.begins) as server, calling(server) as channel:
        call, name = Client(channel), method.rpartition("/")[2]
        with pytest.raises(Failed, match="PERMISSION_DENIED CALLER_NOT_ALLOWED"):
            await anext(call.watch()) if name == "WatchChanges" else await call.send(name, b"")


@pytest.mark.parametrize("method", METHODS)
async def test_a_server_that_keeps_no_directory_says_so(method: str) -> None:
    admission = Admission(Terms(may_manage=True))
    async with running(begins=admission.begins) as server, calling(server) as channel:
        call, name = Client(channel), method.rpartition("/")[2]
        with pytest.raises(Failed, match="FAILED_PRECONDITION NO_STORE"):
            await anext(call.watch()) if name == "WatchChanges" else await call.send(name, b"")


async def test_a_caller_may_do_what_it_has_the_right_to_and_nothing_else() -> None:
    fraud = rule("fraud", credential=CREDENTIAL, rpcs=rpc_names("DirectoryService/BlockUser"))
    store = MemoryStore()
    async with directory(store) as everyone:
        await everyone("CreateUser", user={"id": "ann"})
    kept, admission = KeptDirectory(store=store, names=lambda: Names(())), Admission(Terms([fraud], may_manage=True))
    async with running(directory=kept, begins=admission.begins) as server, calling(server) as channel:
        call = Client(channel, store, CREDENTIAL)
        assert (await call("BlockUser", id="ann")).user.blocked
        for name in ("UnblockUser", "GetUser", "DeleteUser"):
            with pytest.raises(Failed, match="PERMISSION_DENIED CALLER_NOT_ALLOWED"):
                await call(name, id="ann")
        with pytest.raises(Failed, match="UNAUTHENTICATED CALLER_UNKNOWN"):
            await Client(channel)("BlockUser", id="ann")


async def test_whoever_loses_the_right_to_watch_hears_no_more() -> None:
    both = [rule("one", credential=CREDENTIAL), rule("two", credential=OTHER)]
    admission = Admission(Terms(both))
    store = MemoryStore()
    kept = KeptDirectory(store=store, names=lambda: Names(()))
    async with running(directory=kept, begins=admission.begins) as server, calling(server) as channel:
        gone, stays = Client(channel, store, CREDENTIAL).watch(), Client(channel, store, OTHER).watch()
        await anext(gone)
        await anext(stays)

        admission.change(Terms([both[1]]))
        server.judge_again()

        with pytest.raises(Failed, match="UNAUTHENTICATED CALLER_UNKNOWN"):
            async for _ in gone:
                pass
        await Client(channel, store, OTHER)("CreateOrganization", organization={"id": "acme"})
        async for event in stays:
            if event.WhichOneof("event") == "change":
                break


async def test_request_ids_are_their_callers_own() -> None:
    admission = Admission(Terms([rule("one", credential=CREDENTIAL), rule("two", credential=OTHER)]))
    store = MemoryStore()
    kept = KeptDirectory(store=store, names=lambda: Names(()))
    async with running(directory=kept, begins=admission.begins) as server, calling(server) as channel:
        one, two = Client(channel, store, CREDENTIAL), Client(channel, store, OTHER)
        await one("CreateOrganization", organization={"id": "acme"}, request_id="r")

        with pytest.raises(Failed, match="ALREADY_EXISTS"):
            await two("CreateOrganization", organization={"id": "acme"}, request_id="r")
