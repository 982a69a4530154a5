"""What is remembered of a token that was verified, so that the same one costs a digest instead of a signature.

Successes only: a refusal is found anew each time.
"""

from __future__ import annotations

from dataclasses import dataclass

from usherd.authenticate.claims import Validity
from usherd.domain import VerifiedToken


@dataclass(frozen=True, slots=True)
class CachedToken:
    """A token that was verified once. Whether it still is, its dates and its key must say on each use."""

    token: VerifiedToken
    validity: Validity
    names_key: bool
    """Whether its header has a `kid`: without one, it needs its key to be the issuer's only one."""
