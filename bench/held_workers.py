"""python -m bench.held_workers [--share PERCENT] [--rounds N]: two workers against one, each on a part of a processor.

On two processors two workers and a caller are in each other's way. Where a control group (Linux, version 1, as root)
lets each worker have little more than half a processor, the caller has what is left, and the throughput of both can be
seen.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import workers
from bench.company import company
from bench.report import Figure, machine
from tools.ports import free_port

GROUPS = Path("/sys/fs/cgroup/cpu")
PERIOD = 10_000
"""Microseconds for which a share is dealt out."""


@contextmanager
def held(process: int, name: str, share: int) -> Iterator[None]:
    """Lets a process have that share of a processor, in percent."""
    group = GROUPS / f"usherd-bench-{name}"
    group.mkdir(exist_ok=True)
    (group / "cpu.cfs_period_us").write_text(str(PERIOD))
    (group / "cpu.cfs_quota_us").write_text(str(PERIOD * share // 100))
    (group / "cgroup.procs").write_text(str(process))
    try:
        yield
    finally:
        (GROUPS / "cgroup.procs").write_text(str(process))
        group.rmdir()


def main() -> None:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=int, default=60, help="percent of a processor for each worker (default 60)")
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    rates: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        made = company(folder, free_port())
        messages = folder / "messages.pickle"
        messages.write_bytes(pickle.dumps(list(made.check)))
        one, two = (stack.enter_context(workers.serving(made, number)) for number in (1, 2))
        for side in (one, two):
            workers.closed(side, messages)
        for number, process in enumerate([one.pid, *two.processes()[1:]]):
            stack.enter_context(held(process, str(number), wanted.share))
        for number in range(wanted.rounds):
            for side in (one, two) if number % 2 else (two, one):
                rates[side.workers].append(workers.closed(side, messages).rate)
    print(machine())
    ratio = tuple(second / first for first, second in zip(rates[1], rates[2], strict=True))
    for figure in (
        Figure("one worker: calls served", "/s", tuple(rates[1])),
        Figure("two workers: calls served", "/s", tuple(rates[2])),
        Figure("two over one", "times", ratio, None, workers.MIN_THROUGHPUT),
    ):
        print(figure.line())


if __name__ == "__main__":
    main()
