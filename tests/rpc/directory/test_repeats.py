"""A write with a request id is made once, however often it is sent: an answer may have been lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from tools.directory_world import Client, Failed

TEAM = {"id": "red", "issuer": "idp"}


async def test_what_is_spent_after_a_reset_stays_when_the_reset_is_repeated(call: Client) -> None:
    await call("CreateTeam", team=TEAM)
    owner = {"team_id": "red"}

    first = await call("ResetUsage", owner=owner, request_id="r")
    await call("RecordUsage", usages=[{"owner": owner, "micro_usd": 7}])
    again = await call("ResetUsage", owner=owner, request_id="r")

    assert again == first
    assert (await call("GetUsage", owner=owner)).micro_usd == 7
    with pytest.raises(Failed, match="FIELD_INVALID"):
        await call("ResetUsage", owner={"team_id": "blue"}, request_id="r")


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("CreateOrganization", {"organization": {"id": "beta"}}),
        ("UpdateTeam", {"team": {**TEAM, "alias": "Other"}}),
        ("UpdateTeam", {"team": {**TEAM, "alias": "Other"}, "update_mask": FieldMask(paths=["alias"])}),
        ("BlockTeam", {"id": "red"}),
        ("DeleteTeam", {"id": "red"}),
        ("ApplyEdits", {"edits": [{"delete": {"team_id": "red"}}, {"create": {"organization": {"id": "beta"}}}]}),
        ("RecordUsage", {"usages": [{"owner": {"team_id": "red"}, "micro_usd": 7}]}),
        ("ResetUsage", {"owner": {"team_id": "red"}}),
    ],
)
async def test_a_repeated_request_changes_nothing_and_is_answered_as_it_was(
    call: Client, method: str, fields: dict[str, Any]
) -> None:
    await call("CreateTeam", team=TEAM)

    first = await call(method, **fields, request_id="r-1")
    again = await asyncio.gather(*(call(method, **fields, request_id="r-1") for _ in range(4)))

    assert again == [first] * 4
    if method == "RecordUsage":
        assert (await call("GetUsage", owner={"team_id": "red"})).micro_usd == 7
    else:
        assert (await call("ListTeams")).revision == first.revision


async def test_requests_that_arrive_at_once_are_made_once(call: Client) -> None:
    await call("CreateTeam", team=TEAM)
    usage = [{"owner": {"team_id": "red"}, "micro_usd": 5}]

    said = await asyncio.gather(*(call("RecordUsage", usages=usage, request_id="r") for _ in range(8)))

    assert len({each.revision for each in said}) == 1
    assert (await call("GetUsage", owner={"team_id": "red"})).micro_usd == 5


async def test_a_repeated_request_whose_row_has_changed_or_gone_since_has_no_row_in_its_answer(call: Client) -> None:
    await call("CreateTeam", team=TEAM)
    mask = FieldMask(paths=["alias"])
    named = {"team": {**TEAM, "alias": "Red"}, "update_mask": mask, "request_id": "r-1"}
    first = await call("UpdateTeam", **named)
    await call("BlockTeam", id="red")

    changed = await call("UpdateTeam", **named)
    await call("DeleteTeam", id="red")
    gone = await call("UpdateTeam", **named)

    assert first.team.alias == "Red"
    assert changed.revision == gone.revision == first.revision
    assert not changed.HasField("team")
    assert not gone.HasField("team")


async def test_an_etag_of_before_is_good_for_the_same_request_again(call: Client) -> None:
    etag = (await call("CreateTeam", team=TEAM)).team.etag
    first = await call("UpdateTeam", team={**TEAM, "alias": "Red", "etag": etag}, request_id="r")

    assert await call("UpdateTeam", team={**TEAM, "alias": "Red", "etag": etag}, request_id="r") == first


async def test_an_id_is_for_one_request_alone(call: Client) -> None:
    await call("CreateTeam", team=TEAM, request_id="r-1")

    for method, fields in (
        ("CreateTeam", {"team": {**TEAM, "id": "blue"}}),
        ("UpdateTeam", {"team": TEAM}),
        ("DeleteTeam", {"id": "red"}),
    ):
        with pytest.raises(Failed) as failed:
            await call(method, **fields, request_id="r-1")
        assert (failed.value.reason, failed.value.field) == ("FIELD_INVALID", "request_id")


async def test_a_request_that_failed_can_be_made_later_under_its_id(call: Client) -> None:
    with pytest.raises(Failed, match="NOT_FOUND"):
        await call("BlockTeam", id="red", request_id="r-1")
    await call("CreateTeam", team=TEAM)

    assert (await call("BlockTeam", id="red", request_id="r-1")).team.blocked
