"""Puts together what answers questions: keys, directory and authorizer, under one configuration."""

from __future__ import annotations

import asyncio
import base64
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from usherd.authenticate.key_rules import Dropped
from usherd.authenticate.own_keys import KeysWithOwn, OwnKeys
from usherd.authenticate.verifier import Verifier
from usherd.authorizer import Authorizer
from usherd.config.catalogue import with_kept_models
from usherd.config.settings import HookSettings, Settings
from usherd.elapsed import elapsed
from usherd.ground import HouseDirectory, SharedKept
from usherd.grounds import opened_ground
from usherd.origins import endpoints, issuers_with_keys
from usherd.policy import IssuerPolicy, Policy
from usherd.ports import Hook, Keys, NewId, Observer, Revocations
from usherd.revoked import PolicyRevocations
from usherd.shadow import Answering, Shadowed
from usherd.stores.heard_hook import HeardHook
from usherd.stores.introspection import Introspection, IntrospectionEvent
from usherd.stores.kept_sessions import KeptSessions
from usherd.stores.key_sets import KeySets
from usherd.stores.operator_hook import OperatorHook
from usherd.stores.provider_cache import AnswerCache, DocumentCache, provider_caches
from usherd.stores.provider_http import provider_http
from usherd.stores.provisioning import bounded
from usherd.stores.refreshed_keys import KeyEvent
from usherd.telemetry.counts import OK, Counts
from usherd.telemetry.shadow_log import ShadowLog

_ALARMING = tuple(cause for cause in Dropped if cause.alarming)
"""Why keys are dropped that tell of a published secret, or of an issuer that contradicts itself."""

KEPT_CONNECTIONS = 32
"""Idle connections to issuers that are asked about tokens."""

_log = structlog.stdlib.get_logger("usherd.app")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Everything that answers questions, without a server around it."""

    authorizer: Answering
    verifier: Verifier
    keys: KeySets
    directory: HouseDirectory
    documents: DocumentCache
    """Those of identity providers."""
    under: Callable[[Settings], Awaitable[House]]
    """The same house, with its keys and the tokens that it knows, under a configuration that differs in nothing but the
    catalogue of models. Both end together."""
    shadow_log: ShadowLog | None = None
    """None: there is no candidate policy."""

    def usable(self, issuer: IssuerPolicy) -> bool:
        """Whether tokens of that issuer can be verified: its keys are there, or it is asked and so needs none."""
        return issuer.introspection is not None or self.keys.usable(issuer.name)

    def tell_shadow(self, *, last: bool = False) -> None:
        """Writes what the candidate policy would have answered otherwise, when it is time or for the last time."""
        if isinstance(self.authorizer, Shadowed) and self.shadow_log is not None:
            if last:
                self.shadow_log.summary(self.authorizer.tally())
            else:
                self.shadow_log.tick(self.authorizer.tally)


@asynccontextmanager
async def opened(
    settings: Settings,
    directory: HouseDirectory | None = None,
    before: KeySets | None = None,
    counts: Counts | None = None,
    kept: SharedKept | None = None,
    on_keys: Callable[[str], None] = lambda issuer: None,
) -> AsyncIterator[House]:
    """The house, with its keys loaded or known to be out of reach. What opened first closes last.

    `directory` stands in for a new one, and the models of its store are already in `settings`; `before` are the keys
    of a house in whose place this one comes; `counts` hears of what goes on in it; `kept` is there if the directory is
    kept in a store. `on_keys` hears of each issuer whose keys may be others than before. Raises GivenKeysUnusable when
    keys that the configuration gives in full cannot be used, and what `opened_ground` raises.
    """
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(provider_http(allow_loopback_http=settings.loopback_http))
        shared = settings.shared_cache
        url, key = (None, None) if shared is None else (shared.url, shared.key)
        caches = await stack.enter_async_context(provider_caches(time.time, time.monotonic, url, key, tell=_log_shared))
        made = KeySets(
            issuers_with_keys(settings),
            http=http,
            cache=caches.documents,
            stopwatch=elapsed,
            on_event=partial(_on_key_event, counts, on_keys),
            before=before,
        )
        keys = await stack.enter_async_context(made.running())
        if directory is None:
            ground = await stack.enter_async_context(opened_ground(settings))
            # A list that was handed over is asked, wherever the rows are.
            directory, kept = ground.house(settings), kept or ground.kept
            settings = (await asyncio.to_thread(with_kept_models, settings, await ground.models())).settings
        introspection = await _introspection(settings, caches.answers, stack)
        store_key = None if kept is None else kept.token_key
        sessions = None if kept is None else kept.sessions
        # Those that a reload asks for come with a restart: until then their keys are not known.
        all_keys: Keys = keys
        if any(each is not None and each.own_sessions is not None for each in (settings.policy, settings.shadow)):
            all_keys = KeysWithOwn(keys, OwnKeys(time.time) if sessions is None else sessions.keys)
        verifier = Verifier(
            settings.policy, all_keys, time.time, settings.cached_tokens, counts, introspection, store_key
        )
        hook = None if settings.hook is None else _operator_hook(settings.hook)

        async def make(policy: Policy, verifier: Verifier, hook: Hook | None, *, writes: bool) -> Authorizer:
            # In a thread: to compile a policy takes some ten milliseconds, and others may be waiting for answers.
            observer = counts if writes else None
            revocations = None if kept is None else PolicyRevocations(kept.revoked, policy)
            compile_policy = partial(
                _authorizer,
                all_keys,
                directory,
                policy,
                verifier,
                revocations,
                sessions,
                hook,
                settings.hook is not None and settings.hook.pure,
                observer,
                writes,
            )
            return await asyncio.to_thread(compile_policy)

        others = None
        if settings.shadow is not None:
            others = Verifier(
                settings.shadow,
                all_keys,
                time.time,
                settings.cached_tokens,
                introspection=introspection,
                store_key=store_key,
            )
        # Asked once for both: a slow check must not take its time twice, nor one with effects have them twice.
        heard = hook if hook is None or others is None else HeardHook(hook)
        again = heard.again if isinstance(heard, HeardHook) else None

        async def under(now: Settings) -> House:
            live = await make(now.policy, verifier, heard, writes=True)
            answering: Answering = live
            shadow_log = None
            if now.shadow is not None and others is not None:
                candidate = await make(now.shadow, others, again, writes=False)
                shadow_log = ShadowLog(secrets.token_hex(4), _log.info, time.monotonic)
                answering = Shadowed(live, candidate, now.shadow.digest, shadow_log.example)
            return House(
                authorizer=answering,
                verifier=verifier,
                keys=keys,
                directory=directory,
                documents=caches.documents,
                shadow_log=shadow_log,
                under=under,
            )

        yield await under(settings)


async def _introspection(settings: Settings, answers: AnswerCache, stack: AsyncExitStack) -> Introspection | None:
    """Who asks issuers about tokens; None: none of them wants to be asked."""
    asked = endpoints(settings)
    if not asked:
        return None
    # Connections of its own, which are kept: these are asked often.
    http = await stack.enter_async_context(
        provider_http(allow_loopback_http=settings.loopback_http, kept=KEPT_CONNECTIONS)
    )
    made = Introspection(
        asked, http=http, answers=answers, clock=time.time, stopwatch=time.monotonic, on_event=_log_introspection
    )
    return await stack.enter_async_context(made.running())


def _authorizer(
    keys: Keys,
    directory: HouseDirectory,
    policy: Policy,
    verifier: Verifier,
    revocations: Revocations | None,
    sessions: KeptSessions | None,
    hook: Hook | None,
    hook_is_pure: bool,
    observer: Observer | None,
    writes: bool,
) -> Authorizer:
    """Who answers under one policy. A candidate's has nothing to write with."""
    return Authorizer(
        policy=policy,
        verifier=verifier,
        keys=keys,
        directory=directory,
        clock=time.time,
        stopwatch=time.monotonic,
        new_id=id_maker(),
        provisioning=bounded(directory, policy, time.monotonic) if writes else None,
        revocations=revocations,
        sessions=None if sessions is None else sessions.live,
        hook=hook,
        hook_is_pure=hook_is_pure,
        observer=observer,
    )


def id_maker() -> NewId:
    """Makes ids of 26 characters: 10 random ones for this life of the process, and a count. They are no secrets."""
    life = base64.b32encode(secrets.token_bytes(7))[:10].decode().lower()
    return map(f"{life}{{:016x}}".format, itertools.count(1)).__next__


def _operator_hook(hook: HookSettings) -> OperatorHook:
    def tell(seconds: float) -> None:
        _log.warning("hook_slow", hook=hook.name, seconds=round(seconds, 3), timeout=hook.timeout)

    return OperatorHook(hook.call, timeout=hook.timeout, pure=hook.pure, stopwatch=time.monotonic, on_slow=tell)


def _log_shared(works: bool, fields: Mapping[str, str | int]) -> None:
    if works:
        _log.info("shared_cache_works_again")
    else:
        _log.warning("shared_cache_failed", **fields)


def _log_introspection(event: IntrospectionEvent, fields: Mapping[str, str | int]) -> None:
    tell = _log.warning if event is IntrospectionEvent.FAILED else _log.info
    tell(event.value, **fields)


def _on_key_event(
    counts: Counts | None, on_keys: Callable[[str], None], event: KeyEvent, fields: Mapping[str, str | int]
) -> None:
    if event in (KeyEvent.LOADED, KeyEvent.LEARNT) or "removed" in fields:
        on_keys(str(fields["issuer"]))
    if counts is not None and event is not KeyEvent.LEARNT:
        issuer = str(fields["issuer"])
        if event is KeyEvent.FORCED:
            counts.forced[issuer] += 1
        else:
            counts.refreshes[issuer, str(fields.get("cause", OK))] += 1
    if event is not KeyEvent.UNCHANGED:
        _log_key_event(event, fields)


def _log_key_event(event: KeyEvent, fields: Mapping[str, str | int]) -> None:
    alarming = event is KeyEvent.FAILED or any(fields.get(f"dropped_{cause.value}") for cause in _ALARMING)
    tell = _log.warning if alarming else _log.info
    tell(event.value, **fields)
