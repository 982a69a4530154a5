"""Whether a named difference holds for a case: of its configuration, keys, token, claims, database and model.

Nothing here looks at what LiteLLM answered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from usherd.config.litellm.versions import REFERENCE, ROUTE_GROUPS
from usherd.config.route_groups import built_in_texts
from usherd.globs import fits
from usherd.ids import well_formed_id
from usherd.parity import litellm_config as litellm
from usherd.parity.cases import Case, Json
from usherd.parity.token_form import is_odd, is_unhygienic, key_of, odd_identifier

MAX_LEEWAY = 300

PUBLIC_ROUTES = frozenset(built_in_texts(ROUTE_GROUPS[REFERENCE])["public_routes"])
"""There nobody looks at the token."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What predicates look at."""

    case: Case
    document: object
    """The key document of the case."""


def leeway(subject: Subject) -> bool:
    """The configured leeway is longer than usherd takes."""
    return bool((subject.case.config.get("leeway") or 0) > MAX_LEEWAY)


def fault(subject: Subject) -> bool:
    """The endpoint of the keys cannot be reached, does not answer, or sends something else."""
    behaviour = subject.case.jwks_http or {}
    return "error" in behaviour or "body" in behaviour


def _looked_at(subject: Subject) -> bool:
    return subject.case.route.split("?", 1)[0] not in PUBLIC_ROUTES


def key_hygiene(subject: Subject) -> bool:
    """The key that LiteLLM would verify with is one that nobody should trust."""
    key = key_of(subject.case.token, subject.document)
    return _looked_at(subject) and subject.case.jwks_http is None and key is not None and is_unhygienic(key)


def bad_status(subject: Subject) -> bool:
    """The endpoint of the keys answers with an error, be there keys in its body or not."""
    status = (subject.case.jwks_http or {}).get("status", 200)
    return isinstance(status, int) and status != 200


def library(subject: Subject) -> bool:
    """`sub` or `jti` is no text."""
    return _looked_at(subject) and odd_identifier(subject.case.token, "sub", "jti")


def token_form(subject: Subject) -> bool:
    """The token is not in its one canonical form, or a date or `iss` in it has the wrong type."""
    token = subject.case.token
    return _looked_at(subject) and (is_odd(token) or odd_identifier(token, "iss"))


_ID_FIELDS = ("team_id_jwt_field", "user_id_jwt_field", "org_id_jwt_field", "end_user_id_jwt_field")


def id_type(subject: Subject) -> bool:
    """A claim that is read as an id is no text, or no text that an id can be."""
    case = subject.case
    ids = [litellm.claim(case, field) for field in _ID_FIELDS]
    if litellm.role_of_claims(case) in (litellm.TEAM, litellm.USER):
        ids.append(litellm.claim(case, "object_id_jwt_field"))
    return _looked_at(subject) and any(_is_no_id(each) for each in ids)


def _is_no_id(value: Any) -> bool:
    return value is not None and value != "" and not (isinstance(value, str) and well_formed_id(value))


def model_form(subject: Subject) -> bool:
    """The model is no text; or has a `*`, and the list that decides lacks it."""
    case = subject.case
    if not _looked_at(subject) or case.model is None:
        return False
    return not isinstance(case.model, str) or ("*" in case.model and _is_lacking(case))


def _is_lacking(case: Case) -> bool:
    """Whether the list that decides has not the model, unless LiteLLM guesses."""
    deciding = litellm.deciding_models(case)
    if deciding is None:
        return False
    models, of_team = deciding
    model = litellm.asked_model(case, of_team=of_team)
    return bool(model) and not litellm.covers(models, model, case, of_team=of_team)


def _entries(case: Case) -> list[str]:
    deciding = litellm.deciding_models(case)
    return [] if deciding is None else [entry for entry in deciding[0] if "*" in entry]


def glob(subject: Subject) -> bool:
    """The list that decides lacks the model, and has an entry that would take it as a regular expression."""
    case = subject.case
    return _looked_at(subject) and _is_lacking(case) and any(_is_special(each, case) for each in _entries(case))


def _is_special(entry: str, case: Case) -> bool:
    """Whether the entry, as a regular expression of which only `*` was replaced, takes more than its text says."""
    model = litellm.asked_model(case, of_team=True)
    try:
        taken = re.match(f"^{entry.replace('*', '.*')}$", model) is not None
    except re.error:
        return True
    return taken and not fits(model, entry)


def provider(subject: Subject) -> bool:
    """The list that decides lacks the model, and has an entry for all models of a provider."""
    case = subject.case
    return _looked_at(subject) and _is_lacking(case) and any("/" in entry for entry in _entries(case))


_CACHE_KEYS = ("litellm_jwt_auth_keys", "team_id:", "end_user_id:", "user_id:", "org_id:", "default_user_id:")


def cache_key(subject: Subject) -> bool:
    """The user's id is the key of another entry of LiteLLM's cache, and no user of that id is known."""
    case = subject.case
    user = litellm.claim(case, "user_id_jwt_field")
    if not isinstance(user, str) or not user.startswith(_CACHE_KEYS) or litellm.is_admin(case):
        return False
    known = litellm.user_row(case) is not None or bool(litellm.setting(case, "user_id_upsert"))
    return _looked_at(subject) and not known and litellm.claim(case, "object_id_jwt_field") is None


_ROLE_FIELDS = ("user_roles_jwt_field", "roles_jwt_field")
_TEXT_FIELDS = (*_ID_FIELDS, "object_id_jwt_field", "user_email_jwt_field")
NO_SUCH_TEAM = "~ no team of the case has this id ~"


def letters(subject: Subject) -> bool:
    """A claim that should be a list of roles or teams, and is read as nothing else, is a text."""
    return bool(_lists_as_text(subject.case))


def without_letters(case: Case) -> Json:
    """The claims with no roles in place of a text, and with one unknown team in place of a text of teams."""
    claims: dict[str, Any] = dict(litellm.claims_of(case))
    for path, instead in _lists_as_text(case):
        claims = _with(claims, path, instead)
    return claims


def _lists_as_text(case: Case) -> list[tuple[list[str], list[str]]]:
    """(path of the claim, what usherd reads in its place) of each text that should be a list."""
    found: list[tuple[list[str], list[str]]] = []
    for field in _ROLE_FIELDS:
        if isinstance(text := litellm.nested_claim(case, field), str) and text:
            found.append((litellm.setting(case, field).removeprefix("metadata.").split("."), []))
    if isinstance(text := litellm.claim(case, "team_ids_jwt_field"), str) and text:
        found.append(([litellm.setting(case, "team_ids_jwt_field")], [NO_SUCH_TEAM]))
    texts = {"scope", "sub", "iss", "jti", *(litellm.setting(case, field) for field in _TEXT_FIELDS)}
    return [(path, instead) for path, instead in found if path[0] not in texts]


def _with(claims: dict[str, Any], path: list[str], value: list[str]) -> dict[str, Any]:
    first, *rest = path
    return claims | {first: _with(claims[first], rest, value) if rest else value}
