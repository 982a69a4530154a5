"""Which internal roles a token holds by its provider's words, and whose an object id is."""

from __future__ import annotations

from typing import Any

import pytest

from usherd.domain import VerifiedClaims
from usherd.errors import Refusal
from usherd.identify.internal_roles import directory_role, has_user_role, mapped_roles, object_role
from usherd.options import STRICT, with_values
from usherd.policy import INTERNAL_USER, PROXY_ADMIN, TEAM, RoleMapping, UserRules
from worlds import issuer, policy

WORDS = issuer().claims
REFERENCE = with_values(STRICT, {"claims.wrong_type": "reference"})
MAPPINGS = (
    RoleMapping(issuer="idp", role="b", internal_role=TEAM),
    RoleMapping(issuer="idp", role="a", internal_role=INTERNAL_USER),
    RoleMapping(issuer="idp", role="c", internal_role=TEAM),
)
USERS = UserRules(allowed_roles=frozenset({"app.user"}), role_map=(("boss*", "proxy_admin"), ("*", "internal_user")))


@pytest.mark.parametrize(
    ("held", "roles"),
    [
        (["a"], (INTERNAL_USER,)),
        # Each once, and in the order of the configuration.
        (["a", "c", "b"], (TEAM, INTERNAL_USER)),
        (["A"], ()),
        ([], ()),
        (None, ()),
    ],
)
def test_mapped_roles_are_in_the_order_of_the_configuration(held: object, roles: tuple[str, ...]) -> None:
    assert mapped_roles(VerifiedClaims({"approles": held}), WORDS, MAPPINGS, STRICT) == roles


@pytest.mark.parametrize(
    ("held", "role"), [(["x", "boss-1"], "proxy_admin"), (["x"], "internal_user"), ([], ""), (None, "")]
)
def test_the_first_pattern_that_a_role_fits_gives_the_directory_role(held: object, role: str) -> None:
    assert directory_role(VerifiedClaims({"approles": held}), WORDS, USERS, STRICT) == role


def test_a_claim_that_nothing_is_looked_up_in_is_not_read() -> None:
    unreadable = VerifiedClaims({"approles": 7, "uroles": 7})

    assert mapped_roles(unreadable, WORDS, (), STRICT) == ()
    assert directory_role(unreadable, WORDS, UserRules(), STRICT) == ""
    assert has_user_role(unreadable, WORDS, UserRules(), STRICT) is False
    for read in (
        lambda: mapped_roles(unreadable, WORDS, MAPPINGS, STRICT),
        lambda: directory_role(unreadable, WORDS, USERS, STRICT),
        lambda: has_user_role(unreadable, WORDS, USERS, STRICT),
    ):
        with pytest.raises(Refusal):
            read()


def test_the_reference_holds_roles_in_a_set_and_user_roles_in_a_list() -> None:
    # A set cannot hold an object, and so the token is refused; a list can.
    claims = VerifiedClaims({"approles": ["a", {"b": 1}], "uroles": ["app.user", {"b": 1}]})

    with pytest.raises(Refusal):
        mapped_roles(claims, WORDS, MAPPINGS, REFERENCE)
    with pytest.raises(Refusal):
        directory_role(claims, WORDS, USERS, REFERENCE)
    assert has_user_role(claims, WORDS, USERS, REFERENCE) is True


@pytest.mark.parametrize(
    ("precedence", "by_claims", "mapped", "whose"),
    [
        ("all", [], [], ""),
        ("all", [TEAM, INTERNAL_USER], [], ""),
        ("all", [], [INTERNAL_USER, TEAM], TEAM),
        ("all", [TEAM], [PROXY_ADMIN, INTERNAL_USER], INTERNAL_USER),
        ("all", [], [PROXY_ADMIN], ""),
        ("first", [], [], ""),
        ("first", [INTERNAL_USER], [TEAM], INTERNAL_USER),
        ("first", [], [TEAM, INTERNAL_USER], TEAM),
        ("first", [PROXY_ADMIN, TEAM], [INTERNAL_USER], PROXY_ADMIN),
    ],
)
def test_an_object_id_is_of_the_first_role_or_of_a_mapped_one(
    precedence: str, by_claims: list[str], mapped: list[str], whose: str
) -> None:
    chosen: Any = policy(options=with_values(STRICT, {"access.role_precedence": precedence}))

    assert object_role(chosen, by_claims, mapped) == whose
