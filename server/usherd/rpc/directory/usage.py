"""Records what was spent, and says where budgets stand."""

from __future__ import annotations

import math
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from usher.v1 import usage_pb2
from usherd.calls import Call
from usherd.errors import FieldInvalid, NotFound
from usherd.facts import BudgetKind, BudgetOwner, BudgetState
from usherd.rpc.deadline import Answer
from usherd.rpc.directory import requests, revisions
from usherd.rpc.directory.fields import MOST_MICRO_USD, id_of, whole
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.messages import whole_and_nanos
from usherd.store import Usage

MAX_USAGES = 1000

_KINDS = {
    "organization_id": BudgetKind.ORGANIZATION,
    "team_id": BudgetKind.TEAM,
    "user_id": BudgetKind.USER,
    "end_user_id": BudgetKind.END_USER,
}
_STATES = {
    BudgetState.WITHIN: usage_pb2.BUDGET_STATE_WITHIN,
    BudgetState.REACHED: usage_pb2.BUDGET_STATE_REACHED,
    BudgetState.EXCEEDED: usage_pb2.BUDGET_STATE_EXCEEDED,
}


class Usages:
    """RecordUsage, GetUsage and ResetUsage, from bytes to bytes."""

    def __init__(self, kept: KeptDirectory) -> None:
        self._kept = kept

    def methods(self) -> dict[str, Answer]:
        """By name in the contract."""
        return {"RecordUsage": self._record, "GetUsage": self._get, "ResetUsage": self._reset}

    async def _record(self, data: bytes, call: Call, seconds: float) -> bytes:
        store = self._kept.opened()
        request = requests.read(usage_pb2.RecordUsageRequest, data)
        if not 1 <= len(request.usages) <= MAX_USAGES:
            raise FieldInvalid("usages", f"1 to {MAX_USAGES}")
        usages = [_usage(each, f"usages[{place}]") for place, each in enumerate(request.usages)]
        revision = await store.record_usage(usages, requests.identified(request, call))
        answer = usage_pb2.RecordUsageResponse(revision=revisions.told(store, revision))
        return bytes(answer.SerializeToString(deterministic=True))

    async def _get(self, data: bytes, call: Call, seconds: float) -> bytes:
        store = self._kept.opened()
        spent = await store.usage(_owner(requests.read(usage_pb2.GetUsageRequest, data), ""))
        if spent is None:
            raise NotFound
        answer = usage_pb2.GetUsageResponse(micro_usd=spent.micro_usd, state=_STATES[spent.state])
        if spent.period_end < math.inf:
            whole_seconds, nanos = whole_and_nanos(spent.period_end)
            answer.period_end.CopyFrom(Timestamp(seconds=whole_seconds, nanos=nanos))
        return bytes(answer.SerializeToString(deterministic=True))

    async def _reset(self, data: bytes, call: Call, seconds: float) -> bytes:
        store = self._kept.opened()
        request = requests.read(usage_pb2.ResetUsageRequest, data)
        revision = await store.reset_usage(_owner(request, ""), requests.identified(request, call))
        answer = usage_pb2.ResetUsageResponse(revision=revisions.told(store, revision))
        return bytes(answer.SerializeToString(deterministic=True))


def _usage(message: Any, field: str) -> Usage:
    return Usage(_owner(message, f"{field}."), whole(message.micro_usd, f"{field}.micro_usd", MOST_MICRO_USD))


def _owner(message: Any, before: str) -> BudgetOwner:
    field = f"{before}owner"
    which = message.owner.WhichOneof("owner")
    if which is None:
        raise FieldInvalid(field, "everyone, member, " + " or ".join(_KINDS))
    if which == "everyone":
        return BudgetOwner(BudgetKind.GLOBAL)
    if which == "member":
        member, path = message.owner.member, f"{field}.member"
        team, user = id_of(member.team_id, f"{path}.team_id"), id_of(member.user_id, f"{path}.user_id")
        return BudgetOwner(BudgetKind.MEMBER, user, team)
    return BudgetOwner(_KINDS[which], id_of(getattr(message.owner, which), f"{field}.{which}"))
