"""A profile is all that a genuine token says by itself, under one policy, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keyring import NOW
from usherd.domain import SESSION_ISSUER, PrincipalKind, VerifiedClaims, VerifiedToken
from usherd.errors import Refusal
from usherd.identify.profile import Profiler
from usherd.identify.roles import roles_held
from usherd.identity import Profile
from usherd.options import STRICT, with_values
from usherd.policy import (
    INTERNAL_USER,
    PROXY_ADMIN,
    TEAM,
    AdminRule,
    InternalRoleRules,
    MayGrant,
    Policy,
    RoleMapping,
    SessionRules,
    TeamRules,
    UserRules,
)
from usherd.reasons import Reason
from worlds import SESSION_SECRET, issuer, policy, role

SESSION = SessionRules(secret=SESSION_SECRET)
MAPPINGS = (
    RoleMapping(issuer="idp", role="svc.user", internal_role=INTERNAL_USER),
    RoleMapping(issuer="idp", role="svc.team", internal_role=TEAM),
    RoleMapping(issuer="other", role="theirs", internal_role=PROXY_ADMIN),
)


def token(by: str = "idp", **claims: Any) -> VerifiedToken:
    return VerifiedToken(
        issuer=by,
        iss=f"https://{by}.example",
        claims=VerifiedClaims(claims),
        token_id="t",
        key=None,
        expires_at=NOW,
        not_before=0.0,
        leeway=0.0,
    )


def profile(chosen: Policy | None = None, by: str = "idp", **claims: Any) -> Profile:
    return Profiler(policy() if chosen is None else chosen).profile(token(by, **claims))


def refused(chosen: Policy, **claims: Any) -> Reason | None:
    try:
        profile(chosen, **claims)
    except Refusal as refusal:
        return refusal.reason
    return None


NOBODY = Profile(
    kind=PrincipalKind.USER,
    issuer="idp",
    iss="https://idp.example",
    subject="",
    client="",
    user="",
    email="",
    scopes=(),
    roles=(),
    role_names=(),
    admin=False,
    may_be_admin=True,
    team_ids=(),
    team_alias="",
    teams_allowed=None,
    organization="",
    end_user="",
    claims=(),
    names_user=False,
    email_domain="",
    email_accepted=True,
    email_verified=False,
    mapped_roles=(),
    has_user_role=False,
    directory_role="",
    tells_roles=True,
    single_team="",
    names_team=False,
    names_groups=False,
    team_by_object=False,
    organization_alias="",
    organizations_allowed=None,
)


def test_a_token_that_says_nothing_has_a_profile_that_says_nothing() -> None:
    assert profile() == NOBODY


def test_every_word_of_a_token_has_its_place() -> None:
    grants = MayGrant(admin=True, teams=frozenset({"a", "b", "unnamed"}), organizations=frozenset({"acme"}))
    chosen = policy(
        issuers=(issuer(may_grant=grants, answer_claims=(("tid", ("tid",)), ("gone", ("gone",)))),),
        roles=(role("zeta"), role("other", value="No"), role("alpha")),
        internal_roles=InternalRoleRules(mappings=MAPPINGS),
        users=UserRules(
            allowed_roles=frozenset({"app.user"}),
            email_domains=frozenset({"x.example"}),
            role_map=(("none", "nobody"), ("svc.*", "internal_user")),
        ),
        teams=TeamRules(priority=("b",)),
    )

    found = profile(
        chosen,
        sub="alice",
        azp="app",
        email="alice@x.example",
        email_verified=True,
        scope="openid admin",
        roles=["Reader"],
        approles=["svc.team", "svc.user", "theirs"],
        uroles=["app.user"],
        team="a",
        groups=["c", "b"],
        team_alias="Alpha",
        org_alias="Acme",
        customer="customer",
        tid={"b": 1, "a": "ä"},
    )

    assert found == Profile(
        kind=PrincipalKind.USER,
        issuer="idp",
        iss="https://idp.example",
        subject="alice",
        client="app",
        user="alice",
        email="alice@x.example",
        scopes=("admin", "openid"),
        roles=(0, 2),
        role_names=("alpha", "zeta"),
        admin=True,
        may_be_admin=True,
        team_ids=("b", "a"),
        team_alias="Alpha",
        teams_allowed=frozenset({"a", "b", "unnamed"}),
        organization="",
        end_user="customer",
        claims=(("tid", '{"a":"ä","b":1}'),),
        names_user=True,
        email_domain="x.example",
        email_accepted=True,
        email_verified=True,
        mapped_roles=(INTERNAL_USER, TEAM),
        has_user_role=True,
        directory_role="internal_user",
        tells_roles=True,
        single_team="a",
        names_team=True,
        names_groups=True,
        team_by_object=False,
        organization_alias="Acme",
        organizations_allowed=frozenset({"acme"}),
    )


def test_an_organizations_alias_is_not_read_where_its_id_is_given() -> None:
    found = profile(org="acme", org_alias="Other")

    assert (found.organization, found.organization_alias) == ("acme", "")


def test_a_session_has_its_own_words_and_no_others() -> None:
    chosen = policy(session=SESSION)
    claims = {"sub": "x", "groups": ["a"], "scope": "admin", "email": "x@x.example", "roles": "Reader"}
    session = {"user_id": "u1", "user_email": "u1@x.example", "user_role": "proxy_admin"}

    found = profile(chosen, SESSION_ISSUER, **claims, **session)

    assert found == NOBODY._replace(
        kind=PrincipalKind.SESSION,
        issuer=SESSION_ISSUER,
        iss="https://session.example",
        subject="u1",
        user="u1",
        names_user=True,
        email="u1@x.example",
        admin=True,
        may_be_admin=False,
        tells_roles=False,
    )
    assert profile(chosen, SESSION_ISSUER, user_id="u1", user_role="proxy_admin_viewer").admin is False


def test_a_session_that_names_no_user_is_no_session() -> None:
    with pytest.raises(Refusal) as refusal:
        profile(policy(session=SESSION), SESSION_ISSUER, sub="x", user_role="proxy_admin")

    assert (refusal.value.reason, refusal.value.note) == (Reason.SESSION_INVALID, "The session names no user.")


def test_a_session_that_is_read_as_a_token_is_one_of_the_first_issuer() -> None:
    options = with_values(STRICT, {"session.identity": "claims"})
    chosen = policy(session=SESSION, options=options, issuers=(issuer(), issuer("other")))

    found = profile(chosen, SESSION_ISSUER, sub="alice", user_id="u1", scope="admin")

    assert (found.kind, found.issuer, found.user, found.admin) == (PrincipalKind.USER, "idp", "alice", True)
    # An issuer's own tokens are read with its own words.
    assert profile(chosen, "other", sub="alice").issuer == "other"


@pytest.mark.parametrize(
    ("grants", "by", "scope", "admin"),
    [
        (True, "idp", "admin", True),
        (False, "idp", "admin", False),
        (True, "idp", "user", False),
        (True, "idp", "theirs", False),
        (True, "other", "theirs", True),
        (True, "third", "admin theirs", False),
    ],
)
def test_an_administrators_scope_is_its_issuers(grants: bool, by: str, scope: str, admin: bool) -> None:
    rules = (
        AdminRule(issuer="idp", scopes=frozenset({"admin", "root"}), routes=()),
        AdminRule(issuer="other", scopes=frozenset({"theirs"}), routes=()),
    )
    issuers = tuple(issuer(name, may_grant=MayGrant(admin=grants)) for name in ("idp", "other", "third"))

    assert profile(policy(issuers=issuers, admin=rules), by, scope=scope).admin is admin


@pytest.mark.parametrize(
    ("as_id", "claims", "user"),
    [
        (True, {"email": "a@x"}, "a@x"),
        (False, {"email": "a@x"}, ""),
        (True, {"email": "a@x", "sub": "alice"}, "alice"),
        # Null is there, and so nothing stands in for it.
        (True, {"email": "a@x", "sub": None}, ""),
        (True, {"email": "a@x", "sub": ""}, ""),
        (True, {}, ""),
    ],
)
def test_an_address_stands_in_for_a_missing_id_where_it_may(as_id: bool, claims: dict[str, Any], user: str) -> None:
    found = profile(policy(options=with_values(STRICT, {"user.email_as_id": as_id})), **claims)

    assert found.user == user
    assert found.names_user is bool(claims.get("sub") is not None)


@pytest.mark.parametrize(
    ("wrong_type", "sub", "subject"),
    [("reference", "alice", "alice"), ("reference", 7, ""), ("reference", ..., ""), ("deny", "alice", "alice")],
)
def test_a_subject_that_is_no_text_is_none_to_the_reference(wrong_type: str, sub: object, subject: str) -> None:
    words = replace(issuer().claims, user=("uid",))
    chosen = policy(issuers=(issuer(claims=words),), options=with_values(STRICT, {"claims.wrong_type": wrong_type}))
    claims = {} if sub is ... else {"sub": sub}

    assert profile(chosen, uid="u", **claims).subject == subject
    if wrong_type == "deny":
        assert refused(chosen, uid="u", sub=7) is Reason.CLAIM_INVALID


FIRST = with_values(STRICT, {"access.role_precedence": "first"})


@pytest.mark.parametrize(
    ("options", "claims", "user", "teams"),
    [
        # Where all roles count, only a mapping says whose the object id is; a team before a user.
        (STRICT, {"sub": "alice"}, "alice", ()),
        (STRICT, {"sub": "alice", "approles": ["svc.user"]}, "o1", ()),
        (STRICT, {"sub": "alice", "approles": ["svc.team"]}, "alice", ("o1",)),
        (STRICT, {"sub": "alice", "approles": ["svc.user", "svc.team"]}, "alice", ("o1",)),
        (STRICT, {"groups": ["a"], "team": "b", "approles": ["svc.team"]}, "", ("o1",)),
        (STRICT, {"groups": ["a"], "approles": ["svc.user"]}, "o1", ("a",)),
        # Where the first counts: admin scope, team claim, user claim, user role, mappings.
        (FIRST, {"sub": "alice"}, "o1", ()),
        (FIRST, {"sub": "alice", "team": "a"}, "alice", ("o1",)),
        (FIRST, {"sub": "alice", "team": "a", "scope": "admin"}, "alice", ("a",)),
        (FIRST, {"uroles": ["app.user"], "approles": ["svc.team"]}, "o1", ()),
        (FIRST, {"approles": ["svc.team"]}, "", ("o1",)),
        (FIRST, {"approles": ["svc.user", "svc.team"]}, "o1", ()),
        (FIRST, {}, "", ()),
    ],
)
def test_an_object_id_takes_the_place_of_what_the_tokens_role_says(
    options: Any, claims: dict[str, Any], user: str, teams: tuple[str, ...]
) -> None:
    chosen = policy(
        internal_roles=InternalRoleRules(mappings=MAPPINGS),
        users=UserRules(allowed_roles=frozenset({"app.user"})),
        options=options,
    )

    found = profile(chosen, oid="o1", **claims)

    assert (found.user, found.team_ids) == (user, teams)
    if teams == ("o1",):
        assert (found.single_team, found.names_team, found.team_by_object) == ("o1", True, True)
        assert found.names_groups is ("groups" in claims)
    without = profile(chosen, **claims)
    assert (without.user, without.team_by_object) == (claims.get("sub", ""), False)


def test_an_object_id_is_no_team_that_the_issuer_may_not_grant() -> None:
    tight = issuer(may_grant=MayGrant(teams=frozenset({"a"})))
    chosen = policy(issuers=(tight,), internal_roles=InternalRoleRules(mappings=MAPPINGS))

    found = profile(chosen, approles=["svc.team"], oid="b", groups=["a"])
    granted = profile(chosen, approles=["svc.team"], oid="a")

    assert (found.team_ids, found.single_team, found.team_by_object) == ((), "", True)
    assert (granted.team_ids, granted.single_team) == (("a",), "a")


WITHOUT_TEAM_CLAIM = issuer(claims=replace(issuer().claims, team=None))


@pytest.mark.parametrize(
    ("options", "own", "default", "claims", "named", "single"),
    [
        ({"team.default_applies": "unconfigured"}, WITHOUT_TEAM_CLAIM, "red", {}, True, ""),
        ({"team.default_applies": "unconfigured"}, WITHOUT_TEAM_CLAIM, None, {}, False, ""),
        ({"team.default_applies": "unconfigured"}, issuer(), "red", {}, False, ""),
        ({}, WITHOUT_TEAM_CLAIM, "red", {}, False, ""),
        (
            {"team.default_applies": "unconfigured", "team.choice": "reference", "team.default_entitles": True},
            WITHOUT_TEAM_CLAIM,
            "red",
            {"groups": ["a"]},
            True,
            "red",
        ),
        (
            {"team.default_applies": "unconfigured", "team.choice": "reference"},
            WITHOUT_TEAM_CLAIM,
            "red",
            {},
            True,
            "",
        ),
        (
            {"team.default_applies": "unconfigured", "team.default_entitles": True},
            WITHOUT_TEAM_CLAIM,
            "red",
            {},
            True,
            "",
        ),
        ({}, issuer(), "red", {"team": ""}, True, ""),
    ],
)
def test_a_default_team_is_as_good_as_a_claim_where_there_is_none_to_look_for(
    options: dict[str, Any], own: Any, default: str | None, claims: dict[str, Any], named: bool, single: str
) -> None:
    chosen = policy(issuers=(own,), teams=TeamRules(default=default), options=with_values(STRICT, options))

    found = profile(chosen, **claims)

    assert (found.names_team, found.single_team) == (named, single)
    assert found.team_ids == tuple(sorted({*claims.get("groups", ()), *([single] if single else [])}))


def test_the_reference_holds_groups_in_a_set() -> None:
    chosen = policy(options=with_values(STRICT, {"claims.wrong_type": "reference"}))

    assert profile(chosen, groups=["a", 7]).team_ids == ("a",)
    # A set cannot hold a list.
    assert refused(chosen, groups=["a", ["b"]]) is Reason.CLAIM_INVALID


def test_a_single_team_that_the_issuer_may_not_grant_is_none() -> None:
    found = profile(policy(issuers=(issuer(may_grant=MayGrant(teams=frozenset({"a"}))),)), team="b", groups=["a", "b"])

    assert (found.team_ids, found.single_team, found.names_team) == (("a",), "", True)


def test_a_role_is_held_by_its_issuers_tokens_of_its_kind_with_every_condition_met() -> None:
    both = role("both", when=(("a", ("a",), ("x*", "y")), ("b", ("b",), ("z",))))
    roles = (role(), role("theirs", issuer="other"), both, role("service", kinds=frozenset({PrincipalKind.SERVICE})))

    def held(kind: PrincipalKind = PrincipalKind.USER, own: Any = None, **claims: Any) -> tuple[int, ...]:
        return roles_held(VerifiedClaims(claims), issuer() if own is None else own, kind, roles)

    assert held(roles="Reader") == (0,)
    assert held(PrincipalKind.SERVICE, roles="Reader") == (0, 3)
    assert held(own=issuer("other"), roles="Reader") == (1,)
    assert held(a=["q", "y"], b="z") == (2,)
    assert held(a="x1", b="q") == held(b="z") == ()
    assert held(own=issuer(may_grant=MayGrant(roles=frozenset({"both"}))), roles="Reader", a="y", b="z") == (2,)
