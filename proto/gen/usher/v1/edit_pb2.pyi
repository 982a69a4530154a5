from usher.v1 import end_user_pb2 as _end_user_pb2
from usher.v1 import membership_pb2 as _membership_pb2
from usher.v1 import model_pb2 as _model_pb2
from usher.v1 import organization_pb2 as _organization_pb2
from usher.v1 import team_pb2 as _team_pb2
from usher.v1 import user_pb2 as _user_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApplyEditsRequest(_message.Message):
    __slots__ = ("edits", "request_id")
    EDITS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    edits: _containers.RepeatedCompositeFieldContainer[Edit]
    request_id: str
    def __init__(self, edits: _Optional[_Iterable[_Union[Edit, _Mapping]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ApplyEditsResponse(_message.Message):
    __slots__ = ("revision", "results")
    class Result(_message.Message):
        __slots__ = ("etag",)
        ETAG_FIELD_NUMBER: _ClassVar[int]
        etag: str
        def __init__(self, etag: _Optional[str] = ...) -> None: ...
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    revision: str
    results: _containers.RepeatedCompositeFieldContainer[ApplyEditsResponse.Result]
    def __init__(self, revision: _Optional[str] = ..., results: _Optional[_Iterable[_Union[ApplyEditsResponse.Result, _Mapping]]] = ...) -> None: ...

class Edit(_message.Message):
    __slots__ = ("create", "update", "put", "delete")
    CREATE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    PUT_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    create: Row
    update: Row
    put: Row
    delete: RowName
    def __init__(self, create: _Optional[_Union[Row, _Mapping]] = ..., update: _Optional[_Union[Row, _Mapping]] = ..., put: _Optional[_Union[Row, _Mapping]] = ..., delete: _Optional[_Union[RowName, _Mapping]] = ...) -> None: ...

class Row(_message.Message):
    __slots__ = ("organization", "team", "user", "membership", "end_user", "model")
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    TEAM_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIP_FIELD_NUMBER: _ClassVar[int]
    END_USER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    organization: _organization_pb2.Organization
    team: _team_pb2.Team
    user: _user_pb2.User
    membership: _membership_pb2.Membership
    end_user: _end_user_pb2.EndUser
    model: _model_pb2.CatalogueModel
    def __init__(self, organization: _Optional[_Union[_organization_pb2.Organization, _Mapping]] = ..., team: _Optional[_Union[_team_pb2.Team, _Mapping]] = ..., user: _Optional[_Union[_user_pb2.User, _Mapping]] = ..., membership: _Optional[_Union[_membership_pb2.Membership, _Mapping]] = ..., end_user: _Optional[_Union[_end_user_pb2.EndUser, _Mapping]] = ..., model: _Optional[_Union[_model_pb2.CatalogueModel, _Mapping]] = ...) -> None: ...

class RowName(_message.Message):
    __slots__ = ("organization_id", "team_id", "user_id", "membership", "end_user_id", "model_name", "etag")
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    TEAM_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIP_FIELD_NUMBER: _ClassVar[int]
    END_USER_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    organization_id: str
    team_id: str
    user_id: str
    membership: _membership_pb2.MembershipName
    end_user_id: str
    model_name: str
    etag: str
    def __init__(self, organization_id: _Optional[str] = ..., team_id: _Optional[str] = ..., user_id: _Optional[str] = ..., membership: _Optional[_Union[_membership_pb2.MembershipName, _Mapping]] = ..., end_user_id: _Optional[str] = ..., model_name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...
