"""What an issuer left out of a token, or does not vouch for, is missed wherever a rule reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from usherd.domain import VerifiedClaims, VerifiedToken
from usherd.errors import Refusal
from usherd.identify.overage import refuse_overage
from usherd.identify.profile import Profiler
from usherd.options import STRICT, with_values
from usherd.policy import ClaimPaths, Policy, UserRules
from usherd.reasons import Reason
from worlds import issuer, policy, role


def refused(chosen: Policy, **claims: Any) -> Reason | None:
    token = VerifiedToken(
        issuer="idp",
        iss="https://idp.example",
        claims=VerifiedClaims(claims),
        token_id="t",
        key=None,
        expires_at=0.0,
        not_before=0.0,
        leeway=0.0,
    )
    try:
        Profiler(chosen).profile(token)
    except Refusal as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize(
    ("claims", "paths", "reason"),
    [
        ({"_claim_names": {"groups": "src"}}, [("groups",)], Reason.GROUPS_OVERAGE),
        ({"_claim_names": {"groups": "src"}}, [("roles",), ("groups", "x")], Reason.GROUPS_OVERAGE),
        ({"_claim_names": {"groups": "src"}}, [("roles",)], None),
        ({"_claim_names": {}}, [("groups",)], None),
        ({"_claim_names": "groups"}, [], Reason.CLAIM_INVALID),
        ({"_claim_names": ["groups"]}, [("groups",)], Reason.CLAIM_INVALID),
        ({"_claim_names": None}, [("groups",)], None),
        ({"hasgroups": True}, [("groups",)], Reason.GROUPS_OVERAGE),
        ({"hasgroups": "true"}, [("groups",)], Reason.GROUPS_OVERAGE),
        ({"hasgroups": 1}, [("groups",)], Reason.GROUPS_OVERAGE),
        ({"hasgroups": True}, [("roles",)], None),
        ({"hasgroups": False}, [("groups",)], None),
        ({"hasgroups": "false"}, [("groups",)], None),
        ({"hasgroups": None}, [("groups",)], None),
        ({}, [("groups",)], None),
    ],
)
def test_what_was_left_out_of_a_token_is_missed_where_a_rule_reads_it(
    claims: dict[str, Any], paths: list[Any], reason: Reason | None
) -> None:
    if reason is None:
        refuse_overage(VerifiedClaims(claims), paths)
        return
    with pytest.raises(Refusal) as refusal:
        refuse_overage(VerifiedClaims(claims), paths)
    assert refusal.value.reason is reason


@pytest.mark.parametrize(
    "left_out",
    ["sub", "t", "ta", "tt", "o", "oa", "c", "r", "ur", "ob", "sc", "mail", "kind", "dept"],
)
def test_every_claim_that_a_rule_reads_must_not_be_left_out(left_out: str) -> None:
    words = ClaimPaths(
        email=("mail",),
        team=("t",),
        team_alias=("ta",),
        teams=("tt",),
        organization=("o",),
        organization_alias=("oa",),
        end_user=("c",),
        roles=("r",),
        user_roles=("ur",),
        object=("ob",),
        scopes=(("sc",),),
    )
    reading = issuer(claims=words, service_when=((("kind",), ("svc",)),))
    chosen = policy(
        issuers=(reading, issuer("other")),
        roles=(role(claim="dept"), role("theirs", issuer="other", claim="elsewhere")),
        users=UserRules(email_domains=frozenset({"x.example"})),
    )

    assert refused(chosen, _claim_names={left_out: "src"}) is Reason.GROUPS_OVERAGE
    assert refused(chosen, _claim_names={"elsewhere": "src"}) is None
    ignoring = replace(chosen, options=with_values(STRICT, {"claims.overage": "ignore"}))
    assert refused(ignoring, _claim_names={left_out: "src"}) is None


def test_an_address_that_no_rule_reads_may_be_left_out_and_unverified() -> None:
    assert refused(policy(), _claim_names={"email": "src"}, email="a@x", email_verified=False) is None


def test_an_unverified_address_is_refused_where_a_rule_reads_it_unless_an_option_says_so() -> None:
    rules = UserRules(email_domains=frozenset({"x.example"}))
    open_to_all = with_values(STRICT, {"user.email_domain": "no_provision"})

    assert refused(policy(users=rules), email="a@x.example", email_verified=False) is Reason.CLAIM_INVALID
    assert refused(policy(users=rules, options=open_to_all), email="a@x.example", email_verified=False) is None


def test_an_address_is_unverified_wherever_the_policy_reads_it() -> None:
    words = replace(issuer().claims, email=("mail",))
    chosen = policy(issuers=(issuer(claims=words),), users=UserRules(email_domains=frozenset({"x.example"})))

    assert refused(chosen, mail="a@x.example", email_verified=False) is Reason.CLAIM_INVALID
    assert refused(chosen, mail="a@x.example", email_verified=True) is None
