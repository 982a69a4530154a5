"""What is wanted of the directory is all that is read of it: a store that fetches no more gives the same answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from examples import examples
from laws.strategies import askings, worlds
from usherd.facts import BudgetOwner, BudgetState, EndUser, Membership, Organization, Team, User
from usherd.ports import Facts, Wanted
from worlds import World

law = examples(600, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


class OnlyWanted:
    """Facts with the rows that are wanted, and the teams and organizations that those rows name; no others."""

    def __init__(self, facts: Facts, wanted: Sequence[Wanted]) -> None:
        self._facts = facts
        self.store, self.revision, self.history = facts.store, facts.revision, facts.history
        self._wanted = wanted
        users = [user for each in wanted for user in self._users(each)]
        aliased = [
            team for each in wanted for alias in each.team_aliases for team in facts.teams_by_alias(each.issuer, alias)
        ]
        self._teams = {
            *(team for each in wanted for team in each.teams),
            *(team for user in users for team in user.teams),
            *(team.id for team in aliased),
        }
        teams = [team for name in self._teams for each in wanted if (team := facts.team(each.issuer, name)) is not None]
        by_alias = [
            row
            for each in wanted
            if each.organization_alias
            for row in facts.organizations_by_alias(each.organization_alias)
        ]
        self._organizations = {
            *(name for each in wanted for name in each.organizations),
            *(team.organization for team in (*teams, *aliased)),
            *(row.id for row in by_alias),
        }

    def _users(self, wanted: Wanted) -> list[User]:
        found = []
        if wanted.user:
            found = [self._facts.user(wanted.issuer, wanted.user), self._facts.user_by_sso(wanted.user)]
        if wanted.email:
            found.append(self._facts.user_by_email(wanted.email))
        return [user for user in found if user is not None]

    def user(self, issuer: str, subject: str) -> User | None:
        assert any((each.issuer, each.user) == (issuer, subject) for each in self._wanted), subject
        return self._facts.user(issuer, subject)

    def user_by_id(self, user_id: str) -> User | None:
        assert any(each.user == user_id for each in self._wanted), user_id
        return self._facts.user_by_id(user_id)

    def user_by_sso(self, sso_id: str) -> User | None:
        assert any(each.user == sso_id for each in self._wanted), sso_id
        return self._facts.user_by_sso(sso_id)

    def user_by_email(self, email: str) -> User | None:
        assert any(each.email == email for each in self._wanted), email
        return self._facts.user_by_email(email)

    def team(self, issuer: str, team_id: str) -> Team | None:
        assert team_id in self._teams, team_id
        return self._facts.team(issuer, team_id)

    def teams_by_alias(self, issuer: str, alias: str) -> Sequence[Team]:
        assert any(alias in each.team_aliases for each in self._wanted), alias
        return self._facts.teams_by_alias(issuer, alias)

    def member(self, team_id: str, user_id: str) -> Membership | None:
        assert team_id in self._teams, team_id
        return self._facts.member(team_id, user_id)

    def organization(self, organization_id: str) -> Organization | None:
        assert organization_id in self._organizations, organization_id
        return self._facts.organization(organization_id)

    def organizations_by_alias(self, alias: str) -> Sequence[Organization]:
        assert any(alias == each.organization_alias for each in self._wanted), alias
        return self._facts.organizations_by_alias(alias)

    def end_user(self, end_user_id: str) -> EndUser | None:
        assert any(end_user_id == each.end_user for each in self._wanted), end_user_id
        return self._facts.end_user(end_user_id)

    def budget(self, owner: BudgetOwner) -> BudgetState:
        return self._facts.budget(owner)


class Fetching:
    """A directory that reads what is wanted, and nothing else."""

    def __init__(self, directory: Any) -> None:
        self._directory = directory

    async def facts(self, wanted: Sequence[Wanted]) -> OnlyWanted:
        return OnlyWanted(await self._directory.facts(wanted), wanted)

    def at_hand(self) -> None:
        return None


@law
@given(worlds(), st.lists(askings(), min_size=3, max_size=3))
def test_nothing_is_read_of_the_directory_that_was_not_wanted(world: World, asked: list[dict[str, Any]]) -> None:
    questions = [world.question(**asking) for asking in asked]
    whole = [world.answer(question).verdict for question in questions]

    fetching: Any = Fetching(world.directory)
    world.authorizer._directory = fetching

    assert [world.answer(question).verdict for question in questions] == whole
