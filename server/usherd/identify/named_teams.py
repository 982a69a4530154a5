"""Reads the teams that a token names: one by its own claim, several by a claim of groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from usherd.domain import VerifiedClaims
from usherd.identify.words import is_named, listed, one
from usherd.policy import IssuerPolicy, Policy


class Teams(NamedTuple):
    """What a token says of teams."""

    ids: tuple[str, ...]
    """Those that its issuer may grant, in the order of choice, each once."""
    single: str
    """The one that the single claim names, if the issuer may grant it. Empty: none."""
    names_single: bool
    """Whether the single claim, or a default in the place of one, is there at all."""
    names_groups: bool
    by_object: bool = False


def named_teams(claims: VerifiedClaims, issuer: IssuerPolicy, policy: Policy, priority: Mapping[str, int]) -> Teams:
    """The teams of a token. Claim order and doubles must not matter: the order is the policy's, then code points.

    Raises Refusal(CLAIM_INVALID) for a team that is no text.
    """
    words, allowed, options = issuer.claims, issuer.may_grant.teams, policy.options
    single = one(claims, words.team)
    names_single = is_named(claims, words.team)
    default = policy.teams.default
    if words.team is None and options.default_applies == "unconfigured" and default is not None:
        # To the reference, a default is as good as a claim where there is no claim to look for.
        names_single = True
        if options.team_choice == "reference" and options.default_entitles:
            single = default
    groups = listed(claims, words.teams, options, as_set=True)
    named = {*groups.texts, *((single,) if single else ())}
    if allowed is not None:
        named &= allowed
    return Teams(
        ids=in_order(named, priority),
        single=single if single in named else "",
        names_single=names_single,
        names_groups=groups.named,
    )


def in_order(teams: Iterable[str], priority: Mapping[str, int]) -> tuple[str, ...]:
    """Teams in the order of choice: by their places in the policy, then by code points."""
    last = len(priority)
    return tuple(sorted(teams, key=lambda team: (priority.get(team, last), team)))
