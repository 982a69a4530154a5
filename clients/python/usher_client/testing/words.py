"""What usherd says for each reason: the constants of its answers."""

from __future__ import annotations

from typing import Final

MESSAGES: Final = {
    "ALLOWED": "Allowed.",
    "PUBLIC_ROUTE": "Allowed: this route is public.",
    "TOKEN_MISSING": "A token is required.",
    "TOKEN_MALFORMED": "The token is malformed.",
    "TOKEN_TOO_LARGE": "The token is too large.",
    "HEADER_NOT_ALLOWED": "The token's header is not allowed.",
    "TOKEN_TYPE_NOT_ALLOWED": "This kind of token is not accepted.",
    "ALGORITHM_NOT_ALLOWED": "The token's signature algorithm is not accepted.",
    "ALGORITHM_KEY_MISMATCH": "The token's signature algorithm does not fit its key.",
    "ISSUER_UNKNOWN": "The token's issuer is not known.",
    "UNKNOWN_KEY": "The token's key is not known.",
    "SIGNATURE_INVALID": "The token's signature is not valid.",
    "AUDIENCE_MISMATCH": "The token is not meant for this service.",
    "TOKEN_EXPIRED": "The token has expired.",
    "TOKEN_NOT_YET_VALID": "The token is not valid yet.",
    "TOKEN_LIFETIME_TOO_LONG": "The token's lifetime is too long.",
    "CLAIM_INVALID": "A claim of the token is not valid.",
    "PROOF_REQUIRED": "The token needs a proof of possession.",
    "SESSION_INVALID": "The session is not valid.",
    "TOKEN_INACTIVE": "The token is not active.",
    "TOKEN_REVOKED": "The token has been revoked.",
    "HOOK_REFUSED": "The token was refused.",
    "NOT_ENTITLED": "The token gives no access here.",
    "ROUTE_AMBIGUOUS": "The route is ambiguous.",
    "METHOD_INVALID": "The method is not valid.",
    "ROUTE_NOT_GRANTED": "This route is not granted.",
    "ROUTE_DENIED": "This route is denied.",
    "MODEL_REQUIRED": "A model is required.",
    "MODEL_INVALID": "The model name is not valid.",
    "MODEL_NOT_GRANTED": "This model is not granted.",
    "MODEL_DENIED": "This model is denied.",
    "TEAM_NOT_ALLOWED": "This team is not available.",
    "TEAM_REQUIRED": "A team is required.",
    "TEAM_BLOCKED": "The team is blocked.",
    "USER_BLOCKED": "The user is blocked.",
    "ORGANIZATION_BLOCKED": "The organization is blocked.",
    "ORGANIZATION_MISMATCH": "The organization does not match.",
    "END_USER_BLOCKED": "The end user is blocked.",
    "END_USER_INVALID": "The end user's id is not valid.",
    "GROUPS_OVERAGE": "The token leaves out groups that are needed.",
    "ROLE_REQUIRED": "A role is required.",
    "IDENTITY_REQUIRED": "The token must name a user or a team.",
    "USER_UNKNOWN": "The user is not known.",
    "EMAIL_DOMAIN_NOT_ALLOWED": "The e-mail address is not of an accepted domain.",
    "END_USER_REQUIRED": "An end user is required.",
    "GUARDRAILS_NOT_MODIFIABLE": "The team may not change guardrails.",
    "ORGANIZATION_ROLE_REQUIRED": "A role in the organization is required.",
    "TEAM_BUDGET_EXHAUSTED": "The team's budget is exhausted.",
    "USER_BUDGET_EXHAUSTED": "The user's budget is exhausted.",
    "MEMBER_BUDGET_EXHAUSTED": "The member's budget is exhausted.",
    "ORGANIZATION_BUDGET_EXHAUSTED": "The organization's budget is exhausted.",
    "END_USER_BUDGET_EXHAUSTED": "The end user's budget is exhausted.",
    "GLOBAL_BUDGET_EXHAUSTED": "The budget is exhausted.",
}
"""The message of each reason that this version knows."""

NO_SCOPE: Final = frozenset({"NOT_ENTITLED", "ROLE_REQUIRED"})


def http_status(number: int) -> int:
    """The HTTP status that goes with a Reason."""
    # reason.proto: numbers are in groups.
    if number < 10:
        return 200
    if number <= 30:
        return 401
    return 403 if number < 80 else 429


def www_authenticate(reason: str, status: int) -> str:
    """The header that goes with a reason."""
    if reason in NO_SCOPE:
        return 'Bearer error="insufficient_scope"'
    if status != 401:
        return ""
    if reason == "TOKEN_MISSING":
        return "Bearer"
    return f'Bearer error="invalid_token", error_description="{MESSAGES[reason]}"'
