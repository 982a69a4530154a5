"""Families of series as plain values, so that one process can tell them to another."""

from __future__ import annotations

from typing import Any

from prometheus_client.metrics_core import Metric as Family

__all__ = ["Family", "Plain", "family", "plain"]

Plain = list[Any]
"""Name, meaning and type of a family, and its samples: name, labels and value of each. JSON can hold it."""


def plain(family: Family) -> Plain:
    """A family as it is told."""
    samples = [[sample.name, sample.labels, sample.value] for sample in family.samples]
    return [family.name, family.documentation, family.type, samples]


def family(told: Plain) -> Family:
    """A family that was told. Raises ValueError, TypeError or KeyError for what is none."""
    name, meaning, kind, samples = told
    made = Family(str(name), str(meaning), str(kind))
    for sample, labels, value in samples:
        made.add_sample(str(sample), {str(label): str(each) for label, each in labels.items()}, float(value))
    return made
