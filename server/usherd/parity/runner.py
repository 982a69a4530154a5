"""Asks cases one after the other, each under its own configuration; equal configurations are set up once."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from usherd.config.problems import ConfigError
from usherd.config.settings import HookSettings, Settings
from usherd.origins import issuers_with_keys
from usherd.parity.answers import CONFIG_ERROR, Answer, Outcome
from usherd.parity.cases import Case, Json, KeyDocuments
from usherd.parity.endpoint import FETCH_TIMEOUT, publishing
from usherd.parity.setup import settings_of, with_keys
from usherd.parity.world import World
from usherd.stores.key_sets import GivenKeysUnusable, KeySets
from usherd.stores.operator_hook import OperatorHook
from usherd.stores.provider_cache import DocumentCache
from usherd.stores.provider_http import ProviderHttp, provider_http

KEPT = 128
"""Set-ups that are kept: equal configurations stand close together in the file."""

_NOT_LOADED = Answer(outcome=Outcome.CONFIG_ERROR, reason=CONFIG_ERROR)


class Runner:
    """Answers cases. `preset` is `litellm`, or `strict` for what `access.shadow: strict` would answer."""

    def __init__(self, documents: KeyDocuments, http: ProviderHttp, preset: str = "litellm") -> None:
        self._documents = documents
        self._http = http
        self._strict = preset == "strict"
        self._worlds: OrderedDict[str, World | None] = OrderedDict()

    async def ask(self, case: Case, *, claims: Json | None = None) -> Answer:
        """What usherd answers; with `claims`, what it would answer if the genuine token said that.

        Raises CasesUnusable when the key document that the case names cannot be read.
        """
        if case.jwks_http is not None:
            return await self._ask_over_http(case, case.jwks_http)
        world = self._world(case)
        return _NOT_LOADED if world is None else await world.ask(case, claims)

    def _world(self, case: Case) -> World | None:
        """The set-up of the case; None when its configuration does not load."""
        setting = json.dumps([case.config, case.keys], sort_keys=True)
        if setting in self._worlds:
            self._worlds.move_to_end(setting)
            return self._worlds[setting]
        try:
            settings = with_keys(settings_of(case, shadow=self._strict), self._documents.value(case.keys))
            made = self._made(settings, self._key_sets(settings))
        except (ConfigError, GivenKeysUnusable):
            made = None
        self._worlds[setting] = made
        if len(self._worlds) > KEPT:
            self._worlds.popitem(last=False)
        return made

    async def _ask_over_http(self, case: Case, behaviour: Json) -> Answer:
        """As `ask`, with keys that are really fetched, from an endpoint that behaves like that of the case."""
        async with publishing(behaviour, self._documents.body(case.keys)) as url:
            try:
                settings = settings_of(case, url=url, shadow=self._strict)
            except ConfigError:
                return _NOT_LOADED
            async with self._key_sets(settings).running(FETCH_TIMEOUT) as keys:
                made = self._made(settings, keys)
                return _NOT_LOADED if made is None else await made.ask(case)

    def _key_sets(self, settings: Settings) -> KeySets:
        cache = DocumentCache(time.time)
        return KeySets(issuers_with_keys(settings), http=self._http, cache=cache, stopwatch=time.monotonic)

    def _made(self, settings: Settings, keys: KeySets) -> World | None:
        policy = settings.shadow if self._strict else settings.policy
        if policy is None:
            return None
        return World(policy, keys, None if settings.hook is None else _hook(settings.hook))


def _hook(hook: HookSettings) -> OperatorHook:
    return OperatorHook(hook.call, timeout=hook.timeout, pure=hook.pure, stopwatch=time.monotonic)


@asynccontextmanager
async def running(documents: KeyDocuments, preset: str = "litellm") -> AsyncIterator[Runner]:
    """A runner, with an HTTP client that is open as long as the block lasts."""
    async with provider_http(allow_loopback_http=True) as http:
        yield Runner(documents, http, preset)
