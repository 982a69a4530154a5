"""Key sets as real identity providers publish them: each loads, and each key that is fit for signatures is usable."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import keyring
from shared_data import needs_shared, shared
from usherd.authenticate.key_ring import REMOVED_GRACE, KeyRing, RingRules
from usherd.authenticate.keys import load_key_set

pytestmark = needs_shared

WEAK_OR_FOR_ENCRYPTION = {
    "dockyard/keycloak.jwks.json": 1,
    "wellknown/paypal.jwks.json": 1,
    "wellknown/yahoo.jwks.json": 3,
}
"""How many keys of which set must be dropped; of all other sets, none."""

HOUR = 3600.0
LOST = {0: 140, 24: 20, 72: 0}
"""Measured: so often, in 5 months, a genuine key would have been refused with a grace of so many hours."""


def key_sets() -> list[Path]:
    return sorted(shared("vectors/jwks-real").glob("*/*.jwks.json"))


def is_fit(jwk: dict[str, Any]) -> bool:
    """Whether the key is fit for signatures, as `cryptography` alone sees it."""
    if jwk.get("use", "sig") != "sig":
        return False
    if jwk["kty"] == "RSA":
        # One of the issuers sends plain, padded base64.
        plain = str.maketrans("+/", "-_")
        n, e = (int.from_bytes(keyring.decode(jwk[name].rstrip("=").translate(plain)), "big") for name in "ne")
        return rsa.RSAPublicNumbers(e, n).public_key().key_size >= 2048
    if jwk["kty"] == "EC":
        x, y = (int.from_bytes(keyring.decode(jwk[name]), "big") for name in "xy")
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key().key_size == 256
    return False


@pytest.mark.parametrize("path", key_sets(), ids=lambda path: path.stem)
def test_every_fit_key_of_a_real_set_is_usable(path: Path) -> None:
    published = json.loads(path.read_text())["keys"]

    loaded = load_key_set(path.read_bytes(), issuer="idp", algorithms=keyring.ALGORITHMS)

    assert [key.kid for key in loaded.keys] == [jwk["kid"] for jwk in published if is_fit(jwk)]
    name = f"{path.parent.name}/{path.name}"
    assert sum(loaded.dropped.values()) == WEAK_OR_FOR_ENCRYPTION.get(name, 0)


def missing_after_removal(grace: float) -> Counter[str]:
    """At how many snapshots a key that was away and came back later was not found, by its kid.

    The history says when the set changed. Between changes it was fetched every 10 minutes, so that a key was last
    seen 10 minutes before it went, at the earliest.
    """
    history = json.loads(shared("vectors/jwks-real/entra-common.history.json").read_text())
    snapshots = []
    for each in history:
        loaded = load_key_set(each["jwks"], issuer="idp", algorithms=keyring.ALGORITHMS)
        snapshots.append((datetime.datetime.fromisoformat(each["committed"]).timestamp(), loaded.keys))
    snapshots.sort(key=lambda each: each[0])
    kids = [{key.kid for key in keys} for _, keys in snapshots]

    missing: Counter[str] = Counter()
    ring = KeyRing(rules=RingRules(stale_after=2 * HOUR, removed_grace=grace))
    for place, (now, keys) in enumerate(snapshots):
        if place:
            ring = ring.loaded(snapshots[place - 1][1], max(now - 600, snapshots[place - 1][0]))
        ring = ring.loaded(keys, now)
        until = snapshots[place + 1][0] if place + 1 < len(snapshots) else now
        coming_back = (set().union(*kids[:place]) & set().union(*kids[place + 1 :])) - kids[place]
        for kid in coming_back:
            # Asked just before the next change, with the same set fetched again until then.
            if ring.loaded(keys, until).find(kid, until) is None:
                missing[kid] += 1
    return missing


@pytest.mark.parametrize("hours", LOST)
def test_no_genuine_key_counts_as_removed_within_the_default_grace(hours: int) -> None:
    missing = missing_after_removal(hours * HOUR)

    assert missing.total() == LOST[hours]
    assert LOST[REMOVED_GRACE / HOUR] == 0
