"""The rows and budget states of a directory in memory, at one revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from usherd.bounded import Memo
from usherd.domain import SESSION_ISSUER
from usherd.facts import BudgetOwner, BudgetState, EndUser, Membership, Organization, Team, User
from usherd.history import History
from usherd.stores.sharded import Sharded
from usherd.stores.tables import Tables


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MemoryFacts:
    """All rows at one revision. It never changes, so it may be read for as long as one likes."""

    store: str
    revision: int
    history: History
    tables: Tables
    states: Sharded[BudgetOwner, BudgetState] = field(repr=False)
    """The states that spend has brought about; every other budget is where nothing was spent."""
    _known_states: Memo[BudgetOwner, BudgetState] = field(default_factory=lambda: Memo(16_384), init=False, repr=False)
    """What `budget` has found: each question asks for several, and to find the row anew costs more than the check."""

    def sizes(self) -> Mapping[str, int]:
        """How many rows there are of each kind."""
        tables = self.tables
        return {
            "organization": len(tables.organizations),
            "team": len(tables.teams),
            "user": len(tables.users),
            "end_user": len(tables.end_users),
        }

    def user(self, issuer: str, subject: str) -> User | None:
        """The user with that identity. A user without identities is found by its id, for the only issuer."""
        return self.tables.identities.get((issuer, subject))

    def user_by_id(self, user_id: str) -> User | None:
        """The user with that directory id."""
        return self.tables.users.get(user_id)

    def user_by_sso(self, sso_id: str) -> User | None:
        """The user with that single sign-on id; of several, the one with the least id by code points."""
        return self.tables.sso_ids.get(sso_id)

    def user_by_email(self, email: str) -> User | None:
        """The user of that address; of several, the one with the least id by code points."""
        return self.tables.emails.get(email)

    def team(self, issuer: str, team_id: str) -> Team | None:
        """The team of that id which tokens of that issuer may claim."""
        team = self.tables.teams.get(team_id)
        return team if team is not None and self._may_claim(issuer, team) else None

    def teams_by_alias(self, issuer: str, alias: str) -> Sequence[Team]:
        """All teams of that alias which tokens of that issuer may claim."""
        return tuple(team for team in self.tables.team_aliases.get(alias) or () if self._may_claim(issuer, team))

    def member(self, team_id: str, user_id: str) -> Membership | None:
        """The place of that user in that team."""
        team = self.tables.teams.get(team_id)
        return None if team is None else team.members.get(user_id)

    def organization(self, organization_id: str) -> Organization | None:
        """The organization of that id."""
        return self.tables.organizations.get(organization_id)

    def organizations_by_alias(self, alias: str) -> Sequence[Organization]:
        """All organizations of that alias."""
        return self.tables.organization_aliases.get(alias) or ()

    def end_user(self, end_user_id: str) -> EndUser | None:
        """The end user of that id."""
        return self.tables.end_users.get(end_user_id)

    def budget(self, owner: BudgetOwner) -> BudgetState:
        """Where the owner's spend stands against the maximum of its row; WITHIN when the row has none."""
        state = self._known_states.get(owner)
        if state is None:
            state = self.states.get(owner)
            if state is None:
                budget = self.tables.budget(owner)
                state = BudgetState.WITHIN if budget is None else budget.state(0)
            self._known_states.put(owner, state)
        return state

    def _may_claim(self, issuer: str, team: Team) -> bool:
        # Sessions name no teams: whatever is looked up for them comes from the user's row, or is the default.
        owner = team.issuer if team.issuer is not None else self.tables.bare_ids_for
        return issuer in (owner, SESSION_ISSUER)
