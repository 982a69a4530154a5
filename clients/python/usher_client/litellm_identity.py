"""Says in LiteLLM's words who was allowed: the fields of its `UserAPIKeyAuth`. It knows nothing else of LiteLLM."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from usher.v1 import decision_pb2
from usher_client.decision import Decision, Principal

NO_MODELS: Final = "no-default-models"
"""LiteLLM's word for no model at all: an empty list means every one to it."""

ADMIN: Final = "proxy_admin"
_ROLES: Final = frozenset(
    {"proxy_admin_viewer", "org_admin", "internal_user", "internal_user_viewer", "team", "customer"}
)
_MICRO_USD: Final = 1_000_000


def identity_fields(decision: Decision, models: Sequence[str]) -> dict[str, Any]:
    """The fields for a holder that was allowed, whose later requests inside of LiteLLM may use `models` alone.

    Raises ValueError for a decision that does not allow.
    """
    who = decision.principal
    if not decision.allowed or who is None:
        raise ValueError("decision: expected one that allows")
    fields: dict[str, Any] = {
        "models": list(models) or [NO_MODELS],
        "team_models": list(models) or [NO_MODELS],
        "user_role": _role(who),
        "metadata": {"usherd_decision_id": decision.decision_id},
        "api_key": _holder(who),
        # A service has no user by whose name people would find it.
        "key_alias": who.client if who.kind == "SERVICE" else None,
        "user_id": who.user_id,
        "user_email": who.email,
        "team_id": who.team_id,
        "team_alias": who.team_alias,
        "org_id": who.organization_id,
        "end_user_id": who.end_user_id,
    }
    return {name: value for name, value in fields.items() if value} | _limits(decision.wire.limits)


def _holder(who: Principal) -> str | None:
    """What LiteLLM counts and logs as the key: the same for every token of one holder, and no secret."""
    if who.kind == "ANONYMOUS":
        return None
    named = json.dumps([who.issuer, who.subject, who.client, who.user_id])
    return "usherd-" + hashlib.sha256(named.encode()).hexdigest()


def _role(who: Principal) -> str:
    """An administrator is one by usherd's policy alone, whatever a role is called."""
    if who.is_admin:
        return ADMIN
    if who.kind == "ANONYMOUS":
        return "internal_user_viewer"
    return who.directory_role if who.directory_role in _ROLES else "internal_user"


def _limits(limits: decision_pb2.Limits) -> dict[str, Any]:
    """Limits of rate, which LiteLLM enforces, and of budget, which usherd does and LiteLLM only logs."""
    found: dict[str, Any] = {}
    for name, limit in (("team", limits.team), ("user", limits.user), ("team_member", limits.member)):
        if limit.HasField("tpm"):
            found[f"{name}_tpm_limit"] = limit.tpm
        if limit.HasField("rpm"):
            found[f"{name}_rpm_limit"] = limit.rpm
        if limit.HasField("max_budget_micro_usd") and name != "team_member":
            found[f"{name}_max_budget"] = limit.max_budget_micro_usd / _MICRO_USD
    return found
