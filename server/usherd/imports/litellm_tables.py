"""What usherd knows of LiteLLM's tables: the columns that rows are made of, those that say nothing of rights, and those
that say something which usherd cannot. Columns that are in none of these lists are told by name."""

from __future__ import annotations

from typing import NamedTuple


class TableFacts(NamedTuple):
    """One table."""

    name: str
    kind: str
    """What a row is, in the singular."""
    key: tuple[str, ...]
    read: tuple[str, ...]
    """Columns that rows are made of."""
    told: tuple[str, ...] = ()
    """Columns that usherd has no place for, which are told wherever something is in them."""
    ignored: tuple[str, ...] = ()
    """Columns that say nothing about what anybody may do."""
    required: bool = False
    """Whether there is no LiteLLM without it; others are of later versions."""

    @property
    def known(self) -> frozenset[str]:
        """All of these columns."""
        return frozenset((*self.read, *self.told, *self.ignored))


_TIMES = ("created_at", "created_by", "updated_at", "updated_by")
_LIMITS = ("max_budget", "tpm_limit", "rpm_limit", "budget_duration")

BUDGETS = TableFacts(
    "LiteLLM_BudgetTable",
    "budget",
    ("budget_id",),
    ("budget_id", *_LIMITS),
    (
        "soft_budget",
        "max_parallel_requests",
        "tpd_limit",
        "model_max_budget",
        "allowed_models",
        "temp_budget_increase",
        "temp_budget_expiry",
    ),
    ("budget_reset_at", *_TIMES),
)
ORGANIZATIONS = TableFacts(
    "LiteLLM_OrganizationTable",
    "organization",
    ("organization_id",),
    ("organization_id", "organization_alias", "budget_id", "models", "spend"),
    ("object_permission_id",),
    ("metadata", "model_spend", *_TIMES),
)
MODELS = TableFacts("LiteLLM_ModelTable", "team's aliases", ("id",), ("id", "aliases"), (), _TIMES)
TEAMS = TableFacts(
    "LiteLLM_TeamTable",
    "team",
    ("team_id",),
    (
        *("team_id", "team_alias", "organization_id", "admins", "members", "members_with_roles", "metadata", "models"),
        *("blocked", "model_id", "spend", *_LIMITS),
    ),
    (
        *("object_permission_id", "soft_budget", "max_parallel_requests", "tpd_limit", "model_max_budget"),
        *("access_group_ids", "policies", "default_team_member_models", "budget_limits", "team_member_permissions"),
    ),
    ("budget_reset_at", "model_spend", "router_settings", "allow_team_guardrail_config", *_TIMES),
    required=True,
)
USERS = TableFacts(
    "LiteLLM_UserTable",
    "user",
    ("user_id",),
    (
        *("user_id", "sso_user_id", "organization_id", "team_id", "teams", "user_role", "user_email", "models"),
        *("metadata", "spend", *_LIMITS),
    ),
    ("object_permission_id", "max_parallel_requests", "policies", "model_max_budget", "allowed_cache_controls"),
    (
        *("user_alias", "password", "password_reset_required", "last_breach_check_at", "budget_reset_at"),
        *("model_spend", *_TIMES),
    ),
    required=True,
)
PLACES = TableFacts(
    "LiteLLM_TeamMembership",
    "membership",
    ("team_id", "user_id"),
    ("user_id", "team_id", "budget_id", "spend"),
    (),
    ("total_spend",),
)
ORGANIZATION_PLACES = TableFacts(
    "LiteLLM_OrganizationMembership",
    "place in an organization",
    ("user_id", "organization_id"),
    ("user_id", "organization_id", "user_role", "budget_id"),
    (),
    ("spend", *_TIMES),
)
END_USERS = TableFacts(
    "LiteLLM_EndUserTable",
    "end user",
    ("user_id",),
    ("user_id", "budget_id", "blocked", "spend"),
    ("allowed_model_region", "default_model", "models", "object_permission_id"),
    ("alias",),
)

TABLES = (BUDGETS, ORGANIZATIONS, MODELS, TEAMS, USERS, PLACES, ORGANIZATION_PLACES, END_USERS)
"""In the order in which they are read."""

RESTRICTING_METADATA = (
    *("model_rpm_limit", "model_tpm_limit", "guardrails", "disable_global_guardrails", "tags", "blocked_tools"),
    *("allowed_passthrough_routes", "denied_passthrough_routes", "team_member_budget_id", "model_max_budget"),
    *("max_parallel_requests", "rpm_limit_type", "tpm_limit_type", "prompts", "policies"),
)
"""Keys of metadata with which LiteLLM decides or limits something, and usherd nothing."""
