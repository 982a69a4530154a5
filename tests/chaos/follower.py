"""Follows the changes of the directory from one revision on, and goes on where it was when a replica is lost."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import grpc

from chaos.calling import OPTIONS, SERVICES, revision_of
from usher.v1 import change_pb2

AGAIN_AFTER = 0.2


class Follower:
    """One."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._after = ""
        self.told: set[int] = set()
        """Revisions of which something was told."""
        self.through = 0
        """All up to that revision was told."""
        self.out_of_order = 0

    async def run(self, after: str) -> None:
        """For ever, from that revision on."""
        self._after = after
        for address in itertools.cycle(self._addresses):
            try:
                async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
                    await self._follow(channel)
            except grpc.aio.AioRpcError:
                # It goes on elsewhere; what it never tells is found at the end.
                await asyncio.sleep(AGAIN_AFTER)

    async def _follow(self, channel: grpc.aio.Channel) -> None:
        call = channel.unary_stream(
            f"/{SERVICES['directory'].full_name}/WatchChanges", None, change_pb2.WatchChangesResponse.FromString
        )
        stream = call(change_pb2.WatchChangesRequest(after_revision=self._after).SerializeToString())
        last = 0
        async for event in stream:
            if event.HasField("change"):
                revision = revision_of(event.change.revision)
                self.out_of_order += revision < last
                last = revision
                self.told.add(revision)
            elif event.HasField("checkpoint"):
                self._after = event.checkpoint.revision
                self.through = revision_of(self._after)
