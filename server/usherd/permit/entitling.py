"""What would entitle a token that nothing entitles, for explanations: names of the policy, and nothing of the token."""

from __future__ import annotations

from collections.abc import Sequence

from usherd.claim_paths import written
from usherd.domain import PrincipalKind
from usherd.identity import Profile
from usherd.policy import IssuerPolicy, Policy

_KINDS = {PrincipalKind.USER: "users", PrincipalKind.SERVICE: "services"}
_SHOWN = 5
"""How many names are written out: a sentence is read, and not searched."""


class Entitling:
    """Tells it, and remembers it for each issuer and kind. Sessions are told nothing: no rule of roles is theirs."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._issuers = {issuer.name: issuer for issuer in policy.issuers}
        self._roles: dict[tuple[str, PrincipalKind], str] = {}

    def of(self, profile: Profile) -> str:
        """The end of a sentence, from its semicolon on. Empty where there is nothing to tell."""
        kind, issuer = _KINDS.get(profile.kind), self._issuers.get(profile.issuer)
        if kind is None or issuer is None:
            return ""
        if profile.roles_of_other_kinds:
            names = profile.roles_of_other_kinds
            are = "is" if len(names) == 1 else "are"
            roles = f"it would hold {_the_roles(names)}, which {are} not for {kind}"
        else:
            key = (issuer.name, profile.kind)
            known = self._roles.get(key)
            if known is None:
                known = self._roles[key] = self._roles_for(issuer, profile.kind, kind)
            roles = known
        teams = _teams_of(issuer)
        if not roles and not teams:
            return "; its issuer has neither roles nor a claim for teams"
        return "".join(f"; {part}" for part in (roles, teams) if part)

    def _roles_for(self, issuer: IssuerPolicy, kind: PrincipalKind, kinds: str) -> str:
        own = [role for role in self._policy.roles if role.issuer == issuer.name]
        fitting = [role for role in own if kind in role.kinds]
        names = [f"{role.name} (by {spelled_out([each[0] for each in role.when])})" for role in fitting]
        if not names:
            return f"no role of its issuer is for {kinds}" if own else ""
        return f"for {kinds} there {'is' if len(names) == 1 else 'are'} {_the_roles(names)}"


def _teams_of(issuer: IssuerPolicy) -> str:
    words = issuer.claims
    paths = [written(path) for path in (words.teams, words.team, words.team_alias) if path is not None]
    return f"teams are read from {spelled_out(paths)}" if paths else ""


def _the_roles(names: Sequence[str]) -> str:
    return f"the role{'' if len(names) == 1 else 's'} {spelled_out(names)}"


def spelled_out(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`, or the first of many and how many more there are."""
    shown = [*names[:_SHOWN], *([f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
