"""What an answer tells of its asker: the principal, and the limits that the directory sets."""

from __future__ import annotations

from usherd.bounded import Memo
from usherd.domain import NO_LIMIT, Limit, Limits, Principal
from usherd.facts import Membership, Team, User
from usherd.ids import well_formed_id
from usherd.permit.case import Case


def principal_of(case: Case) -> Principal:
    """Who asks, as far as it is known."""
    identity, profile, choice = case.identity, case.identity.profile, case.choice
    row = identity.user or case.new_user
    by_row = row is not None and case.rules.options.effective_id == "row"
    return Principal(
        kind=profile.kind,
        issuer=profile.iss,
        subject=profile.subject,
        client=profile.client,
        directory_role=identity.directory_role,
        is_admin=identity.is_admin,
        user_id=row.id if row is not None and by_row else profile.user,
        email=profile.email or ("" if row is None else row.email),
        team_id=choice.team_id,
        team_alias="" if choice.team is None else choice.team.alias,
        organization_id=case.organization_id,
        end_user_id=identity.end_user_id if well_formed_id(identity.end_user_id) else "",
        scopes=profile.scopes,
        roles=profile.role_names,
        claims=profile.claims,
    )


class LimitsOf:
    """Finds the limits of a case. Rows never change, so that those of one row are worked out once."""

    def __init__(self) -> None:
        self._known: Memo[int, tuple[Team | User | Membership, Limit | None]] = Memo(16_384)

    def of(self, case: Case) -> Limits | None:
        """The limits of team, user and member; None when none of them sets any."""
        user, team = case.identity.user or case.new_user, case.choice.team
        member = None if team is None or user is None else case.reading.member(team.id, user.id)
        of_team = None if team is None else self._limit(team)
        of_user = None if user is None else self._limit(user)
        of_member = None if member is None else self._limit(member)
        if of_team is None and of_user is None and of_member is None:
            return None
        return Limits(team=of_team, user=of_user, member=of_member)

    def _limit(self, row: Team | User | Membership) -> Limit | None:
        known = self._known.get(id(row))
        # An id is used again once its row is gone: the memo keeps the row, and a look says whether it is the same.
        if known is not None and known[0] is row:
            return known[1]
        found = _limit(row)
        self._known.put(id(row), (row, found))
        return found


def _limit(row: Team | User | Membership) -> Limit | None:
    if isinstance(row, Membership):
        limit, models = Limit(max_budget_micro_usd=row.max_budget_micro_usd), None
    else:
        limit, models = row.limit, row.models
    if limit == NO_LIMIT and not models:
        return None
    return Limit(
        tpm=limit.tpm,
        rpm=limit.rpm,
        max_budget_micro_usd=limit.max_budget_micro_usd,
        budget_reset_seconds=limit.budget_reset_seconds,
        models=tuple(sorted(models or ())),
    )
