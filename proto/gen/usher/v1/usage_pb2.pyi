import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from usher.v1 import membership_pb2 as _membership_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BudgetState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUDGET_STATE_UNSPECIFIED: _ClassVar[BudgetState]
    BUDGET_STATE_WITHIN: _ClassVar[BudgetState]
    BUDGET_STATE_REACHED: _ClassVar[BudgetState]
    BUDGET_STATE_EXCEEDED: _ClassVar[BudgetState]
BUDGET_STATE_UNSPECIFIED: BudgetState
BUDGET_STATE_WITHIN: BudgetState
BUDGET_STATE_REACHED: BudgetState
BUDGET_STATE_EXCEEDED: BudgetState

class BudgetOwner(_message.Message):
    __slots__ = ("everyone", "organization_id", "team_id", "user_id", "member", "end_user_id")
    EVERYONE_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    TEAM_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    END_USER_ID_FIELD_NUMBER: _ClassVar[int]
    everyone: Everyone
    organization_id: str
    team_id: str
    user_id: str
    member: _membership_pb2.MembershipName
    end_user_id: str
    def __init__(self, everyone: _Optional[_Union[Everyone, _Mapping]] = ..., organization_id: _Optional[str] = ..., team_id: _Optional[str] = ..., user_id: _Optional[str] = ..., member: _Optional[_Union[_membership_pb2.MembershipName, _Mapping]] = ..., end_user_id: _Optional[str] = ...) -> None: ...

class Everyone(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Usage(_message.Message):
    __slots__ = ("owner", "micro_usd")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    MICRO_USD_FIELD_NUMBER: _ClassVar[int]
    owner: BudgetOwner
    micro_usd: int
    def __init__(self, owner: _Optional[_Union[BudgetOwner, _Mapping]] = ..., micro_usd: _Optional[int] = ...) -> None: ...

class RecordUsageRequest(_message.Message):
    __slots__ = ("usages", "request_id")
    USAGES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    usages: _containers.RepeatedCompositeFieldContainer[Usage]
    request_id: str
    def __init__(self, usages: _Optional[_Iterable[_Union[Usage, _Mapping]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class RecordUsageResponse(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: str
    def __init__(self, revision: _Optional[str] = ...) -> None: ...

class GetUsageRequest(_message.Message):
    __slots__ = ("owner",)
    OWNER_FIELD_NUMBER: _ClassVar[int]
    owner: BudgetOwner
    def __init__(self, owner: _Optional[_Union[BudgetOwner, _Mapping]] = ...) -> None: ...

class GetUsageResponse(_message.Message):
    __slots__ = ("micro_usd", "state", "period_end")
    MICRO_USD_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PERIOD_END_FIELD_NUMBER: _ClassVar[int]
    micro_usd: int
    state: BudgetState
    period_end: _timestamp_pb2.Timestamp
    def __init__(self, micro_usd: _Optional[int] = ..., state: _Optional[_Union[BudgetState, str]] = ..., period_end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ResetUsageRequest(_message.Message):
    __slots__ = ("owner", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: BudgetOwner
    request_id: str
    def __init__(self, owner: _Optional[_Union[BudgetOwner, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ResetUsageResponse(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: str
    def __init__(self, revision: _Optional[str] = ...) -> None: ...
