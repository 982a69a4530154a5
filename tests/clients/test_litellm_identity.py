"""What LiteLLM is told of a holder: no more than the decision says, and never that an empty list is everything."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from usher.v1 import decision_pb2, principal_pb2, reason_pb2
from usher_client.answers import decision_of
from usher_client.decision import Decision
from usher_client.litellm_identity import identity_fields

ROOT = Path(__file__).resolve().parents[2]
STOLE = ("1.82.7", "1.82.8")
"""Releases of LiteLLM that must not be installed."""


def allowed(limits: dict[str, Any] | None = None, **who: Any) -> Decision:
    principal = principal_pb2.Principal(
        **{"kind": principal_pb2.PRINCIPAL_KIND_USER, "issuer": "i", "subject": "s"} | who
    )
    return decision_of(
        decision_pb2.Decision(
            effect=decision_pb2.EFFECT_ALLOW,
            reason=reason_pb2.REASON_ALLOWED,
            principal=principal,
            decision_id="d",
            limits=decision_pb2.Limits(**{name: decision_pb2.Limit(**each) for name, each in (limits or {}).items()}),
        )
    )


def test_a_holder_is_who_the_decision_says() -> None:
    fields = identity_fields(
        allowed(user_id="u", email="e@example.com", team_id="t", team_alias="T", organization_id="o", end_user_id="c"),
        ["gpt-4o"],
    )

    assert fields.pop("api_key").startswith("usherd-")
    assert fields == {
        "user_id": "u",
        "user_email": "e@example.com",
        "team_id": "t",
        "team_alias": "T",
        "org_id": "o",
        "end_user_id": "c",
        "user_role": "internal_user",
        "models": ["gpt-4o"],
        "team_models": ["gpt-4o"],
        "metadata": {"usherd_decision_id": "d"},
    }


def test_no_models_are_none_and_not_all() -> None:
    fields = identity_fields(allowed(), [])

    assert fields["models"] == fields["team_models"] == ["no-default-models"]


@pytest.mark.parametrize(
    ("who", "role"),
    [
        ({"is_admin": True}, "proxy_admin"),
        ({"is_admin": True, "directory_role": "internal_user"}, "proxy_admin"),
        ({"directory_role": "proxy_admin"}, "internal_user"),
        ({"directory_role": "proxy_admin_viewer"}, "proxy_admin_viewer"),
        ({"directory_role": "internal_user_viewer"}, "internal_user_viewer"),
        ({"directory_role": "something new"}, "internal_user"),
        ({}, "internal_user"),
        ({"kind": principal_pb2.PRINCIPAL_KIND_ANONYMOUS}, "internal_user_viewer"),
    ],
)
def test_only_the_policy_makes_an_administrator(who: dict[str, Any], role: str) -> None:
    assert identity_fields(allowed(**who), [])["user_role"] == role


def test_limits_of_rate_are_handed_on_and_zero_is_one() -> None:
    fields = identity_fields(
        allowed(
            {
                "team": {"tpm": 0, "rpm": 5, "max_budget_micro_usd": 1_500_000},
                "user": {"rpm": 7},
                "member": {"tpm": 9, "max_budget_micro_usd": 1},
            },
            team_id="t",
        ),
        [],
    )

    assert {name: value for name, value in fields.items() if "limit" in name or "budget" in name} == {
        "team_tpm_limit": 0,
        "team_rpm_limit": 5,
        "team_max_budget": 1.5,
        "user_rpm_limit": 7,
        "team_member_tpm_limit": 9,
    }


def test_a_holder_is_one_key_whatever_the_token_and_another_holder_is_another() -> None:
    def key(**who: Any) -> Any:
        return identity_fields(allowed(**who), []).get("api_key")

    assert key() == key(email="e@example.com", scopes=["x"])
    assert len({key(), key(subject="other"), key(issuer="other"), key(client="other"), key(user_id="other")}) == 5
    assert key(issuer='i", "s', subject="") != key(issuer="i", subject="s")
    assert key(kind=principal_pb2.PRINCIPAL_KIND_ANONYMOUS) is None


def test_a_service_goes_by_its_name() -> None:
    service = allowed(kind=principal_pb2.PRINCIPAL_KIND_SERVICE, client="reader")

    assert identity_fields(service, [])["key_alias"] == "reader"
    assert "key_alias" not in identity_fields(allowed(client="reader"), [])


def test_a_denial_has_no_identity() -> None:
    denied = decision_of(
        decision_pb2.Decision(
            effect=decision_pb2.EFFECT_DENY,
            reason=reason_pb2.REASON_TEAM_BLOCKED,
            principal=principal_pb2.Principal(kind=principal_pb2.PRINCIPAL_KIND_USER, user_id="u"),
        )
    )

    with pytest.raises(ValueError, match="expected one that allows"):
        identity_fields(denied, [])


def test_releases_that_stole_secrets_are_refused_wherever_litellm_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "clients" / "python" / "pyproject.toml").read_text())
    (extra,) = project["project"]["optional-dependencies"]["litellm"]
    pinned = (ROOT / "tests" / "peers" / "litellm" / "constraints.txt").read_text().splitlines()
    asked = [Requirement(line) for line in (extra, *pinned) if line.startswith("litellm")]
    ours = [each for each in asked if each.name == "litellm"]

    assert len(ours) == 3
    assert not [(str(each), version) for each in ours for version in STOLE if version in each.specifier]
