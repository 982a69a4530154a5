"""Tokens whose issuer is asked about them: it is the form that chooses the issuer, and the rules are those of a JWT."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyring import NOW, StaticKeys, claims, key_pair
from usherd.authenticate.verifier import Verifier
from usherd.domain import VerifiedToken
from usherd.errors import IntrospectionUnavailable, Refusal
from usherd.policy import IntrospectionRules, IssuerPolicy, Policy, TokenRules
from usherd.ports import Introspected
from usherd.reasons import Reason
from worlds import AUDIENCE, finished

PAIR = key_pair("P-256", "k")


@dataclass
class Issuers:
    """`ports.Introspection` over what a test says."""

    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str, float]] = field(default_factory=list)
    down: bool = False
    now: float = NOW
    cache_for: float = 30.0

    async def ask(self, issuer: str, token: str, patience: float) -> Introspected:
        self.asked.append((issuer, token, patience))
        if self.down:
            raise IntrospectionUnavailable
        said = self.tokens.get(token)
        expires = (said or {}).get("exp")
        until = min(self.now + self.cache_for, expires if isinstance(expires, int) else float("inf"))
        return Introspected(said is not None, MappingProxyType(said or {}), self.now, until)

    def __call__(self) -> float:
        return self.now


def issuer(name: str, *, opaque: tuple[str, ...] = (), may_lack: frozenset[str] = frozenset()) -> IssuerPolicy:
    rules = TokenRules(
        issuer=f"https://{name}.example", audiences=frozenset({AUDIENCE}), algorithms=frozenset({"ES256"})
    )
    asked = IntrospectionRules(opaque_prefixes=opaque, may_lack=may_lack)
    return IssuerPolicy(name=name, token=rules, digest=f"digest-of-{name}", introspection=asked)


def with_keys() -> IssuerPolicy:
    rules = TokenRules(issuer="https://idp.example", audiences=frozenset({AUDIENCE}), algorithms=frozenset({"ES256"}))
    return IssuerPolicy(name="idp", token=rules, digest="digest-of-idp")


def verifier(issuers: Issuers, *policies: IssuerPolicy, size: int = 100) -> Verifier:
    policy = Policy(issuers=(with_keys(), *policies), digest="policy")
    return Verifier(policy, StaticKeys.of(idp=[PAIR]), issuers, size, introspection=issuers)


def verified(made: Verifier, token: str) -> VerifiedToken:
    return finished(made.verify(token, patience=2.0))


def reason(made: Verifier, token: str) -> Reason | None:
    try:
        verified(made, token)
    except Refusal as refusal:
        return refusal.reason
    return None


def said(name: str = "ask", **changes: Any) -> dict[str, Any]:
    """The answer on a token that is genuine, changed."""
    return claims(**({"iss": f"https://{name}.example"} | changes))


def test_an_opaque_token_is_what_its_issuer_says() -> None:
    issuers = Issuers({"opaque": said(client_id="c")})
    token = verified(verifier(issuers, issuer("ask", opaque=("",))), "opaque")

    assert (token.issuer, token.iss, token.claims["client_id"]) == ("ask", "https://ask.example", "c")
    assert token.key is None
    assert issuers.asked == [("ask", "opaque", 2.0)]


def test_a_token_that_is_not_active_is_refused_by_its_issuer() -> None:
    made = verifier(Issuers(), issuer("ask", opaque=("",)))

    with pytest.raises(Refusal) as refused:
        verified(made, "opaque")

    assert (refused.value.reason, refused.value.issuer) == (Reason.TOKEN_INACTIVE, "ask")


def test_an_issuer_that_gives_no_answer_has_not_said_no() -> None:
    with pytest.raises(IntrospectionUnavailable):
        verified(verifier(Issuers(down=True), issuer("ask", opaque=("",))), "opaque")


def test_where_nobody_can_be_asked_there_is_no_answer() -> None:
    policy = Policy(issuers=(issuer("ask", opaque=("",)),), digest="policy")
    made = Verifier(policy, StaticKeys({}), lambda: NOW)

    with pytest.raises(IntrospectionUnavailable):
        verified(made, "opaque")


NOT_OPAQUE = ["a b", "a\tb", "a\n", "Bearer x", "=", "a=b", "é", "a,b", '"a"', "\x00", "{}", "a;b", "a:b"]


@pytest.mark.parametrize("token", NOT_OPAQUE)
def test_what_no_header_can_carry_is_malformed_and_nobody_hears_of_it(token: str) -> None:
    issuers = Issuers()

    assert reason(verifier(issuers, issuer("ask", opaque=("",))), token) is Reason.TOKEN_MALFORMED
    assert issuers.asked == []


@pytest.mark.parametrize("token", ["a", "a.b", "a.b.c.d", "a.b.c.d.e", "a~b", "a+/b==", "ya29.a0Af_-~", "..", ".a.b"])
def test_anything_else_that_is_no_compact_jws_is_opaque(token: str) -> None:
    issuers = Issuers()

    assert reason(verifier(issuers, issuer("ask", opaque=("",))), token) is Reason.TOKEN_INACTIVE
    assert [asked[:2] for asked in issuers.asked] == [("ask", token)]


@pytest.mark.parametrize("token", ["a.b.c", "e30.e30.", PAIR.token(b"{}"), "a..", "eyJhbGciOiJub25lIn0.e30."])
def test_what_has_the_form_of_a_compact_jws_is_never_taken_for_opaque(token: str) -> None:
    issuers = Issuers()

    assert reason(verifier(issuers, issuer("ask", opaque=("",))), token) is not Reason.TOKEN_INACTIVE
    assert issuers.asked == []


def test_a_jws_goes_to_the_issuer_that_it_names() -> None:
    theirs = PAIR.token(said(aud="not read"))
    issuers = Issuers({theirs: said()})
    made = verifier(issuers, issuer("ask"), issuer("other", opaque=("",)))

    assert verified(made, theirs).issuer == "ask"
    assert verified(made, PAIR.token(claims())).issuer == "idp"
    assert reason(made, PAIR.token(claims(iss="https://stranger.example"))) is Reason.ISSUER_UNKNOWN
    assert [asked[0] for asked in issuers.asked] == ["ask"]


def test_what_a_jws_itself_claims_counts_for_nothing() -> None:
    token = PAIR.token(said(sub="mallory", scope="admin"))
    made = verifier(Issuers({token: said(sub="alice")}), issuer("ask"))

    assert dict(verified(made, token).claims) == said(sub="alice")


def test_an_opaque_token_goes_to_the_issuer_whose_prefix_it_has() -> None:
    issuers = Issuers()
    made = verifier(issuers, issuer("a", opaque=("gho_",)), issuer("b", opaque=("ghp_", "x")))

    reasons = [reason(made, token) for token in ("gho_1", "ghp_1", "x", "gh", "y-gho_1")]

    assert reasons == [Reason.TOKEN_INACTIVE] * 3 + [Reason.TOKEN_MALFORMED] * 2
    assert [asked[:2] for asked in issuers.asked] == [("a", "gho_1"), ("b", "ghp_1"), ("b", "x")]


def test_without_an_issuer_that_takes_them_opaque_tokens_are_malformed() -> None:
    issuers = Issuers()

    assert reason(verifier(issuers), "opaque") is Reason.TOKEN_MALFORMED
    assert reason(verifier(issuers, issuer("ask")), "opaque") is Reason.TOKEN_MALFORMED
    assert issuers.asked == []


def test_a_token_that_is_too_long_is_shown_to_nobody() -> None:
    issuers = Issuers()

    assert reason(verifier(issuers, issuer("ask", opaque=("",))), "a" * 8193) is Reason.TOKEN_TOO_LARGE
    assert reason(verifier(issuers, issuer("ask", opaque=("",))), "a" * 8192) is Reason.TOKEN_INACTIVE
    assert len(issuers.asked) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aud": "api://other"}, Reason.AUDIENCE_MISMATCH),
        ({"aud": ...}, Reason.AUDIENCE_MISMATCH),
        ({"exp": ...}, Reason.CLAIM_INVALID),
        ({"exp": "never"}, Reason.CLAIM_INVALID),
        ({"exp": int(NOW) - 30}, Reason.TOKEN_EXPIRED),
        ({"nbf": int(NOW) + 31}, Reason.TOKEN_NOT_YET_VALID),
        ({"iat": int(NOW) + 31}, Reason.TOKEN_NOT_YET_VALID),
        ({"exp": int(NOW) + 86401}, Reason.TOKEN_LIFETIME_TOO_LONG),
        ({"iss": "https://idp.example"}, Reason.CLAIM_INVALID),
        ({"iss": None}, Reason.CLAIM_INVALID),
        ({"iss": ["https://ask.example"]}, Reason.CLAIM_INVALID),
        ({"sub": 7}, Reason.CLAIM_INVALID),
        ({"nonce": "n"}, Reason.TOKEN_TYPE_NOT_ALLOWED),
        ({"typ": "Refresh"}, Reason.TOKEN_TYPE_NOT_ALLOWED),
        ({"token_type": "refresh_token"}, Reason.TOKEN_TYPE_NOT_ALLOWED),
        ({"token_use": "refresh_token"}, Reason.TOKEN_TYPE_NOT_ALLOWED),
        ({"token_use": "id"}, Reason.TOKEN_TYPE_NOT_ALLOWED),
        ({"token_type": None}, Reason.TOKEN_TYPE_NOT_ALLOWED),
        ({"token_type": "DPoP"}, Reason.PROOF_REQUIRED),
        ({"cnf": {"jkt": "x"}}, Reason.PROOF_REQUIRED),
        ({"groups": ["g"] * 1001}, Reason.TOKEN_TOO_LARGE),
        ({f"c{number}": 1 for number in range(300)}, Reason.TOKEN_TOO_LARGE),
        ({"iss": ...}, None),
        ({"token_type": "Bearer", "token_use": "access_token"}, None),
    ],
)
def test_what_is_said_passes_the_rules_of_a_jwt(changes: dict[str, Any], expected: Reason | None) -> None:
    made = verifier(Issuers({"opaque": said(**changes)}), issuer("ask", opaque=("",)))

    assert reason(made, "opaque") is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aud": ...}, None),
        ({"aud": "api://other"}, Reason.AUDIENCE_MISMATCH),
        ({"aud": None}, Reason.AUDIENCE_MISMATCH),
        ({"exp": ...}, None),
        ({"exp": ..., "iat": ...}, None),
        ({"exp": ..., "iat": int(NOW) - 86430}, Reason.TOKEN_EXPIRED),
        ({"exp": int(NOW) - 30}, Reason.TOKEN_EXPIRED),
        ({"exp": None}, Reason.CLAIM_INVALID),
        ({"exp": ..., "nbf": int(NOW) + 31}, Reason.TOKEN_NOT_YET_VALID),
    ],
)
def test_what_may_be_missing_still_counts_where_it_is(changes: dict[str, Any], expected: Reason | None) -> None:
    asked = issuer("ask", opaque=("",), may_lack=frozenset({"aud", "exp"}))

    assert reason(verifier(Issuers({"opaque": said(**changes)}), asked), "opaque") is expected


@pytest.mark.parametrize(("changes", "left"), [({}, 30.0), ({"exp": int(NOW) + 10}, 10.0), ({"exp": ...}, 30.0)])
def test_a_token_is_remembered_as_long_as_the_answer_counts(changes: dict[str, Any], left: float) -> None:
    issuers = Issuers({"opaque": said(**changes)})
    made = verifier(issuers, issuer("ask", opaque=("",), may_lack=frozenset({"exp"})))
    token = verified(made, "opaque")

    issuers.now += left - 0.01
    assert verified(made, "opaque") is token
    issuers.now += 0.01
    issuers.tokens.clear()
    assert reason(made, "opaque") in (Reason.TOKEN_INACTIVE, Reason.TOKEN_EXPIRED)
    assert token.expires_at == NOW + left
    assert len(issuers.asked) == 2


def test_a_token_is_forgotten_when_the_clock_is_set_back() -> None:
    issuers = Issuers({"opaque": said(iat=int(NOW) - 600)})
    made = verifier(issuers, issuer("ask", opaque=("",)))
    verified(made, "opaque")
    issuers.now -= 1.0
    verified(made, "opaque")

    assert len(issuers.asked) == 2


def test_ids_are_those_of_the_token_and_tell_nothing_of_it() -> None:
    signed = PAIR.token(said())
    head = signed.rpartition(".")[0]
    issuers = Issuers({token: said() for token in ("one", "other", signed, head)})
    made = verifier(issuers, issuer("ask", opaque=("",)), size=0)

    ids = [verified(made, token).token_id for token in ("one", "one", "other", signed, head)]

    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


def test_a_jws_with_another_signature_has_the_same_id() -> None:
    one, other = PAIR.token(said()), PAIR.token(said())
    made = verifier(Issuers({one: said(), other: said()}), issuer("ask"))

    assert one != other
    assert verified(made, one).token_id == verified(made, other).token_id


def test_claims_cannot_be_changed() -> None:
    token = verified(verifier(Issuers({"opaque": said()}), issuer("ask", opaque=("",))), "opaque")

    with pytest.raises(TypeError):
        token.claims["sub"] = "mallory"  # type: ignore[index]


@given(
    exp=st.none() | st.integers(-60, 120),
    iat=st.none() | st.integers(-60, 60),
    active=st.booleans(),
    moves=st.lists(st.floats(-40, 60), max_size=6),
    revoked=st.integers(0, 6),
)
def test_the_same_token_gets_the_same_answer_whether_it_was_remembered_or_not(
    exp: int | None, iat: int | None, active: bool, moves: list[float], revoked: int
) -> None:
    """What is remembered answers as asking again would, as long as the issuer's own answer counts."""
    changes = {"exp": ... if exp is None else int(NOW) + exp, "iat": ... if iat is None else int(NOW) + iat}
    answer = {"opaque": said(**changes)} if active else {}
    rules = issuer("ask", opaque=("",), may_lack=frozenset({"exp"}))
    remembering, forgetful = Issuers(dict(answer)), Issuers(dict(answer))
    warm, cold = verifier(remembering, rules), verifier(forgetful, rules, size=0)

    last_yes = float("-inf")
    for step, move in enumerate([0.0, *moves]):
        remembering.now += move
        forgetful.now += move
        if step == revoked:
            remembering.tokens.clear()
            forgetful.tokens.clear()
        known, fresh = reason(warm, "opaque"), reason(cold, "opaque")
        if known is None and fresh is None:
            last_yes = max(last_yes, remembering.now)
        # After a revocation a remembered token may go on for as long as the answer counts, and not a moment longer.
        if known != fresh:
            assert (known, fresh) == (None, Reason.TOKEN_INACTIVE)
            assert step >= revoked
            assert remembering.now < last_yes + 30.0
