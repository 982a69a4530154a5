"""Makes the catalogue of models of LiteLLM's deployments."""

from __future__ import annotations

from typing import Any

from usherd.config.litellm.notebook import Notebook
from usherd.config.litellm.providers import provider_of
from usherd.config.litellm.values import Section
from usherd.config.patterns import check_name
from usherd.config.problems import Unusable, key_text, quoted


def models(config: Section, book: Notebook) -> list[dict[str, Any]]:
    """The models: deployments of one name are one, with the groups of all and the provider of the name."""
    found: dict[str, dict[str, Any]] = {}
    providers: dict[str, set[str]] = {}
    for deployment in config.sections("model_list") or ():
        name = deployment.text("model_name")
        if name is None:
            book.problem(deployment.path, "has no model_name; expected the name that requests have")
            continue
        model = found.setdefault(name, {"name": name})
        providers.setdefault(name, set()).add(provider_of(name, deployment.section("litellm_params").hint("model")))
        info = deployment.section("model_info")
        for group in info.texts("access_groups") or ():
            if not _is_name(group):
                place = key_text(info.at("access_groups"))
                book.note(f"{place}: {quoted(group)} is left out: usherd has no groups of such names")
            elif group not in model.setdefault("groups", []):
                model["groups"].append(group)
    for name, named in providers.items():
        only = next(iter(named))
        if len(named) == 1 and only:
            found[name]["provider"] = only
        elif len(named) > 1:
            book.note(f"model_list: {quoted(name)} has deployments of several providers, and fits no wildcard of one")
    return [_ordered(model) for model in found.values()]


def _is_name(text: str) -> bool:
    try:
        check_name(text)
    except Unusable:
        return False
    return True


def _ordered(model: dict[str, Any]) -> dict[str, Any]:
    return {key: model[key] for key in ("name", "provider", "groups") if key in model}


def aliases(settings: Section) -> dict[str, str]:
    """`model_alias_map`: names that mean another."""
    section = settings.section("model_alias_map")
    found = {alias: section.text(alias) for alias in section}
    return {alias: target for alias, target in found.items() if target is not None}
