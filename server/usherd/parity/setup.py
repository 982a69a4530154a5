"""Makes of a case's LiteLLM configuration what `usherd serve --litellm-config` would: imported, checked and frozen."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from usherd.config.document import Document
from usherd.config.litellm import import_litellm
from usherd.config.load import load_document
from usherd.config.settings import Settings
from usherd.parity.cases import Case

VERSION: Literal["1.63"] = "1.63"
"""The version of LiteLLM that the cases were recorded with."""

_KEYS_URL = "JWT_PUBLIC_KEY_URL"
_LITELLM_KEYS = ("general_settings", "litellm_settings", "model_list")


def settings_of(case: Case, *, url: str | None = None, shadow: bool = False) -> Settings:
    """The settings of a case, whose keys are fetched from its own URL, or from another one on loopback.

    `shadow` adds the policy that `access.shadow: strict` would compare with. Raises ConfigError when LiteLLM's
    configuration, or what became of it, does not load.
    """
    litellm = {key: case.config[key] for key in _LITELLM_KEYS if case.config.get(key) is not None}
    environment = {name: value for name, value in case.config["env"].items() if value is not None}
    if url is not None:
        environment[_KEYS_URL] = url
    imported = import_litellm(litellm, environment, version=VERSION, folder=Path())
    document = deepcopy(dict(imported.document))
    if url is not None:
        _section(document, "insecure")["loopback_http"] = True
    if case.config.get("leeway"):
        for issuer in document["issuers"]:
            issuer["leeway"] = f"{case.config['leeway']}s"
    # What is recorded of a case's identity is what LiteLLM finds when it looks at the token. On public routes neither
    # does, so that they are left out here.
    _section(document, "routes").pop("public", None)
    if shadow:
        _section(document, "access")["shadow"] = "strict"
        # The cases' tokens live until 2100: strict would say that of each, and nothing else.
        _section(document, "token")["max_lifetime"] = "none"
    return load_document(Document(case.id, Path(), document, {}), environment)


def with_keys(settings: Settings, document: Any) -> Settings:
    """The settings with a key document in place of the URL that it would be fetched from."""
    return replace(settings, keys=tuple(replace(each, jwks_urls=(), jwks=document) for each in settings.keys))


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    section: dict[str, Any] = document.setdefault(name, {})
    return section
