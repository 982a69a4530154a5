"""What a decision tells a gateway: frozen values, none of which shows a claim in its repr."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from usher.v1 import decision_pb2


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Principal:
    """Who holds the token. An empty string is an absent value; `proto/usher/v1/principal.proto` says what each is."""

    kind: str
    """USER, SERVICE, SESSION, ANONYMOUS, or UNKNOWN for a kind that this client is too old to know."""
    issuer: str
    subject: str
    client: str
    directory_role: str
    is_admin: bool
    user_id: str
    email: str
    team_id: str
    team_alias: str
    organization_id: str
    end_user_id: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    claims: tuple[tuple[str, str], ...]
    """Names and JSON texts of the claims that the policy passes on, sorted by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckNote:
    """How one check went, for an operator."""

    check: str
    outcome: str
    """PASSED, DENIED, NOT_APPLICABLE, FAULT, or UNKNOWN."""
    reason: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that may be called, and the model that a call would be resolved to."""

    name: str
    resolved_model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One complete decision. `bool(decision)` is `decision.allowed`."""

    allowed: bool
    """Whether the request may pass. True only for effect ALLOW with a reason that goes with it."""
    reason: str
    """The contract's Reason without its prefix, such as "TOKEN_EXPIRED"; UNKNOWN when this client is too old."""
    message: str
    """One English sentence per reason, safe to show to the end user."""
    http_status: int
    """What to answer the end user with: 200 when allowed, else 400 to 499."""
    www_authenticate: str
    """The header of that name to send with a 401 or 403 (RFC 6750, section 3). Empty: none."""
    principal: Principal | None = field(repr=False)
    """Who asks, as far as it is known; None when the token is not genuine."""
    resolved_model: str
    """The model to call, after aliases. Empty: no model was asked for, or not allowed."""
    valid_until: datetime | None
    """Until when the decision may be kept, if cacheable; aware, UTC."""
    cacheable: bool
    """Whether it may be kept until `valid_until`; False when it depends on a kind of thing unknown here."""
    decision_id: str
    """Identifies the decision in the server's logs."""
    revision: str
    """The directory's revision that was read; opaque. Pass it on as `at_least_as_fresh`."""
    explanation: tuple[CheckNote, ...] = field(repr=False)
    """The checks in their order; empty unless asked for."""
    wire: decision_pb2.Decision = field(repr=False, compare=False)
    """The message itself, for what stands only there (`limits`, `depends_on`, `explanation.shadow`).

    Its `effect` is not `allowed`, and still less is that of the shadow. Do not change it: a cache may give the same
    decision to others.
    """

    def __bool__(self) -> bool:
        return self.allowed
