"""Makes usherd's issuers of LiteLLM's: of the variables of the environment, and of the list `issuers`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from usherd.config.litellm.claims import dotted_path
from usherd.config.litellm.jwtauth import JwtAuth
from usherd.config.litellm.key_sources import bounded_duration, inline_keys, key_source
from usherd.config.litellm.notebook import Notebook
from usherd.config.litellm.unsupported import refuse_in_jwtauth
from usherd.config.litellm.values import Section
from usherd.config.litellm.versions import ALGORITHMS, ISSUER_KEYS, LATEST, REFERENCE, Version
from usherd.config.patterns import check_name
from usherd.config.problems import Unusable
from usherd.policy import ANY_ISSUER

ONLY_NAME = "idp"
"""The name of the issuer that the environment describes."""
KEY_URL, AUDIENCE, ISSUER = "JWT_PUBLIC_KEY_URL", "JWT_AUDIENCE", "JWT_ISSUER"
CHECKS: Mapping[Version, frozenset[str]] = {
    REFERENCE: frozenset({AUDIENCE}),
    LATEST: frozenset({AUDIENCE, ISSUER}),
}
"""The variables without which less of a token is checked."""
_FIELDS = {
    "user_id_jwt_field": "user",
    "user_email_jwt_field": "email",
    "team_id_jwt_field": "team",
    "team_ids_jwt_field": "teams",
    "org_id_jwt_field": "organization",
    "end_user_id_jwt_field": "end_user",
}

FETCHING = 10.0
"""Seconds that a fetch may take: twice the default time-out."""

Issuer = dict[str, Any]


def issuers(
    auth: JwtAuth, environment: Mapping[str, str], version: Version, keys: object, book: Notebook
) -> list[Issuer]:
    """The issuers, with their audiences, keys and claims.

    `keys` is a key document that takes the place of fetching one; None: there is none.
    """
    refresh = _refresh(auth, book)
    found = [made for section in auth.issuers if (made := _listed(section, auth, refresh, book)) is not None]
    _name(found)
    url, exact = environment.get(KEY_URL), environment.get(ISSUER) if version == LATEST else None
    if exact == "":
        book.variable(ISSUER, "is empty; expected the exact `iss` of your tokens, or no such variable")
    if not found or url is not None:
        if found and not exact:
            book.variable(
                KEY_URL,
                "takes tokens of every issuer besides those that are listed; expected no such variable, or JWT_ISSUER"
                " to name the one issuer that it is for",
            )
        elif all(issuer["issuer"] != exact for issuer in found):
            found.append(_global(auth, environment, exact, version, keys, refresh, book))
    if len(found) > 1:
        book.note(
            "issuers: with more than one, rows of the directory name theirs: teams an issuer, users their identities"
        )
    return found


def _refresh(auth: JwtAuth, book: Notebook) -> dict[str, str]:
    every = bounded_duration(auth.key_ttl, 10.0, 86400.0, auth.section.at("public_key_ttl"), book)
    # Keys are fetched beside the questions, not before one: until that is done, the old ones serve.
    stale_ttl = max(auth.key_stale_ttl, FETCHING)
    stale = bounded_duration(stale_ttl, 0.0, 604800.0, auth.section.at("public_key_stale_ttl"), book)
    # LiteLLM forgets a key with the set that no longer has it.
    return {"every": every, "stale_for": stale, "removed_grace": "0s"}


def _global(
    auth: JwtAuth,
    environment: Mapping[str, str],
    exact: str | None,
    version: Version,
    keys: object,
    refresh: Mapping[str, str],
    book: Notebook,
) -> Issuer:
    audience = environment.get(AUDIENCE)
    if audience == "":
        book.variable(
            AUDIENCE,
            "is empty, and LiteLLM refuses every token then; expected the audience of your tokens, or no such variable",
        )
    source: dict[str, Any] = {}
    if keys is not None:
        source = {"jwks": inline_keys(keys)}
    else:
        try:
            source = key_source(environment.get(KEY_URL), version) | {"refresh": dict(refresh)}
        except Unusable as error:
            book.variable(KEY_URL, str(error))
    return _issuer(
        ONLY_NAME, exact or ANY_ISSUER, None if audience is None else [audience], source, version, auth.claims
    )


def _listed(section: Section, auth: JwtAuth, refresh: Mapping[str, str], book: Notebook) -> Issuer | None:
    section.known(ISSUER_KEYS, LATEST)
    refuse_in_jwtauth(section, book)
    iss, audiences = section.text("issuer"), _audiences(section, book)
    if not iss:
        book.problem(section.at("issuer"), "is missing; expected the exact `iss` of its tokens")
        return None
    claims = dict(auth.claims)
    for field, name in _FIELDS.items():
        text = section.text(field)
        if text is not None:
            try:
                claims[name] = dotted_path(text, LATEST)
            except Unusable as error:
                book.problem(section.at(field), str(error))
    url, source = section.text("jwks_url"), {"discovery": True}
    if url is not None:
        try:
            source = key_source(url, LATEST)
        except Unusable as error:
            book.problem(section.at("jwks_url"), str(error))
    return _issuer("", iss, audiences, source | {"refresh": dict(refresh)}, LATEST, claims)


def _audiences(section: Section, book: Notebook) -> list[str] | None:
    unchecked = section.flag("disable_audience_validation")
    value = section.raw("audience")
    if isinstance(value, str):
        found = section.text("audience")
        audiences: Sequence[str] = [] if found is None else [found]
    else:
        audiences = section.texts("audience") or []
    if bool(audiences) is unchecked:
        book.problem(section.path, "expected either audience, or disable_audience_validation: true")
    if not all(audiences):
        book.problem(section.at("audience"), "has an empty text; expected the audience of its tokens")
    return list(audiences) or None


def _issuer(
    name: str,
    iss: str,
    audiences: list[str] | None,
    keys: dict[str, Any],
    version: Version,
    claims: Mapping[str, str],
) -> Issuer:
    made: Issuer = {"name": name, "issuer": iss}
    if audiences is not None:
        made["audiences"] = audiences
    made["keys"] = keys
    made["algorithms"] = list(ALGORITHMS[version])
    made["leeway"] = "0s"
    made["may_grant"] = {"admin": True}
    # Words that LiteLLM does not read must not refuse a token: `user`, `email` and `client` are read unless null.
    made["claims"] = {"user": None, "email": None, **claims, "scopes": ["scope"], "client": []}
    return made


def _name(found: list[Issuer]) -> None:
    """Names the issuers by their hosts, each differently."""
    taken: set[str] = {ONLY_NAME}
    for issuer in found:
        issuer["name"] = next(name for name in _names(issuer["issuer"]) if name not in taken)
        taken.add(issuer["name"])


def _names(iss: str) -> Iterator[str]:
    host = re.sub(r"[^A-Za-z0-9.-]", "", _host(iss))[:56].strip(".-")
    try:
        name = check_name(host)
    except Unusable:
        name = "issuer"
    yield name
    for number in range(2, 10_000):
        yield f"{name}-{number}"


def _host(iss: str) -> str:
    try:
        return urlsplit(iss).hostname or ""
    except ValueError:
        return ""
