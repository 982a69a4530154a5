"""Fuzzes one target with atheris, in a process of its own: `python -m fuzz.worker NAME RUNS SEED FOLDER`.

What it found is in FOLDER/result.json, written anew from time to time and at the end.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import atheris  # type: ignore[import-not-found]

from fuzz import target as targets
from fuzz.judge import LONGEST, Judge, name_of
from fuzz.mutators import mutate_bytes

INSTRUMENTED = 3.0
"""How much longer the same takes with each branch counted. The replay measures the slowest input without that."""
WRITE_EVERY = 5.0
"""Seconds between two states of result.json."""


def main(name: str, runs: int, seed: int, folder: Path) -> None:
    """Runs until `runs` inputs were judged; crashers are kept and do not end it."""
    with atheris.instrument_imports(include=targets.dotted(name)):
        target = targets.load(name)
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for data in target.seeds():
        (corpus / name_of(data)).write_bytes(data)
    judge = Judge(target, longest=LONGEST * INSTRUMENTED)
    work = _Work(judge, folder, runs)

    def mutate(data: bytes, max_size: int, state: int) -> bytes:
        random = Random(state)
        if random.random() < 0.3:
            return bytes(atheris.Mutate(data, max_size))
        changed = (mutate_bytes if random.random() < 0.1 else target.mutate)(data, random)
        return changed[:max_size]

    flags = [f"-runs={runs}", f"-seed={seed}", f"-max_len={target.max_size}", "-timeout=60", "-rss_limit_mb=6000"]
    atheris.Setup(
        [
            "fuzz",
            *flags,
            "-len_control=0",
            "-print_final_stats=1",
            "-reload=0",
            f"-artifact_prefix={folder}/",
            str(corpus),
        ],
        work,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


class _Work:
    """Judges what the fuzzer thinks of, and writes down how far it is."""

    def __init__(self, judge: Judge, folder: Path, runs: int) -> None:
        self._judge, self._folder, self._runs = judge, folder, runs
        self._began = time.monotonic()
        self._written = 0.0

    def __call__(self, data: bytes) -> None:
        crashers = len(self._judge.crashers)
        self._judge(data)
        now = time.monotonic()
        done = self._judge.executions >= self._runs
        if done or now - self._written > WRITE_EVERY or len(self._judge.crashers) > crashers:
            self._written = now
            self._write(now - self._began, done=done)

    def _write(self, seconds: float, *, done: bool) -> None:
        judge = self._judge
        state: dict[str, Any] = {
            "executions": judge.executions,
            "seconds": round(seconds, 1),
            "slowest_ms": round(judge.slowest * 1000, 2),
            "slowest_input": name_of(judge.slowest_input),
            "crashers": {place: name_of(data) for place, (data, _) in judge.crashers.items()},
            "done": done,
        }
        (self._folder / "slowest").write_bytes(judge.slowest_input)
        for data, text in judge.crashers.values():
            folder = self._folder / "crashers"
            folder.mkdir(exist_ok=True)
            (folder / name_of(data)).write_bytes(data)
            (folder / f"{name_of(data)}.txt").write_text(text, "utf-8", "backslashreplace")
        beside = self._folder / "result.json.new"
        beside.write_text(json.dumps(state))
        os.replace(beside, self._folder / "result.json")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
