"""What a target is, and the list of them. A target is imported late: what it tests is instrumented on import."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import usherd

HOUSE = Path(usherd.__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A reader of strange bytes, and what it promises about them."""

    name: str
    seeds: Callable[[], Sequence[bytes]]
    check: Callable[[bytes], object]
    """Judges one input. Whatever it raises is a broken promise; what it returns must be the same the next time."""
    mutate: Callable[[bytes, Random], bytes]
    """Another input, near the one that is given, for a generator in a known state."""
    max_size: int = 4096
    """Bytes of the longest input."""
    short_run: int = 3000
    """Inputs that `make test` judges."""
    out_of_reach: Mapping[str, str] = field(default_factory=dict)
    """Files, or `file:line`, with branches that no input can take, each with the reason."""


MODULES: Mapping[str, tuple[str, ...]] = {
    "strict_json": ("authenticate/strict_json",),
    "routes": ("permit/route_form", "permit/route_match"),
    "models": ("permit/models", "permit/model_lists", "globs"),
    "claims": ("authenticate/claims", "claim_paths", "identify"),
    "token_gate": (
        "authenticate/compact",
        "authenticate/verifier",
        "authenticate/signature",
        "authenticate/session_token",
        "authenticate/cached_token",
        "authenticate/digest_cache",
        "authenticate/token_id",
    ),
    "key_sets": ("authenticate/keys", "authenticate/key_rules", "authenticate/pem", "stores/key_loader"),
    "rpc": (
        "rpc/answers",
        "rpc/deadline",
        "rpc/faults",
        "rpc/guard",
        "rpc/health",
        "rpc/lenient",
        "rpc/messages",
        "rpc/pages",
        "rpc/reflection",
        "rpc/replies",
        "rpc/service",
        "rpc/translate",
    ),
    "envoy": ("inbound", "rpc/envoy"),
    "directory": (
        "rpc/directory/crud",
        "rpc/directory/edits",
        "rpc/directory/fields",
        "rpc/directory/filters",
        "rpc/directory/nouns",
        "rpc/directory/paging",
        "rpc/directory/requests",
        "rpc/directory/rows",
        "rpc/directory/service",
        "rpc/directory/shown",
        "rpc/directory/usage",
    ),
    "config_text": ("config/document", "config/problems"),
    "config": (
        "config/build",
        "config/build_issuers",
        "config/build_people",
        "config/chosen",
        "config/digest",
        "config/directory",
        "config/fields",
        "config/findings",
        "config/hook",
        "config/latitude",
        "config/load",
        "config/patterns",
        "config/plain_words",
        "config/problems",
        "config/route_groups",
        "config/route_sets",
        "config/rules",
        "config/rules_issuers",
        "config/rules_lists",
        "config/rules_models",
        "config/rules_options",
        "config/rules_people",
        "config/scalars",
        "config/schema",
        "config/schema_directory",
        "config/schema_issuers",
        "config/schema_options",
        "config/schema_people",
        "config/schema_roles",
        "config/shadow",
        "config/texts",
        "config/warnings",
    ),
    "litellm": ("config/litellm",),
}
"""The targets, cheap ones first, each with the modules whose branches it must reach."""


def load(name: str) -> Target:
    """The target of that name."""
    found: Target = importlib.import_module(f"fuzz.targets.{name}").TARGET
    return found


def dotted(name: str) -> list[str]:
    """The target's own modules as Python names them."""
    return ["usherd." + path.replace("/", ".") for path in MODULES[name]]


def files(name: str) -> list[Path]:
    """The files of the target's own modules."""
    found: list[Path] = []
    for path in MODULES[name]:
        place = HOUSE / path
        found += sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    return found
