"""A file of stories says what is wrong with it, by line and key; and stories that are not true say why."""

from __future__ import annotations

import asyncio
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from keyring import claims, key_pair, key_set
from usherd.config.json_schema import stories_schema
from usherd.config.problems import ConfigError
from usherd.config.schema_stories import Ask, Book, Change, Expect, Story
from usherd.stories.book import read_book
from usherd.stories.finding import NoStories, story_files
from usherd.stories.report import as_json, junit, lines
from usherd.stories.run import Result, run

BOOK = """\
policy:
  issuers: [{name: idp, issuer: https://idp.example, audiences: [gateway]}]
  roles: [{name: reader, when: {job: reader}, grants: {routes: [/v1/models, /v1/chat/completions], models: [gpt-4o]}}]
  users: {routes: [/v1/models]}
fixtures:
  claims: {reader: {sub: alice, job: reader}}
  asks: {list: {route: /v1/models}}
"""
STORY = "stories:\n  - name: a reader lists\n    claims: reader\n    ask: list\n    expect: {effect: ALLOW}\n"


def told(folder: Path, text: str) -> list[Result]:
    file = folder / "book.yaml"
    file.write_text(textwrap.dedent(text), "utf-8")

    async def all_of() -> list[Result]:
        return [result async for result in run(read_book(file))]

    return asyncio.run(all_of())


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with a file, or with the stories in it."""
    try:
        results = told(folder, text)
    except ConfigError as error:
        return [str(problem).replace(f"{folder}/", "") for problem in error.problems]
    return [str(problem).replace(f"{folder}/", "") for result in results for problem in result.problems]


def one(*changes: str) -> str:
    """The book with one story that has these lines."""
    return BOOK + "stories:\n  - name: one\n" + "".join(f"    {line}\n" for line in changes)


ASK, EXPECT = "ask: list", "expect: {effect: ALLOW}"

MISTAKES = {
    "no policy": (STORY, "book.yaml:1: policy: is missing; expected a configuration, or the path of one"),
    "no stories": (BOOK + "stories: []\n", "book.yaml:8: stories: is empty; expected at least one story"),
    "unknown key": (BOOK + "storys: []\n" + STORY, "book.yaml:8: storys: unknown key; did you mean stories?"),
    "unknown key of a story": (
        one(ASK, EXPECT, "claim: reader"),
        "book.yaml:12: stories[0].claim: unknown key; did you mean claims?",
    ),
    "unknown fixture": (
        one("claims: readr", ASK, EXPECT),
        "book.yaml:10: stories[0].claims: 'readr' is no fixture for claims; did you mean reader?",
    ),
    "unknown question": (
        one("ask: lst", EXPECT),
        "book.yaml:10: stories[0].ask: 'lst' is no fixture for ask; did you mean list?",
    ),
    "no question": (one(EXPECT), "book.yaml:9: stories[0]: asks nothing; expected ask"),
    "no route": (one("ask: {model: x}", EXPECT), "book.yaml:10: stories[0].ask: names no route"),
    "no expectation": (one(ASK), "book.yaml:9: stories[0]: expects nothing; expected expect"),
    "unknown reason": (
        one(ASK, "expect: {reason: ALLOWD}"),
        "book.yaml:11: stories[0].expect.reason: 'ALLOWD' is no reason of the contract; did you mean ALLOWED?",
    ),
    "unknown effect": (
        one(ASK, "expect: {effect: ALOW}"),
        "book.yaml:11: stories[0].expect.effect: 'ALOW' is not possible here; expected ALLOW or DENY",
    ),
    "unknown option": (
        one("options: {access.unentitld: allow}", ASK, EXPECT),
        "book.yaml:10: stories[0].options.'access.unentitld': unknown option; did you mean access.unentitled?",
    ),
    "value that an option does not have": (
        one("options: {access.unentitled: maybe}", ASK, EXPECT),
        "book.yaml:10: stories[0].options.'access.unentitled': expected deny or allow",
    ),
    "token and claims": (
        one("token: x", "claims: reader", ASK, EXPECT),
        "book.yaml:11: stories[0].claims: stands beside a token that is given as it is sent; expected one of them",
    ),
    "usage of nobody": (
        one("usage: [{spend: 1}]", ASK, EXPECT),
        "book.yaml:10: stories[0].usage[0]: expected one of global, organization, team, user, member or end_user",
    ),
    "one name twice": (
        BOOK + STORY + STORY.partition("\n")[2],
        "book.yaml:13: stories[1].name: 'a reader lists' is the name of stories[0], too; expected each once",
    ),
    "change and question in one step": (
        one("steps: [{change: {advance: 1s}, ask: list}]"),
        "book.yaml:10: stories[0].steps[0].ask: stands beside a change; expected a step for each",
    ),
    "steps beside an expectation": (
        one(ASK, EXPECT, "steps: [{change: {advance: 1s}}]"),
        "book.yaml:11: stories[0].expect: stands beside steps; expected each step to have its own",
    ),
    "no instant": (
        "now: yesterday\n" + BOOK + STORY,
        "book.yaml:1: now: 'yesterday' is no instant; expected 2026-01-01T00:00:00Z",
    ),
    "write of nothing": (
        one(ASK, "expect: {writes: [{create: {id: x}}]}"),
        "book.yaml:11: stories[0].expect.writes[0]: expected one of create_user, create_team or update_user, with the"
        " row's values",
    ),
    "unknown issuer": (
        one("issuer: ipd", ASK, EXPECT),
        "book.yaml:9: stories[0]: 'ipd' is no issuer of the policy; did you mean idp?",
    ),
    "unknown key that signs": (
        one("key: old", ASK, EXPECT),
        "book.yaml:9: stories[0]: 'old' is no key of the issuer",
    ),
    "keys of an unknown issuer": (
        "keys: {ipd: [{name: one}]}\n" + BOOK + STORY,
        "book.yaml:1: keys.ipd: 'ipd' is no issuer of the policy; did you mean idp?",
    ),
    "fixture of a fixture": (
        BOOK.replace("{list: {route: /v1/models}}", "{list: {route: /v1/models}, again: {fixture: list}}") + STORY,
        "book.yaml:7: fixtures.asks.again.fixture: is no part of a fixture itself; expected the question written out",
    ),
    "problem of a policy in a step": (
        one(ASK, "steps: [{expect: {problem: x}}]"),
        "book.yaml:11: stories[0].steps[0].expect.problem: is about a policy that does not load; expected a story"
        " without steps",
    ),
    "mistake in the policy": (
        BOOK.replace("users:", "usrs:") + STORY,
        "book.yaml:4: policy.usrs: unknown key; did you mean users?",
    ),
    "mistake in what a story changes of the policy": (
        one("policy:", "  users: {rutes: []}", ASK, EXPECT),
        "book.yaml:11: policy.users.rutes: unknown key; did you mean routes?",
    ),
    "option that the policy cannot have": (
        one("options: {token.require_audience: false}", "policy: {issuers: [{name: idp, audiences: []}]}", ASK, EXPECT),
        "book.yaml:11: policy.issuers[0].audiences: is empty; expected at least one: tokens for others would be taken,"
        " too",
    ),
    "mistake in a change": (
        one("policy: {users: {routes: [/v1/models]}}", "steps:", "- change: {directory: {users: [{id: b, rol: x}]}}"),
        "book.yaml:12: directory.users[0].rol: unknown key; did you mean role?",
    ),
    "mistake in the directory": (
        "directory: {users: [{id: bob, rol: x}]}\n" + BOOK + STORY,
        "book.yaml:1: directory.users[0].rol: unknown key; did you mean role?",
    ),
    "mistake in what a story changes of the directory": (
        one("directory: {users: [{id: bob, rol: x}]}", ASK, EXPECT),
        "book.yaml:9: directory.users[0].rol: unknown key; did you mean role?",
    ),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_its_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in problems(tmp_path, text)


def test_a_true_story_has_nothing_to_say(tmp_path: Path) -> None:
    (result,) = told(tmp_path, BOOK + STORY)

    assert result.passed
    assert list(lines(result)) == []


def test_a_story_that_is_not_true_says_what_was_answered_and_how_the_checks_went(tmp_path: Path) -> None:
    (result,) = told(tmp_path, one("claims: {sub: mallory}", ASK, "expect: {effect: ALLOW, user: alice}"))

    assert result.outcome == "failed"
    assert list(lines(result))[:3] == [
        f"{tmp_path}/book.yaml:9: one",
        "  effect: expected ALLOW, got DENY",
        "  user: expected alice, got mallory",
    ]
    assert any("entitlement denied NOT_ENTITLED" in line for line in lines(result))


def test_a_fault_that_is_not_expected_is_a_failure(tmp_path: Path) -> None:
    (result,) = told(tmp_path, one("unavailable: [keys]", "claims: reader", ASK, EXPECT))

    assert [str(each) for each in result.failures[0].differences] == ["fault: expected nothing, got KEYS_UNAVAILABLE"]


def test_a_fault_that_is_not_expected_names_the_kind_of_error(tmp_path: Path) -> None:
    (result,) = told(
        tmp_path, one("policy: {hooks: {validate: 'operator:index'}}", "claims: reader", ASK, "expect: {effect: DENY}")
    )

    assert result.failures[0].checks == ("caused by TypeError",)


def test_a_fault_that_is_expected_and_does_not_happen_is_a_failure(tmp_path: Path) -> None:
    (result,) = told(tmp_path, one("claims: reader", ASK, "expect: {fault: KEYS_UNAVAILABLE}"))

    assert not result.passed


def test_a_policy_that_loads_although_a_problem_is_expected_is_a_failure(tmp_path: Path) -> None:
    (result,) = told(tmp_path, one("expect: {problem: users}"))

    assert result.outcome == "failed"


def test_a_malformed_policy_does_not_keep_other_stories_from_being_told(tmp_path: Path) -> None:
    text = BOOK + STORY + "  - name: two\n    policy: {users: {rutes: []}}\n    ask: list\n    expect: {effect: DENY}\n"

    assert [result.outcome for result in told(tmp_path, text)] == ["passed", "malformed"]


def test_the_changes_of_one_story_are_not_those_of_another(tmp_path: Path) -> None:
    text = (
        BOOK
        + "directory: {users: [{id: bob, models: []}]}\n"
        + """\
stories:
  - name: a user who is blocked meanwhile
    claims: {sub: bob}
    ask: list
    steps:
      - expect: {effect: ALLOW}
      - change: {directory: {users: [{id: bob, models: [], blocked: true}]}}
      - expect: {effect: DENY, reason: USER_BLOCKED}
      - change: {remove: {users: [bob]}}
      - expect: {effect: DENY, reason: NOT_ENTITLED}
  - name: the same user in another story
    claims: {sub: bob}
    ask: list
    expect: {effect: ALLOW}
"""
    )

    assert [result.outcome for result in told(tmp_path, text)] == ["passed", "passed"]


def test_a_policy_in_a_file_of_its_own_is_told_with_keys_of_the_stories(tmp_path: Path) -> None:
    policy = yaml.safe_load(BOOK)["policy"]
    policy["issuers"][0]["keys"] = {"discovery": True}
    policy["directory"] = {"seed": "people.yaml"}
    (tmp_path / "usherd.yaml").write_text(yaml.safe_dump(policy))
    (tmp_path / "people.yaml").write_text("users: [{id: bob, models: []}]\n")

    (result,) = told(
        tmp_path,
        "policy: usherd.yaml\nstories:\n  - name: one\n    claims: {sub: bob}\n    ask: {route: /v1/models}\n"
        "    expect: {effect: ALLOW, user: bob}\n",
    )

    assert result.passed, list(lines(result))


def test_a_token_as_it_was_sent_is_verified_by_the_keys_of_the_policy_and_claims_by_those_of_the_stories(
    tmp_path: Path,
) -> None:
    pair = key_pair("Ed25519", "theirs")
    book = yaml.safe_load(BOOK)
    book["policy"]["issuers"][0]["keys"] = {"jwks": key_set(pair)}
    book["now"] = "2027-01-15T08:00:00Z"
    sent = pair.token(claims(aud="gateway", job="reader"))
    forged = key_pair("Ed25519", "another").token(claims(aud="gateway", job="reader"), header=pair.header())
    ask, allow = {"route": "/v1/models"}, {"effect": "ALLOW"}
    book["stories"] = [
        {"name": "sent", "token": sent, "ask": ask, "expect": allow},
        {"name": "forged", "token": forged, "ask": ask, "expect": {"reason": "SIGNATURE_INVALID"}},
        {"name": "signed here", "claims": "reader", "ask": ask, "expect": allow},
    ]

    results = told(tmp_path, yaml.safe_dump(book))

    assert [result.outcome for result in results] == ["passed"] * 3, [list(lines(result)) for result in results]


def test_merge_keys_and_anchors_may_be_used_and_other_unknown_keys_not(tmp_path: Path) -> None:
    anchored = (
        BOOK + "shared: &shared {sub: alice}\n" + one("claims: {<<: *shared, job: reader}", ASK, EXPECT)[len(BOOK) :]
    )

    assert [result.outcome for result in told(tmp_path, anchored)] == ["passed"]
    keys = "policy, directory, environment, keys, now, usage, fixtures or stories"
    assert f"book.yaml:8: shared: unknown key; expected {keys}" in problems(
        tmp_path, anchored.replace("&shared ", "").replace("*shared", "{}")
    )


def test_the_report_of_a_build_server_is_xml_whatever_is_in_a_story(tmp_path: Path) -> None:
    bad = one('claims: {sub: "x"}', ASK, 'expect: {user: "\\e[31m<b>&"}')

    root = ElementTree.fromstring(junit(told(tmp_path, bad)))

    assert (root.attrib["tests"], root.attrib["failures"], root.attrib["errors"]) == ("1", "1", "0")
    (case,) = root.iter("testcase")
    assert case.attrib["name"] == "one"
    assert "expected" in root.findall(".//failure")[0].attrib["message"]


def test_results_for_scripts_have_what_was_expected_and_what_was_answered(tmp_path: Path) -> None:
    (result,) = told(tmp_path, one("claims: reader", ASK, "expect: {effect: DENY}"))

    found = as_json(result)

    assert found["outcome"] == "failed"
    assert found["failures"][0]["differences"] == [{"what": "effect", "expected": "DENY", "got": "ALLOW"}]


def test_files_without_stories_in_a_folder_are_passed_over_and_an_empty_folder_is_not(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("issuers: []\n")
    with pytest.raises(NoStories):
        story_files([tmp_path])

    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "book.yml").write_text(BOOK + STORY)

    assert story_files([tmp_path]) == [tmp_path / "deep" / "book.yml"]


def test_hundreds_of_stories_are_told_in_one_run(tmp_path: Path) -> None:
    one_each = STORY.partition("\n")[2]
    text = BOOK + "stories:\n" + "".join(one_each.replace("a reader", f"reader {number}") for number in range(300))

    results = told(tmp_path, text)

    assert len(results) == 300
    assert all(result.passed for result in results)


def test_the_schema_for_editors_describes_every_key() -> None:
    schema = stories_schema()

    for name, mapping in (("file", schema), *schema["$defs"].items()):
        assert mapping["additionalProperties"] is False, name
        undescribed = [key for key, value in mapping["properties"].items() if not {"description", "$ref"} & set(value)]
        assert undescribed == [], name
    for kind in ("Story", "Step"):
        for key in ("claims", "ask"):
            assert schema["$defs"][kind]["properties"][key]["anyOf"][0] == {"type": "string"}


def test_the_page_about_stories_has_true_stories(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "stories.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]

    results = told(tmp_path, example)

    assert [result.outcome for result in results] == ["passed"] * 3, [list(lines(result)) for result in results]


def test_the_page_about_stories_names_every_key_that_there_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "stories.md").read_text()

    for shape in (Book, Story, Change, Ask, Expect):
        for name, field in shape.model_fields.items():
            assert f"`{field.alias or name}" in page, f"{shape.__name__}.{name}"
