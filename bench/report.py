"""Says what was measured, on which machine, with medians and spread."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured quantity over the rounds."""

    name: str
    unit: str
    values: tuple[float, ...]
    bound: float | None = None
    """The most that the median may be. None: no such bound was promised."""
    least: float | None = None
    """The least that it may be."""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def kept(self) -> bool:
        above = self.least is None or self.median >= self.least
        return above and (self.bound is None or self.median <= self.bound)

    def line(self) -> str:
        spread = f"{min(self.values):.2f} - {max(self.values):.2f}"
        promised = [
            f"{words} {value:g}"
            for words, value in (("at most", self.bound), ("at least", self.least))
            if value is not None
        ]
        bound = f"  {', '.join(promised)}: {'kept' if self.kept else 'BROKEN'}" if promised else ""
        return f"{self.name:<56}{self.median:>9.2f} {self.unit:<6}({spread}){bound}"

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "values": list(self.values),
            "bound": self.bound,
            "least": self.least,
            "kept": self.kept,
        }


def machine() -> str:
    """The machine and the versions that matter, in one line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())
    versions = ", ".join(f"{name} {version(name)}" for name in ("grpcio", "protobuf", "jwcrypto", "cryptography"))
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}, {versions}, load average {load}"


def text(figures: Sequence[Figure]) -> str:
    """The figures, a line each, under the machine's."""
    return "\n".join([machine(), "median (least - most of all rounds)", *(figure.line() for figure in figures)])
