"""Makes the token of a question: what its issuer would have signed, changed as the story says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from usherd.config.problems import Unusable, did_you_mean, quoted
from usherd.config.scalars import seconds
from usherd.config.schema_stories import SigningKey
from usherd.domain import SESSION_ISSUER
from usherd.policy import ANY_ISSUER, IssuerPolicy, Policy
from usherd.stories.signing import ALGORITHMS, session_token, story_key

LIFETIME = 600
"""Seconds that a token lives unless the story says otherwise."""
_INSTANTS = ("iat", "exp", "nbf", "auth_time")
_INSTANT = re.compile(r"now(?:([+-])([0-9.]+(?:ms|s|m|h|d)))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a story says of a token."""

    issuer: str | None
    key: str | None
    claims: Mapping[str, Any]
    omit: Sequence[str]
    header: Mapping[str, Any]


def token_of(recipe: Recipe, policy: Policy, keys: Mapping[str, Sequence[SigningKey]], now: float) -> str:
    """The token. Raises Unusable when the policy has no such issuer, or the issuer no such key."""
    if recipe.issuer == SESSION_ISSUER and policy.session is not None:
        valid = {"iss": "litellm-proxy", "aud": "litellm-ui"}
        return session_token(_claims(valid, recipe, now), policy.session.secret, recipe.header)
    issuer = _issuer(recipe.issuer, policy)
    rules = issuer.token
    valid = {} if rules.issuer == ANY_ISSUER else {"iss": rules.issuer}
    if rules.audiences:
        valid["aud"] = min(rules.audiences)
    signing = _key(recipe.key, keys[issuer.name])
    algorithms = ALGORITHMS[signing.type]
    algorithm = next((each for each in algorithms if each in rules.algorithms), algorithms[0])
    key = story_key(issuer.name, signing.name, signing.type)
    return key.token(_claims(valid, recipe, now), algorithm, recipe.header)


def _issuer(name: str | None, policy: Policy) -> IssuerPolicy:
    if name is None:
        return policy.issuers[0]
    names = {issuer.name: issuer for issuer in policy.issuers}
    if name not in names:
        raise Unusable(f"{quoted(name)} is no issuer of the policy{did_you_mean(name, names)}")
    return names[name]


def _key(name: str | None, keys: Sequence[SigningKey]) -> SigningKey:
    if name is None:
        return keys[0]
    names = {key.name: key for key in keys}
    if name not in names:
        raise Unusable(f"{quoted(name)} is no key of the issuer{did_you_mean(name, names)}")
    return names[name]


def _claims(valid: Mapping[str, Any], recipe: Recipe, now: float) -> dict[str, Any]:
    claims = {**valid, "iat": int(now), "exp": int(now) + LIFETIME, **recipe.claims}
    for name in _INSTANTS:
        if isinstance(claims.get(name), str):
            claims[name] = _instant(claims[name], now)
    return {name: value for name, value in claims.items() if name not in recipe.omit}


def _instant(text: str, now: float) -> object:
    """`now`, `now+10m` or `now-5s` in seconds since the epoch; other texts as they are."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        return text
    sign, duration = found.groups()
    return int(now + (0.0 if duration is None else seconds(duration) * (-1 if sign == "-" else 1)))
