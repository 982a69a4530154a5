"""Runs usherd with one defect, to show that the oracle finds it: `python mutants.py NAME serve --config FILE`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from usherd.authenticate import key_ring, verifier
from usherd.errors import KeysUnavailable
from usherd.stores.key_sets import KeySets


def expired_tokens_pass() -> None:
    genuine = verifier.check_claims

    def lax(claims: Any, form: Any, rules: Any, *more: Any) -> Any:
        return genuine(claims, form, replace(rules, leeway=3600.0), *more)

    verifier.check_claims = lax


def removed_keys_are_trusted_for_ever() -> None:
    key_ring._Held.until = lambda self, grace: math.inf  # type: ignore[method-assign]


def a_fault_becomes_a_denial() -> None:
    genuine = KeySets.find

    def find(self: KeySets, issuer: str, kid: str | None) -> Any:
        try:
            return genuine(self, issuer, kid)
        except KeysUnavailable:
            return None

    KeySets.find = find  # type: ignore[method-assign]


def a_good_set_is_given_up_at_the_first_failure() -> None:
    genuine = key_ring.KeyRing.loaded

    def loaded(self: Any, keys: Any, now: float, *more: Any) -> Any:
        return genuine(self, keys, now, *more) if keys else key_ring.KeyRing(rules=self.rules)

    key_ring.KeyRing.loaded = loaded  # type: ignore[method-assign]


MUTANTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        expired_tokens_pass,
        removed_keys_are_trusted_for_ever,
        a_fault_becomes_a_denial,
        a_good_set_is_given_up_at_the_first_failure,
    )
}

SYMPTOMS: dict[str, set[str]] = {
    "expired_tokens_pass": {"ALLOWED"},
    "removed_keys_are_trusted_for_ever": {"ALLOWED", "MODEL_NOT_GRANTED"},
    "a_fault_becomes_a_denial": {"UNKNOWN_KEY"},
    "a_good_set_is_given_up_at_the_first_failure": {"UNAVAILABLE KEYS_UNAVAILABLE"},
}
"""What each does wrong."""


if __name__ == "__main__":
    from usherd.__main__ import main

    MUTANTS[sys.argv.pop(1)]()
    main()
