"""Why a decision is what it is: the reasons, with the status and the text that go with each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Reason(IntEnum):
    """The contract's `Reason`, number by number (`proto/usher/v1/reason.proto` says what each means)."""

    ALLOWED = 1
    PUBLIC_ROUTE = 2
    TOKEN_MISSING = 10
    TOKEN_MALFORMED = 11
    TOKEN_TOO_LARGE = 12
    HEADER_NOT_ALLOWED = 13
    TOKEN_TYPE_NOT_ALLOWED = 14
    ALGORITHM_NOT_ALLOWED = 15
    ALGORITHM_KEY_MISMATCH = 16
    ISSUER_UNKNOWN = 17
    UNKNOWN_KEY = 18
    SIGNATURE_INVALID = 19
    AUDIENCE_MISMATCH = 20
    TOKEN_EXPIRED = 21
    TOKEN_NOT_YET_VALID = 22
    TOKEN_LIFETIME_TOO_LONG = 23
    CLAIM_INVALID = 24
    PROOF_REQUIRED = 25
    SESSION_INVALID = 26
    TOKEN_INACTIVE = 27
    TOKEN_REVOKED = 30
    HOOK_REFUSED = 31
    NOT_ENTITLED = 50
    ROUTE_AMBIGUOUS = 51
    METHOD_INVALID = 52
    ROUTE_NOT_GRANTED = 53
    ROUTE_DENIED = 54
    MODEL_REQUIRED = 55
    MODEL_INVALID = 56
    MODEL_NOT_GRANTED = 57
    MODEL_DENIED = 58
    TEAM_NOT_ALLOWED = 60
    TEAM_REQUIRED = 61
    TEAM_BLOCKED = 62
    USER_BLOCKED = 63
    ORGANIZATION_BLOCKED = 64
    ORGANIZATION_MISMATCH = 65
    END_USER_BLOCKED = 66
    END_USER_INVALID = 67
    GROUPS_OVERAGE = 68
    ROLE_REQUIRED = 69
    IDENTITY_REQUIRED = 70
    USER_UNKNOWN = 71
    EMAIL_DOMAIN_NOT_ALLOWED = 72
    END_USER_REQUIRED = 73
    GUARDRAILS_NOT_MODIFIABLE = 74
    ORGANIZATION_ROLE_REQUIRED = 75
    TEAM_BUDGET_EXHAUSTED = 80
    USER_BUDGET_EXHAUSTED = 81
    MEMBER_BUDGET_EXHAUSTED = 82
    ORGANIZATION_BUDGET_EXHAUSTED = 83
    END_USER_BUDGET_EXHAUSTED = 84
    GLOBAL_BUDGET_EXHAUSTED = 85


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gateway tells the end user for one reason."""

    http_status: int
    message: str
    """Constant text, safe for the end user; it never holds a value of the request."""
    www_authenticate: str
    """The header's value (RFC 6750, section 3), or empty."""


def _answer(status: int, message: str) -> Answer:
    if status == 401:
        return Answer(status, message, f'Bearer error="invalid_token", error_description="{message}"')
    return Answer(status, message, "")


ANSWERS: dict[Reason, Answer] = {
    Reason.ALLOWED: _answer(200, "Allowed."),
    Reason.PUBLIC_ROUTE: _answer(200, "Allowed: this route is public."),
    # RFC 6750, section 3.1: no error code where no token was sent.
    Reason.TOKEN_MISSING: Answer(401, "A token is required.", "Bearer"),
    Reason.TOKEN_MALFORMED: _answer(401, "The token is malformed."),
    Reason.TOKEN_TOO_LARGE: _answer(401, "The token is too large."),
    Reason.HEADER_NOT_ALLOWED: _answer(401, "The token's header is not allowed."),
    Reason.TOKEN_TYPE_NOT_ALLOWED: _answer(401, "This kind of token is not accepted."),
    Reason.ALGORITHM_NOT_ALLOWED: _answer(401, "The token's signature algorithm is not accepted."),
    Reason.ALGORITHM_KEY_MISMATCH: _answer(401, "The token's signature algorithm does not fit its key."),
    Reason.ISSUER_UNKNOWN: _answer(401, "The token's issuer is not known."),
    Reason.UNKNOWN_KEY: _answer(401, "The token's key is not known."),
    Reason.SIGNATURE_INVALID: _answer(401, "The token's signature is not valid."),
    Reason.AUDIENCE_MISMATCH: _answer(401, "The token is not meant for this service."),
    Reason.TOKEN_EXPIRED: _answer(401, "The token has expired."),
    Reason.TOKEN_NOT_YET_VALID: _answer(401, "The token is not valid yet."),
    Reason.TOKEN_LIFETIME_TOO_LONG: _answer(401, "The token's lifetime is too long."),
    Reason.CLAIM_INVALID: _answer(401, "A claim of the token is not valid."),
    Reason.PROOF_REQUIRED: _answer(401, "The token needs a proof of possession."),
    Reason.SESSION_INVALID: _answer(401, "The session is not valid."),
    Reason.TOKEN_INACTIVE: _answer(401, "The token is not active."),
    Reason.TOKEN_REVOKED: _answer(401, "The token has been revoked."),
    Reason.HOOK_REFUSED: _answer(403, "The token was refused."),
    Reason.NOT_ENTITLED: Answer(403, "The token gives no access here.", 'Bearer error="insufficient_scope"'),
    Reason.ROUTE_AMBIGUOUS: _answer(403, "The route is ambiguous."),
    Reason.METHOD_INVALID: _answer(403, "The method is not valid."),
    Reason.ROUTE_NOT_GRANTED: _answer(403, "This route is not granted."),
    Reason.ROUTE_DENIED: _answer(403, "This route is denied."),
    Reason.MODEL_REQUIRED: _answer(403, "A model is required."),
    Reason.MODEL_INVALID: _answer(403, "The model name is not valid."),
    Reason.MODEL_NOT_GRANTED: _answer(403, "This model is not granted."),
    Reason.MODEL_DENIED: _answer(403, "This model is denied."),
    Reason.TEAM_NOT_ALLOWED: _answer(403, "This team is not available."),
    Reason.TEAM_REQUIRED: _answer(403, "A team is required."),
    Reason.TEAM_BLOCKED: _answer(403, "The team is blocked."),
    Reason.USER_BLOCKED: _answer(403, "The user is blocked."),
    Reason.ORGANIZATION_BLOCKED: _answer(403, "The organization is blocked."),
    Reason.ORGANIZATION_MISMATCH: _answer(403, "The organization does not match."),
    Reason.END_USER_BLOCKED: _answer(403, "The end user is blocked."),
    Reason.END_USER_INVALID: _answer(403, "The end user's id is not valid."),
    Reason.GROUPS_OVERAGE: _answer(403, "The token leaves out groups that are needed."),
    Reason.ROLE_REQUIRED: Answer(403, "A role is required.", 'Bearer error="insufficient_scope"'),
    Reason.IDENTITY_REQUIRED: _answer(403, "The token must name a user or a team."),
    Reason.USER_UNKNOWN: _answer(403, "The user is not known."),
    Reason.EMAIL_DOMAIN_NOT_ALLOWED: _answer(403, "The e-mail address is not of an accepted domain."),
    Reason.END_USER_REQUIRED: _answer(403, "An end user is required."),
    Reason.GUARDRAILS_NOT_MODIFIABLE: _answer(403, "The team may not change guardrails."),
    Reason.ORGANIZATION_ROLE_REQUIRED: _answer(403, "A role in the organization is required."),
    Reason.TEAM_BUDGET_EXHAUSTED: _answer(429, "The team's budget is exhausted."),
    Reason.USER_BUDGET_EXHAUSTED: _answer(429, "The user's budget is exhausted."),
    Reason.MEMBER_BUDGET_EXHAUSTED: _answer(429, "The member's budget is exhausted."),
    Reason.ORGANIZATION_BUDGET_EXHAUSTED: _answer(429, "The organization's budget is exhausted."),
    Reason.END_USER_BUDGET_EXHAUSTED: _answer(429, "The end user's budget is exhausted."),
    Reason.GLOBAL_BUDGET_EXHAUSTED: _answer(429, "The budget is exhausted."),
}


REFERENCE_STATUS: dict[Reason, int] = {
    Reason.HOOK_REFUSED: 403,
    Reason.NOT_ENTITLED: 403,
    Reason.ROUTE_DENIED: 403,
    Reason.ROLE_REQUIRED: 403,
    Reason.IDENTITY_REQUIRED: 403,
    Reason.GUARDRAILS_NOT_MODIFIABLE: 403,
    Reason.EMAIL_DOMAIN_NOT_ALLOWED: 403,
    Reason.TEAM_BUDGET_EXHAUSTED: 400,
    Reason.USER_BUDGET_EXHAUSTED: 400,
    Reason.MEMBER_BUDGET_EXHAUSTED: 400,
    Reason.ORGANIZATION_BUDGET_EXHAUSTED: 400,
    Reason.END_USER_BUDGET_EXHAUSTED: 400,
    Reason.GLOBAL_BUDGET_EXHAUSTED: 400,
}
"""The HTTP status that the reference answers with where it is not 401, which it takes for everything that it does not
refuse on purpose (seed behaviour, 8.4)."""


def reference_status(reason: Reason) -> int:
    """The HTTP status of a denial under `http_status: reference`."""
    return REFERENCE_STATUS.get(reason, 401)
