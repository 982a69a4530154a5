import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RowKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROW_KIND_UNSPECIFIED: _ClassVar[RowKind]
    ROW_KIND_ORGANIZATION: _ClassVar[RowKind]
    ROW_KIND_TEAM: _ClassVar[RowKind]
    ROW_KIND_USER: _ClassVar[RowKind]
    ROW_KIND_MEMBERSHIP: _ClassVar[RowKind]
    ROW_KIND_END_USER: _ClassVar[RowKind]
    ROW_KIND_MODEL: _ClassVar[RowKind]
    ROW_KIND_BUDGET: _ClassVar[RowKind]
    ROW_KIND_REVOCATION: _ClassVar[RowKind]
    ROW_KIND_SESSION: _ClassVar[RowKind]
ROW_KIND_UNSPECIFIED: RowKind
ROW_KIND_ORGANIZATION: RowKind
ROW_KIND_TEAM: RowKind
ROW_KIND_USER: RowKind
ROW_KIND_MEMBERSHIP: RowKind
ROW_KIND_END_USER: RowKind
ROW_KIND_MODEL: RowKind
ROW_KIND_BUDGET: RowKind
ROW_KIND_REVOCATION: RowKind
ROW_KIND_SESSION: RowKind

class WatchChangesRequest(_message.Message):
    __slots__ = ("after_revision", "kinds")
    AFTER_REVISION_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    after_revision: str
    kinds: _containers.RepeatedScalarFieldContainer[RowKind]
    def __init__(self, after_revision: _Optional[str] = ..., kinds: _Optional[_Iterable[_Union[RowKind, str]]] = ...) -> None: ...

class WatchChangesResponse(_message.Message):
    __slots__ = ("change", "checkpoint")
    class Checkpoint(_message.Message):
        __slots__ = ("revision", "caught_up")
        REVISION_FIELD_NUMBER: _ClassVar[int]
        CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
        revision: str
        caught_up: bool
        def __init__(self, revision: _Optional[str] = ..., caught_up: bool = ...) -> None: ...
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    change: DirectoryChange
    checkpoint: WatchChangesResponse.Checkpoint
    def __init__(self, change: _Optional[_Union[DirectoryChange, _Mapping]] = ..., checkpoint: _Optional[_Union[WatchChangesResponse.Checkpoint, _Mapping]] = ...) -> None: ...

class DirectoryChange(_message.Message):
    __slots__ = ("revision", "kind", "id", "team_id", "action", "committed_at")
    class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ACTION_UNSPECIFIED: _ClassVar[DirectoryChange.Action]
        ACTION_CREATED: _ClassVar[DirectoryChange.Action]
        ACTION_UPDATED: _ClassVar[DirectoryChange.Action]
        ACTION_DELETED: _ClassVar[DirectoryChange.Action]
    ACTION_UNSPECIFIED: DirectoryChange.Action
    ACTION_CREATED: DirectoryChange.Action
    ACTION_UPDATED: DirectoryChange.Action
    ACTION_DELETED: DirectoryChange.Action
    REVISION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TEAM_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    revision: str
    kind: RowKind
    id: str
    team_id: str
    action: DirectoryChange.Action
    committed_at: _timestamp_pb2.Timestamp
    def __init__(self, revision: _Optional[str] = ..., kind: _Optional[_Union[RowKind, str]] = ..., id: _Optional[str] = ..., team_id: _Optional[str] = ..., action: _Optional[_Union[DirectoryChange.Action, str]] = ..., committed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
