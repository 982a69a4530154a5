"""A stranger's program: asks usherd with the Python client, and prints what came, one JSON line a call.

    python stranger.py TARGET ROUTE MODEL < tokens

Standard input holds one token a line. Each is asked about by itself, from the cache, and in a batch.
"""

from __future__ import annotations

import json
import sys

from usher_client import Client, Decision, DecisionCache, Question, Unavailable, UsherFault


def told(call: str, answer: Decision | UsherFault) -> str:
    """The line of an answer."""
    is_fault = isinstance(answer, UsherFault)
    return json.dumps(
        {
            "call": call,
            "allowed": answer.allowed,
            "reason": "" if isinstance(answer, UsherFault) else answer.reason,
            "http_status": 0 if isinstance(answer, UsherFault) else answer.http_status,
            "unavailable": isinstance(answer, Unavailable),
            "fault_reason": answer.reason if is_fault else "",
        }
    )


def main(target: str, route: str, model: str) -> None:
    """Asks about each token."""
    with Client(target, cache=DecisionCache(max_entries=10)) as usherd:
        for token in sys.stdin.read().split("\n")[:-1]:
            for call in ("authorize", "again"):
                answer: Decision | UsherFault
                try:
                    answer = usherd.authorize(token, route, model, method="POST", deadline=10)
                except UsherFault as fault:
                    answer = fault
                print(told(call, answer))
            question = Question(token=token, route=route, model=model, method="POST")
            print(told("batch", usherd.batch_check([question], deadline=10)[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
