"""Gives the JSON schema of the file, for editors."""

from __future__ import annotations

from typing import Any

from usherd.config.schema import File, GlobalBudget
from usherd.config.schema_directory import DirectoryFile
from usherd.config.schema_issuers import Claims
from usherd.config.schema_options import Access
from usherd.config.schema_stories import Book

_MAY_BE_NULL = {kind.__name__: kind.may_be_null for kind in (Access, GlobalBudget)}


def json_schema(*, directory: bool = False) -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of a configuration, or of a directory file."""
    kind = DirectoryFile if directory else File
    schema = kind.model_json_schema(mode="validation")
    if not directory:
        # One rule may stand there without a list around it, which pydantic cannot tell from a validator.
        rules = schema["properties"]["admin"]
        listed = {"type": rules.pop("type"), "items": rules.pop("items")}
        rules["anyOf"] = [listed["items"], listed]
    for name, mapping in ((kind.__name__, schema), *schema["$defs"].items()):
        for key, value in () if name == Claims.__name__ else mapping.get("properties", {}).items():
            if key not in _MAY_BE_NULL.get(name, ()):
                _without_null(value)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def stories_schema() -> dict[str, Any]:
    """The schema of a file of stories. Claims and questions may be the names of fixtures instead."""
    schema = Book.model_json_schema(mode="validation")
    for mapping in (schema, *schema["$defs"].values()):
        for key in {"claims", "ask"} & mapping["properties"].keys() if "issuer" in mapping["properties"] else ():
            mapping["properties"][key]["anyOf"].insert(0, {"type": "string"})
    for key in ("policy", "directory"):
        schema["properties"][key] |= {"anyOf": [{"type": "string"}, {"type": "object"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _without_null(value: dict[str, Any]) -> None:
    # A default of null says that the key may be left out, not that it may be left empty.
    if value.get("default", ...) is None:
        del value["default"]
        if "anyOf" in value:
            options = [option for option in value.pop("anyOf") if option != {"type": "null"}]
            value.update(options[0] if len(options) == 1 else {"anyOf": options})
