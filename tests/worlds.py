"""A small company in memory: policy, directory, keys and clock, asked through the real Authorizer."""

from __future__ import annotations

import itertools
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from keyring import NOW, KeyPair, StaticKeys, key_pair
from usherd.authenticate.verifier import Verifier
from usherd.authorizer import Authorizer
from usherd.domain import Decision, Question
from usherd.facts import BudgetOwner, EndUser, Organization, Rows, Team, User, Write
from usherd.policy import (
    AdminRule,
    CatalogueModel,
    ClaimPaths,
    Grant,
    IssuerPolicy,
    MayGrant,
    Policy,
    Role,
    RouteRules,
    TeamRules,
    TokenRules,
    UserRules,
)
from usherd.ports import Hook, Provisioning, Revocations
from usherd.stores.budgets import Budget
from usherd.stores.memory_directory import MemoryDirectory

T = TypeVar("T")

CHAT = "/v1/chat/completions"
AUDIENCE = "api://gateway"
ALGORITHMS = frozenset({"EdDSA", "RS256", "ES256"})
SESSION_SECRET = b"a master key of more than 32 bytes, for tests"


def issuer(name: str = "idp", **changes: Any) -> IssuerPolicy:
    """An issuer whose `iss` is https://NAME.example, with words for teams, organizations and end users."""
    token = TokenRules(issuer=f"https://{name}.example", audiences=frozenset({AUDIENCE}), algorithms=ALGORITHMS)
    words = ClaimPaths(
        team=("team",),
        team_alias=("team_alias",),
        teams=("groups",),
        organization=("org",),
        end_user=("customer",),
        roles=("approles",),
        user_roles=("uroles",),
        object=("oid",),
        organization_alias=("org_alias",),
    )
    values: dict[str, Any] = {
        "name": name,
        "token": token,
        "claims": words,
        "may_grant": MayGrant(admin=True),
        "digest": f"digest-of-{name}",
    }
    return IssuerPolicy(**(values | changes))


def role(name: str = "reader", *, claim: str = "roles", value: str = "Reader", **changes: Any) -> Role:
    """A role of the issuer `idp` for tokens whose claim has the value; by default it grants chat with gpt-4o*."""
    values: dict[str, Any] = {
        "name": name,
        "issuer": "idp",
        "when": ((claim, (claim,), (value,)),),
        "grants": Grant(routes=(CHAT, "/v1/models"), models=("gpt-4o*",)),
    }
    return Role(**(values | changes))


CATALOGUE = (
    CatalogueModel(name="gpt-4o", provider="openai", groups=("fast",), aliases=("default",)),
    CatalogueModel(name="gpt-4o-mini", provider="openai", groups=("fast", "cheap")),
    CatalogueModel(name="claude-3", provider="anthropic", aliases=("gpt-4o-claude",)),
    CatalogueModel(name="o1", provider="openai"),
)


def policy(**changes: Any) -> Policy:
    """One issuer, one role, an admin scope, chat for teams and users, a small catalogue."""
    values: dict[str, Any] = {
        "issuers": (issuer(),),
        "roles": (role(),),
        "admin": (AdminRule(issuer="idp", scopes=frozenset({"admin"}), routes=("/key/generate", CHAT)),),
        "users": UserRules(routes=(CHAT, "/v1/models", "/user/info")),
        "teams": TeamRules(routes=(CHAT, "/v1/models")),
        "routes": RouteRules(
            public=("/health/liveliness",),
            admin_only=("/key/generate",),
            model_required=(CHAT,),
            model_templates=("/openai/deployments/{model}/chat/completions",),
        ),
        "models": CATALOGUE,
        "digest": "policy-digest",
    }
    return Policy(**(values | changes))


def finished(coroutine: Coroutine[object, object, T]) -> T:
    """The result of a coroutine that has nothing to wait for; one that waits all the same is an error."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise AssertionError("the coroutine suspended")


class Recorder:
    """A provisioning that remembers what was to be written, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.written: list[Write] = []
        self.error = error

    async def write(self, writes: Sequence[Write]) -> None:
        if self.error is not None:
            raise self.error
        self.written += writes


def encoding(question: Question) -> bytes:
    """Bytes that say the whole question, as those do that it comes in over gRPC."""
    return repr(tuple(question)).encode()


@dataclass
class World:
    """Everything that one question meets."""

    policy: Policy = field(default_factory=policy)
    teams: Sequence[Team] = ()
    users: Sequence[User] = ()
    organizations: Sequence[Organization] = ()
    end_users: Sequence[EndUser] = ()
    now: float = NOW
    revocations: Revocations | None = None
    hook: Hook | None = None
    usage: Sequence[tuple[BudgetOwner, int]] = ()
    """Spend in micro-USD, recorded before anything is asked."""
    provisioning: Provisioning | None = None
    cache_size: int = 1000

    def __post_init__(self) -> None:
        self.pairs: dict[str, KeyPair] = {each.name: key_pair("Ed25519", "k1") for each in self.policy.issuers}
        for place, name in enumerate(sorted(self.pairs)):
            # One kid for all issuers: keys must never be found by kid alone.
            self.pairs[name] = KeyPair(kind="Ed25519", kid="k1", private=key_pair("Ed25519", f"of-{place}").private)
        self.keys = StaticKeys.of(**{name: [pair] for name, pair in self.pairs.items()})
        only = self.policy.issuers[0].name if len(self.policy.issuers) == 1 else None
        everyone = Budget(self.policy.budgets.global_max_micro_usd)
        self.directory = MemoryDirectory(
            "store", self.rows(), bare_ids_for=only, everyone=everyone, clock=lambda: self.now
        )
        for owner, micro_usd in self.usage:
            self.directory.record_usage(owner, micro_usd)
        self.verifier = Verifier(self.policy, self.keys, lambda: self.now, self.cache_size)
        self.authorizer = self.made_authorizer()

    def made_authorizer(self, **changes: Any) -> Authorizer:
        """Somebody who answers here, and remembers nothing of what others have answered."""
        ids = (f"{number:026d}" for number in itertools.count())
        values: dict[str, Any] = {
            "policy": self.policy,
            "verifier": self.verifier,
            "keys": self.keys,
            "directory": self.directory,
            "clock": lambda: self.now,
            "stopwatch": lambda: 0.0,
            "new_id": lambda: next(ids),
            "revocations": self.revocations,
            "hook": self.hook,
            "provisioning": self.provisioning,
        }
        return Authorizer(**(values | changes))

    def rows(self) -> Rows:
        return Rows(
            organizations=tuple(self.organizations),
            teams=tuple(self.teams),
            users=tuple(self.users),
            end_users=tuple(self.end_users),
        )

    def token(self, *, by: str = "idp", **claims: Any) -> str:
        """A token signed by that issuer; the value `...` leaves a claim out."""
        valid = {
            "iss": f"https://{by}.example",
            "aud": AUDIENCE,
            "sub": "alice",
            "iat": int(self.now),
            "exp": int(self.now) + 600,
        }
        payload = {name: value for name, value in (valid | claims).items() if value is not ...}
        return self.pairs[by].token(payload)

    def question(
        self, *, by: str = "idp", claims: dict[str, Any] | None = None, token: str | None = None, **asked: Any
    ) -> Question:
        """A question about a token with these claims; chat with gpt-4o unless told otherwise."""
        text = self.token(by=by, **(claims or {})) if token is None else token
        return Question(token=text, **({"route": CHAT, "model": "gpt-4o"} | asked))

    def ask(self, *, explain: bool = False, **asked: Any) -> Decision:
        """The decision on `question(**asked)`."""
        return self.answer(self.question(**asked), explain=explain)

    def answer(self, question: Question, *, explain: bool = False) -> Decision:
        return finished(self.authorizer.authorize(question, explain=explain))

    def at_hand(self, question: Question) -> Decision | None:
        """The decision, if it is at hand."""
        return self.authorizer.at_hand(encoding(question), lambda: question)

    def reason(self, **asked: Any) -> str:
        """The name of the reason, which says the effect, too: only ALLOWED and PUBLIC_ROUTE allow."""
        return self.ask(**asked).verdict.reason.name
