import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Code(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CODE_UNSPECIFIED: _ClassVar[Code]
    CODE_INVALID_ARGUMENT: _ClassVar[Code]
    CODE_DEADLINE_EXCEEDED: _ClassVar[Code]
    CODE_NOT_FOUND: _ClassVar[Code]
    CODE_ALREADY_EXISTS: _ClassVar[Code]
    CODE_PERMISSION_DENIED: _ClassVar[Code]
    CODE_RESOURCE_EXHAUSTED: _ClassVar[Code]
    CODE_FAILED_PRECONDITION: _ClassVar[Code]
    CODE_ABORTED: _ClassVar[Code]
    CODE_OUT_OF_RANGE: _ClassVar[Code]
    CODE_INTERNAL: _ClassVar[Code]
    CODE_UNAVAILABLE: _ClassVar[Code]
    CODE_UNAUTHENTICATED: _ClassVar[Code]

class FaultReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAULT_REASON_UNSPECIFIED: _ClassVar[FaultReason]
    FAULT_REASON_REQUEST_UNDECODABLE: _ClassVar[FaultReason]
    FAULT_REASON_QUESTION_MISSING: _ClassVar[FaultReason]
    FAULT_REASON_MODE_UNKNOWN: _ClassVar[FaultReason]
    FAULT_REASON_ITEM_COUNT: _ClassVar[FaultReason]
    FAULT_REASON_ITEM_ID: _ClassVar[FaultReason]
    FAULT_REASON_TOKEN_COUNT: _ClassVar[FaultReason]
    FAULT_REASON_REVISION_MALFORMED: _ClassVar[FaultReason]
    FAULT_REASON_PAGE_INVALID: _ClassVar[FaultReason]
    FAULT_REASON_REQUEST_ID: _ClassVar[FaultReason]
    FAULT_REASON_SUBSCRIPTION_ID: _ClassVar[FaultReason]
    FAULT_REASON_SUBSCRIPTION_COUNT: _ClassVar[FaultReason]
    FAULT_REASON_FIELD_INVALID: _ClassVar[FaultReason]
    FAULT_REASON_REVISION_OF_OTHER_STORE: _ClassVar[FaultReason]
    FAULT_REASON_EXPLANATION_NOT_ALLOWED: _ClassVar[FaultReason]
    FAULT_REASON_CALLER_UNKNOWN: _ClassVar[FaultReason]
    FAULT_REASON_CALLER_NOT_ALLOWED: _ClassVar[FaultReason]
    FAULT_REASON_NOT_FOUND: _ClassVar[FaultReason]
    FAULT_REASON_ALREADY_EXISTS: _ClassVar[FaultReason]
    FAULT_REASON_ETAG_MISMATCH: _ClassVar[FaultReason]
    FAULT_REASON_REFERENCE: _ClassVar[FaultReason]
    FAULT_REASON_CHANGES_COMPACTED: _ClassVar[FaultReason]
    FAULT_REASON_NO_STORE: _ClassVar[FaultReason]
    FAULT_REASON_KEYS_UNAVAILABLE: _ClassVar[FaultReason]
    FAULT_REASON_DIRECTORY_UNAVAILABLE: _ClassVar[FaultReason]
    FAULT_REASON_REVISION_NOT_REACHED: _ClassVar[FaultReason]
    FAULT_REASON_SHUTTING_DOWN: _ClassVar[FaultReason]
    FAULT_REASON_REVOCATIONS_UNAVAILABLE: _ClassVar[FaultReason]
    FAULT_REASON_INTROSPECTION_UNAVAILABLE: _ClassVar[FaultReason]
    FAULT_REASON_DECISION_LOG_UNAVAILABLE: _ClassVar[FaultReason]
    FAULT_REASON_SESSIONS_UNAVAILABLE: _ClassVar[FaultReason]
    FAULT_REASON_OVERLOADED: _ClassVar[FaultReason]
    FAULT_REASON_DEADLINE_EXCEEDED: _ClassVar[FaultReason]
    FAULT_REASON_SLOW_READER: _ClassVar[FaultReason]
    FAULT_REASON_INTERNAL: _ClassVar[FaultReason]
CODE_UNSPECIFIED: Code
CODE_INVALID_ARGUMENT: Code
CODE_DEADLINE_EXCEEDED: Code
CODE_NOT_FOUND: Code
CODE_ALREADY_EXISTS: Code
CODE_PERMISSION_DENIED: Code
CODE_RESOURCE_EXHAUSTED: Code
CODE_FAILED_PRECONDITION: Code
CODE_ABORTED: Code
CODE_OUT_OF_RANGE: Code
CODE_INTERNAL: Code
CODE_UNAVAILABLE: Code
CODE_UNAUTHENTICATED: Code
FAULT_REASON_UNSPECIFIED: FaultReason
FAULT_REASON_REQUEST_UNDECODABLE: FaultReason
FAULT_REASON_QUESTION_MISSING: FaultReason
FAULT_REASON_MODE_UNKNOWN: FaultReason
FAULT_REASON_ITEM_COUNT: FaultReason
FAULT_REASON_ITEM_ID: FaultReason
FAULT_REASON_TOKEN_COUNT: FaultReason
FAULT_REASON_REVISION_MALFORMED: FaultReason
FAULT_REASON_PAGE_INVALID: FaultReason
FAULT_REASON_REQUEST_ID: FaultReason
FAULT_REASON_SUBSCRIPTION_ID: FaultReason
FAULT_REASON_SUBSCRIPTION_COUNT: FaultReason
FAULT_REASON_FIELD_INVALID: FaultReason
FAULT_REASON_REVISION_OF_OTHER_STORE: FaultReason
FAULT_REASON_EXPLANATION_NOT_ALLOWED: FaultReason
FAULT_REASON_CALLER_UNKNOWN: FaultReason
FAULT_REASON_CALLER_NOT_ALLOWED: FaultReason
FAULT_REASON_NOT_FOUND: FaultReason
FAULT_REASON_ALREADY_EXISTS: FaultReason
FAULT_REASON_ETAG_MISMATCH: FaultReason
FAULT_REASON_REFERENCE: FaultReason
FAULT_REASON_CHANGES_COMPACTED: FaultReason
FAULT_REASON_NO_STORE: FaultReason
FAULT_REASON_KEYS_UNAVAILABLE: FaultReason
FAULT_REASON_DIRECTORY_UNAVAILABLE: FaultReason
FAULT_REASON_REVISION_NOT_REACHED: FaultReason
FAULT_REASON_SHUTTING_DOWN: FaultReason
FAULT_REASON_REVOCATIONS_UNAVAILABLE: FaultReason
FAULT_REASON_INTROSPECTION_UNAVAILABLE: FaultReason
FAULT_REASON_DECISION_LOG_UNAVAILABLE: FaultReason
FAULT_REASON_SESSIONS_UNAVAILABLE: FaultReason
FAULT_REASON_OVERLOADED: FaultReason
FAULT_REASON_DEADLINE_EXCEEDED: FaultReason
FAULT_REASON_SLOW_READER: FaultReason
FAULT_REASON_INTERNAL: FaultReason

class Fault(_message.Message):
    __slots__ = ("code", "reason", "message", "retry_after")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    code: Code
    reason: FaultReason
    message: str
    retry_after: _duration_pb2.Duration
    def __init__(self, code: _Optional[_Union[Code, str]] = ..., reason: _Optional[_Union[FaultReason, str]] = ..., message: _Optional[str] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
