"""Unknown users and teams are written after every check, and entitle to nothing; who only looks writes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from usherd.domain import Decision, Limit
from usherd.errors import DirectoryUnavailable, Fault
from usherd.facts import Team, User, Write, WriteKind
from usherd.options import STRICT, with_values
from usherd.policy import ProvisionRules, TeamRules, UserRules
from worlds import CHAT, Recorder, World, finished, issuer, policy

USERS = UserRules(routes=(CHAT, "/v1/models"))
TEAMS = TeamRules(routes=(CHAT, "/v1/models"))


def world(
    users: ProvisionRules | None = None,
    teams: ProvisionRules | None = None,
    options: dict[str, Any] | None = None,
    user_rules: UserRules = USERS,
    error: Exception | None = None,
) -> World:
    chosen = policy(
        users=replace(user_rules, provision=users),
        teams=replace(TEAMS, provision=teams),
        options=with_values(STRICT, options or {}),
    )
    return World(policy=chosen, teams=(Team(id="a", models=("*",)),), provisioning=Recorder(error))


def written(asking: World) -> list[Write]:
    assert isinstance(asking.provisioning, Recorder)
    return asking.provisioning.written


ALICE = User(id="alice", identities=(("idp", "alice"),))


@pytest.mark.parametrize(
    ("rules", "claims", "writes"),
    [
        (ProvisionRules(teams=True), {"groups": ["a"]}, True),
        (ProvisionRules(teams=True), {"roles": "Reader"}, False),
        (ProvisionRules(roles=frozenset({"reader"})), {"roles": "Reader"}, True),
        (ProvisionRules(roles=frozenset({"reader"})), {"groups": ["a"]}, False),
        (ProvisionRules(scopes=frozenset({"join"})), {"groups": ["a"], "scope": "join"}, True),
        (ProvisionRules(scopes=frozenset({"join"})), {"groups": ["a"], "scope": "joined"}, False),
        (
            ProvisionRules(email_domains=frozenset({"x.example"})),
            {"groups": ["a"], "email": "a@x.example", "email_verified": True},
            True,
        ),
        (ProvisionRules(email_domains=frozenset({"x.example"})), {"groups": ["a"], "email": "a@x.example"}, False),
        (
            ProvisionRules(email_domains=frozenset({"x.example"})),
            {"groups": ["a"], "email": "a@y.example@x.example", "email_verified": True},
            False,
        ),
        (
            ProvisionRules(email_domains=frozenset({"x.example"})),
            {"groups": ["a"], "email": "a@y.example", "email_verified": True},
            False,
        ),
        (ProvisionRules(always=True), {"groups": ["a"]}, True),
        (ProvisionRules(), {"groups": ["a"]}, False),
        (ProvisionRules(always=True), {"groups": ["a"], "sub": ...}, False),
        (None, {"groups": ["a"]}, False),
    ],
)
def test_an_unknown_user_is_written_when_a_condition_holds(
    rules: ProvisionRules | None, claims: dict[str, Any], writes: bool
) -> None:
    asking = world(rules)

    assert asking.reason(claims=claims) == "ALLOWED"
    assert [write.kind for write in written(asking)] == ([WriteKind.CREATE_USER] if writes else [])


def test_a_new_user_has_the_defaults_the_address_and_the_mapped_role() -> None:
    defaults = {"models": ("o1",), "max_budget_micro_usd": 5, "role": "internal_user", "teams": ("a",)}
    rules = replace(USERS, role_map=(("boss", "proxy_admin_viewer"),))

    def row(claims: dict[str, Any]) -> Any:
        asking = world(ProvisionRules(always=True, defaults=defaults), user_rules=rules)
        decision = asking.ask(claims={"groups": ["a"], "email": "alice@x.example", **claims})
        assert decision.verdict.principal is not None
        assert decision.verdict.principal.user_id == "alice"
        assert decision.verdict.limits is not None
        assert decision.verdict.limits.user is not None
        assert decision.verdict.limits.user.max_budget_micro_usd == 5
        return written(asking)[0].row

    expected = replace(
        ALICE,
        email="alice@x.example",
        models=("o1",),
        role="internal_user",
        teams=("a",),
        limit=Limit(max_budget_micro_usd=5),
    )
    assert row({}) == expected
    assert row({"approles": ["boss"]}) == replace(expected, role="proxy_admin_viewer")


def test_subjects_of_two_issuers_are_never_one_new_user() -> None:
    chosen = policy(
        issuers=(issuer("idp"), issuer("other")), users=replace(USERS, provision=ProvisionRules(always=True)), admin=()
    )
    recorder = Recorder()
    asking = World(policy=chosen, teams=(Team(id="b", issuer="other", models=("*",)),), provisioning=recorder)

    assert asking.reason(by="other", claims={"groups": ["b"]}) == "ALLOWED"
    assert [write.row.id for write in recorder.written] == ["other/alice"]


def test_being_written_entitles_to_nothing() -> None:
    asking = world(ProvisionRules(always=True, defaults={"models": ("*",)}))

    assert asking.reason(claims={}) == "NOT_ENTITLED"
    assert written(asking) == []


@pytest.mark.parametrize("asked", [{"model": "unheard-of-but-fine"}, {"route": "/key/generate"}, {"model": None}])
def test_nothing_is_written_for_a_request_that_is_denied(asked: dict[str, Any]) -> None:
    asking = replace(world(ProvisionRules(always=True)), teams=(Team(id="a", models=("gpt-4o",)),))

    assert asking.reason(claims={"groups": ["a"]}, **asked) != "ALLOWED"
    assert written(asking) == []


def test_the_reference_writes_before_the_later_checks_and_after_the_earlier_ones() -> None:
    before = {"user.provision": "before"}
    later, earlier = (
        world(ProvisionRules(always=True), options=before),
        world(ProvisionRules(always=True), options=before),
    )

    assert later.reason(claims={"groups": ["a"]}, route="/key/generate") == "ROUTE_DENIED"
    assert earlier.reason(claims={"groups": ["a"]}, team_id="other") == "TEAM_NOT_ALLOWED"

    assert (len(written(later)), len(written(earlier))) == (1, 0)


def test_who_only_looks_writes_nothing() -> None:
    asking = world(ProvisionRules(always=True))
    question = asking.question(claims={"groups": ["a"]})

    asking.answer(question, explain=True)
    finished(asking.authorizer.models(question))

    assert written(asking) == []


def test_a_failed_write_is_no_answer() -> None:
    for error in (DirectoryUnavailable(), RuntimeError("canary")):
        asking = world(ProvisionRules(always=True), error=error)

        with pytest.raises(DirectoryUnavailable) as raised:
            asking.ask(claims={"groups": ["a"]})
        assert "canary" not in str(raised.value)


def test_an_answer_that_wants_something_written_is_judged_again_until_it_is() -> None:
    asking = world(ProvisionRules(always=True))
    question = asking.question(claims={"groups": ["a"]})

    asking.answer(question)
    asking.answer(question)
    assert len(written(asking)) == 2

    asking.directory.replace(replace(asking.rows(), users=(ALICE,)))
    asking.answer(question)
    assert len(written(asking)) == 2
    assert asking.at_hand(question) is not None


def test_a_batch_writes_for_all_its_questions_at_once_or_has_no_answers_for_them() -> None:
    asking = world(ProvisionRules(always=True))
    questions = [asking.question(claims={"groups": ["a"], "sub": sub}) for sub in ("alice", "bob", "carol")]

    answers = finished(asking.authorizer.authorize_many(questions))
    assert [write.row.id for write in written(asking)] == ["alice", "bob", "carol"]
    assert not any(isinstance(answer, Fault) for answer in answers)

    failing = world(ProvisionRules(always=True), error=DirectoryUnavailable())
    refused, wanting = failing.question(token="none"), failing.question(claims={"groups": ["a"]})
    first, second = finished(failing.authorizer.authorize_many([refused, wanting]))
    assert isinstance(first, Decision)
    assert isinstance(second, DirectoryUnavailable)


def test_without_a_place_to_write_to_nothing_is_written() -> None:
    asking = replace(world(ProvisionRules(always=True)), provisioning=None)

    assert asking.reason(claims={"groups": ["a"]}) == "ALLOWED"


@pytest.mark.parametrize(
    ("rules", "claims", "teams"),
    [
        (ProvisionRules(always=True), {"team": "new", "roles": "Reader"}, ["new"]),
        (ProvisionRules(roles=frozenset({"reader"})), {"team": "new", "roles": "Reader"}, ["new"]),
        (ProvisionRules(scopes=frozenset({"x"})), {"team": "new", "roles": "Reader"}, []),
        (ProvisionRules(always=True), {"team": "a", "roles": "Reader"}, []),
        (ProvisionRules(always=True), {"groups": ["new"], "roles": "Reader"}, []),
        (None, {"team": "new", "roles": "Reader"}, []),
    ],
)
def test_an_unknown_single_team_is_written_too(
    rules: ProvisionRules | None, claims: dict[str, Any], teams: list[str]
) -> None:
    asking = world(teams=rules)

    assert asking.reason(claims=claims) == "ALLOWED"
    assert [write.row for write in written(asking)] == [Team(id=name, models=()) for name in teams]


def test_a_new_team_has_the_defaults_and_belongs_to_its_issuer() -> None:
    rules = ProvisionRules(always=True, defaults={"models": ("o1",), "max_budget_micro_usd": 7})
    chosen = policy(issuers=(issuer("idp"), issuer("other")), teams=replace(TEAMS, provision=rules), admin=())
    recorder = Recorder()

    assert World(policy=chosen, provisioning=recorder).reason(claims={"team": "new", "roles": "Reader"}) == "ALLOWED"
    assert [write.row for write in recorder.written] == [
        Team(id="new", issuer="idp", models=("o1",), limit=Limit(max_budget_micro_usd=7))
    ]


@pytest.mark.parametrize(
    ("rules", "claims", "changed"),
    [
        ({"sync_roles": True}, {"approles": ["viewers"]}, {"role": "internal_user_viewer"}),
        ({"sync_roles": True}, {"approles": ["users"]}, None),
        ({"sync_roles": True}, {}, {"role": ""}),
        ({}, {"approles": ["viewers"]}, None),
        ({"sync_teams": True}, {"groups": ["b", "a", "unknown"]}, {"teams": ("a", "b")}),
        ({"sync_teams": True}, {"groups": ["a"]}, None),
        ({"sync_teams": True}, {}, None),
        ({"sync_teams": True}, {"groups": ["unknown"]}, {"teams": ()}),
        ({}, {"groups": ["b"]}, None),
    ],
)
def test_role_and_teams_of_a_known_user_are_kept_in_step_with_the_token(
    rules: dict[str, Any], claims: dict[str, Any], changed: dict[str, Any] | None
) -> None:
    known = replace(ALICE, role="internal_user", teams=("a",), models=("*",))
    role_map = (("viewers", "internal_user_viewer"), ("users", "internal_user"))
    asking = replace(
        world(user_rules=replace(USERS, role_map=role_map, **rules)),
        users=(known,),
        teams=(Team(id="a", models=("*",)), Team(id="b", models=("*",))),
    )

    assert asking.reason(claims=claims) == "ALLOWED"
    expected = [] if changed is None else [Write(WriteKind.UPDATE_USER, replace(known, **changed))]
    assert [replace_revision(write) for write in written(asking)] == expected


def replace_revision(write: Write) -> Write:
    return Write(write.kind, replace(write.row, revision=""))


def test_without_defaults_a_new_user_has_an_identity_and_nothing_more() -> None:
    asking = world(ProvisionRules(always=True))

    decision = asking.ask(claims={"groups": ["a"]})

    assert [write.row for write in written(asking)] == [ALICE]
    assert decision.verdict.limits is not None
    assert decision.verdict.limits.user is None


def test_who_has_no_id_gets_no_row() -> None:
    asking = world(ProvisionRules(always=True, defaults={"max_budget_micro_usd": 5}))

    limits = asking.ask(claims={"groups": ["a"], "sub": ...}).verdict.limits

    assert limits is not None
    assert limits.user is None
    assert written(asking) == []


def test_administrators_who_are_answered_at_once_are_not_written() -> None:
    options = {"admin.loaded": False}
    asking = world(ProvisionRules(always=True), ProvisionRules(always=True), options=options)

    decision = asking.ask(claims={"scope": "admin", "team": "new"}, route="/key/generate", model=None)

    assert decision.verdict.reason.name == "ALLOWED"
    assert decision.verdict.limits is None
    assert written(asking) == []


def test_an_existing_team_is_reason_enough_to_write_another() -> None:
    claims = {"team": "new", "groups": ["a"], "roles": "Reader"}
    beside, alone = world(teams=ProvisionRules(teams=True)), world(teams=ProvisionRules(teams=True))

    assert beside.reason(claims=claims) == "ALLOWED"
    assert alone.reason(claims={"team": "new", "roles": "Reader"}) == "ALLOWED"
    assert [write.row for write in written(beside)] == [Team(id="new", models=())]
    assert written(alone) == []


@pytest.mark.parametrize(("email", "written_too"), [("a@x.example", True), ("a@y.example", False), (..., False)])
def test_an_address_that_is_not_accepted_makes_no_row(email: Any, written_too: bool) -> None:
    rules = replace(USERS, email_domains=frozenset({"x.example"}))
    options = {"user.email_domain": "no_provision"}
    asking = world(ProvisionRules(always=True), options=options, user_rules=rules)

    assert asking.reason(claims={"groups": ["a"], "email": email}) == "ALLOWED"
    assert bool(written(asking)) is written_too


@pytest.mark.parametrize(
    ("approles", "role"), [(["viewers"], "internal_user_viewer"), (["others"], "internal_user"), ([], "internal_user")]
)
def test_where_rows_make_no_administrators_a_role_stays_until_the_provider_says_another(
    approles: list[str], role: str
) -> None:
    known = replace(ALICE, role="internal_user", models=("*",))
    rules = replace(USERS, role_map=(("viewers", "internal_user_viewer"),), sync_roles=True)
    asking = replace(world(user_rules=rules, options={"user.directory_role": "ignored"}), users=(known,))

    asking.reason(claims={"approles": approles, "roles": "Reader"})

    rows = [write.row for write in written(asking)]
    assert [each.role for each in rows if isinstance(each, User)] == ([] if role == known.role else [role])
