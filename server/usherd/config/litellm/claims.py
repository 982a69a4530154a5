"""Turns LiteLLM's names of claims into claim paths."""

from __future__ import annotations

import re

from usherd import claim_paths
from usherd.config.litellm.versions import REFERENCE, Version
from usherd.config.problems import Unusable, quoted

_STRIPPED = "metadata."
"""LiteLLM drops this once from the front of a path, so that `metadata.roles` is the claim `roles`."""


def literal_path(name: str) -> str:
    """The path of the claim of exactly that name. Raises Unusable for what no path can name."""
    return _checked([name], name)


def dotted_path(name: str, version: Version) -> str:
    r"""The path that a dotted name means: under 1.63 every dot separates, later `\.` is a dot in a name.

    Raises Unusable for what no path can name.
    """
    dotted = name.removeprefix(_STRIPPED)
    if version == REFERENCE:
        return _checked(dotted.split("."), name)
    return _checked([step.replace("\\.", ".") for step in re.split(r"(?<!\\)\.", dotted)], name)


def id_path(name: str, version: Version) -> str:
    """The path of a claim with an id: one literal name under 1.63, a dotted one later. Raises Unusable."""
    return literal_path(name) if version == REFERENCE else dotted_path(name, version)


def _checked(steps: list[str], name: str) -> str:
    path = ".".join(re.sub(r"([\\.\[\]])", r"\\\1", step) for step in steps)
    try:
        claim_paths.parse(path)
    except claim_paths.ClaimPathError:
        raise Unusable(f"{quoted(name)} names no claim; expected its name, of 1 to 256 characters") from None
    return path
