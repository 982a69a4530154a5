"""Says in JSON whether questions are welcome, and what is amiss: in closed words, numbers and issuers' names."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from usherd.telemetry.state import KeySetState, ReloadState, State


def detail(told: Mapping[str, Any]) -> bytes:
    """The page of readiness."""
    return (json.dumps(told, indent=2) + "\n").encode()


def told(version: str, conditions: Mapping[str, bool], state: State | None) -> dict[str, Any]:
    """What it says. `state` None: nothing is in force yet."""
    told: dict[str, Any] = {
        "ready": all(conditions.values()),
        "version": version,
        "conditions": dict(conditions),
    }
    if state is not None:
        told |= {
            "policy": {"digest": state.digest, "preset": state.preset, "insecure": list(state.insecure)},
            "issuers": _issuers(state.key_sets),
            "directory": _directory(state),
            "configuration": _configuration(state.reloads),
        }
        if state.models is not None:
            models = state.models
            told["models"] = {"kept": models.kept, "left_aside": models.left_aside, "outdated": models.outdated}
    return told


def _directory(state: State) -> dict[str, Any]:
    told: dict[str, Any] = {"revision": state.revision}
    if state.held is None:
        return told | {"rows": dict(state.rows)}
    # JSON has no infinity.
    return told | {"lag_seconds": None if math.isinf(state.held.lag) else _rounded(state.held.lag)}


def _issuers(key_sets: tuple[KeySetState, ...]) -> dict[str, Any]:
    """By name: whether a key set of the issuer is usable, and each of them."""
    found: dict[str, Any] = {}
    for each in key_sets:
        issuer = found.setdefault(each.issuer, {"usable": False, "key_sets": []})
        issuer["usable"] |= each.usable_for > 0
        issuer["key_sets"].append(
            {
                "usable": each.usable_for > 0,
                "given": each.given,
                "keys": each.keys,
                "age_seconds": _rounded(each.age),
                "stale_in_seconds": None if each.given else _rounded(each.usable_for),
                "last_error": each.last_error,
            }
        )
    return found


def _configuration(reloads: ReloadState) -> dict[str, Any]:
    last = None
    if reloads.last_at is not None:
        result = "refused" if reloads.problems else "applied"
        last = {"at": _moment(reloads.last_at), "result": result, "problems": reloads.problems}
    return {
        "in_force_since": _moment(reloads.in_force_since),
        # What the files say now was refused: an older configuration answers.
        "outdated": reloads.problems > 0,
        "last_reload": last,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
