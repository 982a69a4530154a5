"""A single team that the token names is written, and kept in step with its user; one by an object id is not."""

from __future__ import annotations

from typing import Any

from usherd.facts import Team, User, Write, WriteKind
from usherd.policy import TEAM, InternalRoleRules, ProvisionRules, RoleMapping, TeamRules, UserRules
from worlds import CHAT, Recorder, World, policy

ROUTES = (CHAT, "/v1/models")
ALWAYS = TeamRules(routes=ROUTES, provision=ProvisionRules(always=True))


def written(claims: dict[str, Any], *users: User, **rules: Any) -> tuple[str, list[Write]]:
    """The reason of the answer, and what was written."""
    recorder = Recorder()
    teams = (Team(id="a", models=("*",)), Team(id="b", models=("*",)))
    asking = World(policy=policy(**rules), teams=teams, users=users, provisioning=recorder)
    return asking.reason(claims=claims), recorder.written


def test_a_new_team_is_created() -> None:
    reason, writes = written({"team": "new", "roles": "Reader"}, teams=ALWAYS)

    assert (reason, writes) == ("ALLOWED", [Write(WriteKind.CREATE_TEAM, Team(id="new", models=()))])


def test_a_team_that_only_an_object_id_names_is_not_created() -> None:
    mapping = RoleMapping(issuer="idp", role="svc", internal_role=TEAM)
    claims = {"approles": ["svc"], "oid": "new", "roles": "Reader"}

    answer = written(claims, teams=ALWAYS, internal_roles=InternalRoleRules(mappings=(mapping,)))

    assert answer == ("TEAM_NOT_ALLOWED", [])


def test_a_users_teams_are_kept_in_step_with_a_single_team_too() -> None:
    users = UserRules(routes=ROUTES, sync_teams=True)

    reason, writes = written({"team": "b"}, User(id="alice", teams=("a",), models=("*",)), users=users)

    assert reason == "ALLOWED"
    assert [(write.kind, write.row.id) for write in writes] == [(WriteKind.UPDATE_USER, "alice")]
    assert [write.row.teams for write in writes if isinstance(write.row, User)] == [("b",)]
