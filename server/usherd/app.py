"""Puts the house together: the only file that knows every room, and the order in which they open and close."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import structlog

from usherd.admin.address import admin_address
from usherd.admin.post import Post
from usherd.admin.serving import administered
from usherd.admin.session_http import session_address, sessions_served
from usherd.call_listeners import call_listeners, check_decision_log
from usherd.config.settings import ServerSettings, Settings
from usherd.domain import SESSION_ISSUER
from usherd.grounds import opened_ground
from usherd.house import House, id_maker
from usherd.kept_models import kept_models_followed
from usherd.moving import Moving
from usherd.origins import issuers_with_keys
from usherd.reloads import Reloads, Source
from usherd.revocable import Revocable
from usherd.rpc.address import check_free, is_local
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.directory.rows import Names
from usherd.rpc.envoy.service import EnvoyTerms
from usherd.rpc.health import Readiness
from usherd.rpc.hub_life import new_hub
from usherd.rpc.limits import Limits
from usherd.rpc.revocation.kept import InForce, KeptRevocations
from usherd.rpc.server import Listen, Serving, check_listen, serving
from usherd.rpc.tls import Tls
from usherd.rpc.trace_context import with_trace
from usherd.session_desk import SessionDesk
from usherd.stopping import stop_signals
from usherd.stores.documents import LoadFailed
from usherd.stores.key_loader import load_given
from usherd.stores.key_sets import GivenKeysUnusable
from usherd.stores.key_sources import GivenKeySet, PemFile

_KEYS_LOOKED_AT_EVERY = 1.0
"""Seconds: how late readiness may be about keys that went stale."""

_NO_STORE_STALENESS = 5.0
"""Seconds for which a living decision may fail to be looked at again where the directory is never stale."""

_log = structlog.stdlib.get_logger("usherd.app")


async def serve(
    settings: Settings,
    source: Source | None = None,
    *,
    on_ready: Callable[[str], None] = lambda address: None,
    post: Post | None = None,
) -> None:
    """Serves until a signal (SIGTERM, SIGINT), then drains; a second signal kills.

    `source` is where the configuration comes from, to be read again; None: it stays as it is. `on_ready` hears the
    address, with the port that was really taken. `post` is a worker's line to its supervisor: the port is shared then.
    Raises AddressUnusable, TlsUnusable, GivenKeysUnusable, DecisionLogUnusable, DatabaseUnusable, KeysSealedAway, and
    DirectoryUnavailable when the directory's database is out of reach.
    """
    _warn(settings)
    # Before keys and database: a wrong address should not have to wait for a slow provider, nor should a signal.
    _check_addresses(settings)
    if post is None:  # else the supervisor holds it
        check_free(settings.server.address)
    stopped = stop_signals()
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        if post is not None:
            await stack.enter_async_context(post.open(stopped.set))
        # First, so that it can be looked at while it begins and while it ends.
        admin = await stack.enter_async_context(administered(settings.metrics, readiness, post))
        if admin.address is not None:
            _log.info("metrics_served", address=admin.address)
        counts = admin.counts
        heard = await stack.enter_async_context(call_listeners(settings, counts))
        ground = await stack.enter_async_context(opened_ground(settings))
        hub = new_hub(_limits(settings), None if counts is None else counts.living)
        if ground.kept is not None and ground.kept.sessions is not None:
            ground.kept.sessions.keys.on_gone = partial(hub.keys_changed, SESSION_ISSUER)
        moving = await Moving.into(settings, ground, counts, hub.keys_changed)
        # Before the first stream: what changes after its first decision must not pass it by.
        stack.callback(moving.listen(hub.hear))
        stack.push_async_callback(moving.close)
        # After the last call is answered, and before the house closes.
        stack.callback(lambda: moving.house.tell_shadow(last=True))
        readiness.directory(fresh=ground.fresh)
        tell_policy(moving, readiness)
        if post is not None:
            # What it has counted, once the last call is answered: there is no later report.
            stack.push_async_callback(post.tell)
        listen = _listen(settings.server, post)
        admission = Admission(_terms(settings, listen.address))
        desk = _desk(moving)
        pages = sessions_served(_sessions_at(settings, post), settings.server, desk, shared=post is not None)
        told_at = await stack.enter_async_context(pages)
        if told_at is not None:
            _log.info("sessions_served", address=told_at)
        server = await stack.enter_async_context(
            serving(
                moving.house.authorizer,
                listen=listen,
                limits=_limits(settings),
                readiness=readiness,
                begins=with_trace(admission.begins) if heard.wants_trace else admission.begins,
                directory=_kept(moving),
                revocations=_revocations(moving),
                sessions=desk,
                envoy=None if settings.envoy is None else EnvoyTerms(settings.envoy, id_maker()),
                listener=heard.listener,
                on_wait=None if counts is None else counts.waited,
                hub=hub,
                so_reuseport=int(post is not None),
            )
        )
        begin = partial(_begin, moving, server, desk, admission, readiness)

        def begin_anew() -> None:
            begin()
            _warn(moving.settings)
            if models is not None:
                models.tell_left_aside()

        models = await stack.enter_async_context(kept_models_followed(moving, begin))
        admin.attach(moving, server, heard.decision_log, models)
        reloads = stack.enter_context(
            Reloads(moving, source, begin_anew, signalled=heard.open_anew, on_end=admin.reloaded)
        )
        spare_the_collector()
        _log.info("serving", address=server.address, policy=moving.settings.policy.digest[:16])
        if post is not None:
            post.on_reload(reloads.want)
            await post.serving()
        on_ready(server.address)
        while not await _is_set_within(stopped, _KEYS_LOOKED_AT_EVERY):
            tell_keys(moving.house, moving.settings, readiness)
            readiness.directory(fresh=ground.fresh)
            moving.house.tell_shadow()
            reloads.look()
        _log.info("draining", seconds=settings.server.drain)
    _log.info("stopped")


def _begin(moving: Moving, server: Serving, desk: SessionDesk, admission: Admission, readiness: Readiness) -> None:
    """Another house answers from now on, and other callers may ask it."""
    server.answer_with(moving.house.authorizer)
    desk.logins = moving.house.authorizer.logins
    admission.change(_terms(moving.settings, server.address))
    server.judge_again()
    tell_policy(moving, readiness)


def _kept(moving: Moving) -> KeptDirectory:
    """What DirectoryService works with."""

    def names() -> Names:
        return Names([issuer.name for issuer in moving.settings.policy.issuers])

    return KeptDirectory(store=moving.ground.store, names=names, listen=moving.listen)


def _revocations(moving: Moving) -> KeptRevocations | None:
    """What RevocationService works with."""

    def in_force() -> InForce:
        return InForce(verifier=moving.house.verifier, revocable=Revocable(moving.settings.policy))

    store = moving.ground.revocations
    return None if store is None else KeptRevocations(store=store, in_force=in_force)


def _desk(moving: Moving) -> SessionDesk:
    """What SessionService works with. Without sessions of usherd's own, it tells those in LiteLLM's form."""
    kept = moving.ground.kept
    sessions = None if kept is None else kept.sessions
    logins = moving.house.authorizer.logins
    if sessions is None:
        return SessionDesk(logins, time.time)
    return SessionDesk(logins, time.time, sessions.store, sessions.keys)


def _sessions_at(settings: Settings, post: Post | None) -> str | None:
    """Where sessions are told over HTTP. A worker does so where its supervisor keeps a port, and nowhere else."""
    if settings.sessions is None:
        return None
    return settings.sessions.http if post is None else post.sessions


def _warn(settings: Settings) -> None:
    for warning in settings.policy.warnings:
        _log.warning("insecure_setting", setting=warning)


def tell_policy(moving: Moving, readiness: Readiness) -> None:
    """Reports which policy is in force, and which of its issuers' keys can be used."""
    readiness.policy_loaded([issuer.name for issuer in moving.settings.policy.issuers])
    tell_keys(moving.house, moving.settings, readiness)


def tell_keys(house: House, settings: Settings, readiness: Readiness) -> None:
    """Reports which issuers' tokens can be verified now."""
    for issuer in settings.policy.issuers:
        readiness.issuer(issuer.name, usable=house.usable(issuer))


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def spare_the_collector() -> None:
    """Keeps the garbage collector off what stays for ever, and looks less often: about 5 % of the CPU of a call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _listen(server: ServerSettings, post: Post | None = None) -> Listen:
    tls = server.tls
    return Listen(
        address=server.address if post is None else post.address,
        tls=None if tls is None else Tls(cert=tls.cert, key=tls.key, client_ca=tls.client_ca),
        plaintext_allowed=server.plaintext_allowed,
        reflection=server.reflection,
        grace=server.drain,
    )


def _terms(settings: Settings, address: str) -> Terms:
    """Who is let in by a server that listens there."""
    explanations = settings.server.explanations
    return Terms(
        callers=settings.callers,
        may_explain=explanations == "on" or (explanations == "auto" and is_local(address)),
        may_manage=is_local(address),
        health_for_all=settings.server.health == "open",
    )


def _limits(settings: Settings) -> Limits:
    server, kept = settings.server, settings.store
    return Limits(
        max_staleness=_NO_STORE_STALENESS if kept is None else kept.max_staleness,
        deadline=server.deadline,
        concurrency=server.concurrency,
        streams=server.streams,
        backlog=server.backlog,
        connections=server.connections,
        connection_age=server.connection_age,
        connection_grace=server.connection_grace,
        connection_idle=server.connection_idle,
        handshake=server.handshake,
        living_streams=server.living_streams,
        living_decisions=server.living_decisions,
        checkpoint_every=server.checkpoint_every,
        read_within=server.read_within,
    )


def _check_addresses(settings: Settings) -> None:
    check_listen(_listen(settings.server))
    if settings.sessions is not None and settings.sessions.http is not None:
        session_address(settings.sessions.http, settings.server)
    if settings.metrics is not None:
        admin_address(settings.metrics)


def check(settings: Settings) -> None:
    """What `serve` would refuse before it asks anybody: keys that are given in full, addresses that others reach and
    must not, the files of TLS, a decision log that cannot be written, and a URL that is none of a database.

    Raises GivenKeysUnusable, AddressUnusable, TlsUnusable, DecisionLogUnusable, DatabaseUnusable.
    """
    _check_addresses(settings)
    if settings.store is not None:
        # Only here: without a database, SQL is not even imported.
        from usherd.stores.sql.urls import address_of

        address_of(settings.store.url)
    check_decision_log(settings)
    for issuer in issuers_with_keys(settings):
        if isinstance(issuer.source, GivenKeySet | PemFile):
            try:
                load_given(issuer, issuer.source)
            except LoadFailed as failure:
                raise GivenKeysUnusable(f"issuer {issuer.name}: keys: {failure.cause.value}") from None
