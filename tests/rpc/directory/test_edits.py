"""Edits are made all at once and in their order, or not at all; what is spent moves budgets and no rows."""

from __future__ import annotations

from typing import Any

import pytest

from tools.directory_world import Client, Failed

EVERYTHING: list[dict[str, Any]] = [
    {"create": {"organization": {"id": "acme"}}},
    {"put": {"team": {"id": "red", "issuer": "idp", "organization_id": "acme"}}},
    {"put": {"user": {"id": "ann"}}},
    {"put": {"membership": {"team_id": "red", "user_id": "ann"}}},
    {"create": {"end_user": {"id": "c"}}},
    {"create": {"model": {"name": "gpt-4o"}}},
    {"update": {"team": {"id": "red", "issuer": "idp", "organization_id": "acme", "blocked": True}}},
]


async def test_edits_are_made_in_their_order_at_one_revision(call: Client) -> None:
    applied = await call("ApplyEdits", edits=EVERYTHING)

    team = await call("GetTeam", id="red")
    assert team.team.blocked
    assert team.revision == applied.revision
    assert [bool(result.etag) for result in applied.results] == [True] * 7
    assert applied.results[6].etag == team.team.etag


async def test_of_edits_that_cannot_all_be_made_none_is(call: Client) -> None:
    before = (await call("ListTeams")).revision
    for broken, reason in (
        ({"create": {"team": {"id": "red", "issuer": "idp"}}}, "ALREADY_EXISTS"),
        ({"update": {"team": {"id": "blue", "issuer": "idp"}}}, "NOT_FOUND"),
        ({"delete": {"user_id": "nobody"}}, "NOT_FOUND"),
        ({"put": {"membership": {"team_id": "red", "user_id": "nobody"}}}, "REFERENCE"),
        ({"delete": {"organization_id": "acme"}}, "REFERENCE"),
        ({"put": {"team": {"id": "blue", "issuer": "idp", "limit": {"tpm": -1}}}}, "FIELD_INVALID"),
    ):
        with pytest.raises(Failed) as failed:
            await call("ApplyEdits", edits=[*EVERYTHING, broken])
        assert failed.value.reason == reason

    assert (await call("ListTeams")).revision == before
    for listed in ("ListOrganizations", "ListTeams", "ListUsers", "ListMemberships", "ListEndUsers"):
        assert not getattr(await call(listed), {"ListEndUsers": "end_users"}.get(listed, listed[4:].lower()))


async def test_edits_that_change_nothing_make_no_revision(call: Client) -> None:
    puts = [{"put": next(iter(edit.values()))} for edit in EVERYTHING[:6]]
    first = await call("ApplyEdits", edits=puts)

    assert await call("ApplyEdits", edits=puts) == first


async def test_a_thousand_edits_are_one_transaction_and_every_kind_can_be_deleted(call: Client) -> None:
    await call("ApplyEdits", edits=EVERYTHING)
    many = [{"put": {"end_user": {"id": f"c-{number}"}}} for number in range(1000)]
    names: list[dict[str, Any]] = [
        {"membership": {"team_id": "red", "user_id": "ann"}},
        {"team_id": "red"}, {"user_id": "ann"}, {"organization_id": "acme"}, {"end_user_id": "c"},
        {"model_name": "gpt-4o"},
    ]  # fmt: skip

    made = await call("ApplyEdits", edits=many)
    gone = await call("ApplyEdits", edits=[{"delete": name} for name in names])

    assert len({result.etag for result in made.results}) == 1
    assert [result.etag for result in gone.results] == [""] * 6
    assert not (await call("ListTeams")).teams


LIMIT = {"max_budget_micro_usd": 100}
OWNERS: list[dict[str, Any]] = [
    {"organization_id": "acme"}, {"team_id": "red"}, {"user_id": "ann"},
    {"member": {"team_id": "red", "user_id": "ann"}}, {"end_user_id": "c"},
]  # fmt: skip


async def limited(call: Client) -> None:
    await call(
        "ApplyEdits",
        edits=[
            {"put": {"organization": {"id": "acme", "limit": LIMIT}}},
            {"put": {"team": {"id": "red", "issuer": "idp", "limit": LIMIT | {"budget_reset": {"seconds": 3600}}}}},
            {"put": {"user": {"id": "ann", "limit": LIMIT}}},
            {"put": {"membership": {"team_id": "red", "user_id": "ann", "max_budget_micro_usd": 100}}},
            {"put": {"end_user": {"id": "c", "limit": LIMIT}}},
        ],
    )


@pytest.mark.parametrize("owner", OWNERS)
async def test_what_is_spent_moves_the_budget_of_its_owner_and_a_reset_ends_that(
    call: Client, owner: dict[str, Any]
) -> None:
    await limited(call)
    said = [await call("GetUsage", owner=owner)]
    revisions = []
    for spent in (99, 1, 1):
        revisions.append((await call("RecordUsage", usages=[{"owner": owner, "micro_usd": spent}])).revision)
        said.append(await call("GetUsage", owner=owner))
    reset = await call("ResetUsage", owner=owner)
    after = await call("GetUsage", owner=owner)

    # Within, reached, exceeded: see BudgetState.
    assert [(each.micro_usd, each.state) for each in said] == [(0, 1), (99, 1), (100, 2), (101, 3)]
    assert (after.micro_usd, after.state) == (0, 1)
    assert len({*revisions, reset.revision}) == 4
    ends = "team_id" in owner or "member" in owner
    assert said[0].HasField("period_end") == ends
    for other in OWNERS:
        assert other == owner or not (await call("GetUsage", owner=other)).micro_usd


async def test_spending_alone_changes_no_row_and_no_revision(call: Client) -> None:
    await limited(call)
    before = await call("GetTeam", id="red")

    usages = [{"owner": owner, "micro_usd": 1} for owner in OWNERS]
    recorded = await call("RecordUsage", usages=usages)

    assert recorded.revision == before.revision
    assert await call("GetTeam", id="red") == before


async def test_owners_that_the_directory_does_not_know_are_left_out(call: Client) -> None:
    await limited(call)

    await call("RecordUsage", usages=[{"owner": {"team_id": "nobody"}}, {"owner": {"team_id": "red"}, "micro_usd": 3}])

    assert (await call("GetUsage", owner={"team_id": "red"})).micro_usd == 3
    for method in ("GetUsage", "ResetUsage"):
        with pytest.raises(Failed, match="NOT_FOUND"):
            await call(method, owner={"team_id": "nobody"})


async def test_everyone_together_has_a_counter(call: Client) -> None:
    await call("RecordUsage", usages=[{"owner": {"everyone": {}}, "micro_usd": 3}] * 2)

    assert (await call("GetUsage", owner={"everyone": {}})).micro_usd == 6
