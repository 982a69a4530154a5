"""How freely a file may be written: some presets and readings take texts that the strict ones could never match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ROUTE_MATCH = "route.match"


@dataclass(frozen=True, slots=True)
class Latitude:
    """What is taken besides well-formed texts."""

    any_text: bool = False
    """Whether ids, scopes, roles and entries of lists of models may be any text: so the reference takes them."""
    literal_routes: bool = False
    """Whether routes are compared text by text, so that any text can be one."""


STRICT = Latitude()


def latitude_of(value: object) -> Latitude:
    """The latitude that a file asks for, read before it is checked: of a file that does not load, a guess."""
    file = value if isinstance(value, Mapping) else {}
    access = file.get("access")
    reference = file.get("preset") == "litellm"
    match = access.get(ROUTE_MATCH) if isinstance(access, Mapping) else None
    return Latitude(any_text=reference, literal_routes=match == "literal" or (reference and match != "templates"))
