"""Whatever bytes arrive at RevocationService, the answer is a message or a status of the contract."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from keyring import NOW, StaticKeys, claims
from tools.revocation_world import METHODS, PAIR, policy
from usher.v1 import revocation_pb2
from usher.v1 import revocation_service_pb2 as api
from usherd.authenticate.verifier import Verifier
from usherd.errors import FaultReason, InvalidRequest, NotFound
from usherd.revocable import Revocable
from usherd.revocation_store import Page, Revocation, Revoked, Wanted
from usherd.revocations import Entry, Snapshot
from usherd.rpc.guard import guarded
from usherd.rpc.limits import Gate, Limits
from usherd.rpc.names import REVOCATION
from usherd.rpc.revocation.kept import InForce, KeptRevocations
from usherd.rpc.revocation.service import RevocationService
from usherd.rpc.server import all_alike
from usherd.store import Request

CANARY = "canary-5f3a"
TOKEN = PAIR.token(claims(sub=CANARY))
SUBJECT = revocation_pb2.RevokedTokens(subject=revocation_pb2.SubjectOfIssuer(issuer="idp", subject="alice"))
JTI = revocation_pb2.RevokedTokens(jti=revocation_pb2.TokenOfIssuer(issuer="idp", jti=CANARY))
ID = "0123456789abcdef" * 2
SAMPLES: list[tuple[str, Message]] = [
    ("Revoke", api.RevokeRequest(token=TOKEN, note=CANARY, request_id="r-1")),
    ("Revoke", api.RevokeRequest(tokens=SUBJECT, issued_before=Timestamp(seconds=int(NOW)), note="left")),
    ("Revoke", api.RevokeRequest(tokens=JTI, keep_until=Timestamp(seconds=int(NOW) + 900_000))),
    ("ListRevocations", api.ListRevocationsRequest(page_size=3, page_token="AAAA", issuer=CANARY, token_id=ID)),
    ("LiftRevocation", api.LiftRevocationRequest(id=ID, request_id=CANARY)),
]
ANSWERS: dict[str, type[Message]] = {
    "Revoke": api.RevokeResponse,
    "ListRevocations": api.ListRevocationsResponse,
    "LiftRevocation": api.LiftRevocationResponse,
}


class Memory:
    """A store that never waits, and keeps what the last call put there."""

    id = "store"
    entry: Entry | None = None

    async def revoke(self, entry: Entry, *, note: str, caller: str, request: Request | None = None) -> Revoked:
        self.entry = entry
        return Revoked(7, Revocation(id=ID, entry=entry, note="", caller=caller, revoked_at=NOW))

    async def page(self, wanted: Wanted, *, after: str = "", limit: int = 100) -> Page:
        return Page((), False, 7)

    async def snapshot(self) -> Snapshot:
        return Snapshot({}, 7)

    async def lift(self, id: str, request: Request | None = None) -> int:
        raise NotFound


class Call:
    """The context of a call without a deadline."""

    ending: tuple[grpc.StatusCode, str] | None = None

    def time_remaining(self) -> None:
        return None

    async def abort(self, code: grpc.StatusCode, details: str, trailers: object = ()) -> None:
        self.ending = (code, details)
        raise grpc.aio.AbortError


def _handlers() -> dict[str, Any]:
    limits, rules = Limits(), policy()
    verifier = Verifier(rules, StaticKeys.of(idp=[PAIR]), lambda: NOW, store_key=b"k" * 32)
    in_force = InForce(verifier=verifier, revocable=Revocable(rules))
    kept = KeptRevocations(store=Memory(), in_force=lambda: in_force, clock=lambda: NOW)
    service = RevocationService(kept, limits=limits, gate=Gate(limits))
    return {name: guarded(serve, all_alike(may_explain=False)(name)) for name, serve in service.handlers().items()}


HANDLERS = _handlers()


@st.composite
def _requests(draw: st.DrawFn) -> tuple[str, bytes]:
    method, sample = draw(st.sampled_from(SAMPLES))
    data = bytearray(sample.SerializeToString())
    form = draw(st.sampled_from(["random", "cut", "changed", "grown", "as it is"]))
    if form == "random":
        return method, draw(st.binary(max_size=80))
    if form == "cut":
        return method, bytes(data[: draw(st.integers(0, len(data)))])
    if form == "changed":
        for place in draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=6)):
            data[place] = draw(st.integers(0, 255))
    if form == "grown":
        place = draw(st.integers(0, len(data)))
        data[place:place] = draw(st.binary(min_size=1, max_size=20))
    return method, bytes(data)


def is_ours(code: grpc.StatusCode, details: str) -> bool:
    """Whether a call may end so: in constant words, with no value of the request."""
    constants = {InvalidRequest(each).message for each in FaultReason if each < FaultReason.FIELD_INVALID}
    if code is grpc.StatusCode.NOT_FOUND:
        return details == NotFound.message
    return code is grpc.StatusCode.INVALID_ARGUMENT and (details in constants or ": expected " in details)


@examples(1500, deadline=None)
@given(request=_requests())
def test_every_method_answers_any_bytes_in_words_of_the_contract(request: tuple[str, bytes]) -> None:
    method, data = request
    call = Call()
    work = HANDLERS[f"/{REVOCATION}/{method}"](data, call)

    try:
        work.send(None)
    except StopIteration as done:
        answered = bytes(done.value)
    except grpc.aio.AbortError:
        assert call.ending is not None
        assert is_ours(*call.ending)
        assert CANARY not in call.ending[1]
        return
    else:
        work.close()
        raise AssertionError("it waited")
    assert ANSWERS[method].FromString(answered).SerializeToString(deterministic=True) == answered
    assert TOKEN.encode() not in answered


def test_every_method_has_a_sample() -> None:
    assert {f"/{REVOCATION}/{method}" for method, _ in SAMPLES} == set(METHODS)


@pytest.mark.parametrize(("method", "request_"), [(method, each) for method, each in SAMPLES[:3]])
def test_the_samples_themselves_are_taken(method: str, request_: Message) -> None:
    answer = asyncio.run(HANDLERS[f"/{REVOCATION}/{method}"](request_.SerializeToString(), Call()))
    assert ANSWERS[method].FromString(answer)
