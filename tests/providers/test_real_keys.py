"""Under the configurations of the pages, the key sets that the providers really publish are all usable."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from providers.pages import CONFIGURATIONS, settings
from shared_data import needs_shared, shared
from usherd.house import opened

pytestmark = needs_shared

SETS: Mapping[str, list[str]] = {
    "auth0": ["dockyard/auth0"],
    "entra": ["dockyard/azure", "wellknown/entra-common", "wellknown/entra-organizations"],
    "google": ["dockyard/google", "wellknown/google"],
    "keycloak": ["dockyard/keycloak"],
    "okta": ["dockyard/okta"],
}
NOT_RS256 = {"usherd-iap.yaml"}
"""Identity-Aware Proxy has a key set of its own, which is not among the real ones."""

ISSUERS = {
    "auth0": r"https://[a-z.]+\.auth0\.com/",
    "google": r"https://accounts\.google\.com",
    "keycloak": r"https?://[a-z.:0-9]+/realms/[a-z]+",
}
"""The form of `iss`, for what a provider's document and the page must have alike."""

CASES = [(page, name, keys) for page, name in CONFIGURATIONS if name not in NOT_RS256 for keys in SETS[page]]


@pytest.mark.parametrize(("page", "name", "keys"), CASES)
async def test_every_signature_key_of_a_real_set_is_usable_under_the_page(
    page: str, name: str, keys: str, tmp_path: Path
) -> None:
    made = settings(page, name, tmp_path)
    document = shared(f"vectors/jwks-real/{keys}.jwks.json")
    fit = [key["kid"] for key in json.loads(document.read_text())["keys"] if key["use"] == "sig"]
    from_file = tuple(replace(each, discovery_url=None, jwks_file=document) for each in made.keys)

    async with opened(replace(made, keys=from_file)) as house:
        issuer = made.policy.issuers[0]
        found = [house.keys.find(issuer.name, kid) for kid in fit]
        (status,) = house.keys.status()

    assert status.keys == len(fit) >= 1
    assert [(key is not None and key.kid, key and set(key.algorithms)) for key in found] == [
        (kid, {"RS256"}) for kid in fit
    ]


@pytest.mark.parametrize("page", ISSUERS)
def test_the_issuer_of_a_page_has_the_form_of_the_providers_own(page: str, tmp_path: Path) -> None:
    document = json.loads(shared(f"vectors/jwks-real/dockyard/{page}.discovery_document.json").read_text())
    (keys,) = settings(page, "usherd.yaml", tmp_path).keys

    assert re.fullmatch(ISSUERS[page], document["issuer"])
    assert re.fullmatch(ISSUERS[page], keys.issuer)
    assert keys.discovery_url == keys.issuer.removesuffix("/") + "/.well-known/openid-configuration"
