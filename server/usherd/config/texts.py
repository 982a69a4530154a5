"""Says of single texts of the file whether they can be what their place needs."""

from __future__ import annotations

import re

from usherd import claim_paths
from usherd.config import patterns
from usherd.config.problems import Unusable, quoted
from usherd.ids import MAX_ID_CHARACTERS, well_formed_id
from usherd.permit.route_form import canonical_route
from usherd.policy import ANY_ISSUER

_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")

_EVERY_TENANT = re.compile(
    r"https://login\.(microsoftonline\.(com|us)|partner\.microsoftonline\.cn)/(common|organizations|consumers)(/|\Z)"
)
"""Where Entra signs anyone in. Its tokens name the tenant instead."""


def check_printable(value: str) -> None:
    """Bounded, and all of it visible. Raises Unusable."""
    if not 1 <= len(value) <= 512 or not value.isprintable():
        raise Unusable("is empty, too long or has control characters; expected 1 to 512 printable characters")


def check_short(value: str) -> None:
    """Bounded, and anything otherwise. Raises Unusable."""
    patterns.check_bytes(value, 512)


def check_id(value: str) -> None:
    """An id of the directory. Raises Unusable."""
    if not well_formed_id(value):
        raise Unusable(f"is no id; expected 1 to {MAX_ID_CHARACTERS} printable characters")


def check_scope(value: str) -> None:
    """A scope (RFC 6749, section 3.3). Raises Unusable."""
    check_printable(value)
    if " " in value:
        raise Unusable(f"{quoted(value)} has a space, which no scope has (RFC 6749, section 3.3)")


def check_domain(value: str) -> None:
    """A domain of e-mail addresses. Raises Unusable."""
    check_printable(value)
    if "@" in value or "." not in value.strip(".") or value != value.strip(".") or " " in value or "*" in value:
        raise Unusable(f"{quoted(value)} is no domain; expected what stands behind the @ of an address, as example.com")


def check_issuer_name(value: str) -> None:
    """A name for an issuer. Raises Unusable."""
    patterns.check_name(value)
    if value == "session":
        raise Unusable("'session' is reserved for sessions of the user interface; expected another name")


def check_iss(value: str) -> None:
    """A value of `iss`. Raises Unusable."""
    check_printable(value)
    if value == ANY_ISSUER:
        return
    if "{" in value or "}" in value:
        raise Unusable(
            f"{quoted(value)} is a template, which would trust every tenant; expected the exact `iss` of one issuer"
        )
    if _EVERY_TENANT.match(value):
        raise Unusable(
            f"{quoted(value)} is an address for all tenants, and the `iss` of none; expected the tenant's id in it"
        )
    if " " in value or "*" in value:
        raise Unusable(f"{quoted(value)} is no issuer; expected the exact `iss`, without spaces or wildcards")


def check_claim_path(value: str) -> None:
    """A claim path, not one that was cut at the dot of a URL. Raises Unusable."""
    steps = [step for step in claim_paths.parse(value) if isinstance(step, str)]
    scheme, mark, rest = steps[0].partition("://")
    if scheme and mark and len(steps) > 1 and _is_cut(rest, steps[1:]):
        raise Unusable(
            f"{quoted(value)} is cut at a dot of the URL, so no claim is there; expected \\. for each dot of a name"
        )


def _is_cut(first: str, others: list[str]) -> bool:
    # `https://x\.y/claims.team` is a member of a claim. A host without a dot, or a slash later on, is a cut URL.
    return "." not in first.partition("/")[0] or any("/" in step for step in others)


def check_header(value: str) -> None:
    """The name of a header that a gateway passes on. Raises Unusable."""
    if _HEADER.fullmatch(value) is None:
        raise Unusable(
            f"{quoted(value)} is no name of a header; expected 1 to 64 lower-case letters, digits and dashes, as x-team"
        )


def check_origin(value: str) -> None:
    """An origin, as browsers send it (RFC 6454, section 6.2). Raises Unusable."""
    check_printable(value)
    if _ORIGIN.fullmatch(value) is None:
        raise Unusable(
            f"{quoted(value)} is no origin as browsers send it; expected scheme and host in lower case, as"
            " https://ui.example.com"
        )


def check_base_path(value: str) -> None:
    """What all paths of a gateway begin with. Raises Unusable."""
    if value == "/" or canonical_route(value) != value:
        raise Unusable(f"{quoted(value)} is no base path; expected one as /gateway, without a slash at its end")


def check_claim_name(value: str) -> None:
    """The name of a top-level claim. Raises Unusable."""
    check_printable(value)
    if "://" not in value and ("." in value or "[" in value):
        raise Unusable(f"{quoted(value)} looks like a path; expected the name of a top-level claim")
