"""The fake usherd: a gRPC server on loopback whose answers are a test's."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import grpc

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import event_pb2, fault_pb2, question_pb2, reason_pb2
from usher_client.channels import SERVICE
from usher_client.faults import Unavailable, UsherFault, code_of
from usher_client.questions import Question
from usher_client.testing.lines import Line, LoneLine
from usher_client.testing.replies import abort, as_bytes, batch, model_list
from usher_client.testing.rules import Failure, Outcome, Rules, Verdict, asked_of

MOST_STREAMS = 200
"""Calls at once, living streams among them; more wait for their turn."""


class FakeUsherd:
    """Answers by the rules of a test; use it as a context manager, and share it between threads.

    The rule that was given last and fits the question counts. A rule has the arguments of `authorize` that a question
    must have been asked with; what it does not name may be anything. `models` is what `list_models` chooses from.
    `max_silence` is how long living streams may be silent, in seconds; they are confirmed three times as often.
    """

    def __init__(self, *, models: tuple[str, ...] = (), max_silence: float = 15.0) -> None:
        if max_silence <= 0:
            raise ValueError("max_silence: expected seconds, more than 0")
        self._models = models
        self._max_silence = max_silence
        self._rules = Rules()
        self._lock = threading.RLock()
        self._revision = 0
        self._lines: set[Line] = set()
        self._asked: list[Question] = []
        self._speaking = threading.Event()
        self._speaking.set()
        self._server: grpc.Server | None = None
        self.target = ""
        """Where it listens: for `Client(usherd.target)` and `AsyncClient(usherd.target)`."""

    def __enter__(self) -> Self:
        pool = ThreadPoolExecutor(MOST_STREAMS, thread_name_prefix="fake-usherd")
        self._server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Authorize": grpc.unary_stream_rpc_method_handler(self._authorize, api.AuthorizeRequest.FromString),
            "Check": grpc.unary_unary_rpc_method_handler(self._check, api.CheckRequest.FromString, as_bytes),
            "BatchCheck": grpc.unary_unary_rpc_method_handler(self._batch, api.BatchCheckRequest.FromString, as_bytes),
            "ListModels": grpc.unary_unary_rpc_method_handler(self._list, api.ListModelsRequest.FromString, as_bytes),
            "Subscribe": grpc.stream_stream_rpc_method_handler(self._subscribe, api.SubscribeRequest.FromString),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._speaking.set()
        with self._lock:
            for line in self._lines:
                line.say(None)
        if self._server is not None:
            self._server.stop(None).wait()

    @property
    def asked(self) -> list[Question]:
        """All questions that reached it, in their order; those that a cache answered did not."""
        with self._lock:
            return list(self._asked)

    def allow(
        self,
        *,
        reason: str = "ALLOWED",
        resolved_model: str | None = None,
        principal: Mapping[str, Any] | None = None,
        cacheable: bool = True,
        **question: Any,
    ) -> None:
        """Allows such questions from now on, and tells all who watch them.

        `resolved_model` None: the model that is asked for. `principal`: fields of Principal; somebody unless given.
        """
        self._only(reason, allows=True)
        verdict = Verdict(reason=reason, resolved_model=resolved_model, principal=principal, cacheable=cacheable)
        self._change(question, verdict, "DIRECTORY")

    def deny(
        self,
        reason: str,
        *,
        http_status: int | None = None,
        principal: Mapping[str, Any] | None = None,
        cacheable: bool = True,
        cause: str = "DIRECTORY",
        **question: Any,
    ) -> None:
        """Denies such questions from now on, and tells all who watch them; a rule that comes later can lift it.

        `reason` is a Reason without its prefix, such as "TEAM_BLOCKED"; status, message and header go with it.
        """
        self._only(reason, allows=False)
        verdict = Verdict(reason=reason, http_status=http_status, principal=principal, cacheable=cacheable)
        self._change(question, verdict, cause)

    def end(self, reason: str = "TOKEN_REVOKED", *, cause: str = "TOKEN_REVOKED", **question: Any) -> None:
        """Ends such questions for good: who watches them hears `ended`, and they are denied from now on."""
        self._only(reason, allows=False)
        self._change(question, Verdict(reason=reason, final=True), cause)

    def fail(
        self,
        reason: str = "KEYS_UNAVAILABLE",
        *,
        fault: type[UsherFault] = Unavailable,
        retry_after: float | None = None,
        **question: Any,
    ) -> None:
        """Has no decision about such questions from now on; who watches them has lost the stream, and asks again.

        `reason` is a FaultReason without its prefix, or empty, as of a server that sends none; `fault` is the class of
        what the client raises.
        """
        if reason and f"FAULT_REASON_{reason}" not in fault_pb2.FaultReason.DESCRIPTOR.values_by_name:
            raise ValueError(f"{reason}: no FaultReason, such as KEYS_UNAVAILABLE; docs/reasons.md has all of them")
        self._change(question, Failure(code=code_of(fault), reason=reason, retry_after=retry_after), "SERVER")

    def forget(self) -> None:
        """There are no rules from now on."""
        with self._lock:
            self._rules.clear()
            self._look_again("DIRECTORY")

    def fall_silent(self) -> None:
        """Says nothing any more on living streams, and answers nothing, until `speak`."""
        self._speaking.clear()

    def speak(self) -> None:
        """Says what was kept back since `fall_silent`, and goes on."""
        self._speaking.set()

    def lose_streams(self) -> None:
        """Ends all living streams with an error, as a server does that is gone."""
        with self._lock:
            for line in self._lines:
                line.say(Failure(code=14, reason="SHUTTING_DOWN", retry_after=None))

    def _only(self, reason: str, *, allows: bool) -> None:
        if f"REASON_{reason}" not in reason_pb2.Reason.DESCRIPTOR.values_by_name:
            raise ValueError(f"{reason}: no Reason, such as TEAM_BLOCKED; docs/reasons.md has all of them")
        number = reason_pb2.Reason.Value(f"REASON_{reason}")
        if number == 0 or (number < 10) is not allows:
            raise ValueError(f"{reason}: no reason to {'allow' if allows else 'deny'}")

    def _change(self, question: Mapping[str, Any], outcome: Outcome, cause: str) -> None:
        event_pb2.Cause.Value(f"CAUSE_{cause}")
        with self._lock:
            self._rules.add(question, outcome)
            self._look_again(cause)

    def _look_again(self, cause: str) -> None:
        self._revision += 1
        for line in self._lines:
            line.look_again(cause)

    def _outcome(self, question: question_pb2.Question) -> Outcome:
        with self._lock:
            self._asked.append(asked_of(question))
            return self._rules.outcome(question)

    def _decided(self, question: question_pb2.Question, context: grpc.ServicerContext) -> Any:
        self._speaking.wait()
        outcome = self._outcome(question)
        if isinstance(outcome, Failure):
            abort(context, outcome)
        return outcome.decision(question, self._revision)

    def _authorize(self, request: api.AuthorizeRequest, context: grpc.ServicerContext) -> Iterator[bytes]:
        if request.mode != api.MODE_WATCH:
            decision = self._decided(request.question, context)
            terms = api.StreamTerms(mode=api.MODE_ONCE)
            yield api.AuthorizeResponse(decision=decision, terms=terms).SerializeToString()
            return
        self._outcome(request.question)
        line = LoneLine(self._rules.outcome, lambda: self._revision)
        with self._lock:
            self._lines.add(line)
            line.add(1, request.question)
        yield from self._told(line, context)

    def _subscribe(self, received: Iterator[api.SubscribeRequest], context: grpc.ServicerContext) -> Iterator[bytes]:
        line = Line(self._rules.outcome, lambda: self._revision)
        with self._lock:
            self._lines.add(line)

        def read() -> None:
            try:
                for request in received:
                    with self._lock:
                        for each in request.add:
                            self._outcome(each.question)
                            line.add(each.id, each.question)
                        for number in request.remove:
                            line.remove(number)
            except grpc.RpcError:
                pass  # the call is over
            line.say(None)

        threading.Thread(target=read, name="fake-usherd-reads", daemon=True).start()
        yield from self._told(line, context)

    def _told(self, line: Line, context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            if not context.add_callback(lambda: line.say(None)):
                return
            for said in line.said(self._max_silence / 3):
                while not self._speaking.wait(0.05):
                    if not context.is_active():
                        return
                if isinstance(said, Failure):
                    abort(context, said)
                if said is None:
                    return
                if said.HasField("terms"):
                    said.terms.max_silence.FromNanoseconds(int(self._max_silence * 1e9))
                yield said.SerializeToString()
        finally:
            with self._lock:
                self._lines.discard(line)

    def _check(self, request: api.CheckRequest, context: grpc.ServicerContext) -> api.CheckResponse:
        return api.CheckResponse(decision=self._decided(request.question, context))

    def _batch(self, request: api.BatchCheckRequest, context: grpc.ServicerContext) -> api.BatchCheckResponse:
        self._speaking.wait()
        return batch(request, self._outcome, self._revision)

    def _list(self, request: api.ListModelsRequest, context: grpc.ServicerContext) -> api.ListModelsResponse:
        return model_list(request.question, self._models, lambda question: self._decided(question, context))
