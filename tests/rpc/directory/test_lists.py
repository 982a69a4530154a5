"""Lists have all rows that fit, once, in order, page by page, however they change meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from tools.directory_world import Client, Failed, directory
from usher.v1 import team_pb2
from usherd.rpc.directory import paging

IDS = [f"team-{number:03}" for number in range(25)]


async def filled(call: Client) -> None:
    await call("CreateOrganization", organization={"id": "acme", "alias": "A", "blocked": True})
    await call("CreateOrganization", organization={"id": "beta"})
    edits: list[dict[str, Any]] = []
    for number, name in enumerate(IDS):
        row: dict[str, Any] = {"id": name, "issuer": "idp" if number % 2 else "other", "blocked": number % 3 == 0}
        row |= {"alias": f"alias-{number % 5}", "organization_id": "acme" if number < 5 else "beta"}
        edits.append({"create": {"team": row}})
    for number in range(4):
        person: dict[str, Any] = {"id": f"user-{number}", "email": f"u{number % 2}@example.com", "blocked": number == 0}
        person["identities"] = [{"issuer": "idp" if number < 3 else "other", "subject": f"s{number}"}]
        person["organizations"] = [{"organization_id": "acme"}] if number == 1 else []
        edits.append({"create": {"user": person}})
        edits.append({"create": {"membership": {"team_id": IDS[number % 2], "user_id": f"user-{number}"}}})
    edits.append({"create": {"end_user": {"id": "c-1", "blocked": True}}})
    edits.append({"create": {"end_user": {"id": "c-2"}}})
    edits.append({"create": {"model": {"name": "gpt-4o"}}})
    edits.append({"create": {"model": {"name": "o3"}}})
    await call("ApplyEdits", edits=edits)


async def pages(call: Client, method: str, field: str, **request: Any) -> list[list[Any]]:
    found: list[list[Any]] = []
    while True:
        page = await call(method, **request)
        found.append(list(getattr(page, field)))
        if not page.next_page_token:
            return found
        request["page_token"] = page.next_page_token


@pytest.mark.parametrize("size", [1, 7, 25, 1000])
async def test_pages_have_every_row_once_and_in_order(call: Client, size: int) -> None:
    await filled(call)

    found = await pages(call, "ListTeams", "teams", page_size=size)

    assert [row.id for page in found for row in page] == IDS
    assert all(len(page) <= size for page in found)


async def test_places_go_on_where_a_page_ended(call: Client) -> None:
    await filled(call)

    found = await pages(call, "ListMemberships", "memberships", page_size=1)

    names = [(row.team_id, row.user_id) for page in found for row in page]
    assert names == sorted(names)
    assert len(names) == 4


@pytest.mark.parametrize(
    ("method", "field", "wanted", "ids"),
    [
        ("ListTeams", "teams", {"id_prefix": "team-00"}, IDS[:10]),
        ("ListTeams", "teams", {"id_prefix": "team%"}, []),
        ("ListTeams", "teams", {"alias": "alias-2"}, IDS[2::5]),
        ("ListTeams", "teams", {"organization_id": "acme"}, IDS[:5]),
        ("ListTeams", "teams", {"issuer": "idp"}, IDS[1::2]),
        ("ListTeams", "teams", {"blocked": True}, IDS[::3]),
        ("ListTeams", "teams", {"blocked": False, "organization_id": "acme"}, [IDS[1], IDS[2], IDS[4]]),
        ("ListOrganizations", "organizations", {"alias": "A"}, ["acme"]),
        ("ListOrganizations", "organizations", {"blocked": False}, ["beta"]),
        ("ListUsers", "users", {"email": "u1@example.com"}, ["user-1", "user-3"]),
        ("ListUsers", "users", {"issuer": "other"}, ["user-3"]),
        ("ListUsers", "users", {"organization_id": "acme"}, ["user-1"]),
        ("ListUsers", "users", {"team_id": IDS[0]}, ["user-0", "user-2"]),
        ("ListUsers", "users", {"blocked": True}, ["user-0"]),
        ("ListUsers", "users", {"team_id": IDS[1], "email": "u1@example.com"}, ["user-1", "user-3"]),
        ("ListEndUsers", "end_users", {"blocked": True}, ["c-1"]),
        ("ListEndUsers", "end_users", {"id_prefix": "c-2"}, ["c-2"]),
        ("ListCatalogueModels", "models", {"name_prefix": "gpt"}, ["gpt-4o"]),
    ],
)  # fmt: skip
async def test_a_list_has_what_fits_everything_that_is_asked_for(
    call: Client, method: str, field: str, wanted: dict[str, Any], ids: list[str]
) -> None:
    await filled(call)

    found = await pages(call, method, field, page_size=2, **wanted)

    assert [getattr(row, "id", "") or row.name for page in found for row in page] == ids


async def test_places_are_found_by_team_and_by_user(call: Client) -> None:
    await filled(call)

    by_team = await call("ListMemberships", team_id=IDS[0])
    by_user = await call("ListMemberships", user_id="user-3")

    assert [row.user_id for row in by_team.memberships] == ["user-0", "user-2"]
    assert [row.team_id for row in by_user.memberships] == [IDS[1]]


async def test_a_page_token_is_good_for_its_list_alone_and_on_every_replica(call: Client) -> None:
    await filled(call)
    token = (await call("ListTeams", page_size=2, issuer="idp")).next_page_token

    async with directory(call.store) as replica:
        following = await replica("ListTeams", page_size=3, issuer="idp", page_token=token)
    assert [row.id for row in following.teams] == [IDS[5], IDS[7], IDS[9]]
    for method, more in (
        ("ListTeams", {}),
        ("ListTeams", {"issuer": "other"}),
        ("ListUsers", {"issuer": "idp"}),
        ("ListMemberships", {}),
    ):
        with pytest.raises(Failed, match="INVALID_ARGUMENT PAGE_INVALID"):
            await call(method, page_token=token, **more)
    for broken in (token[:-4], token[4:], "A" * 40, "\N{FIRE}", "A" * 5000, token + "AAAA"):
        with pytest.raises(Failed, match="INVALID_ARGUMENT PAGE_INVALID"):
            await call("ListTeams", issuer="idp", page_token=broken)
    for size in (-1, 1001):
        with pytest.raises(Failed, match="INVALID_ARGUMENT PAGE_INVALID"):
            await call("ListTeams", page_size=size)


async def test_rows_that_come_and_go_between_pages_do_not_hide_others(call: Client) -> None:
    await filled(call)
    first = await call("ListTeams", page_size=10)
    await call("DeleteTeam", id=IDS[9])
    await call("CreateTeam", team={"id": "team-0000", "issuer": "idp"})

    second = await call("ListTeams", page_size=1000, page_token=first.next_page_token)

    assert [row.id for row in second.teams] == IDS[10:]


async def test_a_page_of_long_rows_is_one_that_every_client_takes(call: Client) -> None:
    models = [f"{number:03}" + "x" * 240 for number in range(900)]
    for number in range(8):
        await call("CreateTeam", team={"id": f"t{number}", "issuer": "idp", "models": {"only": {"models": models}}})

    found = await pages(call, "ListTeams", "teams", page_size=1000)

    assert [row.id for page in found for row in page] == [f"t{number}" for number in range(8)]
    assert len(found) > 1
    assert all(sum(row.ByteSize() for row in page) < 1_500_000 for page in found)


async def test_a_page_token_of_somebodys_own_making_that_no_database_takes_is_none(call: Client) -> None:
    method, request = "/usher.v1.DirectoryService/ListTeams", team_pb2.ListTeamsRequest()
    for made in (("\0",), ("a\0b",)):
        with pytest.raises(Failed, match="INVALID_ARGUMENT PAGE_INVALID"):
            await call("ListTeams", page_token=paging.token(method, request, made))
