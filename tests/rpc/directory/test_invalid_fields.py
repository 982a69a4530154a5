"""Whatever a request may not have is refused by the name of its field, and nothing is dropped without a word."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from tools.directory_world import METHODS, Client, Failed
from usherd.callers import RPCS

LONG = "x" * 257
WIDE = "\N{FIRE}" * 129
TEAM = {"id": "t", "issuer": "idp"}


def team(**more: Any) -> dict[str, Any]:
    return {"team": TEAM | more}


def user(**more: Any) -> dict[str, Any]:
    return {"user": {"id": "u"} | more}


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("GetTeam", {}, "id"),
    ("GetTeam", {"id": LONG}, "id"),
    ("GetTeam", {"id": WIDE}, "id"),
    ("GetTeam", {"id": "a\nb"}, "id"),
    ("GetCatalogueModel", {}, "name"),
    ("GetMembership", {}, "name.team_id"),
    ("GetMembership", {"name": {"team_id": "t"}}, "name.user_id"),
    ("DeleteTeam", {"id": "t", "etag": "x" * 65}, "etag"),
    ("BlockTeam", {"id": ""}, "id"),
    ("CreateTeam", {}, "team"),
    ("CreateTeam", {"team": {}}, "team.id"),
    ("CreateTeam", team(etag="1"), "team.etag"),
    ("CreateTeam", team(issuer="nobody"), "team.issuer"),
    ("CreateTeam", team(issuer=""), "team.issuer"),
    ("CreateTeam", team(alias=LONG), "team.alias"),
    ("CreateTeam", team(organization_id="\0"), "team.organization_id"),
    ("CreateTeam", team(models={"only": {"models": ["a", ""]}}), "team.models.only.models[1]"),
    ("CreateTeam", team(models={"only": {"models": ["\N{FIRE}" * 65]}}), "team.models.only.models[0]"),
    ("CreateTeam", team(models={"only": {"models": [str(n) for n in range(1001)]}}), "team.models.only.models"),
    ("CreateTeam", team(limit={"tpm": -1}), "team.limit.tpm"),
    ("CreateTeam", team(limit={"rpm": 2**53 + 1}), "team.limit.rpm"),
    ("CreateTeam", team(limit={"max_budget_micro_usd": -1}), "team.limit.max_budget_micro_usd"),
    ("CreateTeam", team(limit={"budget_reset": {}}), "team.limit.budget_reset"),
    ("CreateTeam", team(limit={"budget_reset": {"seconds": -5}}), "team.limit.budget_reset"),
    ("CreateTeam", team(limit={"budget_reset": {"seconds": 5, "nanos": 1}}), "team.limit.budget_reset"),
    ("CreateTeam", team(limit={"budget_reset": {"seconds": 3660 * 86400 + 1}}), "team.limit.budget_reset"),
    ("CreateTeam", team(model_aliases=[{"name": "", "model": "b"}]), "team.model_aliases[0].name"),
    ("CreateTeam", team(model_aliases=[{"name": "a", "model": ""}]), "team.model_aliases[0].model"),
    ("CreateTeam", team(model_aliases=[{"name": "a", "model": "b"}] * 2), "team.model_aliases"),
    ("CreateTeam", team() | {"request_id": "x" * 129}, "request_id"),
    ("CreateTeam", team() | {"request_id": "\N{FIRE}"}, "request_id"),
    ("UpdateTeam", team(etag="\N{FIRE}"), "team.etag"),
    ("UpdateTeam", team() | {"update_mask": FieldMask()}, "update_mask.paths"),
    ("UpdateTeam", team() | {"update_mask": FieldMask(paths=["alias", "name"])}, "update_mask.paths[1]"),
    ("UpdateTeam", team() | {"update_mask": FieldMask(paths=["id"])}, "update_mask.paths[0]"),
    ("UpdateTeam", team() | {"update_mask": FieldMask(paths=["etag"])}, "update_mask.paths[0]"),
    ("UpdateTeam", team() | {"update_mask": FieldMask(paths=["limit.models"])}, "update_mask.paths[0]"),
    ("UpdateTeam", team() | {"update_mask": FieldMask(paths=["*"])}, "update_mask.paths[0]"),
    ("UpdateTeam", team(limit={"tpm": -1}) | {"update_mask": FieldMask(paths=["limit.tpm"])}, "team.limit.tpm"),
    ("CreateUser", user(identities=[{"issuer": "nobody", "subject": "s"}]), "user.identities[0].issuer"),
    ("CreateUser", user(identities=[{"issuer": "idp"}]), "user.identities[0].subject"),
    ("CreateUser", user(identities=[{"issuer": "idp", "subject": "s"}] * 2), "user.identities"),
    ("CreateUser", user(identities=[{"issuer": "idp", "subject": str(n)} for n in range(65)]), "user.identities"),
    ("CreateUser", user(sso_ids=["a", "a"]), "user.sso_ids"),
    ("CreateUser", user(sso_ids=[str(n) for n in range(65)]), "user.sso_ids"),
    ("CreateUser", user(email=LONG), "user.email"),
    ("CreateUser", user(role="god"), "user.role"),
    ("CreateUser", user(organizations=[{"organization_id": ""}]), "user.organizations[0].organization_id"),
    ("CreateUser", user(organizations=[{"organization_id": "o"}] * 2), "user.organizations"),
    ("CreateUser", user(organizations=[{"organization_id": str(n)} for n in range(257)]), "user.organizations"),
    ("CreateMembership", {"membership": {"team_id": "t", "user_id": "u", "role": "boss"}}, "membership.role"),
    (
        "CreateMembership",
        {"membership": {"team_id": "t", "user_id": "u", "max_budget_micro_usd": -1}},
        "membership.max_budget_micro_usd",
    ),
    ("CreateCatalogueModel", {"model": {"name": "m", "groups": ["", "b"]}}, "model.groups[0]"),
    ("CreateCatalogueModel", {"model": {"name": "m", "aliases": [str(n) for n in range(65)]}}, "model.aliases"),
    ("CreateCatalogueModel", {"model": {"name": "m", "provider": LONG}}, "model.provider"),
    ("ListTeams", {"id_prefix": LONG}, "id_prefix"),
    ("ListTeams", {"id_prefix": "a\0"}, "id_prefix"),
    ("ListCatalogueModels", {"name_prefix": "\0"}, "name_prefix"),
    ("ListTeams", {"issuer": LONG}, "issuer"),
    ("ListUsers", {"email": "\n"}, "email"),
    ("ListMemberships", {"team_id": LONG}, "team_id"),
    ("ApplyEdits", {}, "edits"),
    ("ApplyEdits", {"edits": [{"delete": {"team_id": "t"}}] * 1001}, "edits"),
    ("ApplyEdits", {"edits": [{"delete": {"team_id": "t"}}, {}]}, "edits[1]"),
    ("ApplyEdits", {"edits": [{"put": {}}]}, "edits[0].put"),
    ("ApplyEdits", {"edits": [{"delete": {}}]}, "edits[0].delete"),
    ("ApplyEdits", {"edits": [{"delete": {"membership": {"team_id": "t"}}}]}, "edits[0].delete.membership.user_id"),
    ("ApplyEdits", {"edits": [{"delete": {"team_id": "t", "etag": "x" * 65}}]}, "edits[0].delete.etag"),
    ("ApplyEdits", {"edits": [{"create": team(etag="1")}]}, "edits[0].create.team.etag"),
    ("ApplyEdits", {"edits": [{"put": team(limit={"tpm": -1})}]}, "edits[0].put.team.limit.tpm"),
    ("ApplyEdits", {"edits": [{"delete": {"model_name": LONG}}]}, "edits[0].delete.model_name"),
    ("RecordUsage", {}, "usages"),
    ("RecordUsage", {"usages": [{"micro_usd": 1}]}, "usages[0].owner"),
    ("RecordUsage", {"usages": [{"owner": {"team_id": ""}}]}, "usages[0].owner.team_id"),
    ("RecordUsage", {"usages": [{"owner": {"everyone": {}}, "micro_usd": -1}]}, "usages[0].micro_usd"),
    ("RecordUsage", {"usages": [{"owner": {"everyone": {}}}] * 1001}, "usages"),
    ("GetUsage", {}, "owner"),
    ("GetUsage", {"owner": {"member": {"team_id": "t"}}}, "owner.member.user_id"),
    ("ResetUsage", {"owner": {"user_id": LONG}}, "owner.user_id"),
]


@pytest.mark.parametrize(("method", "fields", "field"), CASES)
async def test_an_invalid_field_is_named(call: Client, method: str, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Failed) as failed:
        await call(method, **fields)

    assert (failed.value.code.name, failed.value.reason, failed.value.field) == (
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        field,
    )
    assert failed.value.details.startswith(f"{field}: expected ")
    assert not (await call("ListTeams")).teams


UNARY = [name for name in RPCS["usher.v1.DirectoryService"] if name != "WatchChanges"]


@pytest.mark.parametrize("method", UNARY)
async def test_what_is_no_message_and_fields_that_are_not_known_are_refused(call: Client, method: str) -> None:
    assert f"/usher.v1.DirectoryService/{method}" in METHODS
    with pytest.raises(Failed, match="INVALID_ARGUMENT REQUEST_UNDECODABLE"):
        await call.send(method, b"\xff")
    # Field 1000, a text: a later version's.
    with pytest.raises(Failed, match="INVALID_ARGUMENT FIELD_INVALID request: expected fields that this server knows"):
        await call.send(method, b"\xc2\x3e\x01x")


async def test_a_field_that_is_not_known_in_a_row_is_refused_there(call: Client) -> None:
    inner = b"\x0a\x01t\x12\x03idp\xc2\x3e\x01x"

    with pytest.raises(Failed) as failed:
        await call.send("CreateTeam", b"\x0a" + bytes([len(inner)]) + inner)

    assert failed.value.field == "team"
