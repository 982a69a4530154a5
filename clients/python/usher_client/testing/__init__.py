"""An usherd for the tests of a gateway: it answers by rules that the test gives, over a real gRPC connection.

    def test_a_blocked_team_is_cut(gateway):
        with FakeUsherd() as usherd:
            usherd.allow(token="good", model="gpt-4o", principal={"team_id": "blue"})
            with Client(usherd.target, cache=DecisionCache()) as client:
                ...                                          # the gateway streams a completion
                usherd.deny("TEAM_BLOCKED", token="good")    # whoever watches hears of it, and so does the cache
                ...                                          # the gateway has cut it

Everything between the gateway and the rules is what it is in production: the clients, their cache, watches, faults and
deadlines. **What it does not judge**: tokens (a token is a text, and no signature is looked at), routes, models,
fallbacks, wishes for a team, budgets, and who the gateway is. A question that no rule is about is denied with
NOT_ENTITLED, whatever a real usherd would find wrong with it first. Explanations, limits and dependencies are left out;
a freshness is always reached; no decision ends by itself when its time has come.
"""

from usher_client.testing.fake import FakeUsherd

__all__ = ["FakeUsherd"]
