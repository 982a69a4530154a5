"""`usherd config reference`: what may stand in a configuration, key by key, in a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from usherd.cli.console import fail, say
from usherd.config.problems import did_you_mean
from usherd.options import OPTIONS, OptionInfo

if TYPE_CHECKING:
    from usherd.config.reference import Key

EXAMPLES = """\b
Examples:
  usherd config reference
  usherd config reference issuers.keys.refresh
  usherd config reference removed_grace
  usherd config reference claims.overage
  usherd config reference --directory teams.models

KEY is a path, the end of one, or an option. Exit codes: 0 shown, 2 there is no such key."""

_WIDTH = 44
_PLACES = re.compile(r"\[[0-9]*\]|\.NAME\b")


def reference(
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="What to show; all unless given.")] = None,
    directory: Annotated[bool, typer.Option("--directory", help="Of a directory file.")] = False,
) -> None:
    """Shows what may stand in a configuration: every key, or one."""
    from usherd.config.reference import parts

    keys = [each for part in parts(directory=directory) for each in part.keys]
    options = () if directory else OPTIONS
    if key is None:
        for each in keys:
            say(f"{each.path:<{_WIDTH}} {each.meaning}")
        for info in options:
            say(f"{info.name:<{_WIDTH}} {info.meaning}")
        return
    wanted = _bare(key)
    found = [each for each in keys if _bare(each.path) == wanted] or [
        each for each in keys if _bare(each.path).endswith(f".{wanted}")
    ]
    named = [info for info in options if info.name in (wanted, f"access.{wanted}", *_within(wanted))]
    if not found and not named:
        known = [_bare(each.path) for each in keys]
        names = [*known, *(name.rpartition(".")[2] for name in known), *(info.name for info in options)]
        fail(f"there is no key {wanted}{did_you_mean(wanted, names)}")
    for each in found:
        _show(each)
        for below in keys if len(found) == 1 else ():
            if _bare(below.path).startswith(f"{_bare(each.path)}."):
                say(f"  {below.path:<{_WIDTH}} {below.meaning}")
    for info in named:
        _show_option(info)


def _within(path: str) -> tuple[str, ...]:
    """The name of an option that is written with the section that it stands in."""
    return tuple(path.removeprefix(section) for section in ("access.", "insecure.") if path.startswith(section))


def _bare(path: str) -> str:
    return _PLACES.sub("", path)


def _show(key: Key) -> None:
    say(key.path, "yes")
    say(f"  {key.meaning}")
    say(f"  form     {key.form}")
    if key.required or key.default:
        say(f"  default  {key.default or 'none: it is required'}")
    say(f"  effect   {'at the next start' if key.at_start else 'when the file is read again'}")


def _show_option(info: OptionInfo) -> None:
    from usherd.config.schema_options import value_text

    kind = "guard, laxer under litellm" if info.guard else "reading, laxer neither way"
    say(info.name, "yes")
    say(f"  {info.meaning}")
    say(f"  strict   {value_text(info.strict)}")
    say(f"  litellm  {value_text(info.litellm)}")
    say(f"  kind     {kind}")
