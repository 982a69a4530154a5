"""Options by name: a laxer value than the preset's belongs under `insecure:`, and no option has two values."""

from __future__ import annotations

from usherd.config.chosen import options_of
from usherd.config.fields import NO_BOUND
from usherd.config.findings import Found
from usherd.config.problems import KeyPath, key_text
from usherd.config.schema import File
from usherd.config.schema_options import value_text
from usherd.options import PRESETS


def check(file: File) -> Found:
    """Everything that is wrong with the options of a file."""
    preset = PRESETS[file.preset]
    places: dict[str, KeyPath] = {}
    for section, given in (("access", file.access.options()), ("insecure", file.insecure.options())):
        for key, info, value in given:
            path: KeyPath = (section, key)
            strict = getattr(preset, info.attribute) == info.strict
            if section == "access" and info.guard and strict and value != info.strict:
                yield (
                    path,
                    f"{value_text(value)} is laxer than {file.preset}; expected {value_text(info.strict)}, or"
                    f" insecure: {{{info.name}: {value_text(value)}}}",
                )
            if (other := places.setdefault(info.name, path)) != path:
                yield path, f"{info.name} has a value already, by {key_text(other)}; expected it once"
    if file.token.max_lifetime == NO_BOUND and options_of(file).require_expiry:
        yield (
            ("token", "max_lifetime"),
            "none is laxer than strict; expected a duration, or insecure: {token.require_expiry: false} beside it",
        )
