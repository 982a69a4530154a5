"""The company that the RPC target asks about: who is in it, its tokens, and the methods that can be asked."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from fuzz.targets.token_gate import KEYS, VALID
from keyring import NOW, session_token
from usher.v1 import authorization_service_pb2 as api
from usherd.authenticate.session_token import SESSION_AUDIENCE, SESSION_ISS
from usherd.domain import Limit
from usherd.facts import EndUser, Organization, Team, User
from usherd.policy import SessionRules
from usherd.rpc.names import AUTHORIZATION
from worlds import SESSION_SECRET, World, issuer, policy

METHODS: dict[str, tuple[str, type[Message], type[Message]]] = {
    "a": (f"/{AUTHORIZATION}/Authorize", api.AuthorizeRequest, api.AuthorizeResponse),
    "c": (f"/{AUTHORIZATION}/Check", api.CheckRequest, api.CheckResponse),
    "b": (f"/{AUTHORIZATION}/BatchCheck", api.BatchCheckRequest, api.BatchCheckResponse),
    "l": (f"/{AUTHORIZATION}/ListModels", api.ListModelsRequest, api.ListModelsResponse),
    "s": (f"/{AUTHORIZATION}/Subscribe", api.SubscribeRequest, api.SubscribeResponse),
    "h": ("/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse),
    "i": ("/grpc.health.v1.Health/List", health_pb2.HealthListRequest, health_pb2.HealthListResponse),
    "w": ("/grpc.health.v1.Health/Watch", health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse),
    "r": ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", reflection_pb2.ServerReflectionRequest,
          reflection_pb2.ServerReflectionResponse),
}  # fmt: skip


def _world(**changes: Any) -> World:
    session = SessionRules(secret=SESSION_SECRET, max_lifetime=3600.0, digest="d")
    limit = Limit(tpm=1000, rpm=10, max_budget_micro_usd=5_000_000, budget_reset_seconds=60)
    alpha = Team(id="a", alias="Alpha", models=("gpt-4o",), limit=limit)
    beta = Team(id="b", alias="Beta", organization="acme", model_aliases={"default": "o1"}, blocked=True)
    alice = User(id="alice", identities=(("idp", "alice"),), models=("gpt-4o*", "o1"), teams=("a",), limit=Limit(tpm=7))
    world = World(
        policy=policy(issuers=(issuer(answer_claims=(("sub", ("sub",)),)), issuer("dead")), session=session, **changes),
        teams=(alpha, beta),
        users=(alice, User(id="bob", role="proxy_admin")),
        organizations=(Organization(id="acme", models=("o1",)),),
        end_users=(EndUser(id="customer", limit=Limit(rpm=1)), EndUser(id="blocked", blocked=True)),
    )
    world.keys.unavailable.add("dead")
    return world


WORLD, FORGETFUL = _world(), _world(keep_answers_for=0.0)


@cache
def tokens() -> tuple[str, ...]:
    token = WORLD.token
    session = session_token(
        {"iss": SESSION_ISS, "aud": SESSION_AUDIENCE, "user_id": "bob", "exp": int(NOW) + 60}, SESSION_SECRET
    )
    return (
        token(), token(roles=["Reader"]), token(scope="admin"), token(groups=["a", "b"], sub="x"), token(team="b"),
            token(exp=int(NOW) - 99),
        token(customer="blocked"), token(org="acme"), token(sub=5), token(iss="https://who.example"),
            token()[:-3] + "AAA", session,
        token(by="dead"), KEYS["1"].token(VALID), "", "a.b.c", "x" * 9000,
    )  # fmt: skip
