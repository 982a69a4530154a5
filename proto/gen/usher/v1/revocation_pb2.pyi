import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Revocation(_message.Message):
    __slots__ = ("id", "tokens", "issued_before", "until", "note", "caller", "revoked_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    ISSUED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    tokens: RevokedTokens
    issued_before: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    note: str
    caller: str
    revoked_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., tokens: _Optional[_Union[RevokedTokens, _Mapping]] = ..., issued_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., note: _Optional[str] = ..., caller: _Optional[str] = ..., revoked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RevokedTokens(_message.Message):
    __slots__ = ("token_id", "jti", "subject", "issuer")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    JTI_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    jti: TokenOfIssuer
    subject: SubjectOfIssuer
    issuer: str
    def __init__(self, token_id: _Optional[str] = ..., jti: _Optional[_Union[TokenOfIssuer, _Mapping]] = ..., subject: _Optional[_Union[SubjectOfIssuer, _Mapping]] = ..., issuer: _Optional[str] = ...) -> None: ...

class TokenOfIssuer(_message.Message):
    __slots__ = ("issuer", "jti")
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    JTI_FIELD_NUMBER: _ClassVar[int]
    issuer: str
    jti: str
    def __init__(self, issuer: _Optional[str] = ..., jti: _Optional[str] = ...) -> None: ...

class SubjectOfIssuer(_message.Message):
    __slots__ = ("issuer", "subject")
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    issuer: str
    subject: str
    def __init__(self, issuer: _Optional[str] = ..., subject: _Optional[str] = ...) -> None: ...
