"""The pages about identity providers keep their word: their files load, and their stories are true under them."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import usherd
from keyring import claims, key_pair
from providers.pages import BOOKS, CONFIGURATIONS, HERE, PAGES, book, files, page_of, settings
from usherd.config.settings import Settings
from usherd.domain import Decision, Question
from usherd.house import opened
from usherd.reasons import Reason
from usherd.stories.report import lines
from usherd.stories.run import Result, run


def test_every_page_is_in_the_index_and_has_stories() -> None:
    index = (HERE / "README.md").read_text("utf-8")

    assert set(PAGES) == {"auth0", "entra", "google", "keycloak", "okta"}
    assert {page_of(each) for each in BOOKS} == set(PAGES)
    assert all(f"]({page}.md)" in index for page in PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_shows_has_a_name(page: str) -> None:
    assert PAGES[page].count("```yaml\n") == len(files(page))


@pytest.mark.parametrize(("page", "name"), CONFIGURATIONS)
def test_a_configuration_of_a_page_loads_as_it_stands_there_and_opens_nothing(
    page: str, name: str, tmp_path: Path
) -> None:
    policy = settings(page, name, tmp_path).policy

    assert policy.warnings == ()
    assert all(issuer.token.audiences for issuer in policy.issuers)


@pytest.mark.parametrize("source", BOOKS, ids=lambda each: each.stem)
def test_the_stories_of_a_page_are_true(source: Path, tmp_path: Path) -> None:
    opened_book = book(source, tmp_path)

    async def told() -> list[Result]:
        return [result async for result in run(opened_book)]

    results = asyncio.run(told())

    assert len(results) == len(opened_book.book.stories) >= 3
    assert [line for result in results for line in lines(result)] == []


@pytest.mark.parametrize("source", BOOKS, ids=lambda each: each.stem)
def test_a_page_says_the_answers_that_its_stories_expect(source: Path) -> None:
    rows = []
    for story in yaml.safe_load(source.read_text("utf-8"))["stories"]:
        (reason,) = {step["expect"]["reason"] for step in story.get("steps", [story])}
        rows.append(f"| {story['name']} | `{reason}` |\n")

    assert "| a token | answer |\n|---|---|\n" + "".join(rows) + "\n" in PAGES[page_of(source)]


@pytest.mark.parametrize("source", BOOKS, ids=lambda each: each.stem)
def test_each_configuration_has_stories_of_allowed_and_of_denied(source: Path) -> None:
    told = yaml.safe_load(source.read_text("utf-8"))

    assert told["policy"] in files(page_of(source))
    effects = {step["expect"]["effect"] for story in told["stories"] for step in story.get("steps", [story])}
    assert effects == {"ALLOW", "DENY"}


def test_the_commands_of_the_index_do_what_it_says(tmp_path: Path) -> None:
    book(HERE / "stories" / "entra.yaml", tmp_path)
    (tmp_path / "token.txt").write_text(key_pair("RSA", "k1").token(claims()), "utf-8")

    assert usherd("config", "check", tmp_path / "usherd.yaml").returncode == 0
    assert usherd("test", tmp_path / "entra.yaml").stdout == "12 passed, 0 failed\n"
    assert "NOT VERIFIED" in usherd("token", "inspect", f"@{tmp_path / 'token.txt'}").stdout


def asked(made: Settings, token: str) -> Decision:
    """The answer under these settings, with one key of a test's under each issuer of theirs."""
    inline = tuple(
        replace(keys, discovery_url=None, jwks_urls=(), jwks={"keys": [key_pair("RSA", "k1").jwk(alg=...)]})
        for keys in made.keys
    )

    async def answer() -> Decision:
        async with opened(replace(made, keys=inline)) as house:
            return await house.authorizer.authorize(
                Question(token=token, route="/v1/chat/completions", model="gpt-4o"), patience=1.0
            )

    return asyncio.run(answer())


class TestGraph:
    """Entra hashes the `nonce` in the header of a token for Microsoft Graph after it was signed over."""

    ISSUER = "https://login.microsoftonline.com/11111111-1111-4111-8111-111111111111/v2.0"

    def token(self, nonce: str, signed_nonce: str) -> str:
        pair, now = key_pair("RSA", "k1"), int(time.time())
        payload: Any = claims(iss=self.ISSUER, aud="22222222-2222-4222-8222-222222222222", iat=now, exp=now + 600)
        payload |= {"sub": "s", "oid": "s", "azp": "a", "roles": ["Models.Use"]}
        sent = pair.token(payload, header=pair.header(nonce=nonce))
        signed = pair.token(payload, header=pair.header(nonce=signed_nonce))
        return ".".join([*sent.split(".")[:2], signed.split(".")[2]])

    def test_a_token_for_graph_does_not_verify(self, tmp_path: Path) -> None:
        token = self.token("abc", hashlib.sha256(b"abc").hexdigest())

        assert asked(settings("entra", "usherd.yaml", tmp_path), token).verdict.reason is Reason.SIGNATURE_INVALID

    def test_the_same_token_does_if_its_nonce_was_signed_as_it_is(self, tmp_path: Path) -> None:
        token = self.token("abc", "abc")

        assert asked(settings("entra", "usherd.yaml", tmp_path), token).verdict.reason is Reason.ALLOWED
