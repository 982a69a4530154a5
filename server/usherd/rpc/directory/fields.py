"""Checks single values of requests: each that cannot be names its field, and what was expected there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from usherd.domain import Limit
from usherd.errors import FieldInvalid
from usherd.ids import MAX_ID_BYTES, MAX_ID_CHARACTERS, well_formed_id
from usherd.permit.models import MAX_MODEL_BYTES, bounded_model

MOST_MICRO_USD = 2**63 - 1
MOST_BUDGET = 10**18 - 1
"""Micro-USD: less than a trillion dollars, so that a file of people can say it."""
MOST_RATE = 2**53
LONGEST_PERIOD = 3660 * 86_400
"""Seconds."""
MAX_MODELS = 1000
"""Entries of one list of models."""
MAX_REQUEST_ID = 128
"""Bytes."""
MAX_ETAG = 64
"""Bytes."""
ALL_MODELS = ("*",)
"""The list that means every model."""

_ID = f"1 to {MAX_ID_CHARACTERS} printable characters, at most {MAX_ID_BYTES} bytes"


def id_of(value: str, field: str) -> str:
    """An id that must be there."""
    if not well_formed_id(value):
        raise FieldInvalid(field, _ID)
    return value


def maybe_id(value: str, field: str) -> str:
    """An id, or nothing."""
    return id_of(value, field) if value else ""


def ids_of(values: Sequence[str], field: str, most: int) -> tuple[str, ...]:
    """Ids, each once."""
    if len(values) > most:
        raise FieldInvalid(field, f"at most {most}")
    found = tuple(id_of(value, f"{field}[{place}]") for place, value in enumerate(values))
    if len(set(found)) != len(found):
        raise FieldInvalid(field, "each once")
    return found


def prefix_of(value: str, field: str) -> str:
    """The beginning of an id, or nothing."""
    # Some databases refuse to be asked for what no id has in it, which would look as if they were out of reach.
    if len(value) > MAX_ID_CHARACTERS or not value.isprintable():
        raise FieldInvalid(field, f"at most {MAX_ID_CHARACTERS} printable characters")
    return value


def one_of(value: str, field: str, words: Sequence[str]) -> str:
    """One of some words."""
    if value not in words:
        raise FieldInvalid(field, " or ".join(word or "nothing" for word in words))
    return value


def whole(value: int, field: str, most: int) -> int:
    """A number from 0 on."""
    if not 0 <= value <= most:
        raise FieldInvalid(field, f"0 to {most}")
    return value


def maybe_whole(message: Any, name: str, field: str, most: int) -> int | None:
    """The number in that field of a message; None: it is not set."""
    return whole(getattr(message, name), field, most) if message.HasField(name) else None


def models_of(message: Any, name: str, field: str) -> tuple[str, ...] | None:
    """The list of models in that field of a message, as rows have it; None: the field is not set.

    An access that is none this server knows grants nothing.
    """
    if not message.HasField(name):
        return None
    access = getattr(message, name)
    which = access.WhichOneof("access")
    if which == "all":
        return ALL_MODELS
    return _models(access.only.models, f"{field}.only.models") if which == "only" else ()


def _models(values: Sequence[str], field: str) -> tuple[str, ...]:
    for place, value in enumerate(values):
        if not (value and bounded_model(value) and value.isprintable()):
            raise FieldInvalid(f"{field}[{place}]", f"1 to {MAX_MODEL_BYTES} bytes, printable")
    if len(values) > MAX_MODELS:
        raise FieldInvalid(field, f"at most {MAX_MODELS}")
    return tuple(values)


LIMITS = ("tpm", "rpm", "max_budget_micro_usd", "budget_reset")
"""The fields of a RowLimit."""


def limit_part(limit: Any, name: str, field: str) -> tuple[str, int | None]:
    """One field of a RowLimit: its name in `Limit`, and its value there."""
    if name == "budget_reset":
        return "budget_reset_seconds", _period(limit, field)
    return name, maybe_whole(limit, name, field, MOST_BUDGET if name == "max_budget_micro_usd" else MOST_RATE)


def limit_of(limit: Any, field: str) -> Limit:
    """What a RowLimit says."""
    parts: dict[str, Any] = dict(limit_part(limit, name, f"{field}.{name}") for name in LIMITS)
    return Limit(**parts)


def _period(limit: Any, field: str) -> int | None:
    if not limit.HasField("budget_reset"):
        return None
    seconds: int = limit.budget_reset.seconds
    if limit.budget_reset.nanos or not 1 <= seconds <= LONGEST_PERIOD:
        raise FieldInvalid(field, f"whole seconds, 1 to {LONGEST_PERIOD}")
    return seconds


def etag_of(value: str, field: str) -> str:
    """An etag, or nothing."""
    if len(value) > MAX_ETAG or not (value.isascii() and value.isprintable()):
        raise FieldInvalid(field, "an etag that was read, or nothing")
    return value


def request_id_of(value: str) -> str:
    """The id of a request, or nothing."""
    if len(value) > MAX_REQUEST_ID or not (value.isascii() and value.isprintable()):
        raise FieldInvalid("request_id", f"printable ASCII, at most {MAX_REQUEST_ID} bytes")
    return value


def check_known(request: Message) -> None:
    """Raises FieldInvalid if anywhere in a request is a field that this version does not know.

    What it says would be dropped, and may be a restriction.
    """
    known = type(request)()
    known.CopyFrom(request)
    known.DiscardUnknownFields()
    # To look at each message of a thousand takes a hundred times as long.
    if known.ByteSize() != request.ByteSize():
        _find_unknown(request, "")


def _find_unknown(message: Message, field: str) -> None:
    if len(UnknownFieldSet(message)):
        raise FieldInvalid(field or "request", "fields that this server knows")
    for each, value in message.ListFields():
        if each.message_type is None:
            continue
        path = f"{field}.{each.name}" if field else each.name
        if isinstance(value, Message):
            _find_unknown(value, path)
        else:
            for place, item in enumerate(value):
                _find_unknown(item, f"{path}[{place}]")
