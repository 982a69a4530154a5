from google.protobuf import field_mask_pb2 as _field_mask_pb2
from usher.v1 import row_limit_pb2 as _row_limit_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EndUser(_message.Message):
    __slots__ = ("id", "blocked", "limit", "etag")
    ID_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    id: str
    blocked: bool
    limit: _row_limit_pb2.RowLimit
    etag: str
    def __init__(self, id: _Optional[str] = ..., blocked: bool = ..., limit: _Optional[_Union[_row_limit_pb2.RowLimit, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class GetEndUserRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetEndUserResponse(_message.Message):
    __slots__ = ("end_user", "revision")
    END_USER_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    end_user: EndUser
    revision: str
    def __init__(self, end_user: _Optional[_Union[EndUser, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class ListEndUsersRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "id_prefix", "blocked")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    id_prefix: str
    blocked: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., id_prefix: _Optional[str] = ..., blocked: bool = ...) -> None: ...

class ListEndUsersResponse(_message.Message):
    __slots__ = ("end_users", "next_page_token", "revision")
    END_USERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    end_users: _containers.RepeatedCompositeFieldContainer[EndUser]
    next_page_token: str
    revision: str
    def __init__(self, end_users: _Optional[_Iterable[_Union[EndUser, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., revision: _Optional[str] = ...) -> None: ...

class CreateEndUserRequest(_message.Message):
    __slots__ = ("end_user", "request_id")
    END_USER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    end_user: EndUser
    request_id: str
    def __init__(self, end_user: _Optional[_Union[EndUser, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateEndUserResponse(_message.Message):
    __slots__ = ("end_user", "revision")
    END_USER_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    end_user: EndUser
    revision: str
    def __init__(self, end_user: _Optional[_Union[EndUser, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class UpdateEndUserRequest(_message.Message):
    __slots__ = ("end_user", "update_mask", "request_id")
    END_USER_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    end_user: EndUser
    update_mask: _field_mask_pb2.FieldMask
    request_id: str
    def __init__(self, end_user: _Optional[_Union[EndUser, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpdateEndUserResponse(_message.Message):
    __slots__ = ("end_user", "revision")
    END_USER_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    end_user: EndUser
    revision: str
    def __init__(self, end_user: _Optional[_Union[EndUser, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class DeleteEndUserRequest(_message.Message):
    __slots__ = ("id", "etag", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    etag: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteEndUserResponse(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: str
    def __init__(self, revision: _Optional[str] = ...) -> None: ...

class BlockEndUserRequest(_message.Message):
    __slots__ = ("id", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class BlockEndUserResponse(_message.Message):
    __slots__ = ("end_user", "revision")
    END_USER_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    end_user: EndUser
    revision: str
    def __init__(self, end_user: _Optional[_Union[EndUser, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class UnblockEndUserRequest(_message.Message):
    __slots__ = ("id", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UnblockEndUserResponse(_message.Message):
    __slots__ = ("end_user", "revision")
    END_USER_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    end_user: EndUser
    revision: str
    def __init__(self, end_user: _Optional[_Union[EndUser, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...
