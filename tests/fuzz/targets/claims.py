"""Claims: whatever a signed token says, it is held against the rules, becomes a profile, or is refused with a reason.

An input is a JSON object: which policy, the claims, the header's `typ`, the clock's distance from the tests' own, a
claim path, and what the question adds.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any

from fuzz.mutators import json_mutator
from fuzz.target import Target
from keyring import NOW
from usherd.authenticate import strict_json
from usherd.authenticate.claims import LATEST_DATE, MAX_IDENTIFIER, Validity, check_claims, numeric_date
from usherd.authenticate.strict_json import StrictJsonError
from usherd.claim_paths import ABSENT, MAX_STEPS, ClaimPathError, parse, read
from usherd.domain import SESSION_ISSUER, PrincipalKind, Question, VerifiedClaims, VerifiedToken
from usherd.errors import Refusal
from usherd.facts import DIRECTORY_ADMIN_ROLE, Rows, Team, User
from usherd.identify.profile import Profiler
from usherd.identify.resolve import identify, wanted
from usherd.identity import Profile
from usherd.ids import well_formed_id
from usherd.options import LITELLM, OPTIONS, STRICT, Options, with_values
from usherd.policy import (
    ANY_ISSUER,
    INTERNAL_USER,
    PROXY_ADMIN,
    TEAM,
    ClaimPaths,
    IssuerPolicy,
    MayGrant,
    Policy,
    RoleMapping,
    TeamRules,
    TokenRules,
    UserRules,
)
from usherd.reading import Reading
from usherd.stores.memory_directory import MemoryDirectory
from worlds import AUDIENCE, issuer, policy, role

VALID: dict[str, Any] = {
    "iss": "https://idp.example", "aud": AUDIENCE, "sub": "alice", "iat": int(NOW), "exp": int(NOW) + 600,
}  # fmt: skip
FULL = VALID | {
    "nbf": int(NOW) - 5, "jti": "t-1", "scope": "openid admin", "scp": ["chat"], "azp": "client", "oid": "a",
    "roles": ["Reader", "Writer"], "groups": ["a", "b"], "team": "c", "team_alias": "Alpha", "org": "acme", "email":
    "alice@corp.example", "email_verified": True, "customer": "customer", "approles": ["svc.team", "svc.user"],
    "uroles":
    ["app.user"], "nested": {"deep": ["x", {"y.z": 1}]}, "dept": "eng", "org_alias": "Acme",
}  # fmt: skip
SESSION = {"iss": "litellm-proxy", "aud": "litellm-ui", "user_id": "alice", "user_role": "proxy_admin",
"user_email": "a@b.c",
           "exp": int(NOW) + 600}  # fmt: skip
NAMES = (
    *FULL,
    *SESSION,
    "typ",
    "cnf",
    "nonce",
    "events",
    "_claim_names",
    "hasgroups",
    "idtyp",
    "gty",
    "appid",
    "client_id",
)
WORDS = (
    *FULL.values(), *SESSION.values(), "proxy_admin", "svc.admin", "app", "client-credentials", "client@clients",
    "client",
    "Bearer", "ID", "Refresh", "api://other", [AUDIENCE, 1], ["a", ["b"]], ["a", {}, 1], {"groups": "src1"},
    {"email": 1}, "false",
    NOW, NOW - 1, NOW + 30, NOW - 30, NOW + 86400, NOW + 86401, LATEST_DATE, LATEST_DATE - 1, "x" * MAX_IDENTIFIER,
    "x" * (MAX_IDENTIFIER + 1), "a\x85b", "x@y@corp.example", "@corp.example", "ALICE@CORP.EXAMPLE",
    "alice@evil.example",
    "openid\tadmin", "admin", "  admin  openid", "JWT", "at+jwt", "application/at+jwt", "application/", "dpop+jwt",
    "nested.deep[1].y\\.z", "nested.deep[0]", "a[99999]", "a..b", "\\", "a[0][1]", ".".join("a" * 20),
    ".".join("a" * 21),
    "Alpha", "Beta", "unknown", "stranger", "alice-sso", "session", 7,
)  # fmt: skip


def _rich(options: Options, *, any_issuer: bool = False, **changes: Any) -> Policy:
    token = TokenRules(
        issuer=ANY_ISSUER if any_issuer else "https://idp.example",
        audiences=None if any_issuer else frozenset({AUDIENCE}),
        algorithms=frozenset({"EdDSA"}),
        max_lifetime=None if any_issuer else 86400.0,
        require_expiry=options.require_expiry,
        other_kinds_refused=options.token_type == "checked",
        required_claims=(("dept", ("dept",), frozenset({"eng"})),) if changes.pop("requires", False) else (),
    )
    words = replace(issuer().claims, **changes.pop("words", {}))
    own: dict[str, Any] = {
        "token": token,
        "claims": words,
        "may_grant": MayGrant(admin=True),
        "answer_claims": (("dept", ("dept",)), ("deep", ("nested", "deep", 0))),
    }
    values: dict[str, Any] = {
        "issuers": (issuer(**(own | changes.pop("issuer", {}))),),
        "roles": (role(), role("both", when=(("scope", ("scope",), ("admin",)), ("dept", ("dept",), ("e*", "true"))))),
        "users": UserRules(
            allowed_roles=frozenset({"app.user"}),
            email_domains=frozenset({"corp.example"}),
            role_map=(("svc.*", "internal_user_viewer"), ("Reader", "proxy_admin")),
            sync_roles=True,
        ),
        "teams": TeamRules(priority=("c", "b"), default="c", from_directory="all", unknown_falls_back=True),
        "internal_roles": replace(
            policy().internal_roles,
            enforce=True,
            mappings=tuple(
                RoleMapping(issuer="idp", role=f"svc.{name}", internal_role=made)
                for name, made in (("team", TEAM), ("user", INTERNAL_USER), ("admin", PROXY_ADMIN))
            ),
        ),
        "options": options,
    }
    return policy(**(values | changes))


@cache
def _policies() -> tuple[tuple[Policy, Profiler], ...]:
    mixed = [
        with_values(STRICT, {info.name: info.values[(place * step) % 7 % 2] for place, info in enumerate(OPTIONS)})
        for step in (1, 2, 3)
    ]
    bare = ClaimPaths(email=None, scopes=())
    plain = TeamRules(priority=("b",), from_directory="single")
    service = (("idtyp", ("idtyp",), ("app*",)),)
    made = [
        policy(),
        _rich(STRICT),
        _rich(LITELLM),
        _rich(LITELLM, any_issuer=True, words={"team": None}),
        _rich(
            STRICT, requires=True, issuer={"may_grant": MayGrant(teams=frozenset({"a"}), roles=frozenset({"reader"}))}
        ),
        _rich(STRICT, issuer={"service_when": tuple((path, accepted) for _, path, accepted in service)}, teams=plain),
        policy(issuers=(issuer(claims=bare),), options=STRICT),
        policy(options=LITELLM, users=UserRules(), teams=TeamRules()),
        *(_rich(options) for options in mixed),
    ]
    return tuple((each, Profiler(each)) for each in made)


DIRECTORY = MemoryDirectory(
    "store",
    Rows(
        teams=(Team(id="a", alias="Alpha"), Team(id="b", alias="Beta"), Team(id="b2", alias="Beta"), Team(id="c",
            alias="d")),
        users=(
            User(id="alice", sso_ids=("alice-sso",), email="alice@corp.example", teams=("a", "c"),
                role="internal_user_viewer"),
            User(id="bob", teams=("b",), role="proxy_admin"),
        ),
    ),
    bare_ids_for="idp",
)  # fmt: skip


def _seeds() -> list[bytes]:
    found = [{"policy": number, "claims": claims} for number in range(len(_policies()) + 1) for claims in (VALID, FULL)]
    found += [{"policy": number, "claims": SESSION, "session": True} for number in (1, 2)]
    found += [{"path": word, "claims": FULL} for word in WORDS if isinstance(word, str)]
    found += [
        {"policy": 1, "typ": word, "claims": FULL} for word in ("JWT", "application/at+jwt", "application/", "id+jwt")
    ]
    asks: list[dict[str, str]] = [
        {"team_id": "a"},
        {"team_alias": "Beta"},
        {"team_alias": "Alpha"},
        {"end_user_id": "customer"},
    ]
    found += [{"policy": number, "ask": ask, "claims": FULL} for ask in asks for number in (1, 2, 8, 9)]
    found += [
        {"policy": number, "claims": VALID | {name: word}} for name in NAMES for number, word in enumerate(WORDS[::9])
    ]
    return [json.dumps(each).encode() for each in found]


def _check(data: bytes) -> object:
    try:
        case = strict_json.load(data)
    except StrictJsonError:
        return None
    if not isinstance(case, dict):
        return None
    claims = case.get("claims")
    claims = claims if isinstance(claims, dict) else {}
    number, offset, typ = case.get("policy"), case.get("now"), case.get("typ")
    chosen, profiler = _policies()[number % len(_policies()) if isinstance(number, int) else 1]
    now = NOW + (offset if isinstance(offset, (int, float)) and abs(offset) < 1e9 else 0)
    answers: list[object] = [_path(case.get("path"), claims)]
    own = chosen.issuers[0]
    try:
        validity = check_claims(claims, typ if isinstance(typ, str) else None, own.token, now, chosen.options)
    except Refusal as refusal:
        answers.append(_refused(refusal, claims))
    else:
        _check_validity(validity, claims, own, now)
        answers.append(repr(validity))
    return [*answers, *_identity(case, claims, chosen, profiler)]


def _identity(case: dict[str, Any], claims: dict[str, Any], chosen: Policy, profiler: Profiler) -> list[object]:
    session = case.get("session") is True
    token = VerifiedToken(
        issuer=SESSION_ISSUER if session else "idp",
        iss="https://idp.example",
        claims=VerifiedClaims(MappingProxyType(dict(claims))),
        token_id="0" * 32,
        key=None,
        expires_at=math.inf,
        not_before=0.0,
        leeway=0.0,
    )
    try:
        profile = profiler.profile(token)
    except Refusal as refusal:
        return [_refused(refusal, claims)]
    _check_profile(profile, claims, chosen, session=session)
    asked = case.get("ask")
    asked = {name: value for name, value in asked.items() if isinstance(value, str)} if isinstance(asked, dict) else {}
    known = ("team_id", "team_alias", "end_user_id", "organization_id")
    question = Question(token="", route="/", **{name: asked[name] for name in known if name in asked})
    hints, reading = (wanted(profile, question, chosen), wanted(profile, None, chosen)), Reading(DIRECTORY.at_hand())
    who = identify(profile, question, reading, chosen)
    if who.is_admin and not session:
        assert profile.admin or profile.may_be_admin, "an administrator by an issuer that makes none"
    if profile.teams_allowed is not None:
        assert set(who.team_ids) - {question.team_id} <= profile.teams_allowed, "a team that the issuer may not grant"
    apart = chosen.options.team_alias == "apart" and not who.at_once
    if apart and question.team_id is not None and question.team_alias is None and question.team_id not in who.team_ids:
        assert who.wish_refused, "a wish for a team that the token lacks is passed over"
    return [repr(tuple(profile)), repr(tuple(who)), repr(hints), repr(reading.dependencies())]


def _path(text: object, claims: dict[str, Any]) -> object:
    if not isinstance(text, str):
        return None
    try:
        steps = parse(text)
    except ClaimPathError as error:
        return str(error)
    assert 1 <= len(steps) <= MAX_STEPS
    written = ""
    for step in steps:
        name = "" if isinstance(step, int) else step
        for character in "\\.[]":
            name = name.replace(character, "\\" + character)
        written += f"[{step}]" if isinstance(step, int) else f".{name}" if written else name
    assert len(written) > 256 or parse(written) == steps, "a path that cannot be written"
    value = read(claims, steps)
    assert value is ABSENT or value == _found(claims, steps), "another value than at that place"
    return repr(value)


def _found(value: Any, steps: tuple[str | int, ...]) -> object:
    for step in steps:
        value = value[step]
    return value


def _refused(refusal: Refusal, claims: dict[str, Any]) -> str:
    assert str(refusal) == refusal.reason.name
    assert refusal.note.isascii() and len(refusal.note) < 120, "a note with a value in it"
    for value in claims.values():
        assert not isinstance(value, str) or len(value) < 12 or value not in refusal.note, "a note with a claim in it"
    return f"{refusal.reason.name} {refusal.note}"


def _check_validity(validity: Validity, claims: dict[str, Any], own: IssuerPolicy, now: float) -> None:
    rules = own.token
    assert validity.valid_from <= now < validity.valid_until, "valid outside of its time"
    assert validity.valid_until <= validity.expires_at + rules.leeway
    expires = numeric_date(claims, "exp")
    assert expires is not None or not rules.require_expiry
    assert expires is None or (validity.expires_at == expires and now < expires + rules.leeway)
    if rules.max_lifetime is not None and expires is not None and "iat" in claims:
        assert expires - claims["iat"] <= rules.max_lifetime
    if rules.audiences is not None:
        named = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        assert rules.audiences & set(named)
    if rules.other_kinds_refused:
        assert "cnf" not in claims and not rules.forbidden_claims & set(claims)
    for name in ("sub", "jti"):
        assert name not in claims or (isinstance(claims[name], str) and len(claims[name]) <= MAX_IDENTIFIER)


def _check_profile(profile: Profile, claims: dict[str, Any], chosen: Policy, *, session: bool) -> None:
    # As the reference reads lists, any text can be the id of a team: it is looked up, and not found.
    teams = profile.team_ids if chosen.options.wrong_type == "deny" else ()
    for text in (profile.user, profile.email, profile.client, profile.organization, profile.end_user, *teams):
        assert not text or well_formed_id(text), "an id that none can have"
    assert len(set(profile.team_ids)) == len(profile.team_ids)
    assert profile.teams_allowed is None or profile.teams_allowed.issuperset(profile.team_ids)
    assert list(profile.scopes) == sorted(set(profile.scopes))
    for _, text in profile.claims:
        json.loads(text)
    if session:
        if profile.kind is PrincipalKind.SESSION:
            assert profile.user == claims["user_id"]
            assert not profile.admin or claims["user_role"] == DIRECTORY_ADMIN_ROLE
        return
    assert not profile.admin or (profile.may_be_admin and "admin" in profile.scopes), (
        "an administrator without the scope"
    )
    for place in profile.roles:
        held = chosen.roles[place]
        assert held.issuer == profile.issuer and profile.kind in held.kinds
        assert all(read(claims, path) is not ABSENT for _, path, _ in held.when), "a role without its claim"


TARGET = Target(
    name="claims",
    seeds=_seeds,
    check=_check,
    mutate=json_mutator(WORDS, NAMES, mostly=0.97),
    max_size=4096,
)
