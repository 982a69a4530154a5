"""The versions of LiteLLM that are read, and what each takes under `litellm_jwtauth`."""

from __future__ import annotations

from typing import Literal

Version = Literal["1.63", "latest"]
REFERENCE: Version = "1.63"
"""What `preset: litellm` answers as (1.63.2)."""
LATEST: Version = "latest"
"""1.109.1."""
VERSIONS: tuple[Version, ...] = (REFERENCE, LATEST)

_REFERENCE_KEYS = frozenset(
    {
        "admin_jwt_scope",
        "admin_allowed_routes",
        "team_id_jwt_field",
        "team_id_upsert",
        "team_ids_jwt_field",
        "upsert_sso_user_to_team",
        "team_allowed_routes",
        "team_id_default",
        "org_id_jwt_field",
        "user_id_jwt_field",
        "user_email_jwt_field",
        "user_allowed_email_domain",
        "user_roles_jwt_field",
        "user_allowed_roles",
        "user_id_upsert",
        "end_user_id_jwt_field",
        "public_key_ttl",
        "public_allowed_routes",
        "enforce_rbac",
        "roles_jwt_field",
        "role_mappings",
        "object_id_jwt_field",
        "scope_mappings",
        "enforce_scope_based_access",
        "enforce_team_based_model_access",
        "custom_validate",
    }
)
_NEWER_KEYS = frozenset(
    {
        "team_alias_jwt_field",
        "org_alias_jwt_field",
        "agent_id_jwt_field",
        "mcp_client_id_jwt_field",
        "public_key_stale_ttl",
        "jwt_litellm_role_map",
        "sync_user_role_and_teams",
        "oidc_userinfo_enabled",
        "oidc_userinfo_endpoint",
        "oidc_userinfo_cache_ttl",
        "virtual_key_claim_field",
        "jwt_client_id_field",
        "virtual_key_mapping_cache_ttl",
        "unregistered_jwt_client_behavior",
        "auto_register_map_existing_key",
        "routing_overrides",
        "team_claim_fallback",
        "fallback_to_db_teams",
        "issuers",
        "id_jag_requesting_apps",
    }
)
JWTAUTH_KEYS = {REFERENCE: _REFERENCE_KEYS, LATEST: _REFERENCE_KEYS | _NEWER_KEYS}
"""The keys that LiteLLM takes there. It does not start with any other."""
HINTS = {
    REFERENCE: dict.fromkeys(_NEWER_KEYS, "; later versions do: expected --litellm-version latest"),
    LATEST: {},
}
"""What to do about a key that a version does not take."""

ISSUER_KEYS = frozenset(
    {
        "issuer",
        "jwks_url",
        "audience",
        "disable_audience_validation",
        "user_id_jwt_field",
        "user_email_jwt_field",
        "team_id_jwt_field",
        "team_ids_jwt_field",
        "org_id_jwt_field",
        "end_user_id_jwt_field",
        "virtual_key_claim_field",
        "unregistered_jwt_client_behavior",
    }
)
"""The keys of an entry of `issuers`."""

REFERENCE_TEAM_ROUTES = ("openai_routes", "info_routes")
LATEST_TEAM_ROUTES = (
    "openai_routes",
    "info_routes",
    "mcp_inference_routes",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/rag/ingest",
    "/v1/rag/ingest",
    "/rag/query",
    "/v1/rag/query",
)
TEAM_ROUTES = {REFERENCE: REFERENCE_TEAM_ROUTES, LATEST: LATEST_TEAM_ROUTES}
"""`team_allowed_routes` unless given. Of `mcp_routes`, only the part that LiteLLM does not keep for others."""
TEAM_ROUTE_CHOICES = ("openai_routes", "info_routes", "management_routes")
"""All that 1.63 takes in `team_allowed_routes`."""
ADMIN_ROUTES = ("management_routes", "spend_tracking_routes", "global_spend_tracking_routes", "info_routes")
"""`admin_allowed_routes` unless given."""
ADMIN_SCOPE = "litellm_proxy_admin"
"""`admin_jwt_scope` unless given."""

ROUTE_GROUPS = {REFERENCE: "reference", LATEST: "latest"}
"""The name of a version's route groups in `routes.version`."""
ALGORITHMS = {
    REFERENCE: ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    LATEST: ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"),
}
