"""Puts the house together: the only file that knows every room, and the order in which they open and close."""

from __future__ import annotations

import asyncio
import base64
import gc
import itertools
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from usherd.authenticate.key_rules import Dropped
from usherd.authenticate.verifier import Verifier
from usherd.authorizer import Authorizer
from usherd.config.settings import HookSettings, KeySettings, ServerSettings, Settings
from usherd.policy import Policy
from usherd.ports import Hook, NewId
from usherd.rpc.address import is_local
from usherd.rpc.health import Readiness
from usherd.rpc.limits import Limits
from usherd.rpc.server import Listen, check_listen, serving
from usherd.rpc.tls import Tls
from usherd.shadow import Answering, Shadowed
from usherd.stores.budgets import Budget
from usherd.stores.documents import LoadFailed
from usherd.stores.heard_hook import HeardHook
from usherd.stores.key_loader import load_given
from usherd.stores.key_sets import GivenKeysUnusable, KeySets
from usherd.stores.key_sources import Discovery, GivenKeySet, IssuerKeys, KeySetUrls, KeySource, PemFile, Refresh
from usherd.stores.memory_directory import MemoryDirectory, new_store_id
from usherd.stores.operator_hook import OperatorHook
from usherd.stores.provider_cache import ProviderCache
from usherd.stores.provider_http import provider_http
from usherd.stores.provisioning import bounded
from usherd.stores.refreshed_keys import KeyEvent
from usherd.telemetry.shadow_log import ShadowLog

_KEYS_LOOKED_AT_EVERY = 1.0
"""Seconds: how late readiness may be about keys that went stale."""

_ALARMING = tuple(cause for cause in Dropped if cause.alarming)
"""Why keys are dropped that tell of a published secret, or of an issuer that contradicts itself."""

_log = structlog.stdlib.get_logger("usherd.app")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Everything that answers questions, without a server around it."""

    authorizer: Answering
    verifier: Verifier
    keys: KeySets
    shadow_log: ShadowLog | None = None
    """None: there is no candidate policy."""

    def tell_shadow(self, *, last: bool = False) -> None:
        """Writes what the candidate policy would have answered otherwise, when it is time or for the last time."""
        if isinstance(self.authorizer, Shadowed) and self.shadow_log is not None:
            if last:
                self.shadow_log.summary(self.authorizer.tally())
            else:
                self.shadow_log.tick(self.authorizer.tally)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[House]:
    """The house, with its keys loaded or known to be out of reach. What opened first closes last.

    Raises GivenKeysUnusable when keys that the configuration gives in full cannot be used.
    """
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(provider_http(allow_loopback_http=settings.loopback_http))
        made = KeySets(
            map(issuer_keys, settings.keys),
            http=http,
            cache=ProviderCache(time.time),
            stopwatch=time.monotonic,
            on_event=_log_key_event,
        )
        keys = await stack.enter_async_context(made.running())
        directory = MemoryDirectory(
            new_store_id(),
            settings.directory,
            bare_ids_for=settings.only_issuer,
            everyone=Budget(settings.policy.budgets.global_max_micro_usd, settings.budget_period),
            clock=time.time,
        )
        verifier = Verifier(settings.policy, keys, time.time, settings.cached_tokens)
        hook = None if settings.hook is None else _operator_hook(settings.hook)
        if settings.shadow is None:
            live = _authorizer(settings, settings.policy, verifier, keys, directory, hook, writes=True)
            yield House(authorizer=live, verifier=verifier, keys=keys)
            return
        others = Verifier(settings.shadow, keys, time.time, settings.cached_tokens)
        # Asked once for both: a slow check must not take its time twice, nor one with effects have them twice.
        heard = None if hook is None else HeardHook(hook)
        again = None if heard is None else heard.again
        live = _authorizer(settings, settings.policy, verifier, keys, directory, heard, writes=True)
        candidate = _authorizer(settings, settings.shadow, others, keys, directory, again, writes=False)
        shadow_log = ShadowLog(secrets.token_hex(4), _log.info, time.monotonic)
        shadowed = Shadowed(live, candidate, settings.shadow.digest, shadow_log.example)
        yield House(authorizer=shadowed, verifier=verifier, keys=keys, shadow_log=shadow_log)


def _authorizer(
    settings: Settings,
    policy: Policy,
    verifier: Verifier,
    keys: KeySets,
    directory: MemoryDirectory,
    hook: Hook | None,
    *,
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
        hook=hook,
        hook_is_pure=settings.hook is not None and settings.hook.pure,
    )


async def serve(settings: Settings, *, on_ready: Callable[[str], None] = lambda address: None) -> None:
    """Serves until a signal (SIGTERM, SIGINT), then drains; a second signal kills.

    `on_ready` hears the address, with the port that was really taken. Raises AddressUnusable, TlsUnusable,
    GivenKeysUnusable.
    """
    for warning in settings.policy.warnings:
        _log.warning("insecure_setting", setting=warning)
    # Before the keys: a wrong address should not have to wait for a slow provider, nor should a signal.
    check_listen(_listen(settings.server))
    stopped = stop_signals()
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(opened(settings))
        # After the last call is answered, and before the house closes.
        stack.callback(house.tell_shadow, last=True)
        readiness.policy_loaded([issuer.name for issuer in settings.policy.issuers])
        readiness.directory(fresh=True)
        tell_keys(house.keys, settings, readiness)
        server = await stack.enter_async_context(
            serving(
                house.authorizer,
                listen=_listen(settings.server),
                limits=Limits(deadline=settings.server.deadline, concurrency=settings.server.concurrency),
                readiness=readiness,
                may_explain=_may_explain(settings.server),
            )
        )
        spare_the_collector()
        _log.info("serving", address=server.address, policy=settings.policy.digest[:16])
        on_ready(server.address)
        while not await _is_set_within(stopped, _KEYS_LOOKED_AT_EVERY):
            tell_keys(house.keys, settings, readiness)
            house.tell_shadow()
        _log.info("draining", seconds=settings.server.drain)
    _log.info("stopped")


def tell_keys(keys: KeySets, settings: Settings, readiness: Readiness) -> None:
    """Reports which issuers' keys can be used now."""
    for issuer in settings.policy.issuers:
        readiness.issuer(issuer.name, usable=keys.usable(issuer.name))


def id_maker() -> NewId:
    """Makes ids of 26 characters: 10 random ones for this life of the process, and a count. They are no secrets."""
    life = base64.b32encode(secrets.token_bytes(7))[:10].decode().lower()
    return map(f"{life}{{:016x}}".format, itertools.count(1)).__next__


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def stop_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; after that, either does what it does to every process: it kills."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        stopped.set()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)
    return stopped


def spare_the_collector() -> None:
    """Keeps the garbage collector off what stays for ever, and looks less often: about 5 % of the CPU of a call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _listen(server: ServerSettings) -> Listen:
    tls = server.tls
    return Listen(
        address=server.address,
        tls=None if tls is None else Tls(cert=tls.cert, key=tls.key, client_ca=tls.client_ca),
        plaintext_allowed=server.plaintext_allowed,
        reflection=server.reflection,
        grace=server.drain,
    )


def _may_explain(server: ServerSettings) -> bool:
    return server.explanations == "on" or (server.explanations == "auto" and is_local(server.address))


def _operator_hook(hook: HookSettings) -> OperatorHook:
    def tell(seconds: float) -> None:
        _log.warning("hook_slow", hook=hook.name, seconds=round(seconds, 3), timeout=hook.timeout)

    return OperatorHook(hook.call, timeout=hook.timeout, pure=hook.pure, stopwatch=time.monotonic, on_slow=tell)


def issuer_keys(keys: KeySettings) -> IssuerKeys:
    """Where the keys of one issuer come from, and what they may do, in the words of the key stores."""
    refresh = keys.refresh
    made = IssuerKeys(
        name=keys.name,
        issuer=keys.issuer,
        algorithms=keys.algorithms,
        source=_source(keys),
        refresh=Refresh(
            every=refresh.every,
            stale_for=refresh.stale_for,
            removed_grace=refresh.removed_grace,
            unknown_kid_cooldown=refresh.unknown_kid_cooldown,
            timeout=refresh.timeout,
        ),
        denied=keys.denied,
        options=keys.options,
    )
    return replace(made, rsa_algorithms=keys.algorithms) if keys.algorithms_given else made


def _source(keys: KeySettings) -> KeySource:
    if keys.discovery_url is not None:
        return Discovery(url=keys.discovery_url)
    if keys.jwks_urls:
        return KeySetUrls(urls=keys.jwks_urls)
    if keys.pem_file is not None:
        return PemFile(path=keys.pem_file)
    document = keys.jwks if keys.jwks is not None else keys.jwks_file
    if document is None:
        raise ValueError(f"issuer {keys.name}: no source of keys")
    return GivenKeySet(document=document)


def _log_key_event(event: KeyEvent, fields: Mapping[str, str | int]) -> None:
    alarming = event is KeyEvent.FAILED or any(fields.get(f"dropped_{cause.value}") for cause in _ALARMING)
    tell = _log.warning if alarming else _log.info
    tell(event.value, **fields)


def check(settings: Settings) -> None:
    """What `serve` would refuse before it asks anybody: keys that are given in full, an address that needs TLS, and
    the files of TLS.

    Raises GivenKeysUnusable, AddressUnusable, TlsUnusable.
    """
    check_listen(_listen(settings.server))
    for issuer in map(issuer_keys, settings.keys):
        if isinstance(issuer.source, GivenKeySet | PemFile):
            try:
                load_given(issuer, issuer.source)
            except LoadFailed as failure:
                raise GivenKeysUnusable(f"issuer {issuer.name}: keys: {failure.cause.value}") from None
