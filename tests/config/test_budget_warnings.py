"""Without a store nobody can tell usherd what is spent: whoever writes a budget hears that it denies nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from config_files import ISSUER, settings

SEED = ISSUER + "directory: {seed: directory.yaml}\n"
NO_SPEND = "without directory.url, usherd cannot be told what is spent"
OWNERS = {
    "an organization": "organizations: [{id: acme, max_budget: 1}]",
    "a team": "teams: [{id: red, max_budget: 0.5}]",
    "a member": "users: [{id: ann}]\nteams: [{id: red, members: [{user: ann, max_budget: 1}]}]",
    "a user": "users: [{id: ann, max_budget: 1}]",
    "an end user": "end_users: [{id: shop, max_budget: 1}]",
}


@pytest.mark.parametrize("directory", OWNERS.values(), ids=OWNERS)
def test_a_budget_of_the_directory_is_warned_of(tmp_path: Path, directory: str) -> None:
    policy = settings(tmp_path, SEED, directory=directory).policy

    assert policy.warnings == (
        f"directory: 1 row or member has a max_budget above 0; {NO_SPEND}, so no such budget is ever exhausted",
    )


def test_the_budgets_of_a_directory_are_counted(tmp_path: Path) -> None:
    policy = settings(tmp_path, SEED, directory="\n".join([OWNERS["an organization"], OWNERS["an end user"]])).policy

    assert policy.warnings == (
        f"directory: 2 rows or members have a max_budget above 0; {NO_SPEND}, so no such budget is ever exhausted",
    )


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("budgets.global.max", "budgets: {global: {max: 100}}\n"),
        ("users.provision.defaults.max_budget", "defaults: {max_budget: 5}"),
        ("teams.provision.defaults.max_budget", "defaults: {max_budget: 5}"),
    ],
)
def test_a_budget_of_the_configuration_is_warned_of(tmp_path: Path, key: str, text: str) -> None:
    if text.startswith("defaults"):
        text = f"{key.partition('.')[0]}: {{provision: {{when: {{teams: true}}, {text}}}}}\n"

    assert settings(tmp_path, ISSUER + text).policy.warnings == (f"{key}: {NO_SPEND}, so it is never exhausted",)


@pytest.mark.parametrize("directory", ["teams: [{id: red, max_budget: 0}]", "teams: [{id: red}]", "teams: []"])
def test_a_maximum_of_nothing_and_none_at_all_do_what_they_say(tmp_path: Path, directory: str) -> None:
    text = SEED + "budgets: {global: {max: 0}}\n"

    assert settings(tmp_path, text, directory=directory).policy.warnings == ()


def test_budgets_that_nothing_enforces_are_warned_of_once(tmp_path: Path) -> None:
    text = SEED + "budgets: {enforce: false, global: {max: 100}}\n"

    policy = settings(tmp_path, text, directory=OWNERS["a team"]).policy

    assert policy.warnings == ("budgets.enforce: exhausted budgets deny nothing",)


def test_the_directory_is_no_part_of_the_policys_digest(tmp_path: Path) -> None:
    without, with_budgets = (settings(tmp_path, SEED, directory=rows).policy for rows in ("{}", OWNERS["a team"]))

    assert without.warnings != with_budgets.warnings
    assert without.digest == with_budgets.digest
