"""Records as LiteLLM's tables hold them, for tests of what becomes of them."""

from __future__ import annotations

from typing import Any

from usherd.imports.litellm import Translated, translate
from usherd.imports.litellm_read import Choices, Read, Record
from usherd.imports.notes import Note
from usherd.store import Place, Row


def team(team_id: str = "red", **more: Any) -> Record:
    """A team as LiteLLM makes it."""
    return {"team_id": team_id, "models": ["gpt-4o"], "members_with_roles": "[]", "metadata": "{}", **more}


def user(user_id: str = "ann", **more: Any) -> Record:
    """A user as LiteLLM makes it."""
    return {"user_id": user_id, "models": [], "teams": [], "metadata": "{}", **more}


def budget(budget_id: str = "small", **more: Any) -> Record:
    """A budget."""
    return {"budget_id": budget_id, **more}


def organization(organization_id: str = "acme", **more: Any) -> Record:
    """An organization."""
    return {
        "organization_id": organization_id,
        "organization_alias": "Acme",
        "models": [],
        "budget_id": "small",
        **more,
    }


_NAMES = {
    "budgets": "LiteLLM_BudgetTable",
    "organizations": "LiteLLM_OrganizationTable",
    "models": "LiteLLM_ModelTable",
    "teams": "LiteLLM_TeamTable",
    "users": "LiteLLM_UserTable",
    "places": "LiteLLM_TeamMembership",
    "organization_places": "LiteLLM_OrganizationMembership",
    "end_users": "LiteLLM_EndUserTable",
}


def translated(choices: Choices = Choices(), **tables: list[Record]) -> Translated:  # noqa: B008 (it is immutable)
    """What becomes of these records."""
    return translate(Read({_NAMES[name]: records for name, records in tables.items()}), choices)


def row(found: Translated, kind: type[Row]) -> Any:
    """The only row of that kind."""
    (only,) = [each for each in found.rows if isinstance(each, kind)]
    return only


def places(found: Translated) -> dict[tuple[str, str], Place]:
    """Places by team and user."""
    return {(each.team, each.user): each for each in found.rows if isinstance(each, Place)}


def said(notes: tuple[Note, ...]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Notes by kind and text."""
    return {(note.kind, note.text): note.ids for note in notes}
