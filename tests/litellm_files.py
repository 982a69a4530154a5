"""Imports configurations of LiteLLM for tests, and says what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from usherd.config.document import Document, parse_document
from usherd.config.litellm import LATEST, Imported, Version, import_litellm
from usherd.config.load import load_document
from usherd.config.problems import ConfigError
from usherd.config.settings import Settings

KEYS = {"JWT_PUBLIC_KEY_URL": "https://idp.example/keys"}


def litellm(jwtauth: Mapping[str, object] | None = None, **general: object) -> dict[str, object]:
    """A configuration with JWTs switched on."""
    return {"general_settings": {"enable_jwt_auth": True, "litellm_jwtauth": jwtauth, **general}}


def imported(
    config: Mapping[str, object],
    environment: Mapping[str, str] | None = None,
    *,
    version: Version = LATEST,
    ignore: Sequence[str] = (),
) -> Imported:
    """The configuration of usherd; keys come from a URL unless the environment says otherwise."""
    return import_litellm(config, KEYS if environment is None else environment, version=version, ignore=ignore)


def loaded(found: Imported, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that the imported configuration gives."""
    return load_document(Document("imported", Path(), dict(found.document), {}), environment or {})


def read(text: str) -> Any:
    """What stands in a text, as usherd reads YAML."""
    return parse_document(text.encode(), "config.yaml", Path()).value


def refusals(
    config: Mapping[str, object],
    environment: Mapping[str, str] | None = None,
    *,
    version: Version = LATEST,
    ignore: Sequence[str] = (),
) -> list[str]:
    """Every mistake that the import finds."""
    try:
        imported(config, environment, version=version, ignore=ignore)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []
