"""All tables of usherd 0.1."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Names stay as they were when this was written: `schema.py` goes on, a migration does not.
ID = sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql")


def limits() -> list[sa.Column[int]]:
    """Of a row that has limits."""
    names = ("tpm", "rpm", "max_budget_micro_usd", "budget_reset_seconds")
    return [sa.Column(name, sa.BigInteger()) for name in names]


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "change_log",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("change", sa.SmallInteger(), nullable=False),
        sa.Column("lookups", sa.Text(), nullable=False),
        sa.Column("committed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("revision", "place", name="pk_change_log"),
    )
    op.create_index("ix_change_log_committed_at", "change_log", ["committed_at"])
    op.create_table(
        "end_users",
        sa.Column("id", ID, nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        *limits(),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_end_users"),
    )
    op.create_table(
        "models",
        sa.Column("name", ID, nullable=False),
        sa.Column("provider", ID, nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("aliases", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_models"),
    )
    op.create_table(
        "organizations",
        sa.Column("id", ID, nullable=False),
        sa.Column("alias", ID, nullable=False),
        sa.Column("models", sa.Text()),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        *limits(),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organizations"),
    )
    op.create_index("ix_organizations_alias", "organizations", ["alias"])
    op.create_table(
        "requests",
        sa.Column("caller", ID, nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "id", name="pk_requests"),
    )
    op.create_index("ix_requests_at", "requests", ["at"])
    op.create_table(
        "revocations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("issued_before", sa.Double()),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("caller", ID, nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revocations"),
    )
    op.create_index("ix_revocations_until", "revocations", ["until"])
    op.create_table(
        "session_keys",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("signs_until", sa.Double(), nullable=False),
        sa.Column("verifies_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name="pk_session_keys"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("claims", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("revoked_at", sa.Double()),
        sa.Column("caller", ID, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "spend",
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("team", ID, nullable=False),
        sa.Column("micro_usd", sa.BigInteger(), nullable=False),
        sa.Column("period_end", sa.Double()),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", "team", name="pk_spend"),
    )
    op.create_index("ix_spend_period_end", "spend", ["period_end"])
    op.create_table(
        "store",
        sa.Column("one", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("compacted", sa.BigInteger(), nullable=False),
        sa.Column("token_key", sa.LargeBinary(), nullable=False),
        sa.Column("global_max_micro_usd", sa.BigInteger()),
        sa.Column("global_reset_seconds", sa.BigInteger()),
        sa.PrimaryKeyConstraint("one", name="pk_store"),
    )
    op.create_table(
        "teams",
        sa.Column("id", ID, nullable=False),
        sa.Column("issuer", ID),
        sa.Column("alias", ID, nullable=False),
        sa.Column("organization", ID, nullable=False),
        sa.Column("models", sa.Text()),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("guardrails_modifiable", sa.Boolean(), nullable=False),
        sa.Column("model_aliases", sa.Text(), nullable=False),
        *limits(),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_teams"),
    )
    op.create_index("ix_teams_alias", "teams", ["alias"])
    op.create_index("ix_teams_organization", "teams", ["organization"])
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("email", ID, nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("models", sa.Text()),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        *limits(),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
    )
    op.create_index("ix_users_email", "users", ["email"])
    op.create_table(
        "memberships",
        sa.Column("team_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("max_budget_micro_usd", sa.BigInteger()),
        sa.Column("away", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_memberships_team_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_memberships_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("team_id", "user_id", name="pk_memberships"),
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"])
    op.create_table(
        "user_identities",
        sa.Column("issuer", ID, nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_identities_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_user_identities"),
    )
    op.create_index("ix_user_identities_user_id", "user_identities", ["user_id"])
    op.create_table(
        "user_organizations",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("administers", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_organizations_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "organization_id", name="pk_user_organizations"),
    )
    op.create_index("ix_user_organizations_organization_id", "user_organizations", ["organization_id"])
    op.create_table(
        "user_sso_ids",
        sa.Column("sso_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_sso_ids_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sso_id", "user_id", name="pk_user_sso_ids"),
    )
    op.create_index("ix_user_sso_ids_user_id", "user_sso_ids", ["user_id"])
