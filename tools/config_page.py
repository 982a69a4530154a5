"""Writes docs/reference/ from the models of the configuration, or checks that it is as written (--check)."""

from __future__ import annotations

import sys
from pathlib import Path

from usherd.config.reference import Key, Part, parts
from usherd.config.schema_options import value_text
from usherd.options import OPTIONS, OptionInfo
from written_pages import ROOT, write_or_check

FOLDER = ROOT / "docs" / "reference"
CONFIGURATION = """\
# Every key of a configuration

Written from the models in `server/usherd/config/` by `tools/config_page.py`; change it there. What belongs together,
and why, is told in the [guide](../configuration.md); `usherd config reference KEY` shows one key in a terminal.

* `[]` in a path is each member of a list, `NAME` a name of your own.
* A duration is a number and a unit: `500ms`, `30s`, `10m`, `1h`, `30d`. A size is `512B`, `8KiB` or `1MiB`. US dollars
  are `100` or `0.25`. Where a text or a list of texts may stand, the text is a list of one.
* Where the default is empty, there is no such thing unless the key is given, or its meaning says what then counts.
* What is marked **start** takes effect when the server starts. All else does when the file is read again: at SIGHUP, or
  when it has changed.
"""
OPTION_HEAD = """
## Options

The values by which the presets differ. Under `access:` any option may be given by its name; one that begins with
`access.` also without that. A **guard** has a laxer value, that of `litellm`: under `preset: strict` it is opened under
`insecure:`, by its full name. A **reading** is laxer neither way, and stands under `access:` only.
[What to make of them](../configuration.md#presets-and-options).

| option | strict | litellm | kind | meaning |
|---|---|---|---|---|
"""
DIRECTORY = """\
# Every key of a directory file

Written from the models in `server/usherd/config/` by `tools/config_page.py`; change it there. `directory.seed` names
the file. It is read again with the [configuration](configuration.md), where is said how paths and forms are meant.
`usherd config reference --directory KEY` shows one key in a terminal.
"""


def pages() -> dict[Path, str]:
    """The text of each page."""
    options = OPTION_HEAD + "".join(map(_option, OPTIONS))
    return {
        FOLDER / "configuration.md": CONFIGURATION + "".join(map(_part, parts())) + options,
        FOLDER / "directory.md": DIRECTORY + "".join(map(_part, parts(directory=True))),
    }


def _part(part: Part) -> str:
    title = f"`{part.path}`" if part.path else "The file"
    rows = "".join(map(_row, part.keys))
    return f"\n## {title}\n\n{part.meaning}\n\n| key | form | default | meaning |\n|---|---|---|---|\n{rows}"


def _row(key: Key) -> str:
    default = "required" if key.required else f"`{key.default}`" if key.default else ""
    start = " **start**" if key.at_start else ""
    return f"| `{key.path}` | {_cell(key.form)} | {_cell(default)} | {_cell(key.meaning)}{start} |\n"


def _option(info: OptionInfo) -> str:
    kind = "guard" if info.guard else "reading"
    values = f"{value_text(info.strict)} | {value_text(info.litellm)}"
    return f"| `{info.name}` | {values} | {kind} | {_cell(info.meaning)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(write_or_check(pages(), "the configuration's models"))
