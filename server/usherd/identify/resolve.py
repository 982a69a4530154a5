"""Meets a profile with the directory: is the user known, which teams can be tried, who is the end user?"""

from __future__ import annotations

from usherd.domain import SESSION_ISSUER, Question
from usherd.facts import User
from usherd.identity import Identity, Profile
from usherd.ids import well_formed_id
from usherd.ports import Wanted
from usherd.reading import Reading

DIRECTORY_ADMIN_ROLE = "proxy_admin"
"""The directory role that makes an administrator, where the issuer may grant administration."""


def wanted(profile: Profile, question: Question | None) -> Wanted:
    """All that may be read of the directory for this question; without one, for any that adds nothing of its own."""
    aliases = (profile.team_alias, question.team_alias if question is not None else None)
    return Wanted(
        issuer=profile.issuer,
        user=profile.user or None,
        teams=profile.team_ids,
        team_aliases=tuple(alias for alias in aliases if alias),
        organization=profile.organization or None,
        end_user=profile.end_user or (question.end_user_id if question is not None else None) or None,
    )


def identify(profile: Profile, question: Question, reading: Reading) -> Identity:
    """The identity of the token's holder for this question."""
    user = _known_user(profile, reading)
    team_ids, wish_refused = _teams_to_try(profile, question, reading)
    # The token is signed and the question is not: an end user that the token names cannot be talked away.
    end_user_id = profile.end_user or question.end_user_id
    return Identity(
        profile=profile,
        user=user,
        is_admin=profile.admin or (profile.may_be_admin and user is not None and user.role == DIRECTORY_ADMIN_ROLE),
        team_ids=team_ids,
        wish_refused=wish_refused,
        end_user_id=end_user_id,
        # An id that nobody can have is neither looked up nor repeated in the answer.
        end_user=reading.end_user(end_user_id) if well_formed_id(end_user_id) else None,
    )


def _known_user(profile: Profile, reading: Reading) -> User | None:
    if not profile.user:
        return None
    if profile.issuer == SESSION_ISSUER:
        return reading.user_by_id(profile.user)
    return reading.user(profile.issuer, profile.user)


def _teams_to_try(profile: Profile, question: Question, reading: Reading) -> tuple[tuple[str, ...], bool]:
    team_ids, refused = profile.team_ids, False
    if profile.team_alias:
        named = reading.team_by_alias(profile.issuer, profile.team_alias)
        if named is None or (profile.teams_allowed is not None and named.id not in profile.teams_allowed):
            refused = True
        elif named.id not in team_ids:
            team_ids = (*team_ids, named.id)
    wish = question.team_id
    if question.team_alias is not None:
        known = well_formed_id(question.team_alias)
        wished = reading.team_by_alias(profile.issuer, question.team_alias) if known else None
        wish = "" if wished is None else wished.id
    if wish is None:
        return team_ids, refused
    if wish not in team_ids:
        return team_ids, True
    return (wish, *(team for team in team_ids if team != wish)), refused
