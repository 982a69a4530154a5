"""Loads the configuration of a story once for all stories that share it, with keys to sign with."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from usherd.config.document import Document
from usherd.config.load import load_document
from usherd.config.problems import ConfigError, KeyPath, Problem, did_you_mean, quoted
from usherd.config.schema_stories import SigningKey, Story
from usherd.config.settings import Settings
from usherd.origins import issuer_keys, issuers_with_keys
from usherd.stores.key_sets import GivenKeysUnusable, KeySets
from usherd.stores.key_sources import GivenKeySet, IssuerKeys
from usherd.stores.provider_cache import DocumentCache
from usherd.stores.provider_http import ProviderHttp
from usherd.stories.book import OpenBook
from usherd.stories.signing import story_key
from usherd.stories.variant import GIVEN_KEYS, people, signing_keys, variant

_POLICY, _DIRECTORY = "policy", "directory"
"""What the two are called while they are loaded: as the keys of a file of stories that has both in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A configuration that loaded."""

    settings: Settings
    keys: KeySets
    beside: KeySets
    """Keys of the runner for issuers whose own keys are given in full."""
    runners: frozenset[tuple[str, str]]
    """(issuer, key id) of the keys that are beside."""
    signing: Mapping[str, Sequence[SigningKey]]
    """What each issuer signs with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What one story, up to one of its steps, has changed of its file."""

    options: Mapping[str, object]
    rows: Mapping[str, Any]
    removed: Mapping[str, list[str]]
    place: KeyPath
    """Where the last change is, the story itself at first."""


class Compiler:
    """Loads the configurations of one file's stories. Equal ones are loaded once."""

    def __init__(self, opened: OpenBook, http: ProviderHttp) -> None:
        self._opened = opened
        self._http = http
        self._environment = {**os.environ, **opened.book.environment}
        self._known: dict[str, Compiled | ConfigError] = {}

    def compiled(self, story: Story, place: KeyPath, now: Circumstances) -> Compiled:
        """The configuration of a story that stands at that place. Raises ConfigError."""
        parts = [story.preset, story.policy, dict(now.options), dict(now.rows), dict(now.removed)]
        key = json.dumps(parts, sort_keys=True, default=str)
        if key not in self._known:
            try:
                self._known[key] = self._compile(story, place, now)
            except ConfigError as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, ConfigError):
            raise found
        return found

    def _compile(self, story: Story, place: KeyPath, now: Circumstances) -> Compiled:
        opened = self._opened
        document = variant(opened, story, place, now.options, now.place)
        signing = self._signing(document)
        settings = self._settings(_with_keys(document, signing), people(opened, now.rows, now.removed, now.place))
        written = {issuer["name"]: issuer for issuer in _issuers(document) if "name" in issuer}
        own = [each for each in settings.keys if _are_given(written.get(each.name, {}))]
        try:
            keys = self._key_sets(issuers_with_keys(settings))
            beside = self._key_sets(replace(issuer_keys(each), source=_published(each.name, signing)) for each in own)
        except GivenKeysUnusable as error:
            raise ConfigError([Problem(document.name, 0, "", str(error))]) from None
        return Compiled(
            settings=settings,
            keys=keys,
            beside=beside,
            runners=frozenset((each.name, key.name) for each in own for key in signing[each.name]),
            signing=signing,
        )

    def _signing(self, document: Document) -> dict[str, list[SigningKey]]:
        given = self._opened.book.keys
        policy = document.value if isinstance(document.value, dict) else {}
        found = {str(each.get("name")): signing_keys(policy, each, given) for each in _issuers(document)}
        for name in given:
            if name not in found:
                text = f"{quoted(name)} is no issuer of the policy{did_you_mean(name, found)}"
                raise ConfigError([self._opened.document.problem(("keys", name), text)])
        return found

    def _settings(self, document: Document, rows: Document) -> Settings:
        parts = {_POLICY: document, _DIRECTORY: rows}
        named = {key: replace(part, name=key) for key, part in parts.items()}
        try:
            return load_document(named[_POLICY], self._environment, people=named[_DIRECTORY])
        except ConfigError as error:
            raise ConfigError([self._placed(problem, parts) for problem in error.problems]) from None

    def _placed(self, problem: Problem, parts: Mapping[str, Document]) -> Problem:
        """A problem of the policy or the directory, with its file, and its key as that file has it."""
        part = parts.get(problem.file)
        if part is None:
            return problem
        if part.name != self._opened.name:
            return replace(problem, file=part.name)
        key = ".".join(filter(None, (problem.file, problem.key)))
        return replace(problem, file=part.name, key=key)

    def _key_sets(self, issuers: Iterable[IssuerKeys]) -> KeySets:
        return KeySets(issuers, http=self._http, cache=DocumentCache(time.time), stopwatch=lambda: 0.0)


def _issuers(document: Document) -> list[dict[str, Any]]:
    found = document.value.get("issuers") if isinstance(document.value, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _are_given(issuer: Mapping[str, Any]) -> bool:
    """Whether an issuer of the file has keys that need not be fetched."""
    keys = issuer.get("keys")
    return isinstance(keys, dict) and any(source in keys for source in GIVEN_KEYS)


def _with_keys(document: Document, signing: Mapping[str, list[SigningKey]]) -> Document:
    """The configuration with keys of the runner's for each issuer that has none, or whose are fetched."""
    if not isinstance(document.value, dict) or not isinstance(document.value.get("issuers"), list):
        return document
    issuers = [
        each
        if not isinstance(each, dict) or _are_given(each)
        else {**each, "keys": _kept(each.get("keys")) | {"jwks": _published(str(each.get("name")), signing).document}}
        for each in document.value["issuers"]
    ]
    return replace(document, value={**document.value, "issuers": issuers})


def _kept(keys: object) -> dict[str, Any]:
    return {"denied": keys["denied"]} if isinstance(keys, dict) and "denied" in keys else {}


def _published(issuer: str, signing: Mapping[str, list[SigningKey]]) -> GivenKeySet:
    """The key set of the runner's keys."""
    published = [each for each in signing[issuer] if each.published]
    return GivenKeySet(
        document={"keys": [story_key(issuer, each.name, each.type).jwk(each.publish) for each in published]}
    )
