"""What must hold for an issuer as a whole: one source of keys, over a way that nobody can change."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from usherd.config.chosen import options_of
from usherd.config.findings import Found, filled, known, readable, tried, twice
from usherd.config.problems import KeyPath, Unusable, one_of, quoted
from usherd.config.scalars import check_url
from usherd.config.schema import File
from usherd.config.schema_issuers import Introspection, Issuer
from usherd.options import Options
from usherd.policy import ANY_ISSUER

SOURCES = ("discovery", "jwks_url", "jwks_file", "jwks", "pem_file", "introspection")
FETCHED = frozenset({"discovery", "jwks_url"})
FORBIDDEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events"})


def check(file: File, folder: Path) -> Found:
    """Everything that is wrong with the issuers of a file whose single values are right."""
    yield from filled(("issuers",), file.issuers, "expected at least one issuer")
    yield from twice(("issuers",), [issuer.name for issuer in file.issuers], "name", "the name")
    yield from twice(("issuers",), [issuer.issuer for issuer in file.issuers], "issuer", "the issuer")
    roles = [role.name for role in file.roles]
    options = options_of(file)
    for index, issuer in enumerate(file.issuers):
        path: KeyPath = ("issuers", index)
        yield from _issuer(path, issuer, roles)
        if issuer.issuer == ANY_ISSUER:
            yield from _any_issuer(path, issuer, options, others=len(file.issuers) > 1)
        if issuer.audiences is None and options.require_audience:
            yield (*path, "audiences"), "is missing; expected at least one: tokens for others would be taken, too"
        yield from _keys((*path, "keys"), issuer, folder, loopback_http=file.insecure.loopback_http)
    yield from _opaque(file.issuers)


def _issuer(path: KeyPath, issuer: Issuer, roles: Collection[str]) -> Found:
    yield from filled(
        (*path, "audiences"), issuer.audiences, "expected at least one: tokens for others would be taken, too"
    )
    yield from filled((*path, "algorithms"), issuer.algorithms, "expected at least one algorithm, or no such key")
    yield from filled((*path, "service_when"), issuer.service_when, "every token would be a service's")
    for key in ("required_claims", "service_when"):
        for claim, values in (getattr(issuer, key) or {}).items():
            yield from filled((*path, key, claim), values, "expected at least one value")
    for claim in issuer.required_claims:
        if claim in FORBIDDEN_CLAIMS or claim in issuer.forbidden_claims:
            yield (*path, "required_claims", claim), "is forbidden, too, so no token would be taken"
    for place, role in enumerate(issuer.may_grant.roles or []):
        yield from known((*path, "may_grant", "roles", place), role, roles, "role")


def _any_issuer(path: KeyPath, issuer: Issuer, options: Options, *, others: bool) -> Found:
    where = (*path, "issuer")
    if options.require_issuer:
        yield (
            where,
            "'*' takes tokens of every issuer; expected the exact `iss`, or insecure: {token.require_issuer: false}",
        )
    if others:
        yield where, "'*' takes tokens of every issuer; expected no other issuer beside it"
    if issuer.keys.discovery is True:
        yield (*path, "keys", "discovery"), "'*' has no address to ask; expected the URL of a discovery document"


def _keys(path: KeyPath, issuer: Issuer, folder: Path, *, loopback_http: bool) -> Found:
    keys = issuer.keys
    given = [source for source in SOURCES if getattr(keys, source) is not None]
    if len(given) != 1:
        has = f"has {one_of(given).replace(' or ', ' and ')}" if given else "has no source"
        yield path, f"{has}; expected exactly one of {one_of(SOURCES)}"
        return
    if keys.jwks_url is not None:
        yield from filled((*path, "jwks_url"), keys.jwks_url, "expected at least one URL")
    if keys.introspection is not None:
        yield from _introspection(path, issuer, keys.introspection, loopback_http=loopback_http)
    if given[0] in FETCHED:
        for place, url in _urls(path, issuer):
            try:
                check_url(url, loopback_http=loopback_http)
            except Unusable as error:
                yield place, str(error)
    elif "refresh" in keys.model_fields_set:
        why = "which has no keys" if keys.introspection is not None else "which is read once at start"
        yield (*path, "refresh"), f"means nothing for {given[0]}, {why}; expected no such key"
    if given[0] in ("jwks_file", "pem_file"):
        yield from readable((*path, given[0]), folder / getattr(keys, given[0]))
    if keys.jwks is not None and not isinstance(keys.jwks.get("keys"), list):
        yield (*path, "jwks"), "has no list of keys; expected {keys: [...]} (RFC 7517, section 5)"


def _introspection(path: KeyPath, issuer: Issuer, asked: Introspection, *, loopback_http: bool) -> Found:
    yield from tried((*path, "introspection", "url"), lambda: check_url(asked.url, loopback_http=loopback_http))
    if "denied" in issuer.keys.model_fields_set:
        yield (*path, "denied"), "means nothing for introspection, which has no keys; expected no such key"
    if issuer.algorithms is not None:
        yield (*path[:-1], "algorithms"), "means nothing for introspection, which has no keys; expected no such key"
    if issuer.issuer == ANY_ISSUER:
        yield (
            (*path[:-1], "issuer"),
            "'*' takes tokens of every issuer, and one alone would be asked; expected the exact `iss`",
        )
    for place, prefix in enumerate(asked.opaque or []):
        if re.fullmatch(r"[A-Za-z0-9._~+/-]*", prefix) is None:
            yield (
                (*path, "introspection", "opaque", place),
                f"{quoted(prefix)} begins no token; expected letters, digits and -._~+/ (RFC 6750, section 2.1)",
            )


def _opaque(issuers: Sequence[Issuer]) -> Found:
    """Opaque tokens that two issuers could take: nothing in such a token says whose it is."""
    taken = [
        (index, place, prefix)
        for index, issuer in enumerate(issuers)
        if issuer.keys.introspection is not None
        for place, prefix in enumerate(issuer.keys.introspection.opaque or [])
    ]
    for number, (index, place, prefix) in enumerate(taken):
        for other, _, before in taken[:number]:
            if not prefix.startswith(before) and not before.startswith(prefix):
                continue
            where = ("issuers", index, "keys", "introspection", "opaque")
            if other == index:
                yield (
                    (*where, place),
                    f"{quoted(prefix)} and {quoted(before)} begin the same tokens; expected one of them",
                )
            else:
                yield (
                    where,
                    f"issuers[{other}] could take the same opaque tokens; expected prefixes that tell them apart",
                )
            break


def _urls(path: KeyPath, issuer: Issuer) -> list[tuple[KeyPath, str]]:
    keys = issuer.keys
    if keys.discovery is True and issuer.issuer == ANY_ISSUER:
        return []
    if keys.discovery is True:
        # The issuer itself is what is asked, so it is the one that must be https.
        return [((*path[:-1], "issuer"), issuer.issuer)]
    if isinstance(keys.discovery, str):
        return [((*path, "discovery"), keys.discovery)]
    return [((*path, "jwks_url", index), url) for index, url in enumerate(keys.jwks_url or [])]
