"""Turns messages into questions: what only a gateway controls is checked here, what an end user controls is not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usherd.calls import Asked
from usherd.domain import Question
from usherd.errors import FaultReason, InvalidRequest

MAX_ITEMS = 1000
MAX_TOKENS = 16
"""Distinct tokens in one batch: each may cost a signature check."""
MAX_ID = 128
"""Bytes of an item's id or a request id."""
DEFAULT_PAGE = 100
MAX_PAGE = 1000
MAX_REVISION = 64

_REVISION = re.compile(r"([!-9;-~]{1,32}):(0|[1-9][0-9]{0,18})")
_MODES = frozenset({api.MODE_UNSPECIFIED, api.MODE_ONCE, api.MODE_WATCH})
MAX_CHANGES = 256
"""Additions and removals in one message of Subscribe."""
MAX_SUBSCRIPTIONS = 10_000
"""Subscriptions at a time on one stream."""


class Wishes(NamedTuple):
    """What a caller asks for besides the decision. A tuple: one is made for each call, as of questions."""

    explain: bool = False
    at_least: tuple[str, int] | None = None
    """(store, revision) that the answer must be at least as fresh as."""
    request_id: str = ""


_NO_WISHES = Wishes()


def question(
    request: api.AuthorizeRequest | api.CheckRequest | api.ListModelsRequest | api.SubscribeRequest.Add,
) -> Question:
    """The question that was asked, unjudged. Raises InvalidRequest (QUESTION_MISSING)."""
    if not request.HasField("question"):
        raise InvalidRequest(FaultReason.QUESTION_MISSING)
    asked = request.question
    return _question(asked, asked.token)


def encoded(request: api.AuthorizeRequest | api.CheckRequest) -> bytes:
    """Bytes that say the whole question. Equal bytes are equal questions; fields that this version does not know are
    in them, and make another one. Raises InvalidRequest (QUESTION_MISSING).
    """
    if not request.HasField("question"):
        raise InvalidRequest(FaultReason.QUESTION_MISSING)
    return request.question.SerializeToString()


def _question(asked: question_pb2.Question, token: str) -> Question:
    wish = asked.WhichOneof("team_wish")
    # What is not set reads as empty: to ask first whether it is set would cost as much as to read it.
    return Question(
        token,
        asked.route,
        asked.method,
        asked.model if asked.HasField("model") else None,
        tuple(asked.fallback_models),
        asked.team_id if wish == "team_id" else None,
        asked.team_alias if wish == "team_alias" else None,
        asked.end_user_id,
        asked.organization_id,
        asked.modifies_guardrails,
    )


def asked(question: question_pb2.Question) -> Asked:
    """What the question asks for."""
    return Asked(question.route, question.method, question.model if question.HasField("model") else None)


def wishes(
    request: api.AuthorizeRequest
    | api.CheckRequest
    | api.BatchCheckRequest
    | api.ListModelsRequest
    | api.SubscribeRequest.Add,
) -> Wishes:
    """The request's options. Raises InvalidRequest (REVISION_MALFORMED, REQUEST_ID)."""
    if not request.HasField("options"):
        return _NO_WISHES
    options = request.options
    request_id = options.request_id
    if len(request_id) > MAX_ID or not (request_id.isascii() and request_id.isprintable()):
        raise InvalidRequest(FaultReason.REQUEST_ID)
    fresh = options.at_least_as_fresh
    return Wishes(options.explain, revision_of(fresh) if fresh else None, request_id)


def revision_of(text: str) -> tuple[str, int]:
    """The (store, revision) in a text. Raises InvalidRequest (REVISION_MALFORMED)."""
    match = _REVISION.fullmatch(text)
    if match is None or len(text) > MAX_REVISION:
        raise InvalidRequest(FaultReason.REVISION_MALFORMED)
    return match[1], int(match[2])


def check_mode(request: api.AuthorizeRequest) -> None:
    """Raises InvalidRequest (MODE_UNKNOWN) for a mode that this server does not serve."""
    if request.mode not in _MODES:
        raise InvalidRequest(FaultReason.MODE_UNKNOWN)


def items(request: api.BatchCheckRequest) -> tuple[list[str], Sequence[Question]]:
    """The ids and the questions of a batch, in its order.

    Raises InvalidRequest (ITEM_COUNT, ITEM_ID, QUESTION_MISSING, TOKEN_COUNT).
    """
    if not 1 <= len(request.items) <= MAX_ITEMS:
        raise InvalidRequest(FaultReason.ITEM_COUNT)
    ids = [item.id for item in request.items]
    if len(set(ids)) != len(ids) or not all(0 < len(each.encode()) <= MAX_ID for each in ids):
        raise InvalidRequest(FaultReason.ITEM_ID)
    if not all(item.HasField("question") for item in request.items):
        raise InvalidRequest(FaultReason.QUESTION_MISSING)
    questions = [_question(item.question, item.question.token or request.token) for item in request.items]
    if len({each.token for each in questions}) > MAX_TOKENS:
        raise InvalidRequest(FaultReason.TOKEN_COUNT)
    return ids, questions


def page_size(request: api.ListModelsRequest) -> int:
    """How many models a page may have. Raises InvalidRequest (PAGE_INVALID)."""
    if not 0 <= request.page_size <= MAX_PAGE:
        raise InvalidRequest(FaultReason.PAGE_INVALID)
    return request.page_size or DEFAULT_PAGE
