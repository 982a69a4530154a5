"""Gives inputs to a target one by one: what it raises, how long it takes, and whether it answers the same again."""

from __future__ import annotations

import hashlib
import time
import traceback
from dataclasses import dataclass, field

from fuzz.target import HOUSE, Target

LONGEST = 0.1
"""Seconds of CPU that one input may cost."""
AGAIN = 16
"""One input in so many is judged twice."""
_MEASURED_AGAIN = 3


class TooSlow(AssertionError):
    """One input held the processor for too long."""


class OtherAnswer(AssertionError):
    """The same bytes had two answers."""


@dataclass(slots=True)
class Judge:
    """What became of the inputs so far."""

    target: Target
    longest: float = LONGEST
    executions: int = 0
    slowest: float = 0.0
    """Seconds of CPU of the slowest input, the least of several measurements."""
    slowest_input: bytes = b""
    crashers: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    """The shortest input and the traceback, by the place and kind of the error."""
    seconds: float = 0.0
    """CPU seconds in the target."""

    def __call__(self, data: bytes, *, again: bool = False) -> None:
        """Judges an input; `again`: certainly twice."""
        self.executions += 1
        began = time.process_time()
        try:
            answer = self.target.check(data)
            taken = time.process_time() - began
            if again or self.executions % AGAIN == 0:
                other = self.target.check(data)
                if other != answer:
                    raise OtherAnswer(f"{answer!r} and then {other!r}")
            if taken > self.slowest:
                self._measure(data, taken)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            taken = time.process_time() - began
            self._keep(data, error)
        self.seconds += taken

    def _measure(self, data: bytes, taken: float) -> None:
        # Other work on the machine, and the collector, make some runs slow; the input is as slow as its fastest run.
        for _ in range(_MEASURED_AGAIN):
            began = time.process_time()
            self.target.check(data)
            taken = min(taken, time.process_time() - began)
        if taken > self.slowest:
            self.slowest, self.slowest_input = taken, data
        if taken > self.longest:
            raise TooSlow(f"{taken:.3f} s")

    def _keep(self, data: bytes, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if frame.filename.startswith(str(HOUSE))] or frames
        place = f"{type(error).__name__} {ours[-1].filename.removeprefix(str(HOUSE.parent) + '/')}:{ours[-1].lineno}"
        if isinstance(error, AssertionError):
            place = f"{type(error).__name__} {frames[-1].name}:{frames[-1].lineno}"
        known = self.crashers.get(place)
        if known is None or len(data) < len(known[0]):
            self.crashers[place] = (data, "".join(traceback.format_exception(error)))


def name_of(data: bytes) -> str:
    """The file name of an input."""
    return hashlib.sha256(data).hexdigest()[:16]
