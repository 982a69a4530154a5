"""Checks a document against a model, and says every mistake in plain words instead of pydantic's."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from usherd.config.document import Document
from usherd.config.fields import PLAIN
from usherd.config.latitude import STRICT, Latitude
from usherd.config.problems import KeyPath, Problem, did_you_mean, kind_of_value, one_of, quoted

Model = TypeVar("Model", bound=BaseModel)

_WRONG_TYPES = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}


def validated(document: Document, kind: type[Model], latitude: Latitude = STRICT) -> tuple[Model | None, list[Problem]]:
    """The document as that model, and all that is wrong with it.

    A document whose only mistakes are keys that are not known still gives a model, so that its rules can be checked
    in the same run.
    """
    problems: list[Problem] = []
    value: object = {} if document.value is None else document.value
    try:
        return kind.model_validate(value, context=latitude), problems
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=True)
    unknown: list[KeyPath] = []
    for mistake in mistakes:
        path = _path(mistake["loc"])
        place = document.place(path)
        if mistake["type"] == "extra_forbidden":
            unknown.append(place)
        problems.append(document.problem(place, _words(mistake, path, kind, _at(document.value, place))))
    if len(unknown) < len(mistakes):
        return None, problems
    return kind.model_validate(_without(value, unknown), context=latitude), problems


def _path(loc: Sequence[int | str]) -> KeyPath:
    # "[key]" is how pydantic says that the key itself, not its value, is wrong.
    return tuple(step for step in loc if step != "[key]")


def _words(mistake: Mapping[str, Any], path: KeyPath, kind: type[BaseModel], value: object) -> str:
    """What is wrong with a value; `path` is the way to it in the models."""
    name = mistake["type"]
    if name == PLAIN:
        return str(mistake["ctx"]["text"])
    if name == "extra_forbidden":
        known = _known_keys(kind, path[:-1])
        expected = f"; expected {one_of(known)}" if known else ""
        return f"unknown key{did_you_mean(str(path[-1]), known) or expected}"
    if name == "missing":
        return "is missing"
    if name == "literal_error":
        return f"{_shown(value)} is not possible here; expected {_literals(kind, path)}"
    expected = _WRONG_TYPES.get(name, "another value")
    return f"is {kind_of_value(value)}; expected {expected}"


def _shown(value: object) -> str:
    return quoted(value) if isinstance(value, str) else kind_of_value(value)


def _at(value: object, path: KeyPath) -> object:
    for step in path:
        if isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        elif isinstance(value, dict):
            value = value.get(step)
    return value


def _literals(kind: type[BaseModel], path: KeyPath) -> str:
    annotation = _annotation(kind, path)
    options = [] if annotation is None else [str(each) for part in _parts(annotation) for each in get_args(part)]
    return one_of(options)


def _known_keys(kind: type[BaseModel], path: KeyPath) -> list[str]:
    annotation = _annotation(kind, path) if path else kind
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return [field.alias or name for name, field in part.model_fields.items()]
    return []


def _annotation(kind: type[BaseModel], path: KeyPath) -> Any:
    """The type that the models want at a place."""
    annotation: Any = kind
    for step in path:
        annotation = next((found for part in _parts(annotation) if (found := _inner(part, step)) is not None), None)
    return annotation


def _inner(part: Any, step: str | int) -> Any:
    if isinstance(part, type) and issubclass(part, BaseModel):
        fields = {field.alias or name: field.annotation for name, field in part.model_fields.items()}
        return fields.get(str(step))
    arguments = get_args(part)
    return arguments[-1] if arguments and get_origin(part) in (list, dict) else None


def _parts(annotation: Any) -> list[Any]:
    """The members of a union, without annotations and None."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [part for each in get_args(annotation) for part in _parts(each)]
    return [] if annotation in (None, types.NoneType) else [annotation]


def _without(value: object, paths: Sequence[KeyPath]) -> object:
    """A copy without the values at some places."""
    if isinstance(value, list):
        return [_without(item, _below(paths, index)) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _without(item, _below(paths, key)) for key, item in value.items() if (key,) not in paths}
    return value


def _below(paths: Sequence[KeyPath], step: str | int) -> list[KeyPath]:
    return [path[1:] for path in paths if path and path[0] == step]
