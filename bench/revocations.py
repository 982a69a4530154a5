"""Measures what the list of revoked tokens costs a question that was asked before."""

from __future__ import annotations

import time

from bench.company import Company
from bench.in_process import authorizer_of, pass_of
from bench.report import Figure
from usherd.app import spare_the_collector
from usherd.changes import Lookup, Sought
from usherd.revocations import MAX_REVOCATIONS, Entry, Snapshot
from usherd.revoked import RevokedTokens

MAX_EMPTY_OVER_NONE = 1.10
"""How much more it may cost to ask a list in which nothing is, than to have none."""
MAX_FULL_OVER_NONE = 1.25
"""How much more it may cost to ask a full list, with entries of each kind."""


def measure(company: Company, rounds: int) -> list[Figure]:
    """Warm questions without a list, with an empty one and with a full one, in turns."""
    spare_the_collector()
    lists = {"none": None, "empty": revoked_tokens(0), "full": revoked_tokens(MAX_REVOCATIONS)}
    authorizers = {name: authorizer_of(company.config, revoked=each) for name, each in lists.items()}
    for each in authorizers.values():
        pass_of(each, company.check)
    costs: dict[str, list[float]] = {name: [] for name in authorizers}
    for number in range(rounds):
        names = list(authorizers)
        # Whoever goes later finds the caches of those before: they take turns.
        for name in names[number % 3 :] + names[: number % 3]:
            costs[name].append(min(pass_of(authorizers[name], company.check) for _ in range(3)))
    none = costs["none"]
    empty, full = ([each / base for each, base in zip(costs[name], none, strict=True)] for name in ("empty", "full"))
    return [
        Figure("in process, warm, no list of revoked tokens (the best of three passes)", "us", tuple(none)),
        Figure("warm: an empty list of revoked tokens over none", "times", tuple(empty), MAX_EMPTY_OVER_NONE),
        Figure("warm: a list of 100,000 revocations over none", "times", tuple(full), MAX_FULL_OVER_NONE),
    ]


def revoked_tokens(count: int) -> RevokedTokens:
    """A list with so many entries of other people's tokens, of each kind."""
    later = time.time() + 86_400
    kinds = [
        lambda n: Entry(which=Lookup(Sought.TOKEN, (f"{n:032x}",)), until=later),
        lambda n: Entry(which=Lookup(Sought.JTI, ("idp", f"jti-{n}")), until=later),
        lambda n: Entry(which=Lookup(Sought.SUBJECT, ("idp", f"nobody-{n}")), issued_before=later, until=later),
        lambda n: Entry(which=Lookup(Sought.ISSUER, (f"issuer-{n}",)), issued_before=later, until=later),
    ]
    made = RevokedTokens(time.time, lambda: True)
    entries = [kinds[number % 4](number) for number in range(count)]
    made.load(Snapshot({each.which: each for each in entries}, 1))
    return made
