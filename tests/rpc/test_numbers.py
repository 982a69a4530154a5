"""The domain's numbers are the contract's: enums cross the border uncounted."""

from __future__ import annotations

from enum import IntEnum

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from usher.v1 import decision_pb2, fault_pb2, principal_pb2, reason_pb2
from usherd.domain import CheckOutcome, DependencyKind, Effect, PrincipalKind
from usherd.errors import Code, FaultReason
from usherd.reasons import ANSWERS, Reason

PAIRS = [
    (Effect, decision_pb2.Effect, "EFFECT_"),
    (Reason, reason_pb2.Reason, "REASON_"),
    (PrincipalKind, principal_pb2.PrincipalKind, "PRINCIPAL_KIND_"),
    (DependencyKind, decision_pb2.DependencyKind, "DEPENDENCY_KIND_"),
    (CheckOutcome, decision_pb2.CheckOutcome, "CHECK_OUTCOME_"),
    (Code, fault_pb2.Code, "CODE_"),
    (FaultReason, fault_pb2.FaultReason, "FAULT_REASON_"),
]


@pytest.mark.parametrize(("ours", "theirs", "prefix"), PAIRS, ids=[pair[2] for pair in PAIRS])
def test_every_enum_has_the_contracts_names_and_numbers(
    ours: type[IntEnum], theirs: EnumTypeWrapper, prefix: str
) -> None:
    contract = {name.removeprefix(prefix): number for name, number in theirs.items()}

    assert {"UNSPECIFIED": 0} | {member.name: member.value for member in ours} == contract


def test_every_reason_has_an_answer() -> None:
    assert set(ANSWERS) == set(Reason)
