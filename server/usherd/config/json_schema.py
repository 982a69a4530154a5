"""Gives the JSON schema of the file, for editors."""

from __future__ import annotations

from typing import Any

from usherd.config.schema import File
from usherd.config.schema_directory import DirectoryFile


def json_schema(*, directory: bool = False) -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of a configuration, or of a directory file."""
    kind = DirectoryFile if directory else File
    schema = kind.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
