"""Both clients against a real usherd: an allowance, a denial and a fault are three different things."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.asking import Ask, both_faces
from tools.daemon import MODEL, ROUTE, daemon
from usher_client import InvalidRequest, ListDenied, Model, Question, Unavailable


@both_faces
async def test_the_daemon_is_understood(ask: Ask, tmp_path: Path) -> None:
    async with daemon(tmp_path) as usherd:
        tokens = usherd.tokens
        allowed = await ask(usherd.target, "authorize", tokens["allow"], ROUTE, MODEL, explain=True)
        other_model = await ask(usherd.target, "authorize", tokens["allow"], ROUTE, "o3")
        denied = await ask(usherd.target, "authorize", tokens["deny"], ROUTE, MODEL)
        oversized = await ask(usherd.target, "authorize", "x" * 1_000_000, ROUTE, "x" * 1_000_000)
        no_unicode = await ask(usherd.target, "authorize", tokens["allow"], ROUTE, "gpt\udcff")
        with pytest.raises(Unavailable) as fault:
            await ask(usherd.target, "authorize", tokens["fault"], ROUTE, MODEL)
        with pytest.raises(InvalidRequest) as invalid:
            await ask(usherd.target, "authorize", tokens["allow"], ROUTE, request_id="x" * 129)
        results = await ask(
            usherd.target, "batch_check", [Question(token=each, route=ROUTE, model=MODEL) for each in tokens.values()]
        )
        models = await ask(usherd.target, "list_models", tokens["allow"], ROUTE)
        with pytest.raises(ListDenied) as list_denied:
            await ask(usherd.target, "list_models", tokens["deny"], ROUTE)

    assert allowed
    assert (allowed.principal.kind, allowed.resolved_model) == ("SERVICE", MODEL)
    assert {each.check for each in allowed.explanation} >= {"routes", "models"}
    assert [bool(each) for each in (other_model, denied, oversized, no_unicode)] == [False] * 4
    assert [each.reason for each in (other_model, denied, oversized, no_unicode)] == [
        "MODEL_NOT_GRANTED",
        "TOKEN_EXPIRED",
        "TOKEN_TOO_LARGE",
        "MODEL_INVALID",
    ]
    assert fault.value.reason == "KEYS_UNAVAILABLE"
    assert invalid.value.reason == "REQUEST_ID"
    assert [each.reason for each in results] == ["ALLOWED", "TOKEN_EXPIRED", "KEYS_UNAVAILABLE"]
    assert [bool(each) for each in results] == [True, False, False]
    assert models == [Model(name=MODEL, resolved_model=MODEL)]
    assert list_denied.value.decision.reason == "TOKEN_EXPIRED"
