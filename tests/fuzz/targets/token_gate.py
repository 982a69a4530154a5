"""The token gate: no text passes that was not signed as it stands, and every other is refused in constant words.

An input is two letters and a body. The first letter says how the body becomes a token: `r` as it is; `1` to `4` a
header and a payload, one a line, that are signed with that key; `s` with the session's secret; `m` a genuine token in
which single characters are replaced, three bytes each. The second chooses the verifier.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from fuzz.mutators import json_mutator, mutate_bytes
from fuzz.target import Target
from keyring import NOW, KeyPair, StaticKeys, compact, encode, key_pair, session_token
from usherd.authenticate.compact import MAX_KEY_ID
from usherd.authenticate.session_token import SESSION_AUDIENCE, SESSION_ISS
from usherd.authenticate.verifier import Verifier
from usherd.domain import SESSION_ISSUER, VerifiedToken
from usherd.errors import KeysUnavailable, Refusal
from usherd.options import LITELLM, STRICT
from usherd.policy import ANY_ISSUER, Policy, SessionRules, TokenRules
from usherd.reasons import Reason
from worlds import AUDIENCE, SESSION_SECRET, finished, issuer, policy

KEYS: dict[str, KeyPair] = {
    "1": key_pair("Ed25519", "k1"),
    "2": key_pair("P-256", "k2"),
    "3": key_pair("Ed25519", "k3"),
    "4": key_pair("P-384", "k4"),
}
"""`3` is no key of any issuer's until a forced refresh, and `4` one of an algorithm that no policy has."""
VALID: dict[str, Any] = {
    "iss": "https://idp.example", "aud": AUDIENCE, "sub": "alice", "iat": int(NOW), "exp": int(NOW) + 600,
}  # fmt: skip
SESSION = {"iss": SESSION_ISS, "aud": SESSION_AUDIENCE, "user_id": "alice", "exp": int(NOW) + 600}
CLAIMS = json_mutator(
    (*VALID.values(), *SESSION.values(), "https://other.example", "https://dead.example", "https://late.example",
    NOW - 31,
     NOW + 90000, 1e300, ["x"] * 999, ["x"] * 1001, {"a": ["x"] * 1001}, dict.fromkeys(map(str, range(257)), 1), "id"),
    ("iss", "aud", "sub", "iat", "exp", "nbf", "jti", "typ", "cnf", "nonce", "user_id", "scope", "x"),
)  # fmt: skip
HEADERS = json_mutator(
    ("EdDSA", "ES256", "ES384", "RS256", "HS256", "none", "None", "k1", "k2", "k3", "JWT", "at+jwt", "",
    "x" * MAX_KEY_ID,
     "x" * (MAX_KEY_ID + 1), {"kty": "oct", "k": "AA"}, dict.fromkeys(map(str, range(65)), 1)),
    ("alg", "kid", "typ", "crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5c"),
)  # fmt: skip
REASONS = frozenset(Reason)
CLOCK = [NOW]


class Keys(StaticKeys):
    """Keys of which one issuer's are out of reach, and one's come late."""

    def __init__(self) -> None:
        known = StaticKeys.of(idp=[KEYS["1"], KEYS["2"]], other=[KEYS["2"]], late=[], any=[KEYS["1"], KEYS["2"]]).sets
        super().__init__(known)
        self.unavailable = {"dead"}
        self._late = StaticKeys.of(late=[KEYS["3"]]).sets["late"]

    async def find_fresh(self, issuer: str, kid: str | None, patience: float) -> Any:
        assert patience <= 0.5, "a question waits too long"
        if issuer == "late":
            return next((key for key in self._late if key.kid == kid), None)
        return self.find(issuer, kid)

    def trusts(self, key: Any) -> bool:
        return key in self._late or super().trusts(key)


@cache
def _verifiers() -> tuple[tuple[Policy, Verifier], ...]:
    names = ("idp", "other", "dead", "late")
    session = SessionRules(secret=SESSION_SECRET, max_lifetime=3600.0, digest="d")
    everyone = TokenRules(
        issuer=ANY_ISSUER, audiences=None, algorithms=frozenset({"EdDSA", "ES256"}), max_lifetime=None,
        require_expiry=False, other_kinds_refused=False,
    )  # fmt: skip
    lax = replace(issuer("any"), token=everyone)
    made = [
        policy(issuers=tuple(map(issuer, names)), roles=(), session=session, options=STRICT, token_max_size=4096),
        policy(issuers=tuple(map(issuer, names)), roles=(), options=LITELLM),
        policy(issuers=(lax,), roles=(), options=LITELLM, session=session),
    ]
    return tuple((each, Verifier(each, Keys(), lambda: CLOCK[0], cache_size=8)) for each in made)


@cache
def _genuine() -> tuple[str, ...]:
    first = [KEYS[name].token(VALID) for name in "12"]
    return (*first, KEYS["1"].token(VALID, header={"alg": "EdDSA"}), session_token(SESSION, SESSION_SECRET))


def _seeds() -> list[bytes]:
    found = [b"r" + which.encode() + token.encode() for token in _genuine() for which in "012"]
    payloads = [
        VALID,
        SESSION,
        *({**VALID, "iss": f"https://{name}.example"} for name in ("other", "dead", "late", "who")),
    ]
    for name, pair in KEYS.items():
        for payload in payloads:
            found += [_sealed(name, which, pair.header(), payload) for which in "012"]
    found += [_sealed("1", "0", {"alg": "EdDSA", "kid": "k1", "crit": ["b64"]}, VALID)]
    found += [_sealed("2", "0", {"alg": "ES256"}, VALID | {"iss": "https://other.example"})]
    found += [_sealed("1", "0", {"alg": "EdDSA"} | dict.fromkeys(map(str, range(65)), 1), VALID)]
    found += [_sealed("1", "0", KEYS["1"].header(), VALID | extra) for extra in ({"x": ["x"] * 1001}, {"x": [[]] * 2})]
    found += [_sealed("1", "0", KEYS["1"].header(), VALID | {"x": "y" * 4000})]
    found += [_sealed("s", which, {"alg": alg}, SESSION | dates) for which in "02" for alg in ("HS256", "none")
              for dates in ({}, {"exp": NOW - 1}, {"exp": "x"}, {"exp": NOW + 9e5}, {"nbf": NOW + 9})]  # fmt: skip
    bare = [
        b"r0",
        b"r0..",
        b"r0a.b.c",
        "r0é".encode(),
        b"r0" + b"a" * 5000,
        b"r0e30.e30.",
        b"r0W10.e30.",
        b"r0e31.e30.",
    ]
    return [*found, *bare, b"m0", b"m0\x00\x05A", b"m3\x00\x60A\x01\x00-"]


def _sealed(form: str, which: str, header: object, payload: object) -> bytes:
    return f"{form}{which}{json.dumps(header, separators=(',', ':'))}\n{json.dumps(payload)}".encode()


def _mutate(data: bytes, random: Random) -> bytes:
    letters, body = data[:2], data[2:]
    choice = random.randrange(12)
    if choice == 0:
        return bytes((random.choice(b"r1234sm"), random.choice(b"0123456"))) + body
    if letters[:1] == b"m" or choice == 1:
        place, letter = random.randrange(500), random.choice(b"ABZaz059-_.=+/ \n")
        return (
            b"m"
            + letters[1:]
            + (body[:30] if letters[:1] == b"m" else b"")
            + place.to_bytes(2, "big")
            + bytes((letter,))
        )
    if letters[:1] == b"r" or choice == 2:
        return letters + mutate_bytes(body, random)
    header, _, payload = body.partition(b"\n")
    if choice < 5:
        return letters + HEADERS(header, random).replace(b"\n", b"") + b"\n" + payload
    return letters + header.replace(b"\n", b"") + b"\n" + CLAIMS(payload, random)


def _token(data: bytes) -> tuple[str, int, bytes | None]:
    """The token, which verifier, and the payload where it was signed with one of the keys."""
    form, which, body = data[:1].decode("latin-1"), data[1] if len(data) > 1 else 0, data[2:]
    number = which % len(_verifiers())
    if form == "m":
        text = list(_genuine()[which % len(_genuine())])
        for start in range(0, len(body) - 2, 3):
            place = int.from_bytes(body[start : start + 2], "big") % len(text)
            text[place] = chr(body[start + 2])
        return "".join(text), number, None
    if form not in KEYS and form != "s":
        return body.decode("utf-8", "replace"), number, None
    header, _, payload = body.partition(b"\n")
    if form == "s":
        return session_token(payload, SESSION_SECRET, header), number, payload
    return compact(header, payload, KEYS[form].sign), number, payload


def _check(data: bytes) -> object:
    token, number, payload = _token(data)
    rules, verifier = _verifiers()[number]
    try:
        verified = finished(verifier.verify(token, patience=2.0))
    except Refusal as refusal:
        return _refused(refusal, token)
    except KeysUnavailable:
        assert _claims(token)["iss"] == "https://dead.example", "keys of a living issuer are out of reach"
        return "KEYS_UNAVAILABLE"
    _check_verified(verified, token, payload, rules)
    assert len(token) <= rules.token_max_size
    again = finished(verifier.verify(token, patience=2.0))
    assert again == verified, "remembered otherwise"
    if len(token) % 2:
        _check_end(verifier, verified, token)
    return repr((verified.issuer, verified.token_id, dict(verified.claims), verified.expires_at))


def _check_end(verifier: Verifier, verified: VerifiedToken, token: str) -> None:
    digest = verifier.digest(token)
    assert verifier.recall(digest) == verified, "forgotten at once"
    CLOCK[0] = min(verified.expires_at + verified.leeway, NOW + 1e10)
    try:
        assert verifier.recall(digest) is None or verified.expires_at > NOW + 1e9, "remembered beyond its end"
        if verified.expires_at < NOW + 1e9:
            finished(verifier.verify(token, patience=2.0))
            raise AssertionError("verified beyond its end")
    except Refusal as refusal:
        assert refusal.reason is Reason.TOKEN_EXPIRED
    finally:
        CLOCK[0] = NOW


def _refused(refusal: Refusal, token: str) -> str:
    assert refusal.reason in REASONS and str(refusal) == refusal.reason.name
    assert refusal.note.isascii() and len(refusal.note) < 100 and "\n" not in refusal.note
    assert not any(len(part) > 8 and part in refusal.note for part in token.split("."))
    assert refusal.issuer in ("", "idp", "other", "dead", "late", "any")
    return f"{refusal.reason.name} {refusal.note} {refusal.issuer}"


def _claims(token: str) -> Any:
    part = token.split(".")[1]
    return json.loads(_decoded(part))


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _check_verified(verified: VerifiedToken, token: str, payload: bytes | None, rules: Policy) -> None:
    header, body, signature = token.split(".")
    signed, claims = f"{header}.{body}".encode(), _claims(token)
    assert all(encode(_decoded(part)) == part for part in (header, body, signature)), "another form of a token"
    assert dict(verified.claims) == claims and verified.claims is not None
    head = json.loads(_decoded(header))
    assert not {"crit", "b64", "zip", "enc", "cty"} & set(head)
    if verified.issuer == SESSION_ISSUER:
        assert rules.session is not None and head["alg"] == "HS256" and claims["iss"] == SESSION_ISS
        assert _decoded(signature) == hmac.digest(SESSION_SECRET, signed, hashlib.sha256), (
            "a session that nobody signed"
        )
        return
    assert verified.key is not None and head["alg"] in ("EdDSA", "ES256")
    pair = next(pair for pair in KEYS.values() if pair.kid == verified.key.kid)
    assert head.get("kid", pair.kid) == pair.kid, "verified by another key than it names"
    named = {each.name: each for each in rules.issuers}[verified.issuer]
    assert named.token.issuer in (ANY_ISSUER, claims.get("iss")), "verified by another issuer's rules"
    assert payload is not None or token in _genuine() or pair.kid == "k2", "passed, and nobody signed it"
    verify_otherwise(pair, signed, _decoded(signature))


def verify_otherwise(pair: KeyPair, signed: bytes, signature: bytes) -> None:
    """A second opinion on the signature; raises."""
    public = pair.private.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return public.verify(signature, signed)
    assert isinstance(public, ec.EllipticCurvePublicKey) and len(signature) == 64
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))


TARGET = Target(
    name="token_gate",
    seeds=_seeds,
    check=_check,
    mutate=_mutate,
    max_size=8192,
    out_of_reach={"authenticate/session_token.py": "an empty secret is a mistake of the configuration, not of a token"},
)
