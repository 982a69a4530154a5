"""The operator's own check is asked by a house that is opened with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config_files import settings
from usherd.cli.dev_issuer import Signer
from usherd.cli.dev_people import DIRECTORY_TEXT, PEOPLE, config_text, token_of
from usherd.domain import Question
from usherd.errors import InternalFault
from usherd.house import opened
from usherd.reasons import Reason

MODULE = """\
def check(claims):
    if claims["sub"] == "bob":
        raise RuntimeError("a bug")
    return claims["sub"] == "alice"
"""


async def test_a_house_asks_the_check_of_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "operator_check_of_a_house.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    signer = Signer.new("https://idp.example")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [signer.public_jwk()]}))
    text = config_text(signer.issuer).replace("discovery: true", "jwks_file: keys.json")
    made = settings(
        tmp_path, text + "hooks: {validate: operator_check_of_a_house.check, timeout: 5s}\n", directory=DIRECTORY_TEXT
    )
    people = {name: token_of(PEOPLE[name], signer) for name in PEOPLE}
    stranger = next(name for name in PEOPLE if name not in ("alice", "bob"))

    async with opened(made) as house:

        async def reason(name: str) -> Reason:
            question = Question(token=people[name], route="/v1/chat/completions", model="gpt-4o")
            return (await house.authorizer.authorize(question)).verdict.reason

        assert await reason("alice") is Reason.ALLOWED
        assert await reason(stranger) is Reason.HOOK_REFUSED
        with pytest.raises(InternalFault):
            await reason("bob")
