"""Turns what a gateway asks into messages that the server can judge, whatever the end user put into them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2

DEFAULT_DEADLINE: Final = 1.0
MAX_DEADLINE: Final = 60.0
MAX_ITEMS: Final = 1000

# Values that are cut are cut above what the server takes: what is too long stays too long, and is denied. An
# oversized message would be an error instead, and an error that an end user can cause is a way past a gateway
# that fails open.
_TOKEN: Final = 64 * 1024
_ROUTE: Final = 16 * 1024
_NAME: Final = 1024
_FALLBACKS: Final = 16

_REFUSED: Final = "\x00"
"""Stands for what is no text, or no Unicode: no field of a question takes it, so that it is denied."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Question:
    """One question; `proto/usher/v1/question.proto` says what each field means.

    `model` None: the request asks for no model. Values that an end user may have chosen are not checked here: what is
    no text, or no list of names, is asked as something that the server denies. Raises ValueError for two team wishes.
    """

    token: str = ""
    """The bare compact JWS: a scheme in front of it ("Bearer ") is the gateway's to take off."""
    route: str
    model: str | None = None
    method: str = ""
    fallback_models: Sequence[str] = ()
    team_id: str | None = None
    team_alias: str | None = None
    end_user_id: str = ""
    organization_id: str = ""
    modifies_guardrails: bool = False
    """Whether the request asks for guardrails of its own; any value that is true counts."""

    def __post_init__(self) -> None:
        if self.team_id is not None and self.team_alias is not None:
            raise ValueError("team_id, team_alias: expected at most one of them")


def question_message(question: Question) -> question_pb2.Question:
    """The contract's Question."""
    return question_pb2.Question(
        token=_text(question.token, _TOKEN),
        route=_text(question.route, _ROUTE),
        method=_text(question.method, _NAME),
        model=_optional(question.model),
        fallback_models=[_text(each, _NAME) for each in _names(question.fallback_models)],
        team_id=_optional(question.team_id),
        team_alias=_optional(question.team_alias),
        end_user_id=_text(question.end_user_id, _NAME),
        organization_id=_text(question.organization_id, _NAME),
        modifies_guardrails=bool(question.modifies_guardrails),
    )


def options_message(*, explain: bool, request_id: str, at_least_as_fresh: str) -> api.Options:
    """The contract's Options."""
    return api.Options(explain=explain, request_id=request_id, at_least_as_fresh=at_least_as_fresh)


def batch_message(questions: Sequence[Question], token: str, options: api.Options) -> tuple[list[str], bytes]:
    """The ids of the items, and the request. Raises ValueError unless there are 1 to 1,000 questions."""
    if not 1 <= len(questions) <= MAX_ITEMS:
        raise ValueError(f"questions: expected 1 to {MAX_ITEMS}")
    ids = [str(number) for number in range(len(questions))]
    items = [
        api.BatchCheckRequest.Item(id=each, question=question_message(question))
        for each, question in zip(ids, questions, strict=True)
    ]
    request = api.BatchCheckRequest(token=_text(token, _TOKEN), items=items, options=options)
    return ids, request.SerializeToString()


def checked_deadline(deadline: float) -> float:
    """The deadline in seconds. Raises ValueError unless it is over 0 and at most 60: every call ends."""
    if (
        isinstance(deadline, bool)
        or not isinstance(deadline, int | float)
        or not math.isfinite(deadline)
        or not 0 < deadline <= MAX_DEADLINE
    ):
        raise ValueError(f"deadline: expected seconds, more than 0 and at most {MAX_DEADLINE:g}")
    return float(deadline)


def _names(value: object) -> Sequence[object]:
    # A string is a sequence of one-letter strings, each of which would be asked for as a model.
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return value[: _FALLBACKS + 1]
    return (_REFUSED,)


def _optional(value: object) -> str | None:
    return None if value is None else _text(value, _NAME)


def _text(value: object, limit: int) -> str:
    # A gateway may pass on what it found in a JSON body, where a model may be a number as well.
    if not isinstance(value, str):
        return _REFUSED
    if value.isascii():
        return value[: limit + 1]
    try:
        value.encode()
    except UnicodeEncodeError:
        return _REFUSED
    # Up to four bytes a character: what is cut here has more bytes than any field takes all the same.
    return value[: limit // 4 + 1] if limit > _NAME else value[: limit + 1]
