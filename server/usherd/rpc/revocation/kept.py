"""What the service works with, which may change while it runs: the store, and the policy that is in force."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from usherd.authenticate.verifier import Verifier
from usherd.errors import NoStore
from usherd.ports import Clock
from usherd.revocable import Revocable
from usherd.revocation_store import RevocationStore


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What is in force at a moment."""

    verifier: Verifier
    revocable: Revocable


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRevocations:
    """The list that is kept, if one is."""

    store: RevocationStore
    in_force: Callable[[], InForce]
    """Asked for each call."""
    clock: Clock = time.time


def opened(kept: KeptRevocations | None) -> KeptRevocations:
    """What is kept. Raises NoStore for nothing."""
    if kept is None:
        raise NoStore
    return kept
