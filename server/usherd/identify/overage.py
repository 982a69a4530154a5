"""Notices that the issuer left groups out of a token: what is missing must not pass for what is not there."""

from __future__ import annotations

from collections.abc import Iterable

from usherd.claim_paths import written
from usherd.domain import VerifiedClaims
from usherd.errors import Refusal
from usherd.policy import ClaimPath
from usherd.reasons import Reason


def refuse_overage(claims: VerifiedClaims, read_by_rules: Iterable[ClaimPath]) -> None:
    """Raises Refusal(GROUPS_OVERAGE) when a claim that some rule of this issuer reads was left out.

    `_claim_names` names the claims that are kept elsewhere (OpenID Connect Core, section 5.6.2); `hasgroups` is
    Entra's way to say the same of `groups` where a URL would be too long.
    """
    omitted: set[object] = set()
    names = claims.get("_claim_names")
    if isinstance(names, dict):
        omitted.update(names)
    elif names is not None:
        raise Refusal(Reason.CLAIM_INVALID, "The claim _claim_names is not an object.")
    if claims.get("hasgroups") not in (None, False, "false"):
        omitted.add("groups")
    if not omitted:
        return
    missed = sorted(written(path) for path in read_by_rules if path[0] in omitted)
    if missed:
        raise Refusal(Reason.GROUPS_OVERAGE, f"The issuer left the claim {missed[0]} out, which a rule reads.")
