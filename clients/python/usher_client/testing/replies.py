"""What the fake sends back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import grpc

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, question_pb2
from usher_client.status_details import STATUS_DETAILS, write_details
from usher_client.testing.rules import Failure, Outcome

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_FIRST_DENIAL = 10


def as_bytes(message: Any) -> bytes:
    """The message as it is sent."""
    return bytes(message.SerializeToString())


def abort(context: grpc.ServicerContext, failure: Failure) -> NoReturn:
    """Ends the call with that failure."""
    details = write_details(failure.code, failure.reason, failure.retry_after)
    # What a test has said is so at once, too: it is not asked again by gRPC.
    context.set_trailing_metadata(((STATUS_DETAILS, details), ("grpc-retry-pushback-ms", "-1")))
    context.abort(_CODES[failure.code], "by a rule of the test")
    raise AssertionError


def batch(
    request: api.BatchCheckRequest, outcome: Callable[[question_pb2.Question], Outcome], revision: int
) -> api.BatchCheckResponse:
    """The answers to many questions."""
    response = api.BatchCheckResponse()
    for item in request.items:
        item.question.token = item.question.token or request.token
        found = outcome(item.question)
        result = response.results.add(id=item.id)
        if isinstance(found, Failure):
            result.fault.CopyFrom(found.message())
        else:
            result.decision.CopyFrom(found.decision(item.question, revision))
    return response


def model_list(
    question: question_pb2.Question,
    models: tuple[str, ...],
    decide: Callable[[question_pb2.Question], decision_pb2.Decision],
) -> api.ListModelsResponse:
    """Those of the models that are allowed; a denial where none is, and the question is denied without one as well."""
    response = api.ListModelsResponse()
    for model in sorted(models):
        question.model = model
        decision = decide(question)
        if decision.reason < _FIRST_DENIAL:
            response.models.add(name=model, resolved_model=decision.resolved_model)
    if not response.models:
        question.ClearField("model")
        decision = decide(question)
        if decision.reason >= _FIRST_DENIAL:
            response.denial.CopyFrom(decision)
    return response
