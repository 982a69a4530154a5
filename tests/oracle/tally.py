"""Counts calls and wrong answers, by the fault in which they fell."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from oracle.judge import ALLOWED, Call, Oracle

KEPT_WRONG = 20
"""Wrong answers that are told one by one."""
NO_FAULT = "none"


@dataclass
class Tally:
    """What came of the calls."""

    oracle: Oracle
    calls: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)
    latencies: array[float] = field(default_factory=lambda: array("d"), repr=False)
    wrongly_allowed: int = 0
    doubtful: int = 0
    """Calls with more than one acceptable outcome: around a change, for as long as its effect may take."""
    started: float = field(default_factory=time.monotonic)

    def judge(self, call: Call) -> None:
        """Counts one call."""
        acceptable = self.oracle.acceptable(call)
        fault = self.oracle.providers[call.token.provider].fault or NO_FAULT
        self.calls[fault] += 1
        self.outcomes[call.outcome] += 1
        self.kinds[call.token.kind] += 1
        self.latencies.append(call.ended - call.began)
        self.doubtful += len(acceptable) > 1
        if call.outcome in acceptable:
            return
        self.wrong[fault] += 1
        self.wrongly_allowed += call.outcome == ALLOWED
        if len(self.examples) < KEPT_WRONG:
            self.examples.append(
                {
                    "after_seconds": round(call.began - self.started, 3),
                    "took_seconds": round(call.ended - call.began, 4),
                    "provider": call.token.provider,
                    "fault": fault,
                    "token": call.token.kind,
                    "key": call.token.kid,
                    "model": call.model,
                    "outcome": call.outcome,
                    "acceptable": sorted(acceptable),
                }
            )

    @property
    def all_calls(self) -> int:
        return self.calls.total()

    @property
    def all_wrong(self) -> int:
        return self.wrong.total()

    def percentile(self, share: float) -> float:
        """Seconds within which that share of the calls was answered."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def as_json(self) -> dict[str, Any]:
        """Everything, by name."""
        return {
            "calls": self.all_calls,
            "wrong": self.all_wrong,
            "wrongly_allowed": self.wrongly_allowed,
            "with_more_than_one_acceptable_outcome": self.doubtful,
            "by_fault": {
                fault: {"calls": count, "wrong": self.wrong[fault]} for fault, count in sorted(self.calls.items())
            },
            "outcomes": dict(self.outcomes.most_common()),
            "tokens": dict(self.kinds.most_common()),
            "p50_ms": round(1000 * self.percentile(0.50), 3),
            "p99_ms": round(1000 * self.percentile(0.99), 3),
            "examples_of_wrong": self.examples,
        }

    def table(self) -> str:
        """Calls and wrong answers, a line each fault."""
        lines = [f"{'fault':<24}{'calls':>10}{'wrong':>8}"]
        lines += [f"{fault:<24}{count:>10}{self.wrong[fault]:>8}" for fault, count in sorted(self.calls.items())]
        return "\n".join([*lines, f"{'all':<24}{self.all_calls:>10}{self.all_wrong:>8}"])
