import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LoginMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOGIN_METHOD_UNSPECIFIED: _ClassVar[LoginMethod]
    LOGIN_METHOD_SSO: _ClassVar[LoginMethod]
    LOGIN_METHOD_USERNAME_PASSWORD: _ClassVar[LoginMethod]
LOGIN_METHOD_UNSPECIFIED: LoginMethod
LOGIN_METHOD_SSO: LoginMethod
LOGIN_METHOD_USERNAME_PASSWORD: LoginMethod

class Session(_message.Message):
    __slots__ = ("id", "user_id", "role", "login_method", "created_at", "expires_at", "revoked_at", "caller")
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    LOGIN_METHOD_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    id: str
    user_id: str
    role: str
    login_method: LoginMethod
    created_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    revoked_at: _timestamp_pb2.Timestamp
    caller: str
    def __init__(self, id: _Optional[str] = ..., user_id: _Optional[str] = ..., role: _Optional[str] = ..., login_method: _Optional[_Union[LoginMethod, str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., caller: _Optional[str] = ...) -> None: ...

class SessionClaims(_message.Message):
    __slots__ = ("session_id", "user_id", "email", "role", "login_method", "premium", "auth_header_name", "personal_keys_disabled")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    LOGIN_METHOD_FIELD_NUMBER: _ClassVar[int]
    PREMIUM_FIELD_NUMBER: _ClassVar[int]
    AUTH_HEADER_NAME_FIELD_NUMBER: _ClassVar[int]
    PERSONAL_KEYS_DISABLED_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    user_id: str
    email: str
    role: str
    login_method: LoginMethod
    premium: bool
    auth_header_name: str
    personal_keys_disabled: bool
    def __init__(self, session_id: _Optional[str] = ..., user_id: _Optional[str] = ..., email: _Optional[str] = ..., role: _Optional[str] = ..., login_method: _Optional[_Union[LoginMethod, str]] = ..., premium: bool = ..., auth_header_name: _Optional[str] = ..., personal_keys_disabled: bool = ...) -> None: ...
