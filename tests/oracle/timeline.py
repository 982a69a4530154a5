"""What usherd can have known of one provider's keys at an instant, from what the provider served and when.

All instants are seconds of the monotonic clock. What usherd does between two of them that can be seen from outside has
`SLACK` seconds: the bounds are tight but for that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools.key_server import Served

SLACK = 1.0
"""Seconds within which usherd has read what was served to it, and within which a request leaves it. Long, because tests
share their machine; no more than the claim that it tells usherd too much or too little for so long."""
PATIENCE = 0.5
"""Seconds that usherd waits for a refresh because of an unknown key id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`issuers[].keys.refresh` of a provider, in seconds."""

    every: float = 10.0
    stale_for: float = 0.0
    removed_grace: float = 0.0
    cooldown: float = 1.0
    timeout: float = 1.0

    @property
    def stale_after(self) -> float:
        return self.every + self.stale_for


@dataclass(frozen=True, slots=True)
class KeyState:
    """What is known after one key set: when it was asked for, and when each key was last seen."""

    fetched: float
    published: frozenset[str]
    removed: Mapping[str, float]

    def after(self, asked: float, published: frozenset[str], withdrawn: frozenset[str]) -> KeyState:
        """What is known after the next set."""
        gone = self.removed | dict.fromkeys(self.published, self.fetched)
        removed = {kid: seen for kid, seen in gone.items() if kid not in published and kid not in withdrawn}
        return KeyState(asked, published, removed)


@dataclass(frozen=True, slots=True)
class Reload:
    """One change of the configuration: from when it can have been in force, and from when it was."""

    asked: float
    done: float = math.inf

    def doubts(self, deadline: float) -> float:
        """Until when the house before may have learnt what the one that answers has not."""
        return self.done + 2 * deadline + SLACK


@dataclass
class KeyHistory:
    """What a provider has served, as usherd has read it."""

    rules: Rules
    deadline: float = 2.0
    """`server.limits.deadline` of usherd."""
    states: list[KeyState] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    reloads: list[Reload] = field(default_factory=list)
    _read: int = 0

    def read(self, log: Sequence[Served], keys_path: str) -> None:
        """Reads on in what a key server says that it has served."""
        for served in log[self._read :]:
            if served.path == keys_path:
                published, withdrawn = kids(served.body)
                before = self.states[-1] if self.states else KeyState(-math.inf, frozenset(), {})
                self.states.append(before.after(served.asked, published, withdrawn))
                self.served.append(served)
        self._read = len(log)

    def possible(self, began: float, ended: float) -> Sequence[KeyState | None]:
        """The states that usherd can have been in during a call; None: no key set was loaded yet."""
        last = len(self.states)
        while last and self.served[last - 1].asked > ended:
            last -= 1
        first = last
        while first and not self._surely_known(first - 1, began):
            first -= 1
        found: list[KeyState | None] = [None] if first == 0 else []
        return found + self.states[max(0, first - 1) : last]

    def _surely_known(self, number: int, at: float) -> bool:
        served = self.served[number]
        known = served.done + SLACK
        for reload in self.reloads:
            if known < reload.asked - SLACK or served.asked > reload.doubts(self.deadline):
                continue
            # One of two houses has asked, and nobody can say which. What either has learnt is known in the next one.
            known = max(known, reload.done if known < reload.done else reload.doubts(self.deadline))
        return at >= known


def kids(body: bytes) -> tuple[frozenset[str], frozenset[str]]:
    """The ids of the keys that a key set publishes for signatures, and those that it has for something else."""
    entries = json.loads(body)["keys"]
    usable = frozenset(entry["kid"] for entry in entries if entry.get("use", "sig") == "sig")
    return usable, frozenset(entry["kid"] for entry in entries) - usable


def options(earliest: float, latest: float, began: float, ended: float) -> frozenset[bool]:
    """Whether a moment between those two was over when something was judged during a call."""
    if began >= latest:
        return frozenset({True})
    if ended < earliest:
        return frozenset({False})
    return frozenset({True, False})
