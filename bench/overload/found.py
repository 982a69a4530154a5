"""What one run has found, and how it is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bench.report import Figure

LEAST_GOODPUT = 0.6
"""What is served of twice the most, as a share of the most."""
MOST_SLOWER = 5.0
"""The p99 of what is served meanwhile, over that of an unloaded daemon."""
MOST_RECOVERY = 2.0
"""Seconds after which it is as before."""
NOT_SEEN = 60.0
"""Stands for the seconds of a recovery that was not seen: more than any phase lasts."""


@dataclass(frozen=True)
class Phase:
    """What became of the calls at one rate. Numbers of calls are a second; latencies are in ms."""

    rate: float
    served: float
    refused: float
    waited: float
    late: float
    p50: float
    p99: float
    sent_p99: float
    daemon_cpu: float
    callers_cpu: float
    memory: float

    def line(self, name: str) -> str:
        return (
            f"| {name} | {self.rate:.0f} | {self.served:.0f} | {self.refused:.0f} | {self.waited + self.late:.0f} "
            f"| {self.p50:.1f} | {self.p99:.1f} | {self.sent_p99:.1f} | {self.daemon_cpu:.2f} "
            f"| {self.callers_cpu:.2f} | {self.memory:.0f} |"
        )


@dataclass(frozen=True)
class Round:
    """A tenth of the most, twice the most, and a tenth again."""

    unloaded: Phase
    overload: Phase
    after: Phase
    recovery: float | None

    @property
    def slower(self) -> float:
        return self.overload.p99 / self.unloaded.p99

    @property
    def costs(self) -> tuple[float, float]:
        """Microseconds of the daemon's CPU for each call that is offered: unloaded, and at twice the most.

        What a refusal costs by itself is not told: a call that is served costs less under load than without.
        """
        one, other = (phase.daemon_cpu / phase.rate * 1e6 for phase in (self.unloaded, self.overload))
        return one, other


@dataclass(frozen=True)
class Found:
    """What one run has found."""

    limits: dict[str, int]
    deadline: float
    connections: int
    steps: list[Phase]
    rounds: list[Round]

    @property
    def most(self) -> float:
        return max(step.served for step in self.steps)

    @property
    def figures(self) -> list[Figure]:
        """The promised ratios, one value for each round."""
        goodput = tuple(each.overload.served / self.most for each in self.rounds)
        recovery = tuple(NOT_SEEN if each.recovery is None else each.recovery for each in self.rounds)
        return [
            Figure("served of the most", "", goodput, least=LEAST_GOODPUT),
            Figure("p99 over the unloaded", "", tuple(each.slower for each in self.rounds), bound=MOST_SLOWER),
            Figure("as before after", "s", recovery, bound=MOST_RECOVERY),
        ]

    @property
    def kept(self) -> bool:
        return all(figure.kept for figure in self.figures)

    def as_json(self) -> dict[str, object]:
        ratios = {figure.name: {"rounds": figure.values, "median": figure.median} for figure in self.figures}
        return asdict(self) | {"most": self.most, "ratios": ratios, "kept": self.kept}

    def lines(self) -> list[str]:
        """A Markdown table, and what follows from it."""
        told = [
            f"limits {self.limits or 'of the defaults'}, {self.connections} connections, callers give up after "
            f"{self.deadline:g} s",
            "",
            "| | offered /s | served /s | refused /s | given up /s | p50 ms | p99 ms | p99 ms from sending "
            "| daemon CPU | callers CPU | MiB |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
            *(step.line("step") for step in self.steps),
        ]
        for each in self.rounds:
            told += [each.unloaded.line("unloaded"), each.overload.line("twice the most"), each.after.line("after")]
        told += ["", *(figure.line() for figure in self.figures)]
        for at, name in enumerate(("unloaded", "at twice the most")):
            costs = tuple(each.costs[at] for each in self.rounds)
            told.append(Figure(f"daemon's CPU for a call that is offered, {name}", "us", costs).line())
        return told
