"""The tables. What is in them is described once, here; migrations (`migrations/`) bring a database there."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Ids are compared and sorted by code points on both: SQLite's BINARY is that for UTF-8, PostgreSQL needs to be told.
Id = String(256).with_variant(String(256, collation="C"), "postgresql")


def _limits() -> list[Column[int]]:
    return [
        Column("tpm", BigInteger),
        Column("rpm", BigInteger),
        Column("max_budget_micro_usd", BigInteger),
        Column("budget_reset_seconds", BigInteger),
    ]


def _revision() -> Column[int]:
    """Of the row's last change."""
    return Column("revision", BigInteger, nullable=False)


store = Table(
    "store",
    METADATA,
    Column("one", SmallInteger, primary_key=True),  # 1: there is one row
    Column("id", String(32), nullable=False),
    Column("revision", BigInteger, nullable=False),  # of the last change; locked by whoever makes the next
    Column("compacted", BigInteger, nullable=False),  # changes up to this revision may be gone
    Column("token_key", LargeBinary, nullable=False),  # 32 bytes: token ids are digests under it
    Column("global_max_micro_usd", BigInteger),
    Column("global_reset_seconds", BigInteger),
)

change_log = Table(
    "change_log",
    METADATA,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),  # within its transaction
    Column("kind", SmallInteger, nullable=False),
    Column("row_id", Text, nullable=False),
    Column("change", SmallInteger, nullable=False),
    Column("lookups", Text, nullable=False),  # JSON: [[sought, key...], ...]
    Column("committed_at", Double, nullable=False),
    Index(None, "committed_at"),
)

organizations = Table(
    "organizations",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("alias", Id, nullable=False, index=True),  # empty: none
    Column("models", Text),  # JSON list; null: no ceiling
    Column("blocked", Boolean, nullable=False),
    *_limits(),
    _revision(),
)

teams = Table(
    "teams",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("issuer", Id),  # null: the only issuer's
    Column("alias", Id, nullable=False, index=True),
    Column("organization", Id, nullable=False, index=True),
    Column("models", Text),
    Column("blocked", Boolean, nullable=False),
    Column("guardrails_modifiable", Boolean, nullable=False),
    Column("model_aliases", Text, nullable=False),  # JSON object
    *_limits(),
    _revision(),
)

users = Table(
    "users",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("email", Id, nullable=False, index=True),
    Column("role", String(64), nullable=False),
    Column("models", Text),
    Column("blocked", Boolean, nullable=False),
    *_limits(),
    _revision(),
)

user_identities = Table(
    "user_identities",
    METADATA,
    Column("issuer", Id, primary_key=True),
    Column("subject", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
)

user_sso_ids = Table(
    "user_sso_ids",
    METADATA,
    Column("sso_id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
)

user_organizations = Table(
    "user_organizations",
    METADATA,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("organization_id", Id, primary_key=True, index=True),
    Column("administers", Boolean, nullable=False),
)

memberships = Table(
    "memberships",
    METADATA,
    Column("team_id", Id, ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", String(64), nullable=False),
    Column("max_budget_micro_usd", BigInteger),
    Column("away", Boolean, nullable=False),  # whether the user is not in the team, and the place stays all the same
    _revision(),
)

end_users = Table(
    "end_users",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("blocked", Boolean, nullable=False),
    *_limits(),
    _revision(),
)

models = Table(
    "models",
    METADATA,
    Column("name", Id, primary_key=True),
    Column("provider", Id, nullable=False),
    Column("groups", Text, nullable=False),  # JSON list
    Column("aliases", Text, nullable=False),  # JSON list
    _revision(),
)

spend = Table(
    "spend",
    METADATA,
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("id", Id, primary_key=True),
    Column("team", Id, primary_key=True),
    Column("micro_usd", BigInteger, nullable=False),
    Column("period_end", Double),  # seconds since the epoch; null: never
    Column("state", SmallInteger, nullable=False),  # BudgetState: as the change log says
    Index(None, "period_end"),
)

requests = Table(
    "requests",
    METADATA,
    Column("caller", Id, primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("result", Text, nullable=False),  # JSON
    Column("at", Double, nullable=False, index=True),
)

revocations = Table(
    "revocations",
    METADATA,
    Column("id", String(64), primary_key=True),  # a digest of what is revoked
    Column("kind", SmallInteger, nullable=False),  # a Sought: TOKEN, JTI, SUBJECT or ISSUER
    Column("key", Text, nullable=False),  # JSON list, as in a Lookup
    Column("issued_before", Double),  # seconds since the epoch; null where it means one token
    Column("until", Double, nullable=False, index=True),  # then no such token is valid any more
    Column("note", Text, nullable=False),
    Column("caller", Id, nullable=False),
    Column("created_at", Double, nullable=False),
    _revision(),
)

sessions = Table(
    "sessions",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("user_id", Id, nullable=False, index=True),
    Column("claims", Text, nullable=False),  # JSON: what the session says, without keys or secrets
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    Column("revoked_at", Double),
    Column("caller", Id, nullable=False),
    _revision(),
)

session_keys = Table(
    "session_keys",
    METADATA,
    Column("kid", String(64), primary_key=True),
    Column("public", Text, nullable=False),  # JWK
    Column("sealed", LargeBinary, nullable=False),  # the private key, encrypted
    Column("created_at", Double, nullable=False),
    Column("signs_until", Double, nullable=False),
    Column("verifies_until", Double, nullable=False),
)
