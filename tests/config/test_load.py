"""A configuration means what it says, and what it leaves out is the strict choice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config_files import ISSUER, TWO_ISSUERS, problems, settings
from usherd.config.load import load
from usherd.domain import Limit, PrincipalKind
from usherd.policy import ClaimPaths, MayGrant

FULL = """\
preset: strict
issuers:
  - name: idp
    issuer: https://idp.example
    audiences: [api://gateway, other]
    keys:
      jwks_url: https://idp.example/keys
      refresh: {every: 5m, stale_for: 2h, removed_grace: 1d, unknown_kid_cooldown: 1m, timeout: 500ms}
      denied: [leaked]
    algorithms: [RS256]
    leeway: 0s
    required_claims: {azp: [app], tenant.id: "7"}
    forbidden_claims: [acr]
    may_grant: {admin: true, roles: [reader], teams: [red], organizations: all}
    claims: {user: oid, email: null, teams: "groups", organization: 'a\\.b[0]', scopes: scp}
    service_when: {idtyp: app}
    answer_claims: [department]
roles:
  - name: reader
    when: {roles: [Reader, "Reader.*"], groups: eng}
    for: [service]
    grants: {routes: [my_routes, GET /v1/files/*], models: ["gpt-4o*", access-group/fast]}
    deny: {routes: [/v1/files/secret], models: [o3]}
admin: {scopes: [root], routes: [management_routes]}
users: {routes: [/v1/models]}
teams: {required: claim, default: red, routes: [/v1/embeddings], priority: [red]}
token: {max_size: 16KiB, max_lifetime: 1h}
routes:
  {version: reference, groups: {my_routes: ["/internal/{id}"]}, public: [/health], allowed: [my_routes],
   admin_only: [/a]}
models:
  - {name: gpt-4o, provider: openai, groups: [fast], aliases: [default]}
directory: {seed: directory.yaml}
cache: {tokens: 10, ttl: 5s}
server:
  {address: "unix:/run/u.sock", reflection: off, explanations: on, limits: {deadline: 1s, concurrency: 5}, drain: 3s}
telemetry: {log: json, level: debug}
insecure: {session_master_key: env:KEY, loopback_http: true}
"""
PEOPLE = """\
organizations: [{id: acme, models: [], blocked: true, max_budget: 0.1, budget_period: 30d}]
teams:
  - {id: red, alias: Red, organization: acme, models: ["*"], tpm: 5, rpm: 6, model_aliases: {mine: gpt-4o},
     members: [{user: alice, role: admin, max_budget: "12.5"}]}
users:
  - {id: alice, identities: [{issuer: idp, subject: a1}], email: a@example.com, role: internal_user, models: [x],
     teams: [red], organizations: [acme]}
end_users: [{id: customer, blocked: true}]
"""
KEY = "k" * 32


def test_every_value_of_a_file_reaches_the_policy(tmp_path: Path) -> None:
    policy = settings(tmp_path, FULL, directory=PEOPLE, environment={"KEY": KEY}).policy

    (issuer,) = policy.issuers
    assert issuer.token.audiences == {"api://gateway", "other"}
    assert issuer.token.algorithms == {"RS256"}
    assert issuer.token.leeway == 0.0
    assert issuer.token.max_lifetime == 3600.0
    assert issuer.token.required_claims == (
        ("azp", ("azp",), frozenset({"app"})),
        ("tenant.id", ("tenant", "id"), frozenset({"7"})),
    )
    assert issuer.token.forbidden_claims == {"acr", "nonce", "at_hash", "c_hash", "s_hash", "events"}
    assert issuer.claims == ClaimPaths(
        user=("oid",), email=None, teams=("groups",), organization=("a.b", 0), scopes=(("scp",),)
    )
    assert issuer.may_grant == MayGrant(admin=True, roles=frozenset({"reader"}), teams=frozenset({"red"}))
    assert issuer.service_when == ((("idtyp",), ("app",)),)
    assert issuer.answer_claims == (("department", ("department",)),)
    (role,) = policy.roles
    assert role.when == (("groups", ("groups",), ("eng",)), ("roles", ("roles",), ("Reader", "Reader.*")))
    assert role.kinds == {PrincipalKind.SERVICE}
    assert role.grants.routes == ("/internal/{id}", "GET /v1/files/*")
    assert role.grants.models == ("gpt-4o*", "access-group/fast")
    assert (role.deny.routes, role.deny.models) == (("/v1/files/secret",), ("o3",))
    assert policy.admin[0].scopes == {"root"}
    assert "/key/generate" in policy.admin[0].routes
    assert policy.users.routes == ("/v1/models",)
    assert policy.teams.routes == ("/v1/embeddings",)
    assert (policy.teams.required, policy.teams.default, policy.teams.priority) == ("claim", "red", ("red",))
    assert policy.routes.public == ("/health",)
    assert policy.routes.allowed == ("/internal/{id}",)
    assert policy.routes.admin_only == ("/a", "/global/spend/reset")  # the reference keeps that one for its master key
    assert policy.models[0].aliases == ("default",)
    assert policy.session is not None
    assert policy.session.secret == KEY.encode()
    assert policy.session_admin_routes == policy.admin[0].routes
    assert (policy.token_max_size, policy.keep_answers_for) == (16384, 5.0)
    assert len(policy.warnings) == 3


def test_every_value_of_a_file_reaches_the_edges(tmp_path: Path) -> None:
    made = settings(tmp_path, FULL, directory=PEOPLE, environment={"KEY": KEY})

    (keys,) = made.keys
    assert keys.jwks_urls == ("https://idp.example/keys",)
    assert keys.algorithms_given
    assert keys.denied == {"leaked"}
    assert (keys.refresh.every, keys.refresh.stale_for, keys.refresh.removed_grace) == (300.0, 7200.0, 86400.0)
    assert (keys.refresh.unknown_kid_cooldown, keys.refresh.timeout) == (60.0, 0.5)
    assert (made.server.address, made.server.reflection, made.server.explanations) == ("unix:/run/u.sock", "off", "on")
    assert (made.server.deadline, made.server.concurrency, made.server.drain) == (1.0, 5, 3.0)
    assert (made.log, made.cached_tokens, made.loopback_http, made.only_issuer) == ("json", 10, True, "idp")


def test_a_directory_file_becomes_rows(tmp_path: Path) -> None:
    rows = settings(tmp_path, FULL, directory=PEOPLE, environment={"KEY": KEY}).directory

    (acme,), (red,), (alice,), (customer,) = rows.organizations, rows.teams, rows.users, rows.end_users
    assert (acme.models, acme.blocked) == ((), True)
    assert acme.limit == Limit(max_budget_micro_usd=100_000, budget_reset_seconds=30 * 86400)
    assert (red.alias, red.organization, red.models, red.limit) == ("Red", "acme", ("*",), Limit(tpm=5, rpm=6))
    assert red.members["alice"].max_budget_micro_usd == 12_500_000
    assert red.model_aliases == {"mine": "gpt-4o"}
    assert alice.identities == (("idp", "a1"),)
    assert (alice.role, alice.models, alice.teams) == ("internal_user", ("x",), ("red",))
    assert customer.blocked


def test_what_is_left_out_is_the_strict_choice(tmp_path: Path) -> None:
    made = settings(tmp_path, ISSUER)

    policy = made.policy
    assert policy.issuers[0].may_grant == MayGrant(admin=False)
    assert policy.issuers[0].token.algorithms == {
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    }  # fmt: skip
    assert not made.keys[0].algorithms_given
    assert (policy.users.routes, policy.roles, policy.admin, policy.routes.public) == ((), (), (), ())
    assert policy.session is None
    assert policy.session_admin_routes == ()
    assert policy.warnings == ()
    assert (made.server.address, made.server.tls, made.server.plaintext_allowed) == ("127.0.0.1:50051", None, False)
    assert not made.loopback_http


MUTABLE = ("email", "upn", "preferred_username", "unique_name", "ext.email")


@pytest.mark.parametrize("claim", MUTABLE)
def test_a_user_known_by_a_claim_that_can_change_hands_is_warned_of(tmp_path: Path, claim: str) -> None:
    made = settings(tmp_path, ISSUER + f"    claims: {{user: {claim}}}\n")

    (warning,) = made.policy.warnings
    assert warning.startswith(f"issuers[0].claims.user: {claim} can change hands")


@pytest.mark.parametrize("claim", ["sub", "oid", "null"])
def test_a_user_known_by_a_lasting_claim_is_not_warned_of(tmp_path: Path, claim: str) -> None:
    made = settings(tmp_path, ISSUER + f"    claims: {{user: {claim}}}\n")

    assert made.policy.warnings == ()


PUBLIC = {
    "a wildcard": ("'/docs/*'", "has a wildcard"),
    "a path of any length": ("'GET /docs/{page:path}'", "has a wildcard"),
    "a group of LLM routes": ("google_routes", "opens the whole of google_routes"),
    "a group within an own group": ("mine", "opens the whole of anthropic_routes"),
}


@pytest.mark.parametrize(("entry", "says"), PUBLIC.values(), ids=PUBLIC.keys())
def test_a_public_entry_that_opens_much_is_warned_of(tmp_path: Path, entry: str, says: str) -> None:
    text = f"routes: {{groups: {{mine: [/x, anthropic_routes]}}, public: [/health, {entry}]}}\n"

    made = settings(tmp_path, ISSUER + text)

    (warning,) = made.policy.warnings
    assert warning.startswith("routes.public[1]: ")
    assert says in warning


def test_public_routes_of_their_own_are_not_warned_of(tmp_path: Path) -> None:
    made = settings(tmp_path, ISSUER + "routes: {public: [public_routes, /health, '/docs/{page}']}\n")

    assert made.policy.warnings == ()


def test_a_path_into_a_claim_that_is_named_by_a_url_loads(tmp_path: Path) -> None:
    team = r"'https://x\.example/claims.team'"

    made = settings(tmp_path, ISSUER + f"    claims: {{team: {team}}}\n    forbidden_claims: ['https://x.example/a']\n")

    assert made.policy.issuers[0].claims.team == ("https://x.example/claims", "team")


def test_discovery_asks_the_issuer_itself(tmp_path: Path) -> None:
    made = settings(tmp_path, ISSUER)

    assert made.keys[0].discovery_url == "https://idp.example/.well-known/openid-configuration"


def test_a_directory_of_several_issuers_names_them(tmp_path: Path) -> None:
    directory = "teams: [{id: red, issuer: idp}]\nusers: [{id: a, identities: [{issuer: other, subject: a}]}]\n"

    made = settings(tmp_path, TWO_ISSUERS + "directory: {seed: directory.yaml}\n", directory=directory)

    assert made.only_issuer is None
    assert made.directory.teams[0].issuer == "idp"


def test_a_bare_user_beside_several_issuers_is_known_to_sessions_only(tmp_path: Path) -> None:
    text = TWO_ISSUERS + "directory: {seed: directory.yaml}\ninsecure: {session_master_key: file:key}\n"
    (tmp_path / "key").write_text(KEY + "\n")

    found = problems(tmp_path, text, directory="users: [{id: a}]\n")

    assert found == []


def test_a_secret_in_a_file_loses_only_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f" {KEY}\n\n")

    made = settings(tmp_path, ISSUER + "insecure: {session_master_key: file:key}\n")

    assert made.policy.session is not None
    assert made.policy.session.secret == f" {KEY}\n".encode()


@pytest.mark.parametrize("text", [ISSUER, FULL])
def test_no_repr_shows_a_secret(tmp_path: Path, text: str) -> None:
    made = settings(tmp_path, text, directory=PEOPLE, environment={"KEY": KEY})

    assert KEY not in repr(made)


def test_the_same_text_gives_the_same_digest_in_another_order_of_keys(tmp_path: Path) -> None:
    first = settings(tmp_path, FULL, directory=PEOPLE, environment={"KEY": KEY}).policy
    head, sep, rest = FULL.partition("roles:\n")
    reordered = rest[rest.index("admin:") :] + head + sep + rest[: rest.index("admin:")]
    grant = "routes: [my_routes, GET /v1/files/*]", 'models: ["gpt-4o*", access-group/fast]'
    reordered = reordered.replace(", ".join(grant), ", ".join(reversed(grant)))
    condition = 'roles: [Reader, "Reader.*"]', "groups: eng"
    reordered = reordered.replace(", ".join(condition), ", ".join(reversed(condition)))
    (tmp_path / "again").mkdir()

    second = settings(tmp_path / "again", reordered, directory=PEOPLE, environment={"KEY": KEY}).policy

    assert second.digest == first.digest
    assert second.issuers[0].digest == first.issuers[0].digest


CHANGES = {
    "an audience": ("[api://gateway, other]", "[api://gateway]", True),
    "where keys come from": ("https://idp.example/keys", "https://idp.example/keys2", True),
    "a distrusted key": ("[leaked]", "[]", True),
    "what it may grant": ("organizations: all", "organizations: [acme]", True),
    "a role's grant": ('models: ["gpt-4o*"', 'models: ["gpt-4*"', False),
    "an answer's life": ("ttl: 5s", "ttl: 6s", False),
    "the route groups": ("version: reference", "version: latest", False),
}


@pytest.mark.parametrize(("old", "new", "issuers_own"), CHANGES.values(), ids=CHANGES.keys())
def test_every_change_changes_the_digest(tmp_path: Path, old: str, new: str, issuers_own: bool) -> None:
    first = settings(tmp_path, FULL, directory=PEOPLE, environment={"KEY": KEY}).policy

    second = settings(tmp_path, FULL.replace(old, new), directory=PEOPLE, environment={"KEY": KEY}).policy

    assert second.digest != first.digest
    assert (second.issuers[0].digest != first.issuers[0].digest) is issuers_own


def test_another_master_key_is_another_policy_and_its_digest_does_not_show_it(tmp_path: Path) -> None:
    first = settings(tmp_path, FULL, directory=PEOPLE, environment={"KEY": KEY}).policy
    second = settings(tmp_path, FULL, directory=PEOPLE, environment={"KEY": KEY + "x"}).policy

    assert first.session is not None
    assert second.session is not None
    assert first.session.digest != second.session.digest
    assert first.digest != second.digest
    assert KEY.encode().hex() not in first.digest


def test_a_key_file_counts_by_its_content(tmp_path: Path) -> None:
    text = ISSUER.replace("discovery: true", "jwks_file: keys.json")
    (tmp_path / "keys.json").write_text('{"keys": []}')
    first = settings(tmp_path, text).policy
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "keys.json").write_text('{"keys": []}')
    same = settings(tmp_path / "elsewhere", text).policy
    (tmp_path / "keys.json").write_text('{"keys": [{}]}')
    other = settings(tmp_path, text).policy

    assert same.digest == first.digest
    assert other.digest != first.digest


def test_the_environment_of_the_process_holds_secrets_unless_another_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "usherd.yaml").write_text(ISSUER + "insecure: {session_master_key: env:USHERD_TEST_KEY}\n")
    monkeypatch.setenv("USHERD_TEST_KEY", KEY)

    made = load(tmp_path / "usherd.yaml")

    assert made.policy.session is not None
    assert made.policy.session.secret == KEY.encode()


DIGEST = """
import pathlib, sys
from usherd.config.load import load
print(load(pathlib.Path(sys.argv[1]), {"KEY": "k" * 32}).policy.digest)
"""


def test_the_same_file_has_the_same_digest_in_every_process(tmp_path: Path) -> None:
    made = settings(tmp_path, FULL, directory=PEOPLE, environment={"KEY": KEY})

    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST, str(tmp_path / "usherd.yaml")],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "4711")
    }

    assert digests == {made.policy.digest}
