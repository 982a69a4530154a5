"""Measures one question from its bytes to the answer's bytes, without a network."""

from __future__ import annotations

import itertools
import time
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bench.company import TOKENS, Company
from bench.report import Figure
from keyring import StaticKeys, key_pair
from usher.v1 import authorization_service_pb2 as api
from usherd.app import spare_the_collector
from usherd.authenticate.verifier import Verifier
from usherd.authorizer import Authorizer
from usherd.config.load import load
from usherd.facts import Team
from usherd.revoked import PolicyRevocations, RevokedTokens
from usherd.rpc import translate
from usherd.rpc.answers import check_response
from usherd.stores.budgets import Budget
from usherd.stores.memory_directory import MemoryDirectory

MAX_WARM = 60.0
"""Microseconds a question that was asked before, of 1,000 tokens and 20 models."""
MAX_COLD_OVER_RAW = 250.0
"""Microseconds a question may cost beyond the bare RS256 verification, when its token is new."""
MANY_TEAMS = 100_000
MAX_MANY_TEAMS_OVER_FEW = 1.10
"""How much more a question that was asked before may cost beside 100,000 teams than beside 100."""


def measure(company: Company, rounds: int) -> list[Figure]:
    """Cold and warm questions, and the raw verification beside them, in turns."""
    spare_the_collector()
    raws, colds, warms, judged = [], [], [], []
    ratios, again, grown = [], [], []
    few, many = authorizer_of(company.config), authorizer_of(company.config, MANY_TEAMS)
    for each in (few, many):
        pass_of(each, company.check)
    for number in range(rounds):
        # Whoever goes second finds the caches of the first: they take turns.
        pair = [few, many] if number % 2 else [many, few]
        costs = {id(each): min(pass_of(each, company.check) for _ in range(3)) for each in pair}
        again.append(costs[id(few)])
        grown.append(costs[id(many)])
        ratios.append(grown[-1] / again[-1])
    for _ in range(rounds):
        authorizer = authorizer_of(company.config)
        raw = _raw_verification(company)
        cold = pass_of(authorizer, company.check[:TOKENS])
        judged.append(pass_of(authorizer, company.check[TOKENS:]))
        warms.append(pass_of(authorizer, company.check))
        raws.append(raw)
        colds.append(cold)
    return [
        Figure("in process, warm: parse, decide, serialise", "us", tuple(warms), MAX_WARM),
        Figure("in process, known token, judged for the first time", "us", tuple(judged)),
        Figure("in process, cold RS256: the same with a new token", "us", tuple(colds)),
        Figure("raw RS256 verification", "us", tuple(raws)),
        Figure(
            "cold less raw verification",
            "us",
            tuple(cold - raw for cold, raw in zip(colds, raws, strict=True)),
            MAX_COLD_OVER_RAW,
        ),
        Figure("in process, warm, 100 teams (the best of three passes)", "us", tuple(again)),
        Figure("in process, warm, 100,000 teams (the best of three passes)", "us", tuple(grown)),
        Figure("warm: 100,000 teams over 100", "times", tuple(ratios), MAX_MANY_TEAMS_OVER_FEW),
    ]


def authorizer_of(config: Path, teams: int = 0, revoked: RevokedTokens | None = None) -> Authorizer:
    """The company's authorizer, with as many teams as that if there are fewer, and with a list of revoked tokens."""
    settings = load(config)
    rows = settings.directory
    more = (Team(id=f"more-{number}", organization="org-0", models=("*",)) for number in range(len(rows.teams), teams))
    rows = replace(rows, teams=(*rows.teams, *more))
    keys = StaticKeys.of(idp=[key_pair("RSA", "bench")])
    ids = (f"{number:026d}" for number in itertools.count())
    return Authorizer(
        policy=settings.policy,
        verifier=Verifier(settings.policy, keys, time.time),
        keys=keys,
        directory=MemoryDirectory(
            "bench",
            rows,
            bare_ids_for="idp",
            everyone=Budget(settings.policy.budgets.global_max_micro_usd, settings.budget_period),
        ),
        clock=time.time,
        stopwatch=time.monotonic,
        new_id=lambda: next(ids),
        revocations=None if revoked is None else PolicyRevocations(revoked, settings.policy),
    )


async def _answer(authorizer: Authorizer, request: bytes) -> bytes:
    asked = api.CheckRequest.FromString(request)
    at_hand = authorizer.at_hand(translate.encoded(asked), lambda: translate.question(asked))
    if at_hand is not None:
        return check_response(at_hand, keep=True)
    return check_response(await authorizer.authorize(translate.question(asked)))


def _finished(coroutine: Coroutine[Any, Any, bytes]) -> bytes:
    try:
        coroutine.send(None)
    except StopIteration as done:
        answer: bytes = done.value
        return answer
    raise AssertionError("a question in process waited for something")


def pass_of(authorizer: Authorizer, requests: Sequence[bytes]) -> float:
    """Microseconds a question, over all of them once; every answer is looked at afterwards."""
    begin = time.perf_counter()
    answers = [_finished(_answer(authorizer, request)) for request in requests]
    spent = time.perf_counter() - begin
    for answer in answers:
        decision = api.CheckResponse.FromString(answer).decision
        if decision.effect != 1 or not decision.depends_on:
            raise AssertionError("a question was not allowed")
    return spent / len(answers) * 1e6


def _raw_verification(company: Company) -> float:
    """Microseconds of cryptography's own verification of such a signature, and nothing else."""
    pair = key_pair("RSA", "bench")
    key = pair.private.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    inputs = [token.rsplit(".", 1)[0].encode() for token in company.tokens]
    signed = [(pair.sign(data), data) for data in inputs[:200]]
    begin = time.perf_counter()
    for signature, data in signed:
        key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    return (time.perf_counter() - begin) / len(signed) * 1e6
