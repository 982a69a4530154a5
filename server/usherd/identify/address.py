"""Reads the holder's e-mail address: what it may stand for, and what it may not."""

from __future__ import annotations

from typing import NamedTuple

from usherd.claim_paths import ABSENT, read
from usherd.domain import VerifiedClaims
from usherd.errors import Refusal
from usherd.identify.words import is_missing, is_named, one
from usherd.options import Options
from usherd.policy import ClaimPath, ClaimPaths
from usherd.reasons import Reason

EMAIL: ClaimPath = ("email",)
"""What `email_verified` speaks of (OpenID Connect Core, section 5.1), wherever else the policy reads addresses."""


class Address(NamedTuple):
    """An address, as far as it can be used."""

    email: str
    domain: str
    """What is after the one "@", if there is just one and something before it. Empty: it is no address of a mailbox."""
    in_domain: bool
    """Whether it is of an accepted domain; True when there is no rule about domains."""
    verified: bool
    """Whether the issuer says so, and not only fails to deny it."""


def address(claims: VerifiedClaims, words: ClaimPaths, domains: frozenset[str], options: Options) -> Address:
    """The address of a token. Raises Refusal(CLAIM_INVALID) when it is no text, where that matters."""
    if options.wrong_type == "reference" and not domains and not is_missing(claims, words.user):
        # The reference hands it on unread: then it can find nobody, and is nobody's id.
        value = ABSENT if words.email is None else read(claims, words.email)
        if not isinstance(value, str):
            return Address("", "", True, False)
    email = one(claims, words.email)
    verified = claims.get("email_verified") is True
    local, _, end = email.rpartition("@")
    domain = end if local and "@" not in local else ""
    if options.email_domain == "no_provision":
        # The reference takes what is after the last "@", or all of it where there is none.
        in_domain = not domains or (is_named(claims, words.email) and end in domains)
    else:
        in_domain = not domains or domain in domains
    return Address(email, domain, in_domain, verified)


def refuse_unverified(claims: VerifiedClaims, email: ClaimPath | None, read_by_rules: frozenset[ClaimPath]) -> None:
    """Raises Refusal when the issuer says that an address which some rule reads is not verified.

    An address that anyone can claim must not make anyone somebody.
    """
    if claims.get("email_verified", True) is not True and {email, EMAIL} & read_by_rules:
        note = "A rule reads the e-mail address, and email_verified is there and not true."
        raise Refusal(Reason.CLAIM_INVALID, note)
