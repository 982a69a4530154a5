"""LiteLLM's keys by what they do to access: read here, restricting what usherd cannot, or neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Restricting = Mapping[str, tuple[str, Callable[[object], bool]]]
"""What LiteLLM does with a key, and which values make it do so, by key."""


def _is_on(value: object) -> bool:
    return value is not None and value is not False


def _is_filled(value: object) -> bool:
    return value not in (None, False, "", [], {})


RESTRICTING: Restricting = {
    "allowed_ips": ("only some addresses may call", lambda value: value is not None),
    "custom_auth": ("a function of your own decides instead of the token", _is_filled),
    "custom_auth_settings": ("a function of your own decides beside the token", _is_filled),
    "custom_auth_run_common_checks": ("a function of your own decides before the other checks", _is_on),
    "enable_oauth2_auth": ("an introspection endpoint decides instead of the token", _is_on),
    "enable_oauth2_proxy_auth": ("headers of a proxy decide instead of the token", _is_on),
    "mcp_allowed_clients": ("only some client applications may use MCP", lambda value: value is not None),
    "mcp_internal_ip_ranges": ("some MCP servers are for some addresses only", lambda value: value is not None),
    "require_end_user_mcp_access_defined": ("end users may use MCP only where it says so", _is_on),
    "max_request_size_mb": ("large requests are refused", lambda value: value is not None),
    "max_file_size_mb": ("large files are refused", lambda value: value is not None),
    "enforced_params": ("requests without some parameters are refused", _is_filled),
    "reject_clientside_metadata_tags": ("requests with tags of their own are refused", _is_on),
}
"""Keys of `general_settings`."""

RESTRICTING_LITELLM: Restricting = {
    "upperbound_key_generate_params": ("new keys have bounds", _is_filled),
    "key_generation_settings": ("only some may make keys", _is_filled),
    "blocked_user_list": ("some end users are refused", _is_filled),
    "banned_keywords_list": ("requests with some words are refused", _is_filled),
    "max_end_user_budget": ("end users without a budget of their own have this one", _is_on),
    "max_end_user_budget_id": ("end users without a budget of their own have this one", _is_filled),
    "max_user_budget": ("users without a budget of their own have this one", _is_on),
    "personal_key_model_access_from_teams": ("users without a team have the models of their teams only", _is_on),
    "block_requests_for_models_without_pricing": ("models without a price are refused", _is_on),
}
"""Keys of `litellm_settings`."""

RESTRICTING_JWTAUTH: Restricting = {
    "agent_id_jwt_field": ("tokens of unregistered agents are refused", _is_filled),
    "virtual_key_claim_field": ("tokens are held to the limits of a virtual key", _is_filled),
    "jwt_client_id_field": ("tokens are held to the limits of a virtual key", _is_filled),
    "unregistered_jwt_client_behavior": (
        "clients without a virtual key are refused",
        # A variable may say so, too.
        lambda value: value not in (None, "fallback_team_mapping", "auto_register"),
    ),
    "routing_overrides": ("an introspection endpoint decides on some tokens", _is_filled),
}
"""Keys of `litellm_jwtauth` and of its issuers."""
RESTRICTING_TEAM_PARAMS: Restricting = {
    "denied_passthrough_routes": ("new teams may not call some routes", _is_filled),
}
"""Keys of `litellm_settings.default_team_params`."""

HANDLED = frozenset(
    {
        "enable_jwt_auth",
        "litellm_jwtauth",
        "role_permissions",
        "enforce_rbac",
        "enforce_user_param",
        "allowed_routes",
        "public_routes",
        "admin_only_routes",
        "master_key",
        "user_api_key_cache_ttl",
        "apply_user_budget_to_team_keys",
        "pass_through_endpoints",
        "store_model_in_db",
        "use_client_credentials_pass_through_routes",
        "allow_requests_on_db_unavailable",
    }
)
"""Keys of `general_settings` that the importer reads, or has a note about."""

UNRESTRICTING = frozenset(
    {
        # What happens to a request once it may be made, which models it falls back to, how it is logged and told of.
        "completion_model",
        "image_generation_model",
        "embedding_model",
        "moderation_model",
        "infer_model_from_keys",
        "forward_openai_org_id",
        "forward_client_headers_to_llm_api",
        "forward_llm_provider_auth_headers",
        "allow_client_side_credentials",
        "always_include_stream_usage",
        "max_response_size_mb",
        "pass_through_request_timeout",
        "disable_responses_id_security",
        "background_health_checks",
        "health_check_interval",
        "health_check_details",
        "health_check_concurrency",
        "use_shared_health_check",
        "enable_health_check_routing",
        "health_check_staleness_threshold",
        "health_check_ignore_transient_errors",
        "health_check_skip_disabled_background_models",
        "alerting",
        "alerting_threshold",
        "alerting_args",
        "alert_types",
        "alert_type_config",
        "otel",
        "alert_to_webhook_url",
        "spend_report_frequency",
        "store_prompts_in_spend_logs",
        "disable_spend_logs",
        "disable_spend_updates",
        "disable_error_logs",
        "maximum_spend_logs_retention_period",
        "maximum_spend_logs_retention_interval",
        "maximum_spend_logs_cleanup_cron",
        # How much is done at a time: rates and queues are the gateway's own.
        "max_parallel_requests",
        "global_max_parallel_requests",
        "disable_retry_on_max_parallel_request_limit_error",
        "token_rate_limit_type",
        "disable_batch_input_file_rate_limiting",
        "skip_batch_input_file_rate_limiting_for_providers",
        "skip_batch_input_file_rate_limiting_for_models",
        # The database and its upkeep.
        "database_url",
        "database_type",
        "database_args",
        "database_connection_pool_limit",
        "database_connection_timeout",
        "database_connection_pool_timeout",
        "disable_prisma_schema_update",
        "disable_reset_budget",
        "proxy_budget_rescheduler_min_time",
        "proxy_budget_rescheduler_max_time",
        "proxy_batch_write_at",
        "proxy_batch_polling_interval",
        "use_redis_transaction_buffer",
        "supported_db_objects",
        "disable_budget_reservation",
        "fail_closed_budget_enforcement",
        # Secrets, licences, the master key as a key.
        "litellm_license",
        "key_management_system",
        "key_management_settings",
        "use_azure_key_vault",
        "use_google_kms",
        "use_aws_secret_manager",
        "disable_master_key_return",
        "disable_adding_master_key_hash_to_db",
        # Virtual keys and the user interface, which tokens of an issuer have nothing to do with.
        "custom_key_generate",
        "custom_sso",
        "custom_ui_sso_sign_in_handler",
        "ui_access_mode",
        "auto_redirect_ui_login_to_sso",
        "enable_public_model_hub",
        "control_plane_url",
        "search_tools",
        "enable_mcp_registry",
        "mcp_required_fields",
        "user_mcp_management_mode",
        "default_team_disabled",
        "allow_user_auth",
        "service_account_settings",
        # How the credential and the caller are read from a request, before usherd is asked.
        "litellm_key_header_name",
        "user_header_name",
        "user_header_mappings",
        "use_x_forwarded_for",
        "trusted_proxy_ranges",
        "mcp_trusted_proxy_ranges",
        "mcp_client_side_auth_header_name",
        "mcp_client_id_header",
        # Means something only beside enable_oauth2_proxy_auth.
        "oauth2_config_mappings",
    }
)
"""Keys of `general_settings` that let nobody in and keep nobody out, of those who come with a token."""

TOP_LEVEL = frozenset(
    {
        "model_list",
        "general_settings",
        "litellm_settings",
        "router_settings",
        "environment_variables",
        "callback_settings",
        "guardrails",
        "mcp_servers",
        "mcp_tools",
        "assistant_settings",
        "files_settings",
        "finetune_settings",
        "vector_store_registry",
        "credential_list",
        "search_tools",
        "prompts",
        "default_vertex_config",
    }
)
"""Keys of the whole file."""

TOLD: Mapping[tuple[str, str], str] = {
    ("general_settings", "pass_through_endpoints"): "usherd judges their routes as any other; list those without"
    " authentication in routes.public",
    ("general_settings", "store_model_in_db"): "models in LiteLLM's database are not imported; add them to models",
    ("general_settings", "use_client_credentials_pass_through_routes"): "usherd opens nothing to callers without a"
    " token",
    ("general_settings", "allow_requests_on_db_unavailable"): "usherd gives no answer while its directory is out of"
    " reach",
    ("litellm_settings", "callbacks"): "they go on running in LiteLLM; what they refuse, usherd does not see",
}
"""What else to tell of keys that are there and not false, by section and key."""
