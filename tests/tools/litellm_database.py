"""A database as a LiteLLM proxy of late 2026 has it: the tables that are imported, with all their columns.

Facts of its schema (schema.prisma of litellm-proxy-extras 0.4), in words of our own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import asyncpg

_TIMES = {
    "created_at": "timestamp(3) NOT NULL DEFAULT now()",
    "created_by": "text NOT NULL DEFAULT 'admin'",
    "updated_at": "timestamp(3) NOT NULL DEFAULT now()",
    "updated_by": "text NOT NULL DEFAULT 'admin'",
}
_RATES = {"tpm_limit": "bigint", "rpm_limit": "bigint"}
_BUDGET = {"max_budget": "double precision", "budget_duration": "text", "budget_reset_at": "timestamp(3)"}
_SPEND = {"spend": "double precision NOT NULL DEFAULT 0"}
_TEXTS = "text[] NOT NULL DEFAULT '{}'"
_JSON = "jsonb NOT NULL DEFAULT '{}'"

TABLES: Mapping[str, Mapping[str, str]] = {
    "LiteLLM_BudgetTable": {
        "budget_id": "text PRIMARY KEY",
        **_BUDGET,
        **_RATES,
        "soft_budget": "double precision",
        "max_parallel_requests": "integer",
        "tpd_limit": "bigint",
        "model_max_budget": "jsonb",
        "allowed_models": _TEXTS,
        "temp_budget_increase": "double precision",
        "temp_budget_expiry": "timestamp(3)",
        **_TIMES,
    },
    "LiteLLM_OrganizationTable": {
        "organization_id": "text PRIMARY KEY",
        "organization_alias": "text NOT NULL",
        "budget_id": 'text NOT NULL REFERENCES "LiteLLM_BudgetTable"',
        "metadata": _JSON,
        "models": "text[]",
        **_SPEND,
        "model_spend": _JSON,
        "object_permission_id": "text",
        **_TIMES,
    },
    "LiteLLM_ModelTable": {"id": "serial PRIMARY KEY", "aliases": "jsonb", **_TIMES},
    "LiteLLM_TeamTable": {
        "team_id": "text PRIMARY KEY",
        "team_alias": "text",
        "organization_id": "text",
        "object_permission_id": "text",
        "admins": "text[]",
        "members": "text[]",
        "members_with_roles": _JSON,
        "metadata": _JSON,
        **_BUDGET,
        **_RATES,
        **_SPEND,
        "soft_budget": "double precision",
        "models": "text[]",
        "max_parallel_requests": "integer",
        "tpd_limit": "bigint",
        "blocked": "boolean NOT NULL DEFAULT false",
        "model_spend": _JSON,
        "model_max_budget": _JSON,
        "router_settings": "jsonb DEFAULT '{}'",
        "team_member_permissions": _TEXTS,
        "access_group_ids": _TEXTS,
        "policies": _TEXTS,
        "default_team_member_models": _TEXTS,
        "budget_limits": "jsonb",
        "model_id": "integer UNIQUE",
        "allow_team_guardrail_config": "boolean NOT NULL DEFAULT false",
        "created_at": _TIMES["created_at"],
        "updated_at": _TIMES["updated_at"],
    },
    "LiteLLM_UserTable": {
        "user_id": "text PRIMARY KEY",
        "user_alias": "text",
        "team_id": "text",
        "sso_user_id": "text UNIQUE",
        "organization_id": "text",
        "object_permission_id": "text",
        "password": "text",
        "teams": _TEXTS,
        "user_role": "text",
        "user_email": "text",
        "models": "text[]",
        "metadata": _JSON,
        **_BUDGET,
        **_RATES,
        **_SPEND,
        "max_parallel_requests": "integer",
        "allowed_cache_controls": _TEXTS,
        "policies": _TEXTS,
        "model_spend": _JSON,
        "model_max_budget": _JSON,
        "created_at": "timestamp(3) DEFAULT now()",
        "updated_at": "timestamp(3) DEFAULT now()",
    },
    "LiteLLM_TeamMembership": {
        "user_id": "text",
        "team_id": "text",
        "budget_id": "text",
        **_SPEND,
        "total_spend": "double precision NOT NULL DEFAULT 0",
        "PRIMARY KEY": "(user_id, team_id)",
    },
    "LiteLLM_OrganizationMembership": {
        "user_id": "text",
        "organization_id": "text",
        "user_role": "text",
        "spend": "double precision",
        "budget_id": "text",
        "created_at": "timestamp(3) DEFAULT now()",
        "updated_at": "timestamp(3) DEFAULT now()",
        "PRIMARY KEY": "(user_id, organization_id)",
    },
    "LiteLLM_EndUserTable": {
        "user_id": "text PRIMARY KEY",
        "alias": "text",
        **_SPEND,
        "allowed_model_region": "text",
        "default_model": "text",
        "models": _TEXTS,
        "budget_id": "text",
        "object_permission_id": "text",
        "blocked": "boolean NOT NULL DEFAULT false",
    },
    "LiteLLM_SpendLogs": {"request_id": "text PRIMARY KEY", **_SPEND},
}


def ddl(schema: str = "public", *, without: tuple[str, ...] = ()) -> str:
    """The statements that make the tables; `without` tables and columns, as `TABLE` and `TABLE.COLUMN`."""
    statements = [f'CREATE SCHEMA IF NOT EXISTS "{schema}"']
    for table, columns in TABLES.items():
        if table not in without:
            parts = (
                f"{name} {kind}" if name == "PRIMARY KEY" else f'"{name}" {kind}'
                for name, kind in columns.items()
                if f"{table}.{name}" not in without
            )
            statements.append(f'CREATE TABLE "{schema}"."{table}" ({", ".join(parts)})')
    return ";\n".join(statements).replace('REFERENCES "', f'REFERENCES "{schema}"."')


class LitellmDatabase:
    """One database, to be filled."""

    def __init__(self, connection: asyncpg.Connection, schema: str = "public") -> None:
        self._connection = connection
        self._schema = schema

    async def create(self, *, without: tuple[str, ...] = ()) -> None:
        """Makes the tables."""
        await self._connection.execute(ddl(self._schema, without=without))

    async def add(self, table: str, *records: Mapping[str, Any]) -> None:
        """Rows of `LiteLLM_<table>`, all with the same columns; mappings and lists of mappings are JSON."""
        columns = list(records[0])
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        statement = f'INSERT INTO "{self._schema}"."LiteLLM_{table}" ({names}) VALUES ({marks})'
        await self._connection.executemany(
            statement, [[_value(record[name]) for name in columns] for record in records]
        )

    async def execute(self, statement: str) -> None:
        """Any statement."""
        await self._connection.execute(statement)


def _value(value: Any) -> Any:
    is_json = isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))
    return json.dumps(value) if is_json else value
