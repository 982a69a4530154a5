"""Gives the JSON schema of the file, for editors."""

from __future__ import annotations

from typing import Any

from usherd.config.schema import File
from usherd.config.schema_directory import DirectoryFile


def json_schema(*, directory: bool = False) -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of a configuration, or of a directory file."""
    kind = DirectoryFile if directory else File
    schema = kind.model_json_schema(mode="validation")
    if not directory:
        # One rule may stand there without a list around it, which pydantic cannot tell from a validator.
        rules = schema["properties"]["admin"]
        listed = {"type": rules.pop("type"), "items": rules.pop("items")}
        rules["anyOf"] = [listed["items"], listed]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
