"""A server with a directory that is kept, and the client's side of DirectoryService."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from tools.memory_store import MemoryStore
from tools.rpc_world import calling, running
from usher.v1 import directory_service_pb2
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.directory.rows import Names

SERVICE = directory_service_pb2.DESCRIPTOR.services_by_name["DirectoryService"]
METHODS = tuple(f"/{SERVICE.full_name}/{method.name}" for method in SERVICE.methods)
"""All of the contract, by full name."""
ISSUERS = ("idp", "other")


class Failed(Exception):
    """A call ended with an error."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code()
        self.details = error.details() or ""
        self.reason, self.field = "", ""
        for name, value in error.trailing_metadata() or ():
            if name == "grpc-status-details-bin":
                for detail in Status.FromString(value).details:
                    info = ErrorInfo()
                    if detail.Unpack(info):
                        self.reason, self.field = info.reason, info.metadata.get("field", "")
        super().__init__(f"{self.code} {self.reason} {self.details}")


class Client:
    """Calls methods by their names, with the fields of their requests."""

    def __init__(
        self, channel: grpc.aio.Channel, store: Any = None, credential: str = "", service: Any = SERVICE
    ) -> None:
        self._channel = channel
        self._service = service
        self.store = store
        self._metadata = (("authorization", f"Bearer {credential}"),) if credential else ()

    def request(self, method: str, **fields: Any) -> Any:
        return GetMessageClass(self._service.methods_by_name[method].input_type)(**fields)

    async def send(self, method: str, data: bytes) -> Any:
        """The answer to these bytes. Raises Failed."""
        answer = GetMessageClass(self._service.methods_by_name[method].output_type)
        made = self._channel.unary_unary(f"/{self._service.full_name}/{method}")
        try:
            return answer.FromString(await made(data, timeout=20, metadata=self._metadata))
        except grpc.aio.AioRpcError as error:
            failed = Failed(error)
        raise failed

    async def __call__(self, method: str, **fields: Any) -> Any:
        return await self.send(method, self.request(method, **fields).SerializeToString())

    async def watch(self, **fields: Any) -> AsyncIterator[Any]:
        """The events of WatchChanges. Raises Failed."""
        answer = GetMessageClass(self._service.methods_by_name["WatchChanges"].output_type)
        made = self._channel.unary_stream(f"/{self._service.full_name}/WatchChanges")
        request = self.request("WatchChanges", **fields).SerializeToString()
        stream = made(request, metadata=self._metadata)
        try:
            async for data in stream:
                yield answer.FromString(data)
        except grpc.aio.AioRpcError as error:
            failed = Failed(error)
        else:
            return
        finally:
            stream.cancel()
        raise failed


@asynccontextmanager
async def directory(store: Any = None, *, issuers: tuple[str, ...] = ISSUERS, **more: Any) -> AsyncIterator[Client]:
    """A client of a server that keeps its directory in that store; None: in a new one in memory."""
    store = MemoryStore() if store is None else store
    kept = KeptDirectory(store=store, names=lambda: Names(issuers))
    begins = more.pop("begins", None) or Admission(Terms(may_manage=True)).begins
    async with running(directory=kept, begins=begins, **more) as server, calling(server) as channel:
        yield Client(channel, store)
