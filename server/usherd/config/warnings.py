"""Tells what a configuration may do but seldom should: each warning is shown at start."""

from __future__ import annotations

from collections.abc import Iterator

from usherd import claim_paths
from usherd.config.chosen import enforces_rbac
from usherd.config.opened import OPENED
from usherd.config.problems import quoted
from usherd.config.route_groups import RouteGroups, built_in, built_in_texts
from usherd.config.scalars import is_unprotected_cache
from usherd.config.schema import File
from usherd.config.schema_options import value_text
from usherd.config.settings import SharedCacheSettings
from usherd.facts import Rows
from usherd.options import Options, lax

MUTABLE_CLAIMS = frozenset({"email", "upn", "preferred_username", "unique_name"})
"""Names for people that change, and that many issuers let people choose (OpenID Connect Core 1.0, section 5.7)."""
LLM_GROUPS = (
    "openai_routes",
    "anthropic_routes",
    "google_routes",
    "mapped_pass_through_routes",
    "mcp_inference_routes",
)
"""The groups of routes that work with models or tools. `llm_api_routes` has them all."""
_NO_SPEND = "without directory.url, usherd cannot be told what is spent"


def warnings(file: File, preset: str, options: Options) -> Iterator[str]:
    """What is laxer than strict, in words for an operator: the key, then what follows from it."""
    yield from _insecure(file)
    yield from _guards(preset, options)
    yield from _idle(file, preset)
    yield from _users(file)
    yield from _introspection(file)
    yield from _public(file, options)


def budget_warnings(file: File, rows: Rows) -> Iterator[str]:
    """Budgets that look as if they denied something. They are told apart from a policy, for rows are no part of it."""
    if not file.budgets.enforce or file.directory.url is not None:
        return
    if file.budgets.together.max:
        yield f"budgets.global.max: {_NO_SPEND}, so it is never exhausted"
    if count := sum(each is not None and each > 0 for each in _maxima(rows)):
        who = "1 row or member has" if count == 1 else f"{count} rows or members have"
        yield f"directory: {who} a max_budget above 0; {_NO_SPEND}, so no such budget is ever exhausted"
    for key, provision in (("users", file.users.provision), ("teams", file.teams.provision)):
        if provision is not None and provision.defaults.max_budget:
            yield f"{key}.provision.defaults.max_budget: {_NO_SPEND}, so it is never exhausted"


def _maxima(rows: Rows) -> Iterator[int | None]:
    for kind in (rows.organizations, rows.teams, rows.users, rows.end_users):
        for row in kind:
            yield row.limit.max_budget_micro_usd
    for team in rows.teams:
        for member in team.members.values():
            yield member.max_budget_micro_usd


def shared_cache_warnings(shared: SharedCacheSettings | None) -> Iterator[str]:
    """What is told of where replicas share; no part of a policy either."""
    if shared is not None and is_unprotected_cache(shared.url):
        yield "cache.identity_provider: is not TLS; what is kept there is sealed, but a password is sent as it is"


def _insecure(file: File) -> Iterator[str]:
    insecure = file.insecure
    if insecure.session_master_key is not None:
        yield "insecure.session_master_key: sessions are verified with a key that also makes them, and none is revoked"
    if insecure.plaintext:
        yield "insecure.plaintext: tokens may cross the network unencrypted"
        if any(caller.credential for caller in file.callers):
            yield "insecure.plaintext: callers' credentials may cross the network unencrypted"
    if insecure.loopback_http:
        yield "insecure.loopback_http: keys may be fetched from this machine without TLS"
    if insecure.remote_metrics:
        yield "insecure.remote_metrics: other machines may read metrics and the state of the server"


def _guards(preset: str, options: Options) -> Iterator[str]:
    for info in lax(options):
        value = value_text(getattr(options, info.attribute))
        opened = f"{value}: {OPENED[info.name]}"
        yield f"insecure.{info.name}: {opened}" if preset == "strict" else f"preset {preset}: {info.name}: {opened}"


def _idle(file: File, preset: str) -> Iterator[str]:
    """Restrictions that are written and do not restrict, where the file may say so."""
    if file.role_permissions and not enforces_rbac(file, preset):
        yield "access.enforce_rbac: role_permissions is not enforced, so it restricts nobody"
    if file.scopes.enforce and not file.scopes.mappings:
        yield "scopes.enforce: there are no mappings, so nothing is held to them"
    if file.scopes.mappings and not file.scopes.enforce:
        yield "scopes.mappings: they are not enforced, so they restrict nothing"
    if not file.budgets.enforce:
        yield "budgets.enforce: exhausted budgets deny nothing"


def _users(file: File) -> Iterator[str]:
    for index, issuer in enumerate(file.issuers):
        user = issuer.claims.user
        if user is not None and claim_paths.parse(user)[-1] in MUTABLE_CLAIMS:
            yield (
                f"issuers[{index}].claims.user: {user} can change hands and is often not verified, so that one person"
                " can become another; sub or oid stays"
            )


def _introspection(file: File) -> Iterator[str]:
    for index, issuer in enumerate(file.issuers):
        asked = issuer.keys.introspection
        where = f"issuers[{index}].keys.introspection.may_lack"
        if asked is not None and "aud" in asked.may_lack:
            yield f"{where}: a token without `aud` is taken, whoever it was issued for"
        if asked is not None and "exp" in asked.may_lack:
            yield f"{where}: a token without `exp` is taken, and lives as long as its issuer says that it is active"


def _public(file: File, options: Options) -> Iterator[str]:
    literal = options.route_match == "literal"
    groups = RouteGroups(file.routes.version, file.routes.groups, literal=literal)
    known = (built_in_texts if literal else built_in)(file.routes.version)
    for index, entry in enumerate(file.routes.public):
        routes = set(groups.expand([entry]))
        whole = [name for name in LLM_GROUPS if name in known and routes.issuperset(known[name])]
        if whole:
            yield f"routes.public[{index}]: opens the whole of {', '.join(whole)} to everybody, without a token"
        elif not literal and any(route.endswith("/*") or ":path}" in route for route in routes):
            yield f"routes.public[{index}]: {quoted(entry)} has a wildcard; all below it is open to everybody"
