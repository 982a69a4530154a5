"""The named differences: all that may part usherd, under `preset: litellm`, from LiteLLM 1.63.2.

A closed list. Each has a predicate, which looks at the case's configuration, keys, token, claims, database and model
and at nothing that LiteLLM answered, and implies usherd's answer exactly: wherever the predicate holds, that is the
answer, also where LiteLLM gives the same. All of them deny, or stay without an answer, except `letters`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from usherd.parity import predicates
from usherd.parity.answers import Answer, Outcome
from usherd.parity.cases import Case, Json
from usherd.parity.predicates import Subject
from usherd.reasons import Reason

_TOKEN_REASONS = frozenset(reason.name for reason in Reason if 10 <= reason < 30)
_NO_KEYS = "KEYS_UNAVAILABLE"


Implied = Callable[[Answer], bool]
"""Whether an answer is the implied one."""


def denied(answer: Answer) -> bool:
    """Denied, by whichever check comes first, and counted to nobody."""
    return answer.outcome is Outcome.DENY


def refused(answer: Answer) -> bool:
    """Refused for what the token is, and nothing is written."""
    return answer.outcome is Outcome.DENY and answer.reason in _TOKEN_REASONS and not answer.writes


def no_keys(answer: Answer) -> bool:
    """No decision, for want of keys."""
    return answer.outcome is Outcome.FAULT and answer.reason == _NO_KEYS


def does_not_load(answer: Answer) -> bool:
    """The configuration is refused."""
    return answer.outcome is Outcome.CONFIG_ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One named difference."""

    name: str
    holds: Callable[[Subject], bool]
    implied: Implied | None
    """Whether an answer is usherd's. None: the answer is the one to the token that `reworded` makes of it."""
    reworded: Callable[[Case], Json] | None = None
    """The claims that usherd answers as if they stood there."""


DIFFERENCES: tuple[Difference, ...] = (
    # Any clock difference is forgiven; here a leeway over 300 seconds does not load.
    Difference(
        name="leeway",
        holds=predicates.leeway,
        implied=does_not_load,
    ),
    # Keys that cannot be had deny (401); here there is no decision, and a gateway tells the two apart.
    Difference(
        name="fault",
        holds=predicates.fault,
        implied=no_keys,
    ),
    # The status of the response with the keys is not looked at; here only 200 gives keys.
    Difference(
        name="key-hygiene",
        holds=predicates.bad_status,
        implied=no_keys,
    ),
    # Any RSA key verifies; here none that is published with private parts, has fewer than 2048 bits or an exponent
    # below 65537.
    Difference(
        name="key-hygiene",
        holds=predicates.key_hygiene,
        implied=refused,
    ),
    # `sub` and `jti` may be anything with the PyJWT that 1.63.2 was recorded with, and must be texts from PyJWT 2.10
    # on; here they must be texts.
    Difference(
        name="library",
        holds=predicates.library,
        implied=refused,
    ),
    # Non-canonical base64url, doubled members, JSON that is not UTF-8, `crit` and `b64`, dates that are no numbers or
    # beyond 2200, an `iss` that is no text, and any size are taken; here such tokens are refused.
    Difference(
        name="token-form",
        holds=predicates.token_form,
        implied=refused,
    ),
    # An id that is no text may pass where nothing looks it up, and is written to the database; here it is refused.
    Difference(
        name="id-type",
        holds=predicates.id_type,
        implied=denied,
    ),
    # A wildcard entry is a regular expression in which only `*` is replaced; here all else is plain text.
    Difference(
        name="glob",
        holds=predicates.glob,
        implied=denied,
    ),
    # A model that is no text is compared as it is, and one with a `*` passes every team; here the one is no model,
    # and in the other `*` is a character like others.
    Difference(
        name="model-form",
        holds=predicates.model_form,
        implied=denied,
    ),
    # `openai/*` takes every model of LiteLLM's own table that belongs to OpenAI; here the catalogue says whose a
    # model is.
    Difference(
        name="provider",
        holds=predicates.provider,
        implied=denied,
    ),
    # A user's id that is the key of another entry of the cache finds that entry; here nothing collides.
    Difference(
        name="cache-key",
        holds=predicates.cache_key,
        implied=denied,
    ),
    # A text where a list is expected is walked letter by letter; here it is no list: no roles, and no known team.
    Difference(
        name="letters",
        holds=predicates.letters,
        implied=None,
        reworded=predicates.without_letters,
    ),
)
"""In the order in which usherd comes upon them: the first that holds gives the answer.

The comments say what LiteLLM does, and after the semicolon what usherd does instead.
"""


def difference_of(case: Case, document: object) -> Difference | None:
    """The first difference that holds for a case."""
    subject = Subject(case, document)
    return next((each for each in DIFFERENCES if each.holds(subject)), None)
