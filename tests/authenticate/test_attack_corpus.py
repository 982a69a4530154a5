"""The corpus of attacks through the whole verifier: every token gets its answer, in any order, cold and warm."""

from __future__ import annotations

import json
from typing import Any

import pytest

import keyring
from shared_data import needs_shared, shared
from usherd.authenticate.keys import load_key_set
from usherd.authenticate.verifier import Verifier
from usherd.policy import IssuerPolicy, Policy, TokenRules
from usherd.reasons import Reason

pytestmark = needs_shared

CLASSES = {
    "": {None},
    "IGNORED_CLAIM": {None},
    "MALFORMED": {Reason.TOKEN_MALFORMED},
    "TOO_LARGE": {Reason.TOKEN_TOO_LARGE},
    "HEADER_NOT_ALLOWED": {Reason.HEADER_NOT_ALLOWED},
    "ALG_NOT_ALLOWED": {Reason.ALGORITHM_NOT_ALLOWED},
    "ALG_KEY_MISMATCH": {Reason.ALGORITHM_KEY_MISMATCH},
    "UNKNOWN_KID": {Reason.UNKNOWN_KEY},
    "KEY_REJECTED": {Reason.UNKNOWN_KEY},
    "BAD_SIGNATURE": {Reason.SIGNATURE_INVALID},
    "EXPIRED": {Reason.TOKEN_EXPIRED},
    "NOT_YET_VALID": {Reason.TOKEN_NOT_YET_VALID},
    "CLAIM_INVALID": {Reason.CLAIM_INVALID},
    "ISSUER": {Reason.ISSUER_UNKNOWN},
    "AUDIENCE": {Reason.AUDIENCE_MISMATCH},
    "TYP": {Reason.TOKEN_TYPE_NOT_ALLOWED},
}
"""Our reason for each class of the corpus."""

EARLIER = {
    # An empty token is a missing one.
    "shape-01": Reason.TOKEN_MISSING,
    # Not allowed to the issuer at all, which is found before the key is looked for.
    "alg-26": Reason.ALGORITHM_NOT_ALLOWED,
    # Ten thousand dots are too many bytes before they are too many dots.
    "shape-07": Reason.TOKEN_TOO_LARGE,
    # `zip` is found in the header, before the compressed payload is looked at.
    "crit-12": Reason.HEADER_NOT_ALLOWED,
    # Not strict JSON, which is found before the signature is verified: no claim of theirs is ever read.
    "json-32": Reason.TOKEN_MALFORMED,
    "time-12": Reason.TOKEN_MALFORMED,
    "time-14": Reason.TOKEN_MALFORMED,
    "time-16": Reason.TOKEN_MALFORMED,
    "time-17": Reason.TOKEN_MALFORMED,
    "time-23": Reason.TOKEN_MALFORMED,
    "time-28": Reason.TOKEN_MALFORMED,
}
"""Cases that an earlier step refuses than the one that the corpus names."""


def corpus() -> dict[str, Any]:
    return json.loads(shared("vectors/jwt_attack_corpus.json").read_text())  # type: ignore[no-any-return]


def verifier() -> Verifier:
    config = corpus()["config"]
    algorithms = frozenset(config["allowed_algs"])
    issuers, keys = [], {}
    for number, (iss, issuer) in enumerate(config["issuers"].items(), 1):
        name = f"issuer{number}"
        rules = TokenRules(
            issuer=iss,
            audiences=frozenset({issuer["audience"]}),
            algorithms=algorithms,
            max_lifetime=float("inf"),  # the corpus' good tokens live until 2100
        )
        issuers.append(IssuerPolicy(name=name, token=rules, digest=name))
        keys[name] = load_key_set(issuer["jwks"], issuer=name, algorithms=algorithms, rsa_algorithms=algorithms).keys
    policy = Policy(issuers=tuple(issuers), token_max_size=config["max_token_bytes"], digest="corpus")
    return Verifier(policy, keyring.StaticKeys(keys), lambda: keyring.NOW)


@pytest.mark.parametrize("turns", [1, 2], ids=["cold", "warm"])
@pytest.mark.parametrize("step", [1, -1], ids=["forwards", "backwards"])
async def test_every_token_of_the_corpus_gets_its_answer(step: int, turns: int) -> None:
    cases = corpus()["cases"][::step]
    judge = verifier()

    deviations = []
    for case in cases * turns:
        reason = await keyring.reason_of(judge, case["token"])
        expected = {EARLIER[case["id"]]} if case["id"] in EARLIER else CLASSES[case["reason"]]
        if (reason is None) != (case["expect"] == "accept") or reason not in expected:
            deviations.append((case["id"], case["level"], case["reason"], reason))

    assert deviations == []
    assert len(cases) == 161


async def test_each_token_alone_gets_the_answer_that_it_gets_among_others() -> None:
    cases = corpus()["cases"]
    shared_verifier = verifier()

    together = [await keyring.reason_of(shared_verifier, case["token"]) for case in cases]
    alone = [await keyring.reason_of(verifier(), case["token"]) for case in cases]

    assert together == alone
