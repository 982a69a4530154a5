"""Words are typed: a claim of a wrong type refuses the token, and absent is absent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from usherd.domain import PrincipalKind, VerifiedClaims
from usherd.errors import Refusal
from usherd.identify.kind import kind_of
from usherd.identify.words import many, one, spaced
from usherd.reasons import Reason
from worlds import World, issuer, policy


def claims(value: object) -> VerifiedClaims:
    return VerifiedClaims({"c": value, "nested": {"deep": [value]}})


@pytest.mark.parametrize(("value", "text"), [("red", "red"), ("", ""), (None, ""), ("a b", "a b"), ("ü", "ü")])
def test_one_word_is_a_text(value: object, text: str) -> None:
    assert one(claims(value), ("c",)) == text
    assert one(claims(value), ("nested", "deep", 0)) == text


@pytest.mark.parametrize(
    "value", [1, 1.5, True, False, ["red"], [], {}, "a\n", "a\x00", "\u202ex", "x" * 257, "é" * 257]
)
def test_one_word_is_nothing_else(value: object) -> None:
    with pytest.raises(Refusal) as refused:
        one(claims(value), ("c",))

    assert refused.value.reason is Reason.CLAIM_INVALID


@pytest.mark.parametrize(
    ("value", "texts"),
    [("abc", ("abc",)), (["a", "b"], ("a", "b")), ([], ()), (None, ()), ("", ()), (["", "a"], ("a",))],
)
def test_a_string_where_a_list_is_expected_is_one_value_and_never_letters(
    value: object, texts: tuple[str, ...]
) -> None:
    assert many(claims(value), ("c",)) == texts


@pytest.mark.parametrize("value", [7, {"a": 1}, ["a", 1], ["a", None], [["a"]], True])
def test_a_list_has_texts_only(value: object) -> None:
    with pytest.raises(Refusal):
        many(claims(value), ("c",))


@pytest.mark.parametrize(
    ("value", "scopes"),
    [
        ("a b", ("a", "b")),
        (" a  b ", ("a", "b")),
        (["a b", "c"], ("a b", "c")),
        ("a\tb", ("a\tb",)),
        ("admin\n", ("admin\n",)),
        (None, ()),
    ],
)
def test_scopes_are_separated_by_spaces_only(value: object, scopes: tuple[str, ...]) -> None:
    assert spaced(claims(value), ("c",)) == scopes


@pytest.mark.parametrize("path", [None, ("missing",), ("c", "x"), ("c", 0), ("nested", "deep", 9), ("nested", 0)])
def test_what_is_not_there_is_absent(path: Any) -> None:
    assert one(claims("red"), path) == ""
    assert many(claims("red"), path) == ()


SERVICES: dict[str, dict[str, object]] = {
    "entra with idtyp": {"sub": "s", "oid": "o", "azp": "app", "idtyp": "app"},
    "entra without idtyp": {"sub": "o", "oid": "o", "appid": "app"},
    "auth0": {"sub": "app@clients", "azp": "app", "gty": "client-credentials"},
    "auth0 by gty alone": {"sub": "another", "gty": "client-credentials"},
    "auth0 without gty": {"sub": "app@clients", "azp": "app"},
    "okta and others": {"sub": "app", "client_id": "app", "scp": ["models.read"]},
}
PEOPLE: dict[str, dict[str, object]] = {
    "entra delegated": {"sub": "pairwise", "oid": "o", "azp": "app", "scp": "models.read"},
    "entra delegated whose object is the subject": {"sub": "o", "oid": "o", "azp": "app", "scp": "models.read"},
    "entra user by idtyp": {"sub": "o", "oid": "o", "azp": "app", "idtyp": "user"},
    "auth0": {"sub": "auth0|1", "azp": "app", "scope": "openid"},
    "no client at all": {"sub": "o", "oid": "o"},
    "nothing": {},
}


@pytest.mark.parametrize("shape", SERVICES)
def test_an_application_that_acts_for_itself_is_a_service(shape: str) -> None:
    principal = World().ask(claims={"roles": "Reader", **SERVICES[shape]}).verdict.principal

    assert principal is not None
    assert principal.kind is PrincipalKind.SERVICE


@pytest.mark.parametrize("shape", PEOPLE)
def test_a_person_is_no_service(shape: str) -> None:
    principal = World().ask(claims={"roles": "Reader", **PEOPLE[shape]}).verdict.principal

    assert principal is not None
    assert principal.kind is PrincipalKind.USER


def test_the_policy_can_say_what_a_service_is() -> None:
    mine = replace(issuer(), service_when=((("kind",), ("svc-*",)), (("grade",), ("a", "b"))))

    def kind(**values: object) -> PrincipalKind:
        return kind_of(VerifiedClaims(values), mine, "client", ())

    assert kind(kind="svc-1", grade=["x", "b"]) is PrincipalKind.SERVICE
    assert kind(kind="svc-1") is PrincipalKind.USER
    assert kind(kind="user", grade="a", idtyp="app") is PrincipalKind.USER


def test_answers_pass_on_listed_claims_only() -> None:
    passing = policy(issuers=(replace(issuer(), answer_claims=(("tid", ("tid",)), ("a.b", ("a", "b")))),))
    claims = {"roles": "Reader", "tid": "t1", "a": {"b": {"z": 1, "y": [True]}}, "secret": "no"}

    principal = World(policy=passing).ask(claims=claims).verdict.principal

    assert principal is not None
    assert principal.claims == (("a.b", '{"y":[true],"z":1}'), ("tid", '"t1"'))


def test_the_holder_is_who_the_token_and_the_directory_say() -> None:
    principal = (
        World()
        .ask(
            claims={"roles": "Reader", "azp": "app", "email": "a@example.com", "scope": "b a b"}, end_user_id="customer"
        )
        .verdict.principal
    )

    assert principal is not None
    assert principal.issuer == "https://idp.example"
    assert (principal.subject, principal.user_id, principal.client) == ("alice", "alice", "app")
    assert (principal.email, principal.scopes, principal.roles) == ("a@example.com", ("a", "b"), ("reader",))
    assert principal.end_user_id == "customer"
    assert "a@example.com" not in repr(principal)
