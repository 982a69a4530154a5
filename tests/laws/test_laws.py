"""What holds for every company and every question."""

from __future__ import annotations

import base64
import operator
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from examples import examples, how_many
from keyring import NOW
from laws.strategies import MODEL_PATTERNS, OWNERS, ROUTE_PATTERNS, askings, some, worlds
from usherd.domain import Dependency, DependencyKind, Effect, Verdict
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, EndUser, Membership, Organization, Team, User
from usherd.policy import Grant
from usherd.reasons import Reason
from usherd.rpc.messages import decision_message
from worlds import Recorder, World, finished, issuer, policy

law = examples(1000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def allows(verdict: Verdict) -> bool:
    return verdict.effect is Effect.ALLOW


def wire(world: World, question: Any) -> bytes:
    """The verdict's bytes: an answer without what differs from answer to answer."""
    decision = world.answer(question)
    return decision_message(decision._replace(decision_id="")).SerializeToString(deterministic=True)


WORLD = World(teams=(Team(id="a", models=("*",)),))
VALID = WORLD.token(groups=["a"], roles=["Reader"])
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\x00é"


@law
@given(st.integers(0, len(VALID) - 1), st.sampled_from([*ALPHABET, ""]), st.booleans())
def test_no_change_of_one_character_of_a_token_allows(at: int, character: str, insert: bool) -> None:
    changed = VALID[:at] + character + VALID[at if insert else at + 1 :]
    assume(changed != VALID)

    verdict = WORLD.ask(token=changed).verdict

    assert WORLD.reason(token=VALID) == "ALLOWED"
    assert not allows(verdict)


@law
@given(worlds(), askings())
def test_asking_again_gives_the_same_bytes_cold_and_warm(world: World, asking: dict[str, Any]) -> None:
    question = world.question(**asking)

    assert wire(world, question) == wire(world, question) == wire(replace(world), question)


@law
@given(worlds(), askings())
def test_explaining_never_changes_effect_reason_or_dependencies(world: World, asking: dict[str, Any]) -> None:
    question = world.question(**asking)

    plain, explained = world.answer(question).verdict, world.answer(question, explain=True).verdict

    assert replace(explained, explanation=None) == plain
    assert explained.explanation is not None
    denied = [check.reason for check in explained.explanation.checks if check.reason is not None]
    assert (denied[0] if denied else None) == (None if allows(plain) else plain.reason)


CHANGES: list[Any] = [
    lambda world: replace(world, teams=(*world.teams, Team(id="z", alias="Zeta", models=("*",)))),
    lambda world: replace(world, teams=tuple(replace(team, blocked=not team.blocked) for team in world.teams)),
    lambda world: replace(world, teams=tuple(replace(team, models=("o1",)) for team in world.teams)),
    lambda world: replace(world, teams=()),
    lambda world: replace(world, teams=tuple({team.id: team for team in (*world.teams, *OTHERS)}.values())),
    lambda world: replace(world, users=()),
    lambda world: replace(world, users=(User(id="alice", models=("*",)),)),
    lambda world: replace(world, users=(*world.users, User(id="bob", blocked=True))),
    lambda world: replace(world, organizations=(Organization(id="acme", blocked=True), Organization(id="other"))),
    lambda world: replace(world, organizations=()),
    lambda world: replace(world, end_users=(EndUser(id="customer", blocked=True), EndUser(id="another"))),
    lambda world: replace(world, usage=[(owner, 11) for owner in OWNERS]),
    lambda world: replace(world, usage=()),
]
OTHERS = tuple(Team(id=name, alias="Alpha", models=("*",)) for name in ("a", "b", "c"))


def touched(before: World, after: World) -> set[tuple[DependencyKind, str]]:
    """Look-ups whose answer differs between two directories."""
    old, new = before.directory.at_hand(), after.directory.at_hand()
    teams, users = (*before.teams, *after.teams), (*before.users, *after.users)
    organizations = (*before.organizations, *after.organizations)
    end_users = (*before.end_users, *after.end_users)

    def bare(found: Any) -> Any:
        if isinstance(found, Team | User | Organization | EndUser | Membership):
            return replace(found, revision="")
        return [bare(row) for row in found] if isinstance(found, tuple | list) else found

    lookups: dict[tuple[DependencyKind, str], Any] = {}
    for team in teams:
        lookups[DependencyKind.TEAM, f"idp/{team.id}"] = operator.methodcaller("team", "idp", team.id)
        lookups[DependencyKind.TEAM, f"alias:idp/{team.alias}"] = operator.methodcaller(
            "teams_by_alias", "idp", team.alias
        )
        for user_id in {user.id for user in users} | {*team.members}:
            place = f"{len(team.id)}:{team.id}/{user_id}"
            lookups[DependencyKind.MEMBERSHIP, place] = operator.methodcaller("member", team.id, user_id)
    for user in users:
        lookups[DependencyKind.USER, f"idp/{user.id}"] = operator.methodcaller("user", "idp", user.id)
        lookups[DependencyKind.USER, f"email:{user.email}"] = operator.methodcaller("user_by_email", user.email)
        for sso_id in user.sso_ids:
            lookups[DependencyKind.USER, f"sso:{sso_id}"] = operator.methodcaller("user_by_sso", sso_id)
    for row in organizations:
        lookups[DependencyKind.ORGANIZATION, row.id] = operator.methodcaller("organization", row.id)
        lookups[DependencyKind.ORGANIZATION, f"alias:{row.alias}"] = operator.methodcaller(
            "organizations_by_alias", row.alias
        )
    for end_user in end_users:
        lookups[DependencyKind.END_USER, end_user.id] = operator.methodcaller("end_user", end_user.id)
    for owner in OWNERS:
        lookups[DependencyKind.BUDGET, budget_id(owner)] = operator.methodcaller("budget", owner)
    return {key for key, look in lookups.items() if bare(look(old)) != bare(look(new))}


def without_revisions(verdict: Verdict) -> Verdict:
    return replace(
        verdict, depends_on=tuple(Dependency(each.kind, each.id, "", each.absent) for each in verdict.depends_on)
    )


@law
@given(worlds(), askings(), st.sampled_from(CHANGES))
def test_changing_anything_outside_depends_on_never_changes_the_verdict(
    world: World, asking: dict[str, Any], change: Any
) -> None:
    question, changed = world.question(**asking), change(world)
    before = world.answer(question).verdict
    inside = {(each.kind, each.id) for each in before.depends_on}
    assume(not inside & touched(world, changed))

    assert without_revisions(changed.answer(question).verdict) == without_revisions(before)


def budget_id(owner: BudgetOwner) -> str:
    """What a budget's dependency is called, written down anew: by kind, with the length before a member's team."""
    if owner.kind is BudgetKind.GLOBAL:
        return "global"
    if owner.kind is BudgetKind.MEMBER:
        return f"member:{len(owner.team)}:{owner.team}/{owner.id}"
    return f"{owner.kind.name.lower()}:{owner.id}"


class Spy:
    """Facts that remember which of their rows were looked up."""

    def __init__(self, facts: Any) -> None:
        self._facts = facts
        self.store, self.revision, self.history = facts.store, facts.revision, facts.history
        self.asked: set[tuple[DependencyKind, str]] = set()

    def user(self, issuer: str, subject: str) -> User | None:
        self.asked.add((DependencyKind.USER, f"{issuer}/{subject}"))
        return self._facts.user(issuer, subject)

    def team(self, issuer: str, team_id: str) -> Team | None:
        self.asked.add((DependencyKind.TEAM, f"{issuer}/{team_id}"))
        return self._facts.team(issuer, team_id)

    def teams_by_alias(self, issuer: str, alias: str) -> Any:
        self.asked.add((DependencyKind.TEAM, f"alias:{issuer}/{alias}"))
        return self._facts.teams_by_alias(issuer, alias)

    def member(self, team_id: str, user_id: str) -> Membership | None:
        self.asked.add((DependencyKind.MEMBERSHIP, f"{len(team_id)}:{team_id}/{user_id}"))
        return self._facts.member(team_id, user_id)

    def organization(self, organization_id: str) -> Organization | None:
        self.asked.add((DependencyKind.ORGANIZATION, organization_id))
        return self._facts.organization(organization_id)

    def user_by_sso(self, sso_id: str) -> User | None:
        self.asked.add((DependencyKind.USER, f"sso:{sso_id}"))
        return self._facts.user_by_sso(sso_id)

    def user_by_id(self, user_id: str) -> User | None:
        self.asked.add((DependencyKind.USER, f"id:{user_id}"))
        return self._facts.user_by_id(user_id)

    def user_by_email(self, email: str) -> User | None:
        self.asked.add((DependencyKind.USER, f"email:{email}"))
        return self._facts.user_by_email(email)

    def organizations_by_alias(self, alias: str) -> Any:
        self.asked.add((DependencyKind.ORGANIZATION, f"alias:{alias}"))
        return self._facts.organizations_by_alias(alias)

    def budget(self, owner: BudgetOwner) -> BudgetState:
        self.asked.add((DependencyKind.BUDGET, budget_id(owner)))
        return self._facts.budget(owner)

    def end_user(self, end_user_id: str) -> EndUser | None:
        self.asked.add((DependencyKind.END_USER, end_user_id))
        return self._facts.end_user(end_user_id)


class SpyDirectory:
    def __init__(self, directory: Any) -> None:
        self._directory = directory
        self.spies: list[Spy] = []

    async def facts(self, wanted: Any) -> Spy:
        self.spies.append(Spy(await self._directory.facts(wanted)))
        return self.spies[-1]


@law
@given(worlds(), askings())
def test_what_was_not_read_is_not_in_depends_on(world: World, asking: dict[str, Any]) -> None:
    spying = SpyDirectory(world.directory)
    world.authorizer._directory = spying  # type: ignore[assignment]

    verdict = world.ask(**asking).verdict

    rows = {(each.kind, each.id) for each in verdict.depends_on if each.kind >= DependencyKind.USER}
    assert rows == set().union(*(spy.asked for spy in spying.spies))


@law
@given(worlds(), askings(), some(ROUTE_PATTERNS), some(MODEL_PATTERNS), st.integers(0, 1))
def test_adding_a_deny_never_allows(
    world: World, asking: dict[str, Any], routes: tuple[str, ...], models: tuple[str, ...], at: int
) -> None:
    roles = list(world.policy.roles)
    old = roles[at].deny
    roles[at] = replace(roles[at], deny=Grant(routes=(*old.routes, *routes), models=(*old.models, *models)))
    stricter = replace(world, policy=replace(world.policy, roles=tuple(roles)))
    question = world.question(**asking)

    assert allows(world.answer(question).verdict) or not allows(stricter.answer(question).verdict)


@law
@given(worlds(), askings())
def test_the_list_of_models_is_what_asking_one_by_one_allows(world: World, asking: dict[str, Any]) -> None:
    question = world.question(**asking)._replace(model=None, fallback_models=())
    names = world.authorizer._judge.catalogue.names()

    listed: list[tuple[str, str]] = []
    after = ""
    for _ in range(len(names) + 1):
        page = finished(world.authorizer.models(question, after=after, limit=2))
        listed += page.models
        after = page.last
        if not after:
            break

    asked = [(name, world.answer(question._replace(model=name)).verdict) for name in names]
    assert listed == [(name, verdict.resolved_model or name) for name, verdict in asked if allows(verdict)]
    assert page.denial is None or not any(allows(verdict) for _, verdict in asked)


@law
@given(worlds(), st.lists(askings(), min_size=1, max_size=5))
def test_a_batch_answers_what_single_questions_answer(world: World, asking: list[dict[str, Any]]) -> None:
    questions = [world.question(**each) for each in asking]

    together = finished(world.authorizer.authorize_many(questions))

    assert [answer.verdict for answer in together] == [world.answer(question).verdict for question in questions]  # type: ignore[union-attr]


@law
@given(worlds(), askings(), st.sampled_from([None, *CHANGES]))
def test_an_answer_at_hand_is_the_one_that_asking_gives(world: World, asking: dict[str, Any], change: Any) -> None:
    question = world.question(**asking)
    assert world.at_hand(question) is None
    world.answer(question)
    if change is not None:
        world.directory.replace(change(world).rows())

    at_hand, again = world.at_hand(question), world.at_hand(question)
    assert isinstance(world.provisioning, Recorder)
    world.provisioning.written.clear()
    asked = world.answer(question)

    assert at_hand is None or at_hand._replace(decision_id="") == asked._replace(decision_id="")
    assert again == (None if at_hand is None else at_hand._replace(decision_id=again.decision_id if again else ""))
    # What was asked a moment ago is at hand, unless it is a refusal of the token or a public route, or wants to be
    # written first.
    assert (world.at_hand(question) is None) == (
        asked.verdict.reason is Reason.PUBLIC_ROUTE
        or asked.verdict.principal is None
        or badly_formed(asked.verdict)
        or bool(world.provisioning.written)
    )


def badly_formed(verdict: Verdict) -> bool:
    return verdict.reason in (Reason.ROUTE_AMBIGUOUS, Reason.METHOD_INVALID, Reason.MODEL_INVALID)


TWO = policy(
    issuers=(issuer("idp"), issuer("other")),
    admin=(),
)


@law
@given(askings(), st.booleans())
def test_two_issuers_with_the_same_subject_key_id_or_groups_never_meet(asking: dict[str, Any], known: bool) -> None:
    mine = tuple(Team(id=name, issuer="idp", alias="Alpha" if name == "a" else "", models=("*",)) for name in "abc")
    people = (User(id="u1", identities=(("idp", "alice"),), models=("*",), role="proxy_admin"),) if known else ()
    world = World(policy=TWO, teams=mine, users=people)

    verdict = world.ask(by="other", **asking).verdict

    assert not allows(verdict) or verdict.reason is Reason.PUBLIC_ROUTE
    # The same bytes signed by the other issuer's key under the same kid are nobody's token.
    forged = world.pairs["other"].token(
        {"iss": "https://idp.example", "aud": "api://gateway", "sub": "alice", "exp": int(NOW) + 60}
    )
    assert world.reason(token=forged) == "SIGNATURE_INVALID"


FIELDS = ("policy", "teams", "users", "organizations", "end_users", "usage")
BYTES_OF_VERDICTS = """
import pickle, sys, hashlib
from laws.test_laws import wire
from worlds import World
worlds = pickle.loads(bytes.fromhex(sys.stdin.read()))
print(hashlib.sha256(b"".join(wire(World(**fields), question) for fields, question in worlds)).hexdigest())
"""


@pytest.mark.law
def test_the_verdicts_bytes_do_not_depend_on_the_hash_seed() -> None:
    drawn: list[Any] = []

    @settings(max_examples=how_many(1000), database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(worlds(), askings())
    def draw(world: World, asking: dict[str, Any]) -> None:
        fields = {name: getattr(world, name) for name in FIELDS}
        drawn.append((fields, world.question(**asking)))

    draw()
    given_in = pickle.dumps(drawn).hex()
    tests = Path(__file__).parents[1]

    def digest(seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(tests)}
        command = [sys.executable, "-c", BYTES_OF_VERDICTS]
        done = subprocess.run(command, input=given_in, env=environment, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert len(drawn) >= how_many(1000)
    assert digest("0") == digest("1") == digest("4242")


def test_a_token_is_not_decoded_anywhere_before_it_is_a_token() -> None:
    header, _, signature = VALID.split(".")
    payload = base64.urlsafe_b64encode(b"[" * 4000).decode().rstrip("=")

    assert WORLD.reason(token=f"{header}.{payload}.{signature}") == "TOKEN_MALFORMED"


@pytest.mark.parametrize("size", [64, 65])
def test_an_answer_that_depends_on_too_much_is_not_to_be_kept(size: int) -> None:
    names = [f"t{number:02d}" for number in range(size - 5)]
    world = World(teams=[Team(id=name, models=("o1",)) for name in names])

    decision = world.ask(claims={"groups": names})

    # Token, key, issuer, policy and user beside the teams.
    assert len(decision.verdict.depends_on) == size
    assert decision.cacheable is (size <= 64)
