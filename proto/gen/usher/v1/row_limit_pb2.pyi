import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RowLimit(_message.Message):
    __slots__ = ("tpm", "rpm", "max_budget_micro_usd", "budget_reset")
    TPM_FIELD_NUMBER: _ClassVar[int]
    RPM_FIELD_NUMBER: _ClassVar[int]
    MAX_BUDGET_MICRO_USD_FIELD_NUMBER: _ClassVar[int]
    BUDGET_RESET_FIELD_NUMBER: _ClassVar[int]
    tpm: int
    rpm: int
    max_budget_micro_usd: int
    budget_reset: _duration_pb2.Duration
    def __init__(self, tpm: _Optional[int] = ..., rpm: _Optional[int] = ..., max_budget_micro_usd: _Optional[int] = ..., budget_reset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
