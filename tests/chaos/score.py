"""What came of a run: broken promises, counted and with examples, and measures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

KEPT_EXAMPLES = 20

BROKEN = (
    "wrong_allow",
    "wrong_deny",
    "allow_against_its_revision",
    "deny_against_its_revision",
    "stale_checkpoints",
    "answers_while_cut_off",
    "not_as_fresh_as_asked",
    "served_too_long",
    "lost_writes",
    "changes_not_told",
    "revocations_missed",
    "ends_that_disagree",
    "strange_faults",
    "not_recovered",
)
"""Each must be 0."""


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def spread(values: Sequence[float]) -> dict[str, float | int]:
    """Seconds as milliseconds: how many, the median, the 99th percentile and the longest."""
    return {
        "count": len(values),
        "p50_ms": round(1000 * percentile(values, 0.5), 1),
        "p99_ms": round(1000 * percentile(values, 0.99), 1),
        "max_ms": round(1000 * max(values, default=0.0), 1),
    }


@dataclass
class Score:
    """Counts."""

    started: float
    broken: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    """Calls and events, by what they said."""
    faults: Counter[str] = field(default_factory=Counter)
    """Faults that were brought about, by kind."""
    recovery: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds from the end of a fault until all replicas answer and all who watch know, by kind of fault."""
    silenced: list[float] = field(default_factory=list)
    """Seconds from when the log was out of reach until the last answer of each replica."""
    failover: list[float] = field(default_factory=list)
    """Seconds from a kill of one replica until all who watched there know all from the other."""
    reconnects: int = 0

    def broke(self, promise: str, at: float, **what: Any) -> None:
        """A promise was broken."""
        assert promise in BROKEN
        self.broken[promise] += 1
        if len(self.examples) < KEPT_EXAMPLES:
            self.examples.append({"promise": promise, "after_seconds": round(at - self.started, 3), **what})

    def as_json(self) -> dict[str, Any]:
        """Everything, by name."""
        return {
            "broken": {name: self.broken[name] for name in BROKEN},
            "examples": self.examples,
            "answers": dict(self.answers.most_common()),
            "faults": dict(self.faults.most_common()),
            "recovery": {kind: spread(values) for kind, values in sorted(self.recovery.items())},
            "silenced": spread(self.silenced),
            "failover": spread(self.failover),
            "reconnects": self.reconnects,
        }
