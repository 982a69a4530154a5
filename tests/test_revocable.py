from __future__ import annotations

import math
from dataclasses import replace

import pytest

import worlds
from usherd.changes import Lookup, Sought
from usherd.domain import SESSION_ISSUER
from usherd.policy import IntrospectionRules, IssuerPolicy, OwnSessionRules, Policy, SessionRules
from usherd.revocable import LEAST, MARGIN, Revocable

NOW = 1_800_000_000.0
DAY = 86_400.0


def issuer(name: str, lifetime: float | None, lacking: frozenset[str] | None = None) -> IssuerPolicy:
    made = worlds.issuer(name)
    asked = None if lacking is None else IntrospectionRules(may_lack=lacking)
    return replace(made, token=replace(made.token, max_lifetime=lifetime), introspection=asked)


def kept(policy: Policy, sought: Sought, *key: str) -> float:
    return Revocable(policy).kept_until(Lookup(sought, key), NOW) - NOW


@pytest.mark.parametrize(
    ("made", "seconds"),
    [
        (issuer("idp", 600.0), LEAST + MARGIN),
        (issuer("idp", 9 * DAY), 9 * DAY + MARGIN),
        (issuer("idp", None), math.inf),
        (issuer("idp", 600.0, frozenset({"exp"})), math.inf),
        (issuer("idp", 600.0, frozenset({"aud"})), LEAST + MARGIN),
    ],
)
def test_a_revocation_outlives_every_token_that_it_is_about(made: IssuerPolicy, seconds: float) -> None:
    policy = worlds.policy(issuers=(made,))

    assert kept(policy, Sought.ISSUER, "idp") == seconds
    assert kept(policy, Sought.SUBJECT, "idp", "a") == seconds
    assert kept(policy, Sought.JTI, "idp", "a") == seconds
    assert kept(policy, Sought.TOKEN, "a") == seconds


def test_a_token_by_its_id_may_be_any_issuers() -> None:
    policy = worlds.policy(issuers=(issuer("idp", 600.0), issuer("other", 9 * DAY)))

    assert kept(policy, Sought.TOKEN, "a") == 9 * DAY + MARGIN
    assert kept(policy, Sought.ISSUER, "idp") == LEAST + MARGIN


def test_sessions_can_be_revoked_where_there_are_any_and_as_long_as_the_longest_lasts() -> None:
    none = worlds.policy()
    both = replace(none, session=SessionRules(secret=b"x" * 32, max_lifetime=600), own_sessions=OwnSessionRules())
    own = replace(none, own_sessions=OwnSessionRules(lifetime=30 * DAY))

    assert SESSION_ISSUER not in Revocable(none).issuers
    assert kept(both, Sought.ISSUER, SESSION_ISSUER) == LEAST + MARGIN
    assert kept(own, Sought.ISSUER, SESSION_ISSUER) == 30 * DAY + MARGIN
    assert Revocable(own).latest(SESSION_ISSUER, NOW) == NOW
