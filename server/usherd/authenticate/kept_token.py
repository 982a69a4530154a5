"""What is kept of a token whose decision is kept true: enough to find whether it still is genuine, and not its text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from usherd.authenticate.cached_token import CachedToken
from usherd.domain import SESSION_ISSUER, VerifiedToken


class Lapse(Enum):
    """Why nobody can tell any more whether a token is genuine without being shown it again."""

    RULES = "rules"
    """The rules by which it was verified are no longer in force."""
    ISSUER = "issuer"
    """What its issuer said of it (RFC 7662) counts no longer."""


class Lapsed(Exception):
    """Only the token itself could tell. No refusal, and no fault: whoever has it must ask again."""

    def __init__(self, lapse: Lapse) -> None:
        super().__init__(lapse.value)
        self.lapse = lapse


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token that was verified once. The claims are there, the text and its signature are not."""

    cached: CachedToken
    rules: object
    """What its being genuine followed from: equal under two policies if both would have found the same."""

    @property
    def token(self) -> VerifiedToken:
        """What was verified."""
        return self.cached.token

    @property
    def ends_at(self) -> float:
        """From when it is not genuine any more, whatever happens until then: seconds since the epoch, or infinite."""
        return self.cached.validity.valid_until

    @property
    def expires(self) -> bool:
        """Whether it is its own lifetime that ends then, and not that of what its issuer said of it."""
        token = self.token
        if token.key is not None or token.issuer == SESSION_ISSUER:
            return True
        exp = token.claims.get("exp")
        return isinstance(exp, (int, float)) and exp + token.leeway <= self.ends_at
