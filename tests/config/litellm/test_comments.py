"""An imported file says where strict would answer otherwise, and says nothing that is not so."""

from __future__ import annotations

import re

import pytest

from litellm_files import KEYS, imported, litellm, loaded
from usherd.config.litellm import REFERENCE, VERSIONS, Version
from usherd.config.litellm.comments import _OF_FILE, _OF_ISSUER
from usherd.options import BY_NAME, STRICT

EVERYTHING = litellm(
    {
        "user_id_jwt_field": "sub",
        "user_email_jwt_field": "email",
        "user_allowed_email_domain": "co.com",
        "team_ids_jwt_field": "groups",
        "org_id_jwt_field": "org",
        "end_user_id_jwt_field": "end",
        "object_id_jwt_field": "oid",
        "roles_jwt_field": "roles",
        "role_mappings": [{"role": "a", "internal_role": "team"}],
        "user_roles_jwt_field": "roles",
        "user_allowed_roles": ["b"],
        "enforce_scope_based_access": True,
        "scope_mappings": [{"scope": "s"}],
        "team_id_default": "everyone",
        "user_id_upsert": True,
        "team_id_upsert": True,
        "custom_validate": "usherd.parity.oracle_fixtures.allow_all",
    },
    role_permissions=[{"role": "team"}],
    admin_only_routes=["/a"],
    enforce_user_param=True,
) | {
    "litellm_settings": {"max_budget": 1, "model_alias_map": {"a": "b"}},
    "model_list": [{"model_name": "m", "litellm_params": {}}],
}
ENVIRONMENT = KEYS | {"LITELLM_MASTER_KEY": "k" * 32}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_comment_stands_at_a_place_of_the_file_and_names_options_that_differ(version: Version) -> None:
    found = imported(EVERYTHING, ENVIRONMENT, version=version)

    options = loaded(found, ENVIRONMENT).policy.options
    named = [name for text in found.comments.values() for name in re.findall(r"\(([a-z_.]+)\)\.", text)]
    assert len(named) > 10
    assert [name for name in named if getattr(options, BY_NAME[name].attribute) == BY_NAME[name].strict] == []
    for path in found.comments:
        value: object = found.document
        for step in path:
            value = value[step]  # type: ignore[index]


def test_no_comment_is_out_of_place() -> None:
    found = imported(EVERYTHING, ENVIRONMENT, version=REFERENCE)

    text = " ".join(found.comments.values())
    missing = [option for _, option, sentence in (*_OF_ISSUER, *_OF_FILE) if f"{sentence} ({option})." not in text]
    assert missing == []
    assert "(token.require_audience)" in text


def test_what_strict_does_alike_has_no_comment() -> None:
    found = imported(litellm(), KEYS | {"JWT_AUDIENCE": "api", "JWT_ISSUER": "https://idp.example"})

    text = " ".join(found.comments.values())
    assert loaded(found).policy.options.require_issuer == STRICT.require_issuer
    assert "token.require_issuer" not in text
    assert "token.require_audience" not in text
    assert "access.unentitled" in text
