import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from usher.v1 import principal_pb2 as _principal_pb2
from usher.v1 import reason_pb2 as _reason_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Effect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EFFECT_UNSPECIFIED: _ClassVar[Effect]
    EFFECT_ALLOW: _ClassVar[Effect]
    EFFECT_DENY: _ClassVar[Effect]

class DependencyKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPENDENCY_KIND_UNSPECIFIED: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_TOKEN: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_KEY: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_ISSUER: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_POLICY: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_USER: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_TEAM: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_ORGANIZATION: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_END_USER: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_BUDGET: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_MEMBERSHIP: _ClassVar[DependencyKind]

class CheckOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHECK_OUTCOME_UNSPECIFIED: _ClassVar[CheckOutcome]
    CHECK_OUTCOME_PASSED: _ClassVar[CheckOutcome]
    CHECK_OUTCOME_DENIED: _ClassVar[CheckOutcome]
    CHECK_OUTCOME_NOT_APPLICABLE: _ClassVar[CheckOutcome]
    CHECK_OUTCOME_FAULT: _ClassVar[CheckOutcome]
EFFECT_UNSPECIFIED: Effect
EFFECT_ALLOW: Effect
EFFECT_DENY: Effect
DEPENDENCY_KIND_UNSPECIFIED: DependencyKind
DEPENDENCY_KIND_TOKEN: DependencyKind
DEPENDENCY_KIND_KEY: DependencyKind
DEPENDENCY_KIND_ISSUER: DependencyKind
DEPENDENCY_KIND_POLICY: DependencyKind
DEPENDENCY_KIND_USER: DependencyKind
DEPENDENCY_KIND_TEAM: DependencyKind
DEPENDENCY_KIND_ORGANIZATION: DependencyKind
DEPENDENCY_KIND_END_USER: DependencyKind
DEPENDENCY_KIND_BUDGET: DependencyKind
DEPENDENCY_KIND_MEMBERSHIP: DependencyKind
CHECK_OUTCOME_UNSPECIFIED: CheckOutcome
CHECK_OUTCOME_PASSED: CheckOutcome
CHECK_OUTCOME_DENIED: CheckOutcome
CHECK_OUTCOME_NOT_APPLICABLE: CheckOutcome
CHECK_OUTCOME_FAULT: CheckOutcome

class Decision(_message.Message):
    __slots__ = ("effect", "reason", "message", "http_status", "www_authenticate", "principal", "resolved_model", "limits", "depends_on", "explanation", "decision_id", "revision", "valid_until", "cacheable")
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HTTP_STATUS_FIELD_NUMBER: _ClassVar[int]
    WWW_AUTHENTICATE_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_MODEL_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    CACHEABLE_FIELD_NUMBER: _ClassVar[int]
    effect: Effect
    reason: _reason_pb2.Reason
    message: str
    http_status: int
    www_authenticate: str
    principal: _principal_pb2.Principal
    resolved_model: str
    limits: Limits
    depends_on: _containers.RepeatedCompositeFieldContainer[Dependency]
    explanation: Explanation
    decision_id: str
    revision: str
    valid_until: _timestamp_pb2.Timestamp
    cacheable: bool
    def __init__(self, effect: _Optional[_Union[Effect, str]] = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., message: _Optional[str] = ..., http_status: _Optional[int] = ..., www_authenticate: _Optional[str] = ..., principal: _Optional[_Union[_principal_pb2.Principal, _Mapping]] = ..., resolved_model: _Optional[str] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., depends_on: _Optional[_Iterable[_Union[Dependency, _Mapping]]] = ..., explanation: _Optional[_Union[Explanation, _Mapping]] = ..., decision_id: _Optional[str] = ..., revision: _Optional[str] = ..., valid_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cacheable: bool = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("team", "user", "member")
    TEAM_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    team: Limit
    user: Limit
    member: Limit
    def __init__(self, team: _Optional[_Union[Limit, _Mapping]] = ..., user: _Optional[_Union[Limit, _Mapping]] = ..., member: _Optional[_Union[Limit, _Mapping]] = ...) -> None: ...

class Limit(_message.Message):
    __slots__ = ("tpm", "rpm", "max_budget_micro_usd", "budget_reset", "models")
    TPM_FIELD_NUMBER: _ClassVar[int]
    RPM_FIELD_NUMBER: _ClassVar[int]
    MAX_BUDGET_MICRO_USD_FIELD_NUMBER: _ClassVar[int]
    BUDGET_RESET_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    tpm: int
    rpm: int
    max_budget_micro_usd: int
    budget_reset: _duration_pb2.Duration
    models: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tpm: _Optional[int] = ..., rpm: _Optional[int] = ..., max_budget_micro_usd: _Optional[int] = ..., budget_reset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., models: _Optional[_Iterable[str]] = ...) -> None: ...

class Dependency(_message.Message):
    __slots__ = ("kind", "id", "revision", "absent")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    kind: DependencyKind
    id: str
    revision: str
    absent: bool
    def __init__(self, kind: _Optional[_Union[DependencyKind, str]] = ..., id: _Optional[str] = ..., revision: _Optional[str] = ..., absent: bool = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("checks", "roles_held", "team_candidates", "shadow")
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    ROLES_HELD_FIELD_NUMBER: _ClassVar[int]
    TEAM_CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    checks: _containers.RepeatedCompositeFieldContainer[CheckResult]
    roles_held: _containers.RepeatedScalarFieldContainer[str]
    team_candidates: _containers.RepeatedScalarFieldContainer[str]
    shadow: ShadowVerdict
    def __init__(self, checks: _Optional[_Iterable[_Union[CheckResult, _Mapping]]] = ..., roles_held: _Optional[_Iterable[str]] = ..., team_candidates: _Optional[_Iterable[str]] = ..., shadow: _Optional[_Union[ShadowVerdict, _Mapping]] = ...) -> None: ...

class ShadowVerdict(_message.Message):
    __slots__ = ("effect", "reason", "policy", "checks")
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    effect: Effect
    reason: _reason_pb2.Reason
    policy: str
    checks: _containers.RepeatedCompositeFieldContainer[CheckResult]
    def __init__(self, effect: _Optional[_Union[Effect, str]] = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., policy: _Optional[str] = ..., checks: _Optional[_Iterable[_Union[CheckResult, _Mapping]]] = ...) -> None: ...

class CheckResult(_message.Message):
    __slots__ = ("check", "outcome", "reason", "note")
    CHECK_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    check: str
    outcome: CheckOutcome
    reason: _reason_pb2.Reason
    note: str
    def __init__(self, check: _Optional[str] = ..., outcome: _Optional[_Union[CheckOutcome, str]] = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., note: _Optional[str] = ...) -> None: ...
