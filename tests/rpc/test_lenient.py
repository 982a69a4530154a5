"""Broken text costs no more to read than text that is whole: what is too much is counted before it is looked at."""

from __future__ import annotations

import pytest

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usherd.errors import FaultReason, InvalidRequest
from usherd.rpc.lenient import parse_asked
from usherd.rpc.translate import MAX_ITEMS

BROKEN = "canary"
"""Becomes bytes that are not UTF-8."""


def _broken(data: bytes) -> bytes:
    return data.replace(BROKEN.encode(), b"\xff" * len(BROKEN))


def test_items_are_counted_before_they_are_looked_at() -> None:
    items = [api.BatchCheckRequest.Item(id=BROKEN)] * (MAX_ITEMS + 1)

    with pytest.raises(InvalidRequest) as raised:
        parse_asked(api.BatchCheckRequest, _broken(api.BatchCheckRequest(items=items).SerializeToString()))

    assert raised.value.reason is FaultReason.ITEM_COUNT


def test_as_many_items_as_a_batch_may_have_are_mended() -> None:
    items = [api.BatchCheckRequest.Item(id="a", question=question_pb2.Question(model=BROKEN))] * MAX_ITEMS

    batch = parse_asked(api.BatchCheckRequest, _broken(api.BatchCheckRequest(items=items).SerializeToString()))

    assert {item.question.model for item in batch.items} == {"\x00"}
    assert len(batch.items) == MAX_ITEMS


@pytest.mark.parametrize(("asked", "left"), [(2, 2), (17, 17), (18, 17), (10_000, 17)])
def test_no_more_fallback_models_are_looked_at_than_it_takes_to_deny_them(asked: int, left: int) -> None:
    question = question_pb2.Question(fallback_models=[BROKEN] * asked)

    request = parse_asked(api.CheckRequest, _broken(api.CheckRequest(question=question).SerializeToString()))

    assert list(request.question.fallback_models) == ["\x00"] * left
