"""Reads rows out of messages, field by field, so that an update can take some of them and leave the others alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from usherd.errors import FieldInvalid
from usherd.facts import EndUser, Membership, Organization, Team, User
from usherd.rpc.directory.fields import (
    LIMITS,
    MOST_BUDGET,
    id_of,
    ids_of,
    limit_of,
    limit_part,
    maybe_id,
    maybe_whole,
    models_of,
    one_of,
)
from usherd.store import ModelRow, Place, Row

MAX_IDENTITIES = 64
MAX_ORGANIZATIONS = 256
MAX_MODEL_ALIASES = 1000
MAX_WORDS = 64
"""Groups, or aliases, of one model."""
ROLES = ("", "proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer")
PLACES = ("user", "admin")


class Names(NamedTuple):
    """What the policy knows by name."""

    issuers: Collection[str]


Values = dict[str, Any]
"""Fields of a row and their values. `limit.tpm` and the like are fields of its limit, `place.role` of its place."""

Reader = Callable[[Any, str, Names], Values]
"""Reads one field of a message: from the message, the field's path in the request, and what is known by name.

Raises FieldInvalid.
"""


def changed(row: Any, values: Values) -> Row:
    """The row with these values."""
    parts: dict[str, Values] = {}
    own: Values = {}
    for name, value in values.items():
        owner, dot, part = name.partition(".")
        if dot:
            parts.setdefault(owner, {})[part] = value
        else:
            own[name] = value
    for owner, inner in parts.items():
        own[owner] = replace(own.get(owner, getattr(row, owner)), **inner)
    changed_row: Row = replace(row, **own)
    return changed_row


def _id(name: str) -> Reader:
    return lambda message, field, names: {name: maybe_id(getattr(message, name), field)}


def _blocked(message: Any, field: str, names: Names) -> Values:
    return {"blocked": message.blocked}


def _limit(message: Any, field: str, names: Names) -> Values:
    return {"limit": limit_of(message.limit, field)}


def _limit_part(name: str) -> Reader:
    def read(message: Any, field: str, names: Names) -> Values:
        part, value = limit_part(message.limit, name, field)
        return {f"limit.{part}": value}

    return read


_LIMITED: Mapping[str, Reader] = {
    "blocked": _blocked,
    "limit": _limit,
    **{f"limit.{name}": _limit_part(name) for name in LIMITS},
}


def _ceiling(message: Any, field: str, names: Names) -> Values:
    return {"models": models_of(message, "model_ceiling", field)}


def _organization(message: Any, field: str, names: Names) -> Values:
    return {"organization": maybe_id(message.organization_id, field)}


def _team_models(message: Any, field: str, names: Names) -> Values:
    # No grant is an empty one.
    return {"models": models_of(message, "models", field) or ()}


def _team_issuer(message: Any, field: str, names: Names) -> Values:
    issuer = message.issuer
    # A team of nobody's is within reach of no token: whoever wrote it would think otherwise.
    if issuer not in names.issuers and (issuer or len(names.issuers) > 1):
        raise FieldInvalid(field, "a configured issuer")
    return {"issuer": issuer or None}


def _guardrails(message: Any, field: str, names: Names) -> Values:
    return {"guardrails_modifiable": not message.guardrails_locked}


def _model_aliases(message: Any, field: str, names: Names) -> Values:
    if len(message.model_aliases) > MAX_MODEL_ALIASES:
        raise FieldInvalid(field, f"at most {MAX_MODEL_ALIASES}")
    found: dict[str, str] = {}
    for place, each in enumerate(message.model_aliases):
        name = id_of(each.name, f"{field}[{place}].name")
        if name in found:
            raise FieldInvalid(field, "each name once")
        found[name] = id_of(each.model, f"{field}[{place}].model")
    return {"model_aliases": found}


def _identities(message: Any, field: str, names: Names) -> Values:
    if len(message.identities) > MAX_IDENTITIES:
        raise FieldInvalid(field, f"at most {MAX_IDENTITIES}")
    found = tuple(_identity(each, f"{field}[{place}]", names) for place, each in enumerate(message.identities))
    if len(set(found)) != len(found):
        raise FieldInvalid(field, "each once")
    return {"identities": found}


def _identity(message: Any, field: str, names: Names) -> tuple[str, str]:
    if message.issuer not in names.issuers:
        raise FieldInvalid(f"{field}.issuer", "a configured issuer")
    return message.issuer, id_of(message.subject, f"{field}.subject")


def _sso_ids(message: Any, field: str, names: Names) -> Values:
    return {"sso_ids": ids_of(message.sso_ids, field, MAX_IDENTITIES)}


def _role(message: Any, field: str, names: Names) -> Values:
    return {"role": one_of(message.role, field, ROLES)}


def _user_models(message: Any, field: str, names: Names) -> Values:
    return {"models": models_of(message, "models", field)}


def _organizations(message: Any, field: str, names: Names) -> Values:
    places = message.organizations
    if len(places) > MAX_ORGANIZATIONS:
        raise FieldInvalid(field, f"at most {MAX_ORGANIZATIONS}")
    ids = [id_of(each.organization_id, f"{field}[{place}].organization_id") for place, each in enumerate(places)]
    if len(set(ids)) != len(ids):
        raise FieldInvalid(field, "each once")
    administers = tuple(each.organization_id for each in places if each.administers)
    return {"organizations": tuple(ids), "administers": administers}


def _place(message: Any, field: str, names: Names) -> Values:
    return {"place.role": one_of(message.role or "user", field, PLACES)}


def _place_budget(message: Any, field: str, names: Names) -> Values:
    maximum = maybe_whole(message, "max_budget_micro_usd", field, MOST_BUDGET)
    return {"place.max_budget_micro_usd": maximum}


def _words(name: str) -> Reader:
    return lambda message, field, names: {name: ids_of(getattr(message, name), field, MAX_WORDS)}


ORGANIZATION: Mapping[str, Reader] = {"alias": _id("alias"), "model_ceiling": _ceiling, **_LIMITED}
TEAM: Mapping[str, Reader] = {
    "issuer": _team_issuer,
    "alias": _id("alias"),
    "organization_id": _organization,
    "models": _team_models,
    "guardrails_locked": _guardrails,
    "model_aliases": _model_aliases,
    **_LIMITED,
}
USER: Mapping[str, Reader] = {
    "identities": _identities,
    "sso_ids": _sso_ids,
    "email": _id("email"),
    "role": _role,
    "models": _user_models,
    "organizations": _organizations,
    **_LIMITED,
}
MEMBERSHIP: Mapping[str, Reader] = {"role": _place, "max_budget_micro_usd": _place_budget}
END_USER: Mapping[str, Reader] = _LIMITED
MODEL: Mapping[str, Reader] = {"provider": _id("provider"), "groups": _words("groups"), "aliases": _words("aliases")}


def blank_organization(row_id: tuple[str, ...]) -> Row:
    """An organization of which nothing else is known."""
    return Organization(id=row_id[0])


def blank_team(row_id: tuple[str, ...]) -> Row:
    """A team of which nothing else is known."""
    return Team(id=row_id[0], models=())


def blank_user(row_id: tuple[str, ...]) -> Row:
    """A user of which nothing else is known."""
    return User(id=row_id[0])


def blank_place(row_id: tuple[str, ...]) -> Row:
    """A place of which nothing else is known."""
    return Place(team=row_id[0], user=row_id[1], place=Membership())


def blank_end_user(row_id: tuple[str, ...]) -> Row:
    """An end user of which nothing else is known."""
    return EndUser(id=row_id[0])


def blank_model(row_id: tuple[str, ...]) -> Row:
    """A model of which nothing else is known."""
    return ModelRow(name=row_id[0])


def of_all(readers: Mapping[str, Reader]) -> Iterator[str]:
    """The fields that make up the whole row: parts of another one are left out."""
    return (name for name in readers if "." not in name)
