"""`usherd test` tells stories: 0 all are true, 1 some are not, 2 some cannot be told."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from commands import usherd, usherd_here

ROOT = Path(__file__).parents[2]
POLICY = """\
issuers: [{name: idp, issuer: https://idp.example, audiences: [gateway], keys: {discovery: true}}]
roles: [{name: reader, when: {job: reader}, grants: {routes: [/v1/models]}}]
"""
TRUE = """\
  - name: a reader lists
    tags: [smoke, readers]
    claims: {sub: alice, job: reader}
    ask: {route: /v1/models}
    expect: {effect: ALLOW}
"""
FALSE = """\
  - name: a stranger lists
    tags: [smoke]
    claims: {sub: mallory}
    ask: {route: /v1/models}
    expect: {effect: ALLOW}
"""


def book(folder: Path, *stories: str) -> Path:
    (folder / "usherd.yaml").write_text(POLICY)
    file = folder / "stories.yaml"
    file.write_text("policy: usherd.yaml\nstories:\n" + "".join(stories))
    return file


def test_true_stories_are_exit_code_0_and_one_line(tmp_path: Path) -> None:
    done = usherd("test", book(tmp_path, TRUE))

    assert (done.returncode, done.stdout, done.stderr) == (0, "1 passed, 0 failed\n", "")


def test_a_story_that_is_not_true_is_exit_code_1_and_told_with_its_checks(tmp_path: Path) -> None:
    file = book(tmp_path, TRUE, FALSE)

    done = usherd_here("test", file)

    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == f"FAIL  {file}:8: a stranger lists"
    assert "effect: expected ALLOW, got DENY" in done.stdout
    assert "entitlement denied NOT_ENTITLED" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 passed, 1 failed"
    assert "\x1b" not in done.stdout


def test_a_malformed_file_is_exit_code_2_with_every_mistake(tmp_path: Path) -> None:
    file = book(tmp_path, TRUE.replace("claims:", "clams:").replace("ALLOW", "ALOW"))

    done = usherd_here("test", file)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"usherd: {file}:5: stories[0].clams: unknown key; did you mean claims?",
        f"usherd: {file}:7: stories[0].expect.effect: 'ALOW' is not possible here; expected ALLOW or DENY",
    ]


def test_a_policy_that_does_not_load_is_exit_code_2(tmp_path: Path) -> None:
    file = book(tmp_path, TRUE)
    (tmp_path / "usherd.yaml").write_text(POLICY.replace("roles:", "rolls:"))

    done = usherd_here("test", file)

    assert done.returncode == 2
    assert f"{tmp_path}/usherd.yaml:2: rolls: unknown key; did you mean roles?" in done.stdout


def test_a_path_without_stories_is_exit_code_2(tmp_path: Path) -> None:
    assert usherd_here("test", tmp_path / "nowhere").returncode == 2
    assert usherd_here("test", tmp_path).returncode == 2


def test_stories_are_chosen_by_tag_and_by_text(tmp_path: Path) -> None:
    file = book(tmp_path, TRUE, FALSE)

    assert usherd_here("test", file, "--tag", "readers").stdout == "1 passed, 0 failed\n"
    assert usherd_here("test", file, "--tag", "smoke").returncode == 1
    assert usherd_here("test", file, "--filter", "a reader").returncode == 0
    none = usherd_here("test", file, "--filter", "nothing of the kind")
    assert (none.returncode, none.stdout) == (2, "no story was chosen\n")


def test_stories_that_pass_are_named_on_demand_and_the_first_failure_can_end_it(tmp_path: Path) -> None:
    file = book(tmp_path, FALSE, TRUE)

    verbose = usherd_here("test", file, "--verbose")
    fast = usherd_here("test", file, "--fail-fast")

    assert f"PASS  {file}:8: a reader lists" in verbose.stdout
    assert fast.stdout.splitlines()[-1] == "0 passed, 1 failed"


def test_a_file_without_a_policy_takes_the_one_of_the_arguments(tmp_path: Path) -> None:
    book(tmp_path, TRUE)
    file = tmp_path / "bare.yaml"
    file.write_text("stories:\n" + TRUE)

    assert usherd_here("test", file).returncode == 2
    assert usherd_here("test", file, "--config", tmp_path / "usherd.yaml").returncode == 0


def test_results_can_be_read_by_scripts_and_build_servers(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"

    done = usherd_here("test", book(tmp_path, TRUE, FALSE), "--json", "--junit", report)

    told = json.loads(done.stdout)
    root = ElementTree.parse(report).getroot()
    assert done.returncode == 1
    assert [each["outcome"] for each in told["results"]] == ["passed", "failed"]
    assert (root.attrib["tests"], root.attrib["failures"]) == ("2", "1")


def test_control_characters_of_a_story_do_not_reach_the_terminal(tmp_path: Path) -> None:
    done = usherd_here("test", book(tmp_path, FALSE.replace("effect: ALLOW", 'user: "\\e[2Jbob"')))

    assert done.returncode == 1
    assert "\x1b" not in done.stdout


def test_our_own_stories_are_true() -> None:
    done = usherd_here("test", ROOT / "tests" / "stories")

    assert done.returncode == 0, done.stdout
