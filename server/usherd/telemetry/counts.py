"""Counts what happens in the middle of calls: plain numbers, which are read when somebody asks for them.

A counter of the library costs a lock and a look-up of its labels each time; these cost a look-up of the method.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from usherd.callers import ENVOY, MANAGING, OWN, RPCS
from usherd.calls import Asked, Call, Ended, Ending
from usherd.domain import Decision, Effect
from usherd.errors import FaultReason
from usherd.ports import Cache, Stage
from usherd.reasons import Reason
from usherd.telemetry.histogram import Histogram
from usherd.watch.tally import Tally

_SERVICE, _HEALTH = "usher.v1.AuthorizationService", "grpc.health.v1.Health"
SERVICE = f"/{_SERVICE}/"
METHODS = RPCS[_SERVICE]
"""Those that answer questions."""
HEALTH = f"/{_HEALTH}/"
HEALTH_METHODS = RPCS[_HEALTH]
MANAGING_METHODS: Mapping[str, str] = {
    full: full.removeprefix(f"/{OWN}").replace("Service/", "/", 1) for full in sorted(MANAGING)
}
"""Those that manage what is kept: their short names, as `Directory/GetTeam`, by full name."""
ENVOY_METHOD = "Envoy/Check"
"""Answers questions, too, where Envoy is answered."""
OTHER = "other"
"""Stands for every other method: a closed set, whatever callers send."""

CALL_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
STAGE_BOUNDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
TOLD_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LAG_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

_ANSWERED = Ended.ANSWERED

OK = "ok"
"""The result of a refresh of keys that did not fail."""


class MethodCounts:
    """What happened to the calls of one method."""

    __slots__ = ("answered", "cancelled", "decisions", "durations", "faults", "not_found")

    def __init__(self) -> None:
        # Lists, by number: an enum's hash is a function in Python, and would cost more than all the rest.
        self.decisions = [[0] * (max(Reason) + 1) for _ in range(max(Effect) + 1)]
        """By effect, by reason."""
        self.faults = [0] * (max(FaultReason) + 1)
        self.answered = 0
        self.cancelled = 0
        self.not_found = 0
        self.durations = Histogram(CALL_BOUNDS)


class Counts:
    """Everything that is counted, for as long as the process lives. One object hears of calls (`calls.Listener`), of
    their stages (`ports.Observer`) and of what the house does in the background."""

    def __init__(self) -> None:
        self.methods: Mapping[str, MethodCounts] = {
            **{name: MethodCounts() for name in METHODS},
            **{f"Health/{name}": MethodCounts() for name in HEALTH_METHODS},
            **{name: MethodCounts() for name in MANAGING_METHODS.values()},
            ENVOY_METHOD: MethodCounts(),
            OTHER: MethodCounts(),
        }
        """By the method's short name."""
        self._by_full_name = {f"{SERVICE}{name}": self.methods[name] for name in METHODS}
        self._by_full_name |= {f"{HEALTH}{name}": self.methods[f"Health/{name}"] for name in HEALTH_METHODS}
        self._by_full_name |= {full: self.methods[name] for full, name in MANAGING_METHODS.items()}
        self._by_full_name[f"/{ENVOY}/Check"] = self.methods[ENVOY_METHOD]
        self._other = self.methods[OTHER]
        self.stages: Mapping[Stage, Histogram] = {stage: Histogram(STAGE_BOUNDS) for stage in Stage}
        self.looked_up_in: Mapping[Cache, list[int]] = {cache: [0, 0] for cache in Cache}
        """How often nothing was found, and how often something was."""
        self.lag = Histogram(LAG_BOUNDS)
        """How late the event loop was."""
        self.told_after = Histogram(TOLD_BOUNDS)
        """From a change's commit to the last who depended on it."""
        self.living = Tally(self.told_after.observe)
        """Of decisions that are kept true."""
        self.refreshes: Counter[tuple[str, str]] = Counter()
        """Of key sets, by issuer and result: `OK` or the cause of the failure."""
        self.forced: Counter[str] = Counter()
        """Refreshes that unknown key ids have forced, by issuer."""

    def decided(self, call: Call, request_id: str, asked: Callable[[], Asked], decision: Decision) -> None:
        """As `Listener.decided`."""
        verdict = decision.verdict
        counts = self._by_full_name.get(call.method, self._other)
        counts.decisions[verdict.effect][verdict.reason] += 1

    def ended(self, call: Call, ending: Ending, seconds: float) -> None:
        """As `Listener.ended`."""
        counts = self._by_full_name.get(call.method, self._other)
        if not call.lasting:
            counts.durations.observe(seconds)
        if ending is _ANSWERED:
            counts.answered += 1
        elif isinstance(ending, Ended):
            if ending is Ended.NOT_FOUND:
                counts.not_found += 1
            else:
                counts.cancelled += 1
        else:
            counts.faults[ending] += 1

    def took(self, stage: Stage, seconds: float) -> None:
        """As `Observer.took`."""
        self.stages[stage].observe(seconds)

    def looked_up(self, cache: Cache, *, found: bool) -> None:
        """As `Observer.looked_up`."""
        self.looked_up_in[cache][found] += 1

    def waited(self, seconds: float) -> None:
        """A call had to wait for its turn."""
        self.took(Stage.QUEUE, seconds)
