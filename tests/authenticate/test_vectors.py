"""The signature layer alone, against published vectors: wycheproof, and the examples of the RFCs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import keyring
from shared_data import needs_shared, shared
from usherd.authenticate import signature
from usherd.authenticate.compact import check_size, read_header, split
from usherd.authenticate.keys import load_key_set
from usherd.domain import VerificationKey
from usherd.errors import Refusal
from usherd.reasons import Reason

pytestmark = needs_shared


def load(key_set: Any, algorithms: frozenset[str] = signature.ALGORITHMS) -> tuple[VerificationKey, ...]:
    jwks = key_set if "keys" in key_set else {"keys": [key_set]}
    return load_key_set(jwks, issuer="idp", algorithms=algorithms).keys


def judge(
    keys: tuple[VerificationKey, ...], jws: str, algorithms: frozenset[str] = signature.ALGORITHMS
) -> Reason | None:
    """Why the signature layer refuses the token under the only key, or the key that it names; None: it does not."""
    try:
        parts = split(check_size(jws, 65536))
        header = read_header(parts.header)
        if header.algorithm not in algorithms:
            raise Refusal(Reason.ALGORITHM_NOT_ALLOWED)
        fitting = [key for key in keys if len(keys) == 1 or key.kid == header.kid]
        if not fitting:
            raise Refusal(Reason.UNKNOWN_KEY)
        signature.verify(fitting[0], header.algorithm, parts.signing_input, parts.signature)
    except Refusal as refusal:
        return refusal.reason
    return None


def wycheproof(name: str) -> Iterator[tuple[int, dict[str, Any], str, bool | None]]:
    """(number, key, token, whether it is valid; None: the vector is defective) after the overrides."""
    if not shared("vectors").is_dir():
        return
    overrides = json.loads(shared("vectors/wycheproof/OVERRIDES.json").read_text()).get(f"{name}.json", {})
    for group in json.loads(shared(f"vectors/wycheproof/{name}.json").read_text())["testGroups"]:
        key = group.get("public") or group["key"]
        for test in group["tests"]:
            number = test["tcId"]
            ours = overrides.get(str(number), {}).get("ours", test["result"])
            valid = {"valid": True, "invalid": False, "reject": False, "POLICY": False, "SKIP": None}[ours]
            token = test.get("jws", test.get("jwe"))
            yield number, key, token if isinstance(token, str) else json.dumps(token), valid


def kinds(key: dict[str, Any]) -> set[str]:
    return {each["kty"] for each in key.get("keys", [key])}


@pytest.mark.parametrize("turns", [1, 2], ids=["cold", "warm"])
@pytest.mark.parametrize(
    ("name", "public", "symmetric"),
    [("json_web_signature_test", 361, 38), ("json_web_key_test", 11, 15), ("json_web_crypto_test", 46, 37)],
)
def test_wycheproof_is_followed_without_a_deviation(name: str, public: int, symmetric: int, turns: int) -> None:
    seen = {"public": 0, "symmetric": 0}
    deviations = []

    for number, key, token, valid in wycheproof(name):
        if valid is None:
            continue
        # No issuer here has shared secrets: what is valid under one is refused like all else under one.
        of = "symmetric" if "oct" in kinds(key) else "public"
        encryption = key.get("use") == "enc"
        expected = valid and of == "public" and not encryption
        seen[of] += 1
        keys = load(key)
        # Warm: the very key objects have verified before, which must not change what they verify.
        deviations += [number for _ in range(turns) if (judge(keys, token) is None) != expected]

    assert deviations == []
    assert seen == {"public": public, "symmetric": symmetric}


def test_what_a_key_verified_before_changes_nothing() -> None:
    vectors = [each for each in wycheproof("json_web_signature_test") if each[3] is not None]
    loaded = {json.dumps(key): load(key) for _, key, _, _ in vectors}

    first = [judge(loaded[json.dumps(key)], token) for _, key, token, _ in vectors]
    again = [judge(loaded[json.dumps(key)], token) for _, key, token, _ in reversed(vectors)]

    assert first == again[::-1]


def test_a_shared_secret_is_never_a_key() -> None:
    tokens = [
        (number, judge(load(key), token))
        for number, key, token, valid in wycheproof("json_web_signature_test")
        if valid and kinds(key) == {"oct"}
    ]

    assert {reason for _, reason in tokens} == {Reason.ALGORITHM_NOT_ALLOWED}


def rfc_examples() -> list[Any]:
    path = shared("vectors/rfc/rfc7515_7519_examples.json")
    return json.loads(path.read_text())["cases"] if path.exists() else []


@pytest.mark.parametrize("case", rfc_examples(), ids=lambda case: case["source"])
def test_the_examples_of_the_rfcs_hold(case: dict[str, Any]) -> None:
    symmetric = case.get("alg") == "HS256"

    reason = judge(load(case.get("jwk") or {"keys": []}), case["jws"])

    assert (reason is None) == (case["result"] == "valid" and not symmetric)


def test_thumbprints_are_those_of_the_rfcs() -> None:
    examples = json.loads(shared("vectors/rfc/rfc7517_8037_jwk_examples.json").read_text())
    rsa = examples["rfc7517_A1"]

    keys = [
        *load_key_set({"keys": rsa["keys"]}, issuer="idp", algorithms=keyring.ALGORITHMS).keys,
        *load_key_set(examples["rfc8037_A2"]["keys"], issuer="idp", algorithms=keyring.ALGORITHMS).keys,
    ]

    assert [key.thumbprint for key in keys] == [rsa["thumbprints"][1], examples["rfc8037_A2"]["thumbprints"][0]]
