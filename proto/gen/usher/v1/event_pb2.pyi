import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from usher.v1 import decision_pb2 as _decision_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Cause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAUSE_UNSPECIFIED: _ClassVar[Cause]
    CAUSE_TOKEN_EXPIRED: _ClassVar[Cause]
    CAUSE_TOKEN_REVOKED: _ClassVar[Cause]
    CAUSE_SESSION_REVOKED: _ClassVar[Cause]
    CAUSE_KEY_REMOVED: _ClassVar[Cause]
    CAUSE_DIRECTORY: _ClassVar[Cause]
    CAUSE_BUDGET: _ClassVar[Cause]
    CAUSE_POLICY: _ClassVar[Cause]
    CAUSE_TOKEN_REFUSED: _ClassVar[Cause]
    CAUSE_INTROSPECTION: _ClassVar[Cause]
    CAUSE_SERVER: _ClassVar[Cause]
CAUSE_UNSPECIFIED: Cause
CAUSE_TOKEN_EXPIRED: Cause
CAUSE_TOKEN_REVOKED: Cause
CAUSE_SESSION_REVOKED: Cause
CAUSE_KEY_REMOVED: Cause
CAUSE_DIRECTORY: Cause
CAUSE_BUDGET: Cause
CAUSE_POLICY: Cause
CAUSE_TOKEN_REFUSED: Cause
CAUSE_INTROSPECTION: Cause
CAUSE_SERVER: Cause

class Checkpoint(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: str
    def __init__(self, revision: _Optional[str] = ...) -> None: ...

class Changed(_message.Message):
    __slots__ = ("decision", "cause")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    cause: Cause
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., cause: _Optional[_Union[Cause, str]] = ...) -> None: ...

class Expiring(_message.Message):
    __slots__ = ("ends_at", "cause")
    ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ends_at: _timestamp_pb2.Timestamp
    cause: Cause
    def __init__(self, ends_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cause: _Optional[_Union[Cause, str]] = ...) -> None: ...

class Ended(_message.Message):
    __slots__ = ("decision", "cause")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    cause: Cause
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., cause: _Optional[_Union[Cause, str]] = ...) -> None: ...

class Resync(_message.Message):
    __slots__ = ("cause",)
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    cause: Cause
    def __init__(self, cause: _Optional[_Union[Cause, str]] = ...) -> None: ...
