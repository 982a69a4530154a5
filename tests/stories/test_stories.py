"""Runs the stories beside this file: real configuration, real tokens, the real Authorizer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from keyring import NOW, StaticKeys, key_pair, key_set
from usherd.authenticate.verifier import Verifier
from usherd.authorizer import Authorizer
from usherd.config.load import load
from usherd.domain import Decision, Question
from usherd.reasons import ANSWERS
from usherd.stores.memory_directory import MemoryDirectory

FILES = sorted(Path(__file__).parent.glob("*.yaml"))


def stories() -> Iterator[Any]:
    for file in FILES:
        book = yaml.safe_load(file.read_text())
        for story in book["stories"]:
            yield pytest.param(book, story, id=f"{file.stem}: {story['name']}")


def question(book: dict[str, Any], story: dict[str, Any]) -> Question:
    issuers = book["policy"]["issuers"]
    mine = next(each for each in issuers if each["name"] == story.get("issuer", issuers[0]["name"]))
    claims = {"iss": mine["issuer"], "aud": mine["audiences"][0], "iat": int(NOW), "exp": int(NOW) + 600}
    token = key_pair("Ed25519", mine["name"]).token(claims | story["claims"])
    asked = dict(story["ask"])
    asked["fallback_models"] = tuple(asked.get("fallback_models", ()))
    return Question(token=token, **asked)


def answered(decision: Decision) -> dict[str, Any]:
    verdict = decision.verdict
    principal = verdict.principal
    answer = ANSWERS[verdict.reason]
    return {
        "effect": verdict.effect.name,
        "reason": verdict.reason.name,
        "http_status": answer.http_status,
        "www_authenticate": answer.www_authenticate,
        "resolved_model": verdict.resolved_model,
        "kind": principal and principal.kind.name,
        "roles": principal and list(principal.roles),
        "team": principal and principal.team_id,
        "user": principal and principal.user_id,
        "admin": principal and principal.is_admin,
    }


@pytest.mark.parametrize(("book", "story"), list(stories()))
async def test_story(book: dict[str, Any], story: dict[str, Any], tmp_path: Path) -> None:
    config = dict(book["policy"])
    config["issuers"] = [
        {**each, "keys": {"jwks": key_set(key_pair("Ed25519", each["name"]))}} for each in config["issuers"]
    ]
    if "directory" in book:
        (tmp_path / "directory.yaml").write_text(yaml.safe_dump(book["directory"]))
        config["directory"] = {"seed": "directory.yaml"}
    (tmp_path / "usherd.yaml").write_text(yaml.safe_dump(config))
    settings = load(tmp_path / "usherd.yaml", environment={})
    ids = (f"{number:026d}" for number in itertools.count())

    keys = StaticKeys.of(**{each["name"]: [key_pair("Ed25519", each["name"])] for each in config["issuers"]})
    authorizer = Authorizer(
        policy=settings.policy,
        verifier=Verifier(settings.policy, keys, lambda: NOW),
        keys=keys,
        directory=MemoryDirectory("stories", settings.directory, bare_ids_for=settings.only_issuer),
        clock=lambda: NOW,
        stopwatch=lambda: 0.0,
        new_id=lambda: next(ids),
    )
    decision = await authorizer.authorize(question(book, story))

    answer = answered(decision)
    assert {name: answer[name] for name in story["expect"]} == story["expect"]


def test_there_are_stories() -> None:
    assert len(list(stories())) >= 30
