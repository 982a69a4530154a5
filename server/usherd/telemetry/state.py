"""What is so at the moment of a look, in plain words and numbers: whoever knows the rooms writes it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySetState:
    """One key set of one issuer."""

    issuer: str
    """The issuer's configured name."""
    part: int
    usable_for: float
    """Seconds; 0: not usable."""
    given: bool
    """Whether the keys are given in full, and never grow old."""
    age: float | None
    """Seconds since the last good fetch; None: never, or keys are given in full."""
    keys: int
    last_error: str | None
    """Why the last refresh failed, in a closed set of words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadState:
    """What became of changed configurations."""

    applied: int = 0
    refused: int = 0
    """Attempts, each retry by itself."""
    in_force_since: float = 0.0
    """Seconds since the epoch."""
    last_at: float | None = None
    """When the last attempt ended, in seconds since the epoch; None: there was none."""
    problems: int = 0
    """For which the last attempt was refused; 0: it was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLogState:
    """What became of the lines of decisions."""

    written: int
    dropped: int
    refused: int
    healthy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldState:
    """What a replica holds of a directory in a database."""

    lag: float
    """Seconds since it was known to be true; infinite: it never was."""
    entities: int
    hits: int
    misses: int
    loads: int
    discarded: int
    changes: int
    resyncs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsState:
    """What became of the models that a store keeps."""

    kept: int
    """How many are in force."""
    left_aside: int
    """Models and aliases that are not: the configuration says otherwise, or they cannot be."""
    taken: int
    failed: int
    """Attempts to take on changes, each by itself."""
    outdated: bool
    """Whether the last attempt failed: older models are in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadState:
    """The work that a server has."""

    calls: int = 0
    waiting: int = 0
    questions: int = 0
    capacity: int = 0
    watchers: int = 0
    living_streams: int = 0
    living_decisions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All of it, once there is a policy in force."""

    ready: bool
    load: LoadState
    key_sets: tuple[KeySetState, ...]
    insecure: tuple[str, ...]
    """Names of the options in force that are laxer than they should be."""
    warnings: int
    digest: str
    preset: str
    reloads: ReloadState
    revision: int
    rows: Mapping[str, int]
    """By kind; empty for a directory in a database."""
    held: HeldState | None
    """None: the directory is in memory."""
    documents: tuple[int, int]
    """How often a provider's document was not at hand, and how often it was."""
    shadow: Mapping[str, int] | None
    """By result; None: there is no candidate policy."""
    decision_log: DecisionLogState | None
    """None: there is no decision log."""
    models: ModelsState | None = None
    """None: no store keeps any."""
