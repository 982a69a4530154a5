"""Where the directory is kept, as the configuration says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config_files import ISSUER, problems, settings
from usherd.config.shown import shown

SECRET_URL = "postgresql://usher:s3cret-word@db.example/usher"


def test_without_a_url_it_is_in_memory(tmp_path: Path) -> None:
    assert settings(tmp_path, ISSUER).store is None


def test_an_sqlite_is_seen_from_the_file(tmp_path: Path) -> None:
    found = settings(tmp_path, ISSUER + 'directory: {url: "sqlite:///data/usher.db", max_staleness: 2s}\n').store

    assert found is not None
    assert (found.url, found.at) == (f"sqlite:///{tmp_path}/data/usher.db", f"sqlite:///{tmp_path}/data/usher.db")
    assert (found.max_staleness, found.entities) == (2.0, 100_000)


def test_an_absolute_path_and_none_at_all_stay_as_they_are(tmp_path: Path) -> None:
    for url in ("sqlite:////var/lib/usher.db", "sqlite:///:memory:"):
        found = settings(tmp_path, ISSUER + f'directory: {{url: "{url}"}}\n').store
        assert found is not None
        assert found.url == url


@pytest.mark.parametrize("how", ["env:USHER_DB", "file:url.txt"])
def test_a_url_with_a_password_comes_from_outside_and_is_never_shown(tmp_path: Path, how: str) -> None:
    (tmp_path / "url.txt").write_text(SECRET_URL + "\n")
    text = ISSUER + f"directory: {{url: '{how}'}}\ncache: {{entities: 5000}}\n"

    found = settings(tmp_path, text, environment={"USHER_DB": SECRET_URL})

    assert found.store is not None
    assert (found.store.url, found.store.entities) == (SECRET_URL, 5000)
    for told in (repr(found), str(shown(found))):
        assert "s3cret-word" not in told
        assert "db.example" not in told


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (SECRET_URL, "has a password in it; expected env:NAME or file:path that hold the whole URL"),
        ("postgresql://db/usher?password=s3cret-word", "has a password in it"),
        ("mysql://db/usher", "is no URL of a database; expected sqlite:///file or postgresql://user@host/database"),
        ("sqlite://host/usher.db", "is no URL of a database"),
        ("sqlite:///", "is no URL of a database"),
        ("usher.db", "is no URL of a database"),
        ("env:NOT SET", "is no reference to a secret"),
        ("env:MISSING", "the environment variable MISSING is not set"),
        ("env:WRONG", "is no URL of a database"),
    ],
)
def test_what_is_no_database_is_told_without_the_url(tmp_path: Path, url: str, problem: str) -> None:
    found = problems(
        tmp_path, ISSUER + f"directory: {{url: '{url}'}}\n", environment={"WRONG": "mysql://u:s3cret-word@db/x"}
    )

    (told,) = found
    assert "directory.url" in told
    assert problem in told
    assert "s3cret-word" not in told


@pytest.mark.parametrize("bounds", ["0.9s", "61s"])
def test_staleness_has_bounds(tmp_path: Path, bounds: str) -> None:
    (told,) = problems(tmp_path, ISSUER + f"directory: {{url: 'sqlite:///x', max_staleness: {bounds}}}\n")

    assert "directory.max_staleness" in told
    assert "expected 1s to 1m" in told


NAMES = "teams: {default: research}\n"


def test_a_name_that_only_the_database_can_know_is_a_warning(tmp_path: Path) -> None:
    kept = "directory: {url: 'sqlite:///x'}\n"

    (told,) = problems(tmp_path, ISSUER + NAMES)
    found = settings(tmp_path, ISSUER + NAMES + kept)

    assert "teams.default" in told
    (warning,) = [each for each in found.policy.warnings if "teams.default" in each]
    assert "unless the database has it" in warning


def test_a_name_that_the_seed_has_is_none(tmp_path: Path) -> None:
    kept = "directory: {url: 'sqlite:///x', seed: directory.yaml}\n"

    found = settings(tmp_path, ISSUER + NAMES + kept, directory="teams: [{id: research}]\n")

    assert not [each for each in found.policy.warnings if "teams.default" in each]


def test_a_seed_is_checked_as_ever(tmp_path: Path) -> None:
    kept = "directory: {url: 'sqlite:///x', seed: directory.yaml}\n"

    (told,) = problems(tmp_path, ISSUER + kept, directory="teams: [{id: red, organization: nowhere}]\n")

    assert "teams[0].organization" in told


def test_budgets_that_a_database_counts_are_no_warning(tmp_path: Path) -> None:
    budget = "budgets: {global: {max: 5}}\n"

    in_memory = settings(tmp_path, ISSUER + budget).policy.warnings
    kept = settings(tmp_path, ISSUER + budget + "directory: {url: 'sqlite:///x'}\n").policy.warnings

    assert [any("budgets.global.max" in each for each in found) for found in (in_memory, kept)] == [True, False]
