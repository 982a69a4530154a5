from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Question(_message.Message):
    __slots__ = ("token", "route", "method", "model", "fallback_models", "team_id", "team_alias", "end_user_id", "organization_id", "modifies_guardrails")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_MODELS_FIELD_NUMBER: _ClassVar[int]
    TEAM_ID_FIELD_NUMBER: _ClassVar[int]
    TEAM_ALIAS_FIELD_NUMBER: _ClassVar[int]
    END_USER_ID_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    MODIFIES_GUARDRAILS_FIELD_NUMBER: _ClassVar[int]
    token: str
    route: str
    method: str
    model: str
    fallback_models: _containers.RepeatedScalarFieldContainer[str]
    team_id: str
    team_alias: str
    end_user_id: str
    organization_id: str
    modifies_guardrails: bool
    def __init__(self, token: _Optional[str] = ..., route: _Optional[str] = ..., method: _Optional[str] = ..., model: _Optional[str] = ..., fallback_models: _Optional[_Iterable[str]] = ..., team_id: _Optional[str] = ..., team_alias: _Optional[str] = ..., end_user_id: _Optional[str] = ..., organization_id: _Optional[str] = ..., modifies_guardrails: bool = ...) -> None: ...
