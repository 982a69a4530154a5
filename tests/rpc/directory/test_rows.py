"""Rows are kept as they are written, and change as a whole or in the fields of a mask."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from tools.directory_world import Client, Failed, directory

ALL: dict[str, Any] = {"all": {}}
LIMIT = {"tpm": 10, "rpm": 0, "max_budget_micro_usd": 10**18 - 1, "budget_reset": {"seconds": 86400}}

ROWS: dict[str, dict[str, Any]] = {
    "Organization": {
        "id": "acme", "alias": "Acme", "model_ceiling": {"only": {"models": ["gpt-*", "access-group/fast"]}},
        "blocked": True, "limit": LIMIT,
    },
    "Team": {
        "id": "red", "issuer": "idp", "alias": "Red", "organization_id": "base", "models": ALL, "blocked": True,
        "limit": LIMIT, "guardrails_locked": True, "model_aliases": [{"name": "fast", "model": "gpt-4o-mini"}],
    },
    "User": {
        "id": "ann", "identities": [{"issuer": "idp", "subject": "s-1"}, {"issuer": "other", "subject": "s-1"}],
        "sso_ids": ["sso-1"], "email": "ann@example.com", "role": "internal_user", "models": {"only": {}},
        "organizations": [{"organization_id": "base", "administers": True}], "blocked": True, "limit": LIMIT,
    },
    "Membership": {"team_id": "one", "user_id": "bob", "role": "admin", "max_budget_micro_usd": 0},
    "EndUser": {"id": "customer", "blocked": True, "limit": LIMIT},
    "CatalogueModel": {"name": "gpt-4o", "provider": "openai", "groups": ["fast"], "aliases": ["4o"]},
}  # fmt: skip
FIELD = {"Organization": "organization", "Team": "team", "User": "user", "Membership": "membership",
         "EndUser": "end_user", "CatalogueModel": "model"}  # fmt: skip


def name_of(noun: str) -> dict[str, Any]:
    row = ROWS[noun]
    if noun == "Membership":
        return {"name": {"team_id": row["team_id"], "user_id": row["user_id"]}}
    return {"name": row["name"]} if noun == "CatalogueModel" else {"id": row["id"]}


@pytest.fixture
async def base(call: Client) -> Client:
    """What the rows above refer to."""
    await call("CreateOrganization", organization={"id": "base"})
    await call("CreateTeam", team={"id": "one", "issuer": "idp"})
    await call("CreateUser", user={"id": "bob"})
    return call


def bare(row: Any) -> Any:
    copy = type(row)()
    copy.CopyFrom(row)
    copy.etag = ""
    return copy


@pytest.mark.parametrize("noun", ROWS)
async def test_a_row_is_kept_as_it_was_written_until_it_is_deleted(base: Client, noun: str) -> None:
    field, row = FIELD[noun], base.request(f"Create{noun}", **{FIELD[noun]: ROWS[noun]})

    made = await base(f"Create{noun}", **{field: ROWS[noun]})
    read = await base(f"Get{noun}", **name_of(noun))
    listed = await base(f"List{noun}s")
    deleted = await base(f"Delete{noun}", **name_of(noun))

    kept = getattr(made, field)
    assert bare(kept) == getattr(row, field)
    assert kept.etag
    assert getattr(read, field) == kept
    assert kept in getattr(listed, f"{field}s")
    assert read.revision == listed.revision == made.revision != deleted.revision
    with pytest.raises(Failed, match="NOT_FOUND"):
        await base(f"Get{noun}", **name_of(noun))
    with pytest.raises(Failed, match="NOT_FOUND"):
        await base(f"Delete{noun}", **name_of(noun))


@pytest.mark.parametrize("noun", ROWS)
async def test_a_row_that_is_there_is_not_made_again_and_one_that_is_not_there_is_not_changed(
    base: Client, noun: str
) -> None:
    given = {FIELD[noun]: ROWS[noun]}
    with pytest.raises(Failed, match="NOT_FOUND"):
        await base(f"Update{noun}", **given)
    await base(f"Create{noun}", **given)

    with pytest.raises(Failed, match="ALREADY_EXISTS"):
        await base(f"Create{noun}", **given)


@pytest.mark.parametrize("noun", ROWS)
async def test_an_update_without_a_mask_leaves_nothing_of_what_was(base: Client, noun: str) -> None:
    await base(f"Create{noun}", **{FIELD[noun]: ROWS[noun]})
    keys = {key: value for key, value in ROWS[noun].items() if key in ("id", "name", "team_id", "user_id")}
    keys |= {"issuer": "idp"} if noun == "Team" else {}

    updated = await base(f"Update{noun}", **{FIELD[noun]: keys})

    expected = base.request(f"Update{noun}", **{FIELD[noun]: keys | ({"role": "user"} if noun == "Membership" else {})})
    assert bare(getattr(updated, FIELD[noun])) == getattr(expected, FIELD[noun])


@pytest.mark.parametrize("noun", ROWS)
async def test_an_update_that_changes_nothing_keeps_etag_and_revision(base: Client, noun: str) -> None:
    made = await base(f"Create{noun}", **{FIELD[noun]: ROWS[noun]})

    updated = await base(f"Update{noun}", **{FIELD[noun]: ROWS[noun]})

    assert (updated.revision, getattr(updated, FIELD[noun])) == (made.revision, getattr(made, FIELD[noun]))


@pytest.mark.parametrize("noun", ROWS)
async def test_each_field_of_a_mask_changes_and_no_other(base: Client, noun: str) -> None:
    field = FIELD[noun]
    keys = {key: value for key, value in ROWS[noun].items() if key in ("id", "name", "team_id", "user_id")}
    fields = [name for name in ROWS[noun] if name not in keys]
    fields += [f"limit.{part}" for part in LIMIT] if "limit" in fields else []
    for path in fields:
        made = await base(f"Create{noun}", **{field: ROWS[noun]})
        # What a message does not say is not set, if the mask says so.
        given = keys | ({"issuer": "other"} if path == "issuer" else {})

        updated = await base(f"Update{noun}", **{field: given}, update_mask=FieldMask(paths=[path]))

        expected, owner = bare(getattr(made, field)), path.partition(".")
        if owner[2]:
            expected.limit.ClearField(owner[2])
        else:
            expected.ClearField(path)
        if path == "issuer":
            expected.issuer = "other"
        if noun == "Membership" and path == "role":
            expected.role = "user"
        assert bare(getattr(updated, field)) == expected, path
        await base(f"Delete{noun}", **name_of(noun))


@pytest.mark.parametrize("noun", ["Organization", "Team", "User", "EndUser"])
async def test_a_block_changes_nothing_else_and_ends(base: Client, noun: str) -> None:
    field = FIELD[noun]
    made = await base(f"Create{noun}", **{field: ROWS[noun]})
    free = await base(f"Unblock{noun}", **name_of(noun))
    again = await base(f"Unblock{noun}", **name_of(noun))
    blocked = await base(f"Block{noun}", **name_of(noun))

    assert not getattr(free, field).blocked
    assert again == free
    assert bare(getattr(blocked, field)) == bare(getattr(made, field))
    assert blocked.revision != free.revision
    with pytest.raises(Failed, match="NOT_FOUND"):
        await base(f"Block{noun}", id="nobody")


async def test_a_row_whose_issuer_is_gone_from_the_configuration_can_be_blocked_all_the_same(base: Client) -> None:
    await base("CreateUser", user=ROWS["User"] | {"blocked": False})
    store = base.store
    async with directory(store, issuers=("new",)) as later:
        blocked = await later("BlockUser", id="ann")
        with pytest.raises(Failed) as failed:
            await later("UpdateUser", user=ROWS["User"])

    assert blocked.user.blocked
    assert failed.value.field == "user.identities[0].issuer"


async def test_whoever_sends_an_old_etag_changes_nothing(base: Client) -> None:
    made = (await base("CreateTeam", team=ROWS["Team"])).team
    await base("UnblockTeam", id="red")

    for method, fields in (
        ("UpdateTeam", {"team": made}),
        ("UpdateTeam", {"team": made, "update_mask": FieldMask(paths=["alias"])}),
        ("DeleteTeam", {"id": "red", "etag": made.etag}),
        ("ApplyEdits", {"edits": [{"put": {"team": made}}]}),
        ("ApplyEdits", {"edits": [{"update": {"team": made}}]}),
        ("ApplyEdits", {"edits": [{"delete": {"team_id": "red", "etag": made.etag}}]}),
        ("UpdateTeam", {"team": ROWS["Team"] | {"etag": "no etag at all"}}),
    ):
        with pytest.raises(Failed, match="ABORTED ETAG_MISMATCH"):
            await base(method, **fields)
    now = (await base("GetTeam", id="red")).team
    assert not now.blocked
    await base("DeleteTeam", id="red", etag=now.etag)


async def test_of_many_who_change_their_own_field_at_once_nobody_loses_it(base: Client) -> None:
    await base("CreateTeam", team={"id": "red", "issuer": "idp"})
    changes: list[tuple[str, dict[str, Any]]] = [
        ("alias", {"alias": "Red"}),
        ("organization_id", {"organization_id": "base"}),
        ("models", {"models": ALL}),
        ("blocked", {"blocked": True}),
        ("limit.tpm", {"limit": {"tpm": 1}}),
        ("limit.rpm", {"limit": {"rpm": 2}}),
        ("guardrails_locked", {"guardrails_locked": True}),
    ]

    await asyncio.gather(
        *(base("UpdateTeam", team={"id": "red"} | row, update_mask=FieldMask(paths=[path])) for path, row in changes)
    )

    team = (await base("GetTeam", id="red")).team
    assert (team.alias, team.organization_id, team.limit.tpm, team.limit.rpm) == ("Red", "base", 1, 2)
    assert team.blocked
    assert team.guardrails_locked
    assert team.models.HasField("all")


async def test_of_two_who_change_the_same_state_one_wins(base: Client) -> None:
    made = (await base("CreateTeam", team={"id": "red", "issuer": "idp"})).team

    async def rename(alias: str) -> str:
        try:
            await base("UpdateTeam", team={"id": "red", "issuer": "idp", "alias": alias, "etag": made.etag})
        except Failed as failed:
            return failed.reason
        return alias

    said = await asyncio.gather(*(rename(f"alias-{number}") for number in range(8)))

    alias = (await base("GetTeam", id="red")).team.alias
    assert sorted(said) == sorted([alias, *["ETAG_MISMATCH"] * 7])


async def test_no_grant_and_no_ceiling_are_told_from_nothing(base: Client) -> None:
    for given, shown in (
        ({}, {}),
        ({"models": {}}, {"models": {"only": {}}}),
        ({"models": {"only": {}}}, {"models": {"only": {}}}),
        ({"models": {"all": {}}}, {"models": {"all": {}}}),
        ({"models": {"only": {"models": ["*"]}}}, {"models": {"all": {}}}),
        ({"models": {"only": {"models": ["*", "a"]}}}, {"models": {"only": {"models": ["*", "a"]}}}),
    ):
        user = (await base("UpdateUser", user={"id": "bob"} | given)).user
        assert bare(user) == base.request("UpdateUser", user={"id": "bob"} | shown).user


async def test_what_is_only_there_with_a_row_goes_with_it_and_what_is_named_stays(base: Client) -> None:
    await base("CreateTeam", team={"id": "red", "issuer": "idp", "organization_id": "base"})
    await base("CreateMembership", membership={"team_id": "red", "user_id": "bob"})
    with pytest.raises(Failed, match="FAILED_PRECONDITION REFERENCE"):
        await base("DeleteOrganization", id="base")
    with pytest.raises(Failed, match="FAILED_PRECONDITION REFERENCE"):
        await base("CreateMembership", membership={"team_id": "red", "user_id": "nobody"})

    await base("DeleteUser", id="bob")

    assert not (await base("ListMemberships", team_id="red")).memberships


async def test_an_identity_is_one_users(base: Client) -> None:
    await base("CreateUser", user=ROWS["User"])

    with pytest.raises(Failed, match="ALREADY_EXISTS"):
        await base("CreateUser", user={"id": "eve", "identities": [{"issuer": "other", "subject": "s-1"}]})
