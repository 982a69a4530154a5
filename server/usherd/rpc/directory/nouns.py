"""The kinds of rows: for each its name in the contract, how it is read, shown, named and looked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from google.protobuf.message import Message

from usher.v1 import end_user_pb2, membership_pb2, model_pb2, organization_pb2, team_pb2, user_pb2
from usherd.changes import RowKind
from usherd.errors import FieldInvalid
from usherd.rpc.directory import filters, rows, shown
from usherd.rpc.directory.fields import etag_of, id_of
from usherd.rpc.directory.rows import Names, Reader, changed, of_all
from usherd.store import Filter, Row, RowId


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """One kind of rows."""

    kind: RowKind
    name: str
    """As in `GetTeam`."""
    plural: str
    """As in `ListTeams`."""
    field: str
    """Of the one row in requests, answers and edits."""
    fields: str
    """Of the rows in a page."""
    module: ModuleType
    """Has its requests and answers."""
    keys: tuple[str, ...] = ("id",)
    """The fields of its id."""
    readers: Mapping[str, Reader]
    """By field: what an update may change."""
    blank: Callable[[RowId], Row]
    show: Callable[[Any, str], Message]
    """From a row and its etag."""
    wanted: Callable[[Any], Filter]
    """From the request for a list."""

    def message(self, form: str) -> type[Any]:
        """The message of that name, as `Get{}Request`."""
        found: type[Any] = getattr(self.module, form.format(self.name))
        return found

    def id_of(self, message: Any, field: str) -> RowId:
        """The id in a message that has its fields. Raises FieldInvalid."""
        return tuple(id_of(getattr(message, key), f"{field}.{key}" if field else key) for key in self.keys)

    def named(self, request: Any) -> RowId:
        """The id in a request that names a row. Raises FieldInvalid."""
        if self.kind is RowKind.MEMBERSHIP:
            return self.id_of(request.name, "name")
        return self.id_of(request, "")

    def whole(self, message: Any, field: str, names: Names) -> Row:
        """The row that a message describes. Raises FieldInvalid."""
        row = self.blank(self.id_of(message, field))
        values: rows.Values = {}
        for name in of_all(self.readers):
            values |= self.readers[name](message, f"{field}.{name}", names)
        return changed(row, values)

    def some(self, message: Any, field: str, paths: list[str], names: Names) -> rows.Values:
        """The values of the fields in an update mask. Raises FieldInvalid."""
        if not paths:
            raise FieldInvalid("update_mask.paths", "at least one, or no mask at all")
        values: rows.Values = {}
        # The parts of a field come after it.
        for place, name in sorted(enumerate(paths), key=lambda each: each[1]):
            if name not in self.readers:
                known = ", ".join(self.readers)
                raise FieldInvalid(f"update_mask.paths[{place}]", f"a field that may change: {known}")
            values |= self.readers[name](message, f"{field}.{name}", names)
        return values

    def etag(self, message: Any, field: str) -> str:
        """The etag in a message. Raises FieldInvalid."""
        return etag_of(message.etag, f"{field}.etag")


ORGANIZATION = Noun(
    kind=RowKind.ORGANIZATION,
    name="Organization",
    plural="Organizations",
    field="organization",
    fields="organizations",
    module=organization_pb2,
    readers=rows.ORGANIZATION,
    blank=rows.blank_organization,
    show=shown.organization,
    wanted=filters.organizations,
)
TEAM = Noun(
    kind=RowKind.TEAM,
    name="Team",
    plural="Teams",
    field="team",
    fields="teams",
    module=team_pb2,
    readers=rows.TEAM,
    blank=rows.blank_team,
    show=shown.team,
    wanted=filters.teams,
)
USER = Noun(
    kind=RowKind.USER,
    name="User",
    plural="Users",
    field="user",
    fields="users",
    module=user_pb2,
    readers=rows.USER,
    blank=rows.blank_user,
    show=shown.user,
    wanted=filters.users,
)
MEMBERSHIP = Noun(
    kind=RowKind.MEMBERSHIP,
    name="Membership",
    plural="Memberships",
    field="membership",
    fields="memberships",
    module=membership_pb2,
    keys=("team_id", "user_id"),
    readers=rows.MEMBERSHIP,
    blank=rows.blank_place,
    show=shown.membership,
    wanted=filters.memberships,
)
END_USER = Noun(
    kind=RowKind.END_USER,
    name="EndUser",
    plural="EndUsers",
    field="end_user",
    fields="end_users",
    module=end_user_pb2,
    readers=rows.END_USER,
    blank=rows.blank_end_user,
    show=shown.end_user,
    wanted=filters.end_users,
)
MODEL = Noun(
    kind=RowKind.MODEL,
    name="CatalogueModel",
    plural="CatalogueModels",
    field="model",
    fields="models",
    module=model_pb2,
    keys=("name",),
    readers=rows.MODEL,
    blank=rows.blank_model,
    show=shown.model,
    wanted=filters.models,
)

NOUNS = (ORGANIZATION, TEAM, USER, MEMBERSHIP, END_USER, MODEL)
BY_FIELD: Mapping[str, Noun] = {noun.field: noun for noun in NOUNS}
