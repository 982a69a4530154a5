"""What a look at a server has found, and how that is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from usherd.cli.console import console, say_json, styled


class State(StrEnum):
    """What to think of something."""

    GOOD = "good"
    NOTED = "noted"
    """Nothing is wrong with it, and an operator should know."""
    BAD = "bad"
    UNKNOWN = "unknown"
    """It could not be looked at, or there is nothing to look at."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    about: str
    """In one or two words."""
    state: State
    text: str
    values: Mapping[str, Any] = MappingProxyType({})
    """What was measured, by name."""


_STYLES = {State.GOOD: "yes", State.NOTED: "warning", State.BAD: "no", State.UNKNOWN: "dim"}


def show(findings: Sequence[Finding]) -> None:
    """One line each."""
    for each in findings:
        line = styled(f"{each.state:<8}", _STYLES[each.state])
        line.append_text(styled(f"{each.about:<14}{each.text}"))
        console().print(line)


def tell(server: str, findings: Sequence[Finding]) -> None:
    """All of it as JSON."""
    found = [each._asdict() | {"values": dict(each.values)} for each in findings]
    say_json({"server": server, "good": not any(each.state is State.BAD for each in findings), "findings": found})
