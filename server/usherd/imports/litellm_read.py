"""What was read of a LiteLLM database, and what only whoever imports it can know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from usherd.imports.litellm_tables import TableFacts

Record = Mapping[str, Any]
"""A row of LiteLLM's by the names of its columns; columns that its version does not have are not there."""
Subject = Literal["user-id", "sso-id", "both"]


class Choices(NamedTuple):
    """What the tables do not say."""

    issuer: str = ""
    """The issuer whose tokens the teams and users are for. Empty: the only issuer, which knows users by their ids."""
    subject: Subject = "user-id"
    """What the issuer knows a user by."""
    empty_is_all: bool = False
    """Whether a team without models is granted every model, as in LiteLLM, by an entry `*`."""


@dataclass(frozen=True, slots=True)
class Read:
    """All records, by table."""

    records: dict[str, list[Record]] = field(default_factory=dict)

    def of(self, table: TableFacts) -> list[Record]:
        """The records of a table; none if it is not there."""
        return self.records.get(table.name, [])
