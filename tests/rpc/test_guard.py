"""Whatever happens in a handler leaves as a fault; only cancellations and aborts leave as they are."""

from __future__ import annotations

import asyncio
import logging

import grpc
import pytest

from usherd.errors import Fault, InternalFault, KeysUnavailable
from usherd.rpc.guard import guarded
from usherd.rpc.server import all_alike

BEGIN = all_alike(may_explain=False)("/usher.v1.AuthorizationService/Check")


class Aborted(Exception):
    """Stands for the end of a call."""


class Call:
    """The part of a call's context that the guard uses."""

    def __init__(self) -> None:
        self.code: grpc.StatusCode | None = None
        self.details = ""

    async def abort(self, code: grpc.StatusCode, details: str, trailers: object) -> None:
        self.code, self.details = code, details
        raise Aborted


async def _run(error: BaseException) -> Call:
    async def serve(received: object, context: object, call: object) -> None:
        raise error

    call = Call()
    with pytest.raises(Aborted) as raised:
        await guarded(serve, BEGIN)(b"", call)  # type: ignore[arg-type]
    assert raised.value.__context__ is None
    return call


@pytest.mark.parametrize(
    "error",
    [
        ValueError("canary"),
        KeyError("canary"),
        RecursionError("canary"),
        MemoryError(),
        TimeoutError("canary"),
        ExceptionGroup("canary", [KeysUnavailable()]),
        StopAsyncIteration("canary"),
        Fault(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_unforeseen_exception_is_an_internal_error_in_constant_words(error: Exception) -> None:
    call = await _run(error)

    assert (call.code, call.details) == (grpc.StatusCode.INTERNAL, "internal error")


async def test_a_fault_is_its_own_status() -> None:
    call = await _run(KeysUnavailable())

    assert (call.code, call.details) == (grpc.StatusCode.UNAVAILABLE, KeysUnavailable.message)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), grpc.aio.AbortError(), KeyboardInterrupt()])
async def test_a_cancellation_and_an_abort_go_on(error: BaseException) -> None:
    async def serve(received: object, context: object, call: object) -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        await guarded(serve, BEGIN)(b"", Call())  # type: ignore[arg-type]

    assert raised.value is error


async def test_the_log_names_the_bug_behind_an_internal_fault_and_not_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fault = InternalFault()
    fault.__cause__ = ZeroDivisionError("canary")

    await _run(fault)

    assert [vars(record)["error"] for record in caplog.records] == ["ZeroDivisionError"]
    assert "canary" not in logging.Formatter("%(message)s %(error)s %(where)s").format(caplog.records[0])


async def test_a_foreseen_fault_is_no_bug_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    await _run(KeysUnavailable())

    assert caplog.records == []
