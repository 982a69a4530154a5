"""The messages of Envoy's API that are read and written here, with the fields that matter, by their numbers.

Texts are bytes: a header or a path that is not UTF-8 is an end user's doing, and has to be read to be denied. Maps are
what they are on the wire, lists of entries: what is in one twice is seen twice. A test compares all of it with Envoy's
own API, whose packages are of no use here (docs/decisions/0010-envoy-api.md).
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "usherd.envoy"

_Field = descriptor_pb2.FieldDescriptorProto
TEXT, BYTES, NUMBER = "text", "bytes", "number"
"""Kinds of fields; any other kind is the name of a message. `[]` behind it: there may be several."""

MESSAGES: dict[str, tuple[str, dict[str, tuple[int, str]]]] = {
    "CheckRequest": ("envoy.service.auth.v3.CheckRequest", {"attributes": (1, "Attributes")}),
    "Attributes": (
        "envoy.service.auth.v3.AttributeContext",
        {"request": (4, "Request"), "context_extensions": (10, "Entry[]"), "metadata_context": (11, "Metadata")},
    ),
    "Request": ("envoy.service.auth.v3.AttributeContext.Request", {"http": (2, "HttpRequest")}),
    "HttpRequest": (
        "envoy.service.auth.v3.AttributeContext.HttpRequest",
        {
            "id": (1, TEXT),
            "method": (2, TEXT),
            "headers": (3, "Entry[]"),
            "path": (4, TEXT),
            "body": (11, TEXT),
            "raw_body": (12, BYTES),
            "header_map": (13, "HeaderMap"),
        },
    ),
    "Entry": (
        "envoy.service.auth.v3.AttributeContext.HttpRequest.HeadersEntry",
        {"key": (1, TEXT), "value": (2, TEXT)},
    ),
    "HeaderMap": ("envoy.config.core.v3.HeaderMap", {"headers": (1, "HeaderValue[]")}),
    "HeaderValue": (
        "envoy.config.core.v3.HeaderValue",
        {"key": (1, TEXT), "value": (2, TEXT), "raw_value": (3, BYTES)},
    ),
    "Metadata": ("envoy.config.core.v3.Metadata", {"filter_metadata": (1, "MetadataEntry[]")}),
    "MetadataEntry": (
        "envoy.config.core.v3.Metadata.FilterMetadataEntry",
        {"key": (1, TEXT), "value": (2, "Struct")},
    ),
    "Struct": ("google.protobuf.Struct", {"fields": (1, "StructEntry[]")}),
    "StructEntry": ("google.protobuf.Struct.FieldsEntry", {"key": (1, TEXT), "value": (2, "Value")}),
    "Value": ("google.protobuf.Value", {"string_value": (3, TEXT)}),
    "CheckResponse": (
        "envoy.service.auth.v3.CheckResponse",
        {
            "status": (1, "Status"),
            "denied_response": (2, "HttpResponse"),
            "ok_response": (3, "OkResponse"),
            "dynamic_metadata": (4, "Struct"),
            "error_response": (5, "HttpResponse"),
        },
    ),
    "Status": ("google.rpc.Status", {"code": (1, NUMBER), "message": (2, TEXT)}),
    "OkResponse": (
        "envoy.service.auth.v3.OkHttpResponse",
        {"headers": (2, "HeaderOption[]"), "headers_to_remove": (5, TEXT + "[]")},
    ),
    "HttpResponse": (
        "envoy.service.auth.v3.DeniedHttpResponse",
        {"status": (1, "HttpStatus"), "headers": (2, "HeaderOption[]"), "body": (3, TEXT)},
    ),
    "HttpStatus": ("envoy.type.v3.HttpStatus", {"code": (1, NUMBER)}),
    "HeaderOption": (
        "envoy.config.core.v3.HeaderValueOption",
        {"header": (1, "HeaderValue"), "append_action": (3, NUMBER)},
    ),
}
"""Each message by the name that it has here: its name in Envoy's API, and its fields' numbers and kinds."""

OVERWRITE_IF_EXISTS_OR_ADD = 2
"""`HeaderValueOption.HeaderAppendAction`: whatever is there of that name is gone."""


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="usherd/envoy.proto", package=PACKAGE, syntax="proto3")
    scalars = {TEXT: _Field.TYPE_BYTES, BYTES: _Field.TYPE_BYTES, NUMBER: _Field.TYPE_INT32}
    for name, (_, fields) in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            one = kind.removesuffix("[]")
            made = message.field.add(name=field, number=number)
            made.label = _Field.LABEL_REPEATED if one != kind else _Field.LABEL_OPTIONAL
            made.type = scalars.get(one, _Field.TYPE_MESSAGE)
            if one not in scalars:
                made.type_name = f".{PACKAGE}.{one}"
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())


def _kind(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))


CheckRequest = _kind("CheckRequest")
CheckResponse = _kind("CheckResponse")
OkResponse = _kind("OkResponse")
HttpResponse = _kind("HttpResponse")
Struct = _kind("Struct")


def number(message: str, field: str) -> int:
    """The number of a field."""
    return MESSAGES[message][1][field][0]
