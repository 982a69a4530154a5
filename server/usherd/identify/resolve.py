"""Meets a profile with the directory: is the user known, which teams can be tried, who is the end user?"""

from __future__ import annotations

from usherd.domain import SESSION_ISSUER, PrincipalKind, Question
from usherd.facts import DIRECTORY_ADMIN_ROLE, User
from usherd.identify.teams_to_try import teams_to_try
from usherd.identity import Identity, Profile
from usherd.ids import well_formed_id
from usherd.policy import PROXY_ADMIN, Policy, UserRules
from usherd.ports import Wanted
from usherd.reading import Reading
from usherd.sessions import role_now


def wanted(profile: Profile, question: Question | None, policy: Policy) -> Wanted:
    """All that may be read of the directory for this question; without one, for any that adds nothing of its own.

    Besides what those rows name: a store adds the organizations and teams of the rows that it finds.
    """
    teams, aliases = list(profile.team_ids), [profile.team_alias]
    organizations, end_user = [profile.organization], profile.end_user
    if policy.teams.default is not None:
        teams.append(policy.teams.default)
    if question is not None:
        aliases.append(question.team_alias or "")
        organizations.append(question.organization_id)
        end_user = end_user or question.end_user_id
        if question.team_id is not None and policy.options.team_alias == "either":
            teams.append(question.team_id)
            aliases.append(question.team_id)
    return Wanted(
        issuer=profile.issuer,
        user=profile.user or None,
        email=profile.email or None if policy.options.email_adoption == "on" else None,
        teams=tuple(teams),
        team_aliases=tuple(filter(None, aliases)),
        organizations=tuple(filter(None, organizations)),
        organization_alias=profile.organization_alias or None,
        end_user=end_user or None,
    )


def identify(profile: Profile, question: Question, reading: Reading, policy: Policy) -> Identity:
    """The identity of the token's holder for this question."""
    options = policy.options
    if profile.admin and not options.admin_loaded and not profile.is_own_session:
        return _at_once(profile)
    user = known_user(profile, reading, policy)
    teams = teams_to_try(profile, question, reading, user, policy)
    # The token is signed and the question is not: an end user that the token names cannot be talked away.
    end_user_id = profile.end_user or question.end_user_id
    judged = end_user_id if options.end_user_judged == "either" else profile.end_user
    role = directory_role_of(profile, user, policy.users) if options.directory_role == "honoured" else ""
    admin = profile.admin
    if admin and profile.kind is PrincipalKind.SESSION:
        admin = _still_admin(profile, user, policy)
    mapped_admin = options.mapped_admin == "admin" and PROXY_ADMIN in profile.mapped_roles
    return Identity(
        profile=profile,
        user=user,
        directory_role=role,
        is_admin=admin or (profile.may_be_admin and (mapped_admin or role == DIRECTORY_ADMIN_ROLE)),
        team_ids=teams.ids,
        taken_as_is=teams.taken_as_is,
        teams_from_directory=teams.from_directory,
        wish_refused=teams.wish_refused,
        end_user_id=end_user_id,
        # An id that nobody can have is neither looked up nor repeated in the answer.
        end_user=reading.end_user(judged) if well_formed_id(judged) else None,
    )


def directory_role_of(profile: Profile, user: User | None, rules: UserRules) -> str:
    """The holder's role: the one that the provider's roles map to, or else the row's. Empty: none.

    An issuer that may not grant administration makes no administrator, here or in the row. Where rows follow tokens, a
    role that a mapping could have given ends with the token that no longer has it.
    """
    mapped = profile.directory_role
    if mapped and (mapped != DIRECTORY_ADMIN_ROLE or profile.may_be_admin):
        return mapped
    row = "" if user is None else user.role
    if rules.sync_roles and profile.tells_roles and any(row == role for _, role in rules.role_map):
        return ""
    return row


def _still_admin(profile: Profile, user: User | None, policy: Policy) -> bool:
    """Whether an administrator's session still is one: it was made some time ago, and whom the directory has made less
    since is less."""
    own = profile.is_own_session
    if own and (user is None or user.blocked):
        return False
    now = role_now(DIRECTORY_ADMIN_ROLE, user, policy.users.given_roles if own else None)
    return now == DIRECTORY_ADMIN_ROLE


def _at_once(profile: Profile) -> Identity:
    return Identity(
        profile=profile,
        user=None,
        is_admin=True,
        at_once=True,
        team_ids=(),
        wish_refused=False,
        end_user_id="",
        end_user=None,
    )


def known_user(profile: Profile, reading: Reading, policy: Policy) -> User | None:
    """The holder's row, by whatever the policy looks for it."""
    if not profile.user:
        return None
    if profile.issuer == SESSION_ISSUER:
        return reading.user_by_id(profile.user)
    user = reading.user(profile.issuer, profile.user)
    if user is None and policy.options.sso_match == "any":
        user = reading.user_by_sso(profile.user)
    if user is None and policy.options.email_adoption == "on" and profile.email:
        user = reading.user_by_email(profile.email)
    return user
