"""Takes a token apart, if it is a compact JWS in its one canonical form (RFC 7515, section 7.1; RFC 8725).

Nothing here is verified: what comes out of it may choose an issuer and a key, and nothing else.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from usherd.authenticate import strict_json
from usherd.errors import Refusal
from usherd.options import STRICT, Options
from usherd.reasons import Reason

MAX_HEADER_MEMBERS = 64
MAX_CLAIMS = 256
MAX_LIST_LENGTH = 1000
"""Elements of a list, and members of an object within a claim: bounds the work that a token can ask for."""
MAX_KEY_ID = 256
"""Characters of `kid`."""

_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]*)\Z")
# Empty parts have the form, and are refused by the step that they fail: no JSON, no algorithm or signature size.
_NEVER_DONE = frozenset({"crit", "b64", "zip", "enc", "cty"})
# `jwk`, `jku`, `x5u`, `x5c` and all other members are not read: a token never names its own key (RFC 8725, 3.10).


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The decoded parts of a token."""

    header: bytes = field(repr=False)
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    signing_input: bytes = field(repr=False)
    """The header and payload as they were received: what the signature is verified over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What is read of a header."""

    algorithm: str = field(repr=False)
    kid: str | None = field(repr=False)
    """None: the header has no `kid`. Otherwise 1 to `MAX_KEY_ID` characters; with `keys.metadata: ignored`, from 0."""
    type: str | None = field(repr=False)
    """The member `typ` as it stands there; None: there is none. Empty also for no text, with `token.typ: unchecked`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """A token taken apart. None of it is verified."""

    header: Header
    claims: Mapping[str, object] = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def check_size(token: str, max_size: int) -> bytes:
    """The token's bytes, if there are no more than `max_size` and all are ASCII. Raises Refusal."""
    if not token:
        raise Refusal(Reason.TOKEN_MISSING)
    if len(token) > max_size:
        raise Refusal(Reason.TOKEN_TOO_LARGE)
    if not token.isascii():
        raise Refusal(Reason.TOKEN_MALFORMED, "the token is not ASCII")
    return token.encode("ascii")


def has_form(token: str) -> bool:
    """Whether a token is three base64url parts, whatever is in them: what is not, is no JWS at all."""
    return _FORM.match(token) is not None


def check_extent(claims: Mapping[str, object]) -> None:
    """Whether there are no more claims, and no longer lists in them, than any token may have. Raises Refusal."""
    if len(claims) > MAX_CLAIMS:
        raise Refusal(Reason.TOKEN_TOO_LARGE, "the token has too many claims")
    if any(_has_long_list(value) for value in claims.values()):
        raise Refusal(Reason.TOKEN_TOO_LARGE, "a list in the token is too long")


def split(token: bytes) -> Parts:
    """The decoded parts of a token, if it has the one canonical form. Raises Refusal."""
    # Latin-1 cannot fail, and the form lets only ASCII pass.
    form = _FORM.match(token.decode("latin-1"))
    if form is None:
        raise Refusal(Reason.TOKEN_MALFORMED, "the token is not three base64url parts")
    header, payload, signature = (_canonical(part) for part in form.groups())
    return Parts(header=header, payload=payload, signature=signature, signing_input=token[: form.end(2)])


def take_apart(token: bytes, options: Options = STRICT) -> Compact:
    """The parts of a token whose size was checked. Raises Refusal."""
    parts = split(token)
    header = read_header(parts.header, options)
    claims = _object(parts.payload)
    if len(claims) > MAX_CLAIMS:
        raise Refusal(Reason.TOKEN_TOO_LARGE, "the token has too many claims")
    # Too few commas for a long list spare the walk.
    if parts.payload.count(b",") >= MAX_LIST_LENGTH and _has_long_list(claims):
        raise Refusal(Reason.TOKEN_TOO_LARGE, "a list in the token is too long")
    return Compact(
        header=header,
        claims=claims,
        signing_input=parts.signing_input,
        signature=parts.signature,
    )


def read_header(data: bytes, options: Options = STRICT) -> Header:
    """What a header asks for, if it asks for nothing that is never done. Raises Refusal."""
    header = _object(data)
    if len(header) > MAX_HEADER_MEMBERS:
        raise Refusal(Reason.TOKEN_TOO_LARGE, "the header has too many members")
    if not _NEVER_DONE.isdisjoint(header):
        raise Refusal(Reason.HEADER_NOT_ALLOWED)
    # `null` says as little as no algorithm does.
    algorithm = None if header.get("alg") is None else _text(header, "alg")
    if algorithm is None:
        raise Refusal(Reason.ALGORITHM_NOT_ALLOWED, "the header has no `alg`")
    kid = _text(header, "kid")
    if kid is not None and (len(kid) > MAX_KEY_ID or not (kid or options.key_metadata == "ignored")):
        raise Refusal(Reason.TOKEN_MALFORMED, f"`kid` does not have 1 to {MAX_KEY_ID} characters")
    return Header(algorithm=algorithm, kid=kid, type=_type(header, options))


def _canonical(part: str) -> bytes:
    padded = part + "=" * (-len(part) % 4)
    try:
        data = base64.urlsafe_b64decode(padded)
    except ValueError:
        raise Refusal(Reason.TOKEN_MALFORMED, "a part of the token is not base64url") from None
    # Bits that the decoder ignores would give one token many forms.
    if base64.urlsafe_b64encode(data).decode("ascii") != padded:
        raise Refusal(Reason.TOKEN_MALFORMED, "a part of the token is not canonical base64url")
    return data


def _object(data: bytes) -> Mapping[str, object]:
    try:
        value = strict_json.load(data)
    except strict_json.StrictJsonError:
        raise Refusal(Reason.TOKEN_MALFORMED, "a part of the token is not strict JSON") from None
    if not isinstance(value, dict):
        raise Refusal(Reason.TOKEN_MALFORMED, "a part of the token is not a JSON object")
    return value


def _has_long_list(value: object) -> bool:
    if isinstance(value, (dict, list)):
        items = value.values() if isinstance(value, dict) else value
        return len(items) > MAX_LIST_LENGTH or any(_has_long_list(item) for item in items)
    return False


def _type(header: Mapping[str, object], options: Options) -> str | None:
    unchecked = options.token_type == "unchecked"  # noqa: S105 (no password)
    if unchecked and not isinstance(header.get("typ", ""), str):
        return ""
    return _text(header, "typ")


def _text(header: Mapping[str, object], name: str) -> str | None:
    """The member, or None if there is none. `null` is a value, and no text."""
    if name not in header:
        return None
    value = header[name]
    if not isinstance(value, str):
        raise Refusal(Reason.TOKEN_MALFORMED, f"`{name}` is not a string")
    return value
