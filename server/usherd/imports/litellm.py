"""Makes rows of what LiteLLM's tables hold. What they cannot say is noted; a row that would allow more without what it
cannot say is left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from usherd.facts import EndUser, Organization, Team, User
from usherd.ids import well_formed_id
from usherd.imports import litellm_tables as tables
from usherd.imports.litellm_fields import Fields
from usherd.imports.litellm_people import places_of, sign_on
from usherd.imports.litellm_read import Choices, Read
from usherd.imports.notes import Notes
from usherd.imports.values import is_set
from usherd.store import Row

ROLES = frozenset({"proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"})
MAX_ORGANIZATIONS = 256


class Translated(NamedTuple):
    """What came of it."""

    rows: tuple[Row, ...]
    """Each after those that it refers to: organizations, teams, users, places, end users."""
    notes: Notes
    spend: tuple[tuple[str, int], ...]
    """How many of each kind have spent something, which is not carried over."""


def translate(read: Read, choices: Choices) -> Translated:
    """Rows and notes."""
    made = _Translation(read, choices)
    rows = tuple(made.rows())
    spend = [(each.kind, sum((row.get("spend") or 0) > 0 for row in read.of(each))) for each in tables.TABLES]
    return Translated(rows, made.notes, tuple((kind, count) for kind, count in spend if count))


class _Translation:
    def __init__(self, read: Read, choices: Choices) -> None:
        self._read = read
        self._choices = choices
        self.notes = Notes()
        self._fields = Fields(read, self.notes)

    def rows(self) -> Iterator[Row]:
        organizations = list(self._organizations())
        yield from organizations
        known = {row.id for row in organizations}
        teams = list(self._teams(known))
        yield from teams
        users = list(self._users(known))
        yield from users
        yield from places_of(self._read, {row.id for row in teams}, {row.id for row in users}, self.notes)
        yield from self._end_users()

    def _organizations(self) -> Iterator[Organization]:
        table = tables.ORGANIZATIONS
        for row_id, row in self._fields.named(table):
            models = self._fields.models(table, row_id, row)
            if models is None:
                continue
            self._fields.told(table, row_id, row)
            yield Organization(
                id=row_id,
                alias=self._fields.text(table, row_id, "alias", row.get("organization_alias")),
                models=models or None,
                limit=self._fields.budget(table, row_id, row.get("budget_id")),
            )

    def _teams(self, organizations: set[str]) -> Iterator[Team]:
        table = tables.TEAMS
        for row_id, row in self._fields.named(table):
            organization = row.get("organization_id") or ""
            if organization and organization not in organizations:
                # Without the organization, what that one limits would not be limited.
                self.notes.skip(table.kind, row_id, "its organization is not imported")
                continue
            models = self._fields.models(table, row_id, row)
            if models is None:
                continue
            if not models:
                self.notes.leave(table.kind, row_id, _empty(all_of_them=self._choices.empty_is_all))
                models = ("*",) if self._choices.empty_is_all else ()
            self._fields.told(table, row_id, row)
            metadata = self._fields.metadata(table, row_id, row)
            guardrails = metadata.get("guardrails")
            modifiable = not isinstance(guardrails, dict) or guardrails.get("modify_guardrails") is not False
            yield Team(
                id=row_id,
                issuer=self._choices.issuer or None,
                alias=self._fields.text(table, row_id, "alias", row.get("team_alias")),
                organization=organization,
                models=models,
                blocked=bool(row.get("blocked")),
                limit=self._fields.limit(table, row_id, row),
                guardrails_modifiable=modifiable,
                model_aliases=self._fields.model_aliases(row_id, row.get("model_id")),
            )

    def _users(self, organizations: set[str]) -> Iterator[User]:
        table = tables.USERS
        belongs = self._organization_places(organizations)
        named = list(self._fields.named(table))
        identities = sign_on(named, self._choices.issuer, self._choices.subject, self.notes)
        for row_id, row in named:
            models = self._fields.models(table, row_id, row)
            if models is None:
                continue
            self._fields.told(table, row_id, row)
            role = row.get("user_role") or ""
            if role and role not in ROLES:
                self.notes.leave(table.kind, row_id, f"user_role: {_word(role)} is no directory role of usherd")
            sso_id = row.get("sso_user_id") or ""
            places = belongs.get(row_id, {})
            if (own := row.get("organization_id")) and own not in places:
                self.notes.leave(table.kind, row_id, "organization_id: LiteLLM has no membership for it")
            metadata = self._fields.metadata(table, row_id, row)
            yield User(
                id=row_id,
                identities=identities.get(row_id, ()),
                sso_ids=(sso_id,) if well_formed_id(sso_id) else (),
                email=self._fields.text(table, row_id, "user_email", row.get("user_email")),
                role=role if role in ROLES else "",
                models=models or None,
                organizations=tuple(places),
                administers=tuple(each for each, admin in places.items() if admin),
                blocked=metadata.get("scim_active") is False,
                limit=self._fields.limit(table, row_id, row),
            )

    def _organization_places(self, organizations: set[str]) -> dict[str, dict[str, bool]]:
        table = tables.ORGANIZATION_PLACES
        found: dict[str, dict[str, bool]] = {}
        for row in self._read.of(table):
            user, organization = row["user_id"], row["organization_id"]
            name = f"{user} in {organization}"
            if organization not in organizations:
                self.notes.skip(table.kind, name, "its organization is not imported")
            elif len(places := found.setdefault(user, {})) >= MAX_ORGANIZATIONS:
                self.notes.skip(table.kind, name, f"a user has at most {MAX_ORGANIZATIONS} places in organizations")
            else:
                places[organization] = row.get("user_role") == "org_admin"
                if is_set(row.get("budget_id")):
                    self.notes.leave(table.kind, name, "budget_id")
        return found

    def _end_users(self) -> Iterator[EndUser]:
        table = tables.END_USERS
        for row_id, row in self._fields.named(table):
            self._fields.told(table, row_id, row)
            limit = self._fields.budget(table, row_id, row.get("budget_id"))
            yield EndUser(id=row_id, blocked=bool(row.get("blocked")), limit=limit)


def _empty(*, all_of_them: bool) -> str:
    if all_of_them:
        return "models: it has none, which is every model in LiteLLM, and is `*` here"
    return "models: it has none, which is every model in LiteLLM, and none here unless lists.empty is all"


def _word(text: str) -> str:
    return text if well_formed_id(text) and len(text) <= 40 else "it"
