"""Every mistake in a configuration is told with its line, its key, what was expected, and the nearest name."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from config_files import ISSUER, TWO_ISSUERS, problems
from usherd.config.document import parse_document

STORIES = yaml.safe_load((Path(__file__).parent / "errors.yaml").read_text("utf-8"))


def stories(section: str, text: str) -> pytest.MarkDecorator:
    """A test for each mistake of a section, which gets the text at fault and what must be said of it."""
    found = STORIES[section]
    return pytest.mark.parametrize(
        (text, "expected"), [(story["file"], story["says"]) for story in found.values()], ids=found.keys()
    )


@stories("file", "text")
def test_a_mistake_is_told_with_its_line_and_what_was_expected(tmp_path: Path, text: str, expected: str) -> None:
    found = problems(
        tmp_path, ISSUER + text, environment={"SHORT": "sk-1234", "LONG": "f1e2d3c4b5a6978812345678abcdef90"}
    )

    assert expected in found


@stories("issuers", "line")
def test_a_mistake_in_an_issuer_is_told(tmp_path: Path, line: str, expected: str) -> None:
    key = line.partition(":")[0]
    lines = {
        "name": "name: idp",
        "issuer": "issuer: https://idp.example",
        "audiences": "audiences: [api]",
        "keys": "keys: {discovery: true}",
    }
    others = [text for name, text in lines.items() if name != key]
    text = "issuers:\n  -\n    " + "\n    ".join([others[0], line, *others[1:]])

    found = problems(tmp_path, line if key == "issuers" else text)

    assert expected in found


@stories("several_issuers", "text")
def test_with_more_than_one_issuer_nothing_is_left_without_one(tmp_path: Path, text: str, expected: str) -> None:
    found = problems(tmp_path, TWO_ISSUERS + text, directory="users: [{id: alice}]\nteams: [{id: red}]\n")

    assert expected in found


def test_a_role_that_its_issuer_may_not_grant_does_not_load(tmp_path: Path) -> None:
    text = (
        ISSUER + "    may_grant: {roles: [one]}\nroles:\n"
        "  - {name: one, when: {a: b}, deny: {models: [x]}}\n  - {name: two, when: {a: b}, deny: {models: [x]}}\n"
    )

    assert problems(tmp_path, text) == [
        "usherd.yaml:9: roles[1]: the issuer idp may not grant two, so no token could hold it; expected it in the"
        " issuer's may_grant.roles"
    ]


@stories("directory", "directory")
def test_a_mistake_in_a_directory_is_told(tmp_path: Path, directory: str, expected: str) -> None:
    found = problems(tmp_path, ISSUER + "directory: {seed: directory.yaml}", directory=directory)

    assert expected in found


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    role = "{name: r, when: {}, deny: {models: [x]}}"
    text = ISSUER + f"rolls: []\ncache: {{time: 1s}}\nusers: {{routes: [nowhere]}}\nroles: [{role}]\n"

    assert problems(tmp_path, text) == [
        "usherd.yaml:6: rolls: unknown key; did you mean roles?",
        "usherd.yaml:7: cache.time: unknown key; expected tokens, entities, ttl, identity_provider or"
        " identity_provider_key",
        "usherd.yaml:8: users.routes[0]: 'nowhere' is no route and no known route group; expected a path or the name of"
        " a route group",
        "usherd.yaml:9: roles[0].when: is empty; expected at least one claim: a role that everybody holds is none",
    ]


MAY_GRANT_ADMIN = ISSUER + "    may_grant: {admin: true}\n"


def test_mistakes_in_the_one_rule_for_administrators_are_told_where_it_stands(tmp_path: Path) -> None:
    unknown = problems(tmp_path, MAY_GRANT_ADMIN + "admin:\n  scopes: [x]\n  roots: [/x]\n")
    wrong = problems(tmp_path, ISSUER + "admin: {scopes: x, routes: [nowhere]}\n")

    assert unknown == ["usherd.yaml:9: admin.roots: unknown key; did you mean routes?"]
    assert wrong == ["usherd.yaml:6: admin.scopes: is a text; expected a list"]


def test_unknown_keys_hide_no_other_mistake(tmp_path: Path) -> None:
    found = problems(tmp_path, MAY_GRANT_ADMIN + "admin: {scopes: [x], roots: [], routes: [nowhere]}\n")

    assert [line.partition(";")[0] for line in found] == [
        "usherd.yaml:7: admin.roots: unknown key",
        "usherd.yaml:7: admin.routes[0]: 'nowhere' is no route and no known route group",
    ]


SECRETS = ("sk-a-secret-in-the-wrong-place", "s" * 31)


@pytest.mark.parametrize("secret", SECRETS)
def test_no_error_shows_a_secret(tmp_path: Path, secret: str) -> None:
    literal = problems(tmp_path, ISSUER + f"insecure: {{session_master_key: '{secret}'}}")
    as_list = problems(tmp_path, ISSUER + f"insecure: {{session_master_key: ['{secret}']}}")
    short = problems(tmp_path, ISSUER + "insecure: {session_master_key: env:KEY}", environment={"KEY": secret[:31]})

    assert literal
    assert as_list
    assert short
    assert secret[:31] not in "".join([*literal, *as_list, *short])


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]

    found = problems(tmp_path, ISSUER + "l0: &l0 [x]\n" + "\n".join(levels))

    assert len(found) == 1
    assert "aliases repeat too many values" in found[0]


def test_aliases_cannot_make_much_of_a_short_text(tmp_path: Path) -> None:
    # A hundred thousand values in 300 bytes: read on by a server that serves, they would hold it up.
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 6)]

    found = problems(tmp_path, "l0: &l0 [x]\n" + "\n".join(levels))

    assert found == [
        "usherd.yaml:5: aliases repeat too many values; expected at most 10000, and 10 for each value that is written"
        " out"
    ]


def test_merging_takes_time_by_the_length_of_the_text() -> None:
    def seconds(times: int) -> float:
        keys = "".join(f"  k{number}: 1\n" for number in range(1000 * times))
        text = f"empty: &e {{}}\nbig:\n{keys}" + "  <<: *e\n" * (1000 * times)
        began = time.process_time()
        assert len(parse_document(text.encode(), "x.yaml", Path(), merge_keys=True).lines) > 1000 * times
        return time.process_time() - began

    # Sixteen times as long: sixteen times, and not two hundred and fifty-six.
    assert seconds(16) < 100 * min(seconds(1) for _ in range(3))


def test_each_of_many_models_may_repeat_what_they_share() -> None:
    shared = "a: &shared {b: 1, c: 2, d: [3, 4, 5], e: {f: 6}}\n"
    models = "".join(f"  - {{name: model-{number}, params: *shared}}\n" for number in range(5000))

    value = parse_document(f"{shared}models:\n{models}".encode(), "usherd.yaml", Path()).value

    assert isinstance(value, dict)
    assert len(value["models"]) == 5000
    assert value["models"][-1] == {"name": "model-4999", "params": value["a"]}


def test_a_file_of_too_many_values_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, "a: [" + "x," * 500_000 + "]")

    assert found == ["usherd.yaml:1: has too many values; expected at most 500000, aliases counted"]


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, "a: " + "[" * 100_000)

    assert found == ["usherd.yaml:1: is nested too deeply; expected at most 32 levels"]


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, "# " + "x" * (8 * 1024 * 1024))

    assert found == ["usherd.yaml: is too large; expected at most 8 MiB"]


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "directory.yaml").write_bytes(b"teams: [\xff]")

    found = problems(tmp_path, ISSUER + "directory: {seed: directory.yaml}")

    assert found == ["directory.yaml: is not UTF-8 text"]
