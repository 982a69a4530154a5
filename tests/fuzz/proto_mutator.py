"""Changes protobuf messages field by field: what comes of it always parses, and says something else."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

Text = Callable[[str, str, Random], str]
"""A text for the field of that name, which had the second one."""
Bytes = Callable[[str, bytes, Random], bytes]
"""The same for fields of bytes."""

_NUMBERS = (0, 1, 2, 3, 100, 1000, 1001, -1, 2**31 - 1, -(2**31))


def _few_bytes(name: str, value: bytes, random: Random) -> bytes:
    return random.randbytes(random.randint(0, 8))


def mutate_message(message: Message, random: Random, text: Text, data: Bytes = _few_bytes) -> None:
    """Changes one field of the message, or of one within it; one without fields stays as it is."""
    if not message.DESCRIPTOR.fields:
        return
    field: FieldDescriptor = random.choice(message.DESCRIPTOR.fields)
    value: Any = getattr(message, field.name)
    if field.is_repeated:
        _mutate_repeated(value, field, random, text, data)
    elif field.message_type is not None:
        if random.random() < 0.05:
            message.ClearField(field.name)
            return
        value.SetInParent()
        mutate_message(value, random, text, data)
    elif random.random() < 0.08:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _scalar(value, field, random, text, data))


def _mutate_repeated(values: Any, field: FieldDescriptor, random: Random, text: Text, data: Bytes) -> None:
    choice = random.randrange(8)
    if choice == 0 and values:
        del values[random.randrange(len(values))]
    elif choice == 1 and values:
        # Some bounds are far away.
        for _ in range(random.choice((1, 1, 1, 16, 17, 100))):
            values.append(values[random.randrange(len(values))])
    elif field.message_type is not None:
        mutate_message(random.choice(values) if values and choice < 6 else values.add(), random, text, data)
    elif values and choice < 5:
        place = random.randrange(len(values))
        values[place] = _scalar(values[place], field, random, text, data)
    else:
        empty = {FieldDescriptor.TYPE_STRING: "", FieldDescriptor.TYPE_BYTES: b""}.get(field.type, 0)
        values.append(_scalar(empty, field, random, text, data))


def _scalar(value: Any, field: FieldDescriptor, random: Random, text: Text, data: Bytes) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        # Halves of pairs are no UTF-8, and so no text of protobuf's.
        return text(field.name, value, random).encode("utf-8", "replace").decode()
    if field.type == FieldDescriptor.TYPE_BYTES:
        return data(field.name, value, random)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return not value
    if field.type == FieldDescriptor.TYPE_ENUM:
        return random.choice((0, 1, 2, 99))
    number = random.choice(_NUMBERS)
    return abs(number) if field.type in (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64) else number
