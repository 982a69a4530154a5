"""The words: what a question, its holder and its answer are. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, NewType

from usherd.reasons import Reason

VerifiedClaims = NewType("VerifiedClaims", Mapping[str, object])
"""Claims whose signature and claim rules held. Only `authenticate/` makes them."""


class Effect(IntEnum):
    """Whether the request may pass. There is no third value: an unknown is an exception, not an effect."""

    ALLOW = 1
    DENY = 2


class PrincipalKind(IntEnum):
    """The contract's `PrincipalKind`, number by number."""

    USER = 1
    SERVICE = 2
    SESSION = 3
    ANONYMOUS = 4


class DependencyKind(IntEnum):
    """The contract's `DependencyKind`, number by number; dependencies sort by it."""

    TOKEN = 1
    KEY = 2
    ISSUER = 3
    POLICY = 4
    USER = 5
    TEAM = 6
    ORGANIZATION = 7
    END_USER = 8
    BUDGET = 9
    MEMBERSHIP = 10

    # The number's own: an enum's is a function in Python, and these are in keys that each question looks up.
    __hash__ = int.__hash__


class CheckOutcome(IntEnum):
    """The contract's `CheckOutcome`, number by number."""

    PASSED = 1
    DENIED = 2
    NOT_APPLICABLE = 3
    FAULT = 4


class Question(NamedTuple):
    """May the holder of `token` call `route` with `model`? As the gateway asked it: nothing is judged yet.

    A tuple: one is made for each call, and a frozen dataclass of so many fields costs five times as much.
    """

    token: str
    route: str
    method: str = ""
    model: str | None = None
    """None: no model is asked for. Empty is not None, and not a model."""
    fallback_models: tuple[str, ...] = ()
    team_id: str | None = None
    """The team wished for, by id; None: no wish by id."""
    team_alias: str | None = None
    """The team wished for, by alias; None: no wish by alias."""
    end_user_id: str = ""
    organization_id: str = ""
    modifies_guardrails: bool = False
    """Whether the request changes guardrails."""

    def __repr__(self) -> str:
        return f"Question(route={self.route!r}, method={self.method!r}, model={self.model!r}, ...)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VerificationKey:
    """One usable public key of one issuer, bound at load to the algorithms it may verify."""

    issuer: str
    """The name (not the `iss`) of the issuer whose key it is."""
    kid: str | None
    thumbprint: str
    """RFC 7638, SHA-256, base64url."""
    algorithms: frozenset[str]
    signature_size: Mapping[str, int]
    """The exact signature length in bytes, by algorithm."""
    material: object = field(repr=False)
    """The key itself, as the one door to the crypto library wants it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class VerifiedToken:
    """A genuine token: its signature, or what its issuer said of it, and the claim rules held when it was verified."""

    issuer: str
    """The name of the issuer in the policy; `SESSION_ISSUER` for sessions of the user interface."""
    iss: str
    """The claim `iss`: exactly the issuer's; or where any will do, what the token says, or empty."""
    claims: VerifiedClaims = field(repr=False)
    token_id: str
    """A keyed digest of header and payload: never of the signature, which has more than one valid form. Of an opaque
    token: of all of it."""
    key: VerificationKey | None
    """The key that verified it; None for a session of LiteLLM's form, and for a token that its issuer was asked about:
    no public key verifies these."""
    expires_at: float
    """The claim `exp`, seconds since the epoch, without leeway. Without it, where allowed: the end of the longest
    lifetime, or infinite. Where the issuer was asked, at most the end of the time that its answer counts for."""
    not_before: float
    """The latest of `nbf` and `iat`, without leeway; 0 when there is neither."""
    leeway: float

    @property
    def is_own_session(self) -> bool:
        """Whether it is a session of usherd's own making: LiteLLM's have no public key."""
        return self.issuer == SESSION_ISSUER and self.key is not None


SESSION_ISSUER = "session"
"""The reserved name of the issuer of user-interface sessions. No configured issuer may have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who holds the token, as verified claims and the directory show it. Empty string: absent."""

    kind: PrincipalKind
    issuer: str = ""
    subject: str = ""
    client: str = ""
    directory_role: str = ""
    is_admin: bool = False
    user_id: str = ""
    email: str = field(default="", repr=False)
    team_id: str = ""
    team_alias: str = ""
    organization_id: str = ""
    end_user_id: str = ""
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """Names of the policy's roles that the token holds, sorted."""
    claims: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(name, JSON text) of each claim that the policy passes on, sorted by name."""


MAX_DEPENDENCIES = 64
"""An answer that depends on more is not worth keeping: it lists the first of them and is not cacheable."""


class Dependency(NamedTuple):
    """One thing that a verdict depended on. A tuple, as questions are; they sort by kind and id."""

    kind: DependencyKind
    id: str
    revision: str = ""
    absent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The limits of one directory row; None: no limit of that kind."""

    tpm: int | None = None
    rpm: int | None = None
    max_budget_micro_usd: int | None = None
    budget_reset_seconds: int | None = None
    models: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != NO_LIMIT


NO_LIMIT = Limit()
"""The limit of a row that sets none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the directory limits, for the gateway to enforce. None: that row sets nothing."""

    team: Limit | None = None
    user: Limit | None = None
    member: Limit | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How one check went."""

    check: str
    outcome: CheckOutcome
    reason: Reason | None = None
    note: str = ""
    """One sentence for an operator: it names things of the policy, never a claim value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowVerdict:
    """What a candidate policy would have answered. It is told, and never obeyed."""

    effect: Effect | None
    """None: the candidate had no answer."""
    reason: Reason | None
    """None: the candidate had no answer."""
    policy: str
    """The candidate's digest."""
    checks: tuple[CheckResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How all checks went, in their order."""

    checks: tuple[CheckResult, ...]
    roles_held: tuple[str, ...] = ()
    team_candidates: tuple[str, ...] = ()
    shadow: ShadowVerdict | None = None
    """None: there is no candidate policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The pure part of an answer: the same policy, claims, facts, question and instant give the same verdict."""

    effect: Effect
    reason: Reason
    http_status: int | None = None
    """The status to answer the end user with; None: the one that goes with the reason."""
    principal: Principal | None = None
    resolved_model: str = ""
    limits: Limits | None = None
    depends_on: tuple[Dependency, ...] = ()
    explanation: Explanation | None = None


class Decision(NamedTuple):
    """A verdict, and what one needs to know to keep it."""

    verdict: Verdict
    decision_id: str
    revision: str
    """`store:number` of the directory that was read; empty when none was."""
    valid_until: float
    """Seconds since the epoch."""
    cacheable: bool
