"""What the configuration says of Envoy, and what it must not."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from config_files import ISSUER, problems, settings
from usherd.config.schema_envoy import HeaderField
from usherd.inbound.handed_on import FIELDS, IDENTITY_HEADERS, GatewayRules
from usherd.inbound.request import ReadingRules


def test_envoy_is_not_answered_unless_the_section_is_there(tmp_path: Path) -> None:
    assert settings(tmp_path, ISSUER).envoy is None


def test_an_empty_section_is_all_that_it_takes_and_forwards_no_credential(tmp_path: Path) -> None:
    found = settings(tmp_path, f"{ISSUER}envoy: {{}}").envoy

    assert found == GatewayRules()
    assert found.forward_credential is False
    assert dict(found.identity_headers) == dict(IDENTITY_HEADERS)
    assert found.max_body == 1024 * 1024


def test_every_key_has_its_place(tmp_path: Path) -> None:
    text = """\
envoy:
  credential_header: x-key
  forward_credential: true
  origins: ["https://ui.example", "http://[::1]:8080"]
  base_path: /gateway
  model_header: x-model
  team_header: x-team
  team_alias_header: x-team-alias
  identity_headers: {x-who: subject}
  max_body: 64KiB
"""
    assert settings(tmp_path, ISSUER + text).envoy == GatewayRules(
        reading=ReadingRules(
            credential_header="x-key",
            origins=frozenset({"https://ui.example", "http://[::1]:8080"}),
            base_path="/gateway",
            model_header="x-model",
            team_header="x-team",
            team_alias_header="x-team-alias",
        ),
        identity_headers={"x-who": "subject"},
        forward_credential=True,
        max_body=65536,
    )
    other = settings(tmp_path, f"{ISSUER}envoy: {{model_metadata: {{namespace: a.b, key: model}}}}").envoy
    assert other is not None
    assert other.model_metadata == ("a.b", "model")


def test_a_header_can_say_whatever_the_code_can_tell() -> None:
    assert get_args(HeaderField) == FIELDS


@pytest.mark.parametrize(
    ("envoy", "said"),
    [
        (
            "{credential_header: X-Key}",
            "envoy.credential_header: 'X-Key' is no name of a header; expected 1 to 64 lower",
        ),
        ("{model_header: 'x model'}", "envoy.model_header: 'x model' is no name of a header"),
        ("{model_header: ':path'}", "envoy.model_header: ':path' is no name of a header"),
        (
            "{origins: [https://ui.example/]}",
            "envoy.origins[0]: 'https://ui.example/' is no origin as browsers send it",
        ),
        ("{origins: ['*']}", "envoy.origins[0]: '*' is no origin as browsers send it"),
        ("{origins: ['null']}", "envoy.origins[0]: 'null' is no origin as browsers send it"),
        ("{base_path: /gateway/}", "envoy.base_path: '/gateway/' is no base path; expected one as /gateway"),
        ("{base_path: /}", "envoy.base_path: '/' is no base path"),
        ("{base_path: /a/../b}", "envoy.base_path: '/a/../b' is no base path"),
        ("{max_body: 33MiB}", "envoy.max_body: is out of bounds; expected 1KiB to 32MiB"),
        (
            "{model_header: x-model, model_metadata: {namespace: a, key: b}}",
            "envoy.model_metadata: is a second place that alone names the model; expected this or model_header",
        ),
        (
            "{model_header: x-a, team_header: x-a}",
            "envoy.team_header: 'x-a' is model_header, too; expected a header of its own",
        ),
        (
            "{identity_headers: {authorization: user}}",
            "envoy.identity_headers.authorization: says something else to whoever reads it",
        ),
        (
            "{identity_headers: {x-envoy-original-path: user}}",
            "envoy.identity_headers.x-envoy-original-path: says something else to whoever reads it",
        ),
        (
            "{team_header: x_team, identity_headers: {x-team: team}}",
            "envoy.identity_headers.x-team: is team_header, which clients send; expected another name",
        ),
        (
            "{identity_headers: {x_who: user}}",
            "envoy.identity_headers.x_who: has an underscore, which some programs read",
        ),
        ("{identity_headers: {x-user: password}}", "envoy.identity_headers.x-user: "),
        ("{identity_headers: {X-User: user}}", "is no name of a header"),
        ("{header: x}", "envoy.header: unknown key"),
    ],
)
def test_a_mistake_is_told_with_its_mend(envoy: str, said: str, tmp_path: Path) -> None:
    found = problems(tmp_path, f"{ISSUER}envoy: {envoy}")

    assert len(found) == 1, found
    assert said in found[0]
