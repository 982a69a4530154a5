"""A house writes the users that its policy wants to be written, to its directory and within the bound."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config_files import settings
from usherd.cli.dev_issuer import Signer
from usherd.cli.dev_people import DIRECTORY_TEXT, Person, config_text, token_of
from usherd.config.settings import Settings
from usherd.domain import Question
from usherd.errors import Overloaded
from usherd.house import opened
from usherd.reasons import Reason

PROVISION = "users: {provision: {when: {teams: true}, defaults: {max_budget: 0}, per_minute: 1}}\n"


def _settings(folder: Path, signer: Signer, more: str) -> Settings:
    (folder / "keys.json").write_text(json.dumps({"keys": [signer.public_jwk()]}))
    text = config_text(signer.issuer).replace("discovery: true", "jwks_file: keys.json")
    return settings(folder, text + more, directory=DIRECTORY_TEXT)


def _question(signer: Signer, subject: str) -> Question:
    token = token_of(Person(about="is new here", claims={"sub": subject, "groups": ["research"]}), signer)
    return Question(token=token, route="/v1/chat/completions", model="gpt-4o")


async def test_a_new_user_is_written_once_and_counts_from_the_next_question_on(tmp_path: Path) -> None:
    signer = Signer.new("https://idp.example")
    question = _question(signer, "nina")

    async with opened(_settings(tmp_path, signer, PROVISION)) as house:
        first, second = [await house.authorizer.authorize(question) for _ in range(2)]

    # The row's budget is spent before anything is: that is how to see that there is a row.
    assert (first.verdict.reason, second.verdict.reason) == (Reason.ALLOWED, Reason.USER_BUDGET_EXHAUSTED)
    assert [decision.revision.rpartition(":")[2] for decision in (first, second)] == ["1", "2"]


async def test_more_new_users_than_the_bound_have_no_answer_and_others_have(tmp_path: Path) -> None:
    signer = Signer.new("https://idp.example")

    async with opened(_settings(tmp_path, signer, PROVISION)) as house:
        await house.authorizer.authorize(_question(signer, "nina"))
        with pytest.raises(Overloaded):
            await house.authorizer.authorize(_question(signer, "nils"))
        known = await house.authorizer.authorize(_question(signer, "alice"))

    assert known.verdict.reason is Reason.ALLOWED


async def test_without_provisioning_nobody_is_written(tmp_path: Path) -> None:
    signer = Signer.new("https://idp.example")
    question = _question(signer, "nina")

    async with opened(_settings(tmp_path, signer, "")) as house:
        answers = [await house.authorizer.authorize(question) for _ in range(2)]

    assert [answer.verdict.reason for answer in answers] == [Reason.ALLOWED] * 2
    assert {answer.revision.rpartition(":")[2] for answer in answers} == {"1"}
