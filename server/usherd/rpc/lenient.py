"""Reads requests so that broken text from an end user is denied, while bytes that are no message are an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import DecodeError, Message

from usher.v1 import authorization_service_pb2 as api
from usherd.errors import FaultReason, InvalidRequest, RequestTooLarge
from usherd.rpc.options import MAX_REQUEST
from usherd.rpc.translate import MAX_CHANGES, MAX_ITEMS

Request = TypeVar("Request", bound=Message)

REFUSED = b"\x00"
"""Stands for text that is not UTF-8: the core denies it in each field that an end user controls."""

_FALLBACKS_LOOKED_AT = 17
"""One more than a question may have: those are denied, however many follow and whatever is in them."""

_SINGLE = ("token", "route", "method", "model", "team_id", "team_alias", "end_user_id", "organization_id")


def parse(kind: type[Request], data: bytes) -> Request:
    """The message of that kind in `data`; empty bytes are an empty message.

    Raises InvalidRequest (REQUEST_UNDECODABLE), and RequestTooLarge where the server takes larger ones, for others.
    """
    if len(data) > MAX_REQUEST:
        raise RequestTooLarge
    try:
        return kind.FromString(data)
    except DecodeError:
        pass
    # Outside of the handler, so that the library's text is not chained to what is raised.
    raise InvalidRequest(FaultReason.REQUEST_UNDECODABLE)


def parse_asked(kind: type[Request], data: bytes) -> Request:
    """As `parse`, for a message with a question in it.

    A gateway may pass on a route or a model that is not UTF-8, and its protobuf library may let it. That is the end
    user's doing, so it must become a denial: such values arrive as text that the core refuses. Fallback models beyond
    the first too many are left out then. Raises InvalidRequest (REQUEST_UNDECODABLE, ITEM_COUNT, SUBSCRIPTION_COUNT),
    and RequestTooLarge.
    """
    if len(data) > MAX_REQUEST:
        raise RequestTooLarge
    try:
        return kind.FromString(data)
    except DecodeError:
        return parse(kind, _mended(kind, data))


def _mended(kind: type[Message], data: bytes) -> bytes:
    message = parse(_byte_kind(kind), data)
    # Counted first: each look costs far more than the two bytes of an empty item.
    if "items" in message.DESCRIPTOR.fields_by_name and len(message.items) > MAX_ITEMS:  # type: ignore[attr-defined]
        raise InvalidRequest(FaultReason.ITEM_COUNT)
    if "add" in message.DESCRIPTOR.fields_by_name and len(message.add) > MAX_CHANGES:  # type: ignore[attr-defined]
        raise InvalidRequest(FaultReason.SUBSCRIPTION_COUNT)
    for owner in _owners(message):
        for name in _SINGLE:
            if name in owner.DESCRIPTOR.fields_by_name and _is_broken(getattr(owner, name)):
                setattr(owner, name, REFUSED)
        if "fallback_models" in owner.DESCRIPTOR.fields_by_name:
            fallbacks = owner.fallback_models  # type: ignore[attr-defined]
            fallbacks[:] = [REFUSED if _is_broken(value) else value for value in fallbacks[:_FALLBACKS_LOOKED_AT]]
    return message.SerializeToString()


def _owners(message: Message) -> Iterator[Message]:
    """The messages with fields that an end user controls: the questions, and a batch for its `token`."""
    fields = message.DESCRIPTOR.fields_by_name
    if "question" in fields and message.HasField("question"):
        yield message.question  # type: ignore[attr-defined]
    if "items" in fields:
        yield message
        for item in message.items:  # type: ignore[attr-defined]
            yield from _owners(item)
    if "add" in fields:
        for each in message.add:  # type: ignore[attr-defined]
            yield from _owners(each)


def _is_broken(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return True
    return False


def _with_dependencies(file: FileDescriptor) -> Iterator[FileDescriptor]:
    for dependency in file.dependencies:
        yield from _with_dependencies(dependency)
    yield file


def _as_bytes(message: descriptor_pb2.DescriptorProto) -> None:
    for nested in message.nested_type:
        _as_bytes(nested)
    for field in message.field:
        if field.type == descriptor_pb2.FieldDescriptorProto.TYPE_STRING:
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES


def _byte_pool() -> descriptor_pool.DescriptorPool:
    """The same messages with every `string` read as `bytes`: on the wire there is no difference."""
    pool = descriptor_pool.DescriptorPool()
    added = set()
    for file in _with_dependencies(api.DESCRIPTOR):
        if file.name in added:
            continue
        added.add(file.name)
        copy = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(copy)
        for message in copy.message_type:
            _as_bytes(message)
        pool.Add(copy)
    return pool


_BYTE_POOL = _byte_pool()


def _byte_kind(kind: type[Message]) -> type[Message]:
    return message_factory.GetMessageClass(_BYTE_POOL.FindMessageTypeByName(kind.DESCRIPTOR.full_name))
