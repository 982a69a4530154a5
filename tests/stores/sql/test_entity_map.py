"""What a replica holds is bounded, and true at its revision: no load brings back what has changed meanwhile."""

from __future__ import annotations

import pytest

from usherd.changes import Lookup, Sought
from usherd.facts import Team, User
from usherd.stores.sql.entity_map import UNKNOWN, EntityMap, Fence, key_of


def user(name: str) -> Lookup:
    return Lookup(Sought.USER, (name,))


ANN = user("ann")
OLD, NEW = User(id="ann", revision="1"), User(id="ann", revision="2", blocked=True)


def holding(entities: EntityMap, snapshot: int, **found: User | None) -> None:
    with entities.fence() as fence:
        entities.store(snapshot, {user(name): row for name, row in found.items()}, fence)


def test_what_is_absent_is_known_and_what_was_never_loaded_is_not() -> None:
    entities = EntityMap(10, 1)

    holding(entities, 1, ann=OLD, bob=None)

    assert [entities.get(user(name)) for name in ("ann", "bob", "cid")] == [OLD, None, UNKNOWN]
    assert (entities.hits, entities.misses) == (2, 1)


def test_a_change_drops_what_its_look_ups_name_and_nothing_else() -> None:
    entities = EntityMap(10, 1)
    holding(entities, 1, ann=OLD, bob=None)

    entities.apply(2, [(2, user("bob"))])

    assert (entities.get(ANN), entities.get(user("bob")), entities.revision) == (OLD, UNKNOWN, 2)


@pytest.mark.parametrize(
    "other",
    [
        Lookup(Sought.TEAM, ("", "ann")),
        Lookup(Sought.USER_SSO, ("ann",)),
        Lookup(Sought.USER_IDENTITY, ("", "ann")),
        user("ann "),
        user("ANN"),
    ],
)
def test_look_ups_of_other_kinds_or_parts_are_others(other: Lookup) -> None:
    entities = EntityMap(10, 1)
    holding(entities, 1, ann=OLD)

    assert entities.get(key_of(other)) is UNKNOWN


def test_parts_of_a_key_are_not_run_together() -> None:
    keys = [Lookup(Sought.MEMBERSHIP, key) for key in (("a", "b/c"), ("a/b", "c"), ("ab", "c"), ("a", "bc"))]

    assert len(set(map(key_of, keys))) == 4


def test_a_team_is_one_whichever_issuer_a_change_names() -> None:
    entities = EntityMap(10, 1)
    with entities.fence() as fence:
        entities.store(1, {key_of(Lookup(Sought.TEAM, ("", "red"))): Team(id="red", issuer="one")}, fence)

    entities.apply(2, [(2, Lookup(Sought.TEAM, ("one", "red")))])

    assert entities.get(key_of(Lookup(Sought.TEAM, ("two", "red")))) is UNKNOWN


def test_it_is_bounded_and_the_least_used_goes_first() -> None:
    entities = EntityMap(2, 1)
    holding(entities, 1, ann=OLD, bob=None)
    entities.get(ANN)

    holding(entities, 1, cid=None)

    assert len(entities) == 2
    assert (entities.get(ANN), entities.get(user("bob"))) == (OLD, UNKNOWN)


def load_that_a_change_overtakes(entities: EntityMap) -> None:
    """A snapshot is taken; then the row changes, which is applied; only then the load ends."""
    with entities.fence() as fence:
        snapshot, found = entities.revision, {ANN: OLD}
        entities.apply(2, [(2, ANN)])
        entities.store(snapshot, found, fence)


def test_a_load_that_a_change_overtakes_is_not_kept() -> None:
    entities = EntityMap(10, 1)

    load_that_a_change_overtakes(entities)

    assert (entities.get(ANN), entities.discarded) == (UNKNOWN, 1)


def test_without_the_fence_the_same_load_would_tell_what_is_no_longer_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fence, "lets", lambda *_: True)
    entities = EntityMap(10, 1)

    load_that_a_change_overtakes(entities)

    assert (entities.get(ANN), entities.revision) == (OLD, 2)


def test_a_load_whose_snapshot_has_the_change_is_kept() -> None:
    entities = EntityMap(10, 1)

    with entities.fence() as fence:
        entities.apply(2, [(2, ANN)])
        entities.apply(3, [(3, user("bob"))])
        entities.store(2, {ANN: NEW, user("bob"): None}, fence)

    assert (entities.get(ANN), entities.get(user("bob"))) == (NEW, UNKNOWN)


def test_nothing_is_kept_of_a_snapshot_from_before_the_load_or_after_the_map() -> None:
    entities = EntityMap(10, 5)

    holding(entities, 4, ann=OLD)

    assert entities.get(ANN) is UNKNOWN
    with entities.fence() as fence, pytest.raises(ValueError, match="to come"):
        entities.store(6, {ANN: NEW}, fence)


@pytest.mark.parametrize("revision", [1, 7])
def test_when_everything_is_forgotten_no_load_that_ran_is_kept(revision: int) -> None:
    entities = EntityMap(10, 5)
    holding(entities, 5, bob=None)

    with entities.fence() as fence:
        entities.forget(revision)
        entities.apply(8, [])
        entities.store(8, {ANN: OLD}, fence)

    assert (len(entities), entities.revision) == (0, 8)


def test_a_fence_is_gone_with_its_load() -> None:
    entities = EntityMap(10, 1)

    with pytest.raises(RuntimeError), entities.fence():
        raise RuntimeError

    assert entities._fences == set()
