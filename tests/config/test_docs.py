"""The guide to the configuration says what is so, and its files load."""

from __future__ import annotations

import re
from pathlib import Path

from config_files import ISSUER, settings

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")


def test_the_files_of_the_page_load(tmp_path: Path) -> None:
    smallest, options, asked = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)

    assert settings(tmp_path, smallest).policy.roles[0].name == "reader"
    (issuer,) = settings(tmp_path, asked, environment={"LEGACY_SECRET": "s"}).policy.issuers
    assert issuer.introspection is not None
    assert issuer.introspection.opaque_prefixes == ("lgc_",)
    assert settings(tmp_path, ISSUER + options).policy.options.unentitled == "allow"


def test_the_routes_of_directory_roles_are_listed(tmp_path: Path) -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| ([a-z_, ]+?)(?:;.*)? \|$", PAGE, re.MULTILINE))
    policy = settings(tmp_path, ISSUER).policy

    assert set(listed) == set(policy.users.role_routes)
    for role, routes in policy.users.role_routes.items():
        made = settings(tmp_path, ISSUER + f"users: {{routes: [{listed[role]}]}}\n").policy
        assert made.users.routes == routes
