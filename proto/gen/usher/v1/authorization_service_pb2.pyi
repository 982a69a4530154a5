import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from usher.v1 import decision_pb2 as _decision_pb2
from usher.v1 import event_pb2 as _event_pb2
from usher.v1 import fault_pb2 as _fault_pb2
from usher.v1 import question_pb2 as _question_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_ONCE: _ClassVar[Mode]
    MODE_WATCH: _ClassVar[Mode]
MODE_UNSPECIFIED: Mode
MODE_ONCE: Mode
MODE_WATCH: Mode

class Options(_message.Message):
    __slots__ = ("explain", "at_least_as_fresh", "request_id")
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_AS_FRESH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    explain: bool
    at_least_as_fresh: str
    request_id: str
    def __init__(self, explain: bool = ..., at_least_as_fresh: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class AuthorizeRequest(_message.Message):
    __slots__ = ("question", "options", "mode")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    question: _question_pb2.Question
    options: Options
    mode: Mode
    def __init__(self, question: _Optional[_Union[_question_pb2.Question, _Mapping]] = ..., options: _Optional[_Union[Options, _Mapping]] = ..., mode: _Optional[_Union[Mode, str]] = ...) -> None: ...

class AuthorizeResponse(_message.Message):
    __slots__ = ("decision", "checkpoint", "changed", "expiring", "ended", "resync", "terms")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    EXPIRING_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    RESYNC_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    checkpoint: _event_pb2.Checkpoint
    changed: _event_pb2.Changed
    expiring: _event_pb2.Expiring
    ended: _event_pb2.Ended
    resync: _event_pb2.Resync
    terms: StreamTerms
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., checkpoint: _Optional[_Union[_event_pb2.Checkpoint, _Mapping]] = ..., changed: _Optional[_Union[_event_pb2.Changed, _Mapping]] = ..., expiring: _Optional[_Union[_event_pb2.Expiring, _Mapping]] = ..., ended: _Optional[_Union[_event_pb2.Ended, _Mapping]] = ..., resync: _Optional[_Union[_event_pb2.Resync, _Mapping]] = ..., terms: _Optional[_Union[StreamTerms, _Mapping]] = ...) -> None: ...

class StreamTerms(_message.Message):
    __slots__ = ("mode", "max_silence")
    MODE_FIELD_NUMBER: _ClassVar[int]
    MAX_SILENCE_FIELD_NUMBER: _ClassVar[int]
    mode: Mode
    max_silence: _duration_pb2.Duration
    def __init__(self, mode: _Optional[_Union[Mode, str]] = ..., max_silence: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SubscribeRequest(_message.Message):
    __slots__ = ("add", "remove")
    class Add(_message.Message):
        __slots__ = ("id", "question", "options")
        ID_FIELD_NUMBER: _ClassVar[int]
        QUESTION_FIELD_NUMBER: _ClassVar[int]
        OPTIONS_FIELD_NUMBER: _ClassVar[int]
        id: int
        question: _question_pb2.Question
        options: Options
        def __init__(self, id: _Optional[int] = ..., question: _Optional[_Union[_question_pb2.Question, _Mapping]] = ..., options: _Optional[_Union[Options, _Mapping]] = ...) -> None: ...
    ADD_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    add: _containers.RepeatedCompositeFieldContainer[SubscribeRequest.Add]
    remove: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, add: _Optional[_Iterable[_Union[SubscribeRequest.Add, _Mapping]]] = ..., remove: _Optional[_Iterable[int]] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("id", "decision_id", "decision", "checkpoint", "changed", "expiring", "ended", "resync", "fault", "terms")
    ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    EXPIRING_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    RESYNC_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    id: int
    decision_id: str
    decision: _decision_pb2.Decision
    checkpoint: _event_pb2.Checkpoint
    changed: _event_pb2.Changed
    expiring: _event_pb2.Expiring
    ended: _event_pb2.Ended
    resync: _event_pb2.Resync
    fault: _fault_pb2.Fault
    terms: StreamTerms
    def __init__(self, id: _Optional[int] = ..., decision_id: _Optional[str] = ..., decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., checkpoint: _Optional[_Union[_event_pb2.Checkpoint, _Mapping]] = ..., changed: _Optional[_Union[_event_pb2.Changed, _Mapping]] = ..., expiring: _Optional[_Union[_event_pb2.Expiring, _Mapping]] = ..., ended: _Optional[_Union[_event_pb2.Ended, _Mapping]] = ..., resync: _Optional[_Union[_event_pb2.Resync, _Mapping]] = ..., fault: _Optional[_Union[_fault_pb2.Fault, _Mapping]] = ..., terms: _Optional[_Union[StreamTerms, _Mapping]] = ...) -> None: ...

class CheckRequest(_message.Message):
    __slots__ = ("question", "options")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    question: _question_pb2.Question
    options: Options
    def __init__(self, question: _Optional[_Union[_question_pb2.Question, _Mapping]] = ..., options: _Optional[_Union[Options, _Mapping]] = ...) -> None: ...

class CheckResponse(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ...) -> None: ...

class BatchCheckRequest(_message.Message):
    __slots__ = ("token", "items", "options")
    class Item(_message.Message):
        __slots__ = ("id", "question")
        ID_FIELD_NUMBER: _ClassVar[int]
        QUESTION_FIELD_NUMBER: _ClassVar[int]
        id: str
        question: _question_pb2.Question
        def __init__(self, id: _Optional[str] = ..., question: _Optional[_Union[_question_pb2.Question, _Mapping]] = ...) -> None: ...
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    token: str
    items: _containers.RepeatedCompositeFieldContainer[BatchCheckRequest.Item]
    options: Options
    def __init__(self, token: _Optional[str] = ..., items: _Optional[_Iterable[_Union[BatchCheckRequest.Item, _Mapping]]] = ..., options: _Optional[_Union[Options, _Mapping]] = ...) -> None: ...

class BatchCheckResponse(_message.Message):
    __slots__ = ("results",)
    class Result(_message.Message):
        __slots__ = ("id", "decision", "fault")
        ID_FIELD_NUMBER: _ClassVar[int]
        DECISION_FIELD_NUMBER: _ClassVar[int]
        FAULT_FIELD_NUMBER: _ClassVar[int]
        id: str
        decision: _decision_pb2.Decision
        fault: _fault_pb2.Fault
        def __init__(self, id: _Optional[str] = ..., decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., fault: _Optional[_Union[_fault_pb2.Fault, _Mapping]] = ...) -> None: ...
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchCheckResponse.Result]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchCheckResponse.Result, _Mapping]]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ("question", "options", "page_size", "page_token")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    question: _question_pb2.Question
    options: Options
    page_size: int
    page_token: str
    def __init__(self, question: _Optional[_Union[_question_pb2.Question, _Mapping]] = ..., options: _Optional[_Union[Options, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "next_page_token", "denial", "revision")
    class Model(_message.Message):
        __slots__ = ("name", "resolved_model")
        NAME_FIELD_NUMBER: _ClassVar[int]
        RESOLVED_MODEL_FIELD_NUMBER: _ClassVar[int]
        name: str
        resolved_model: str
        def __init__(self, name: _Optional[str] = ..., resolved_model: _Optional[str] = ...) -> None: ...
    MODELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DENIAL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[ListModelsResponse.Model]
    next_page_token: str
    denial: _decision_pb2.Decision
    revision: str
    def __init__(self, models: _Optional[_Iterable[_Union[ListModelsResponse.Model, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., denial: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...
