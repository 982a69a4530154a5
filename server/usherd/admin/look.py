"""Looks through the rooms, and writes down what is so now."""

from __future__ import annotations

import math
from collections.abc import Iterator

from usherd.config.settings import Settings
from usherd.kept_models import KeptModels
from usherd.moving import Moving
from usherd.options import lax
from usherd.rpc.health import Readiness
from usherd.rpc.server import Serving
from usherd.shadow import Answering, Shadowed
from usherd.stores.key_sets import KeySets
from usherd.telemetry.decision_log import DecisionLog
from usherd.telemetry.state import (
    DecisionLogState,
    HeldState,
    KeySetState,
    LoadState,
    ModelsState,
    ReloadState,
    State,
)


def look(
    moving: Moving,
    server: Serving,
    readiness: Readiness,
    reloads: ReloadState,
    decision_log: DecisionLog | None,
    models: KeptModels | None,
) -> State:
    """All that is told of the house that answers now."""
    settings, house = moving.settings, moving.house
    directory, load = moving.ground.look(), server.load()
    return State(
        ready=readiness.ready,
        load=LoadState(
            calls=load.calls,
            waiting=load.waiting,
            questions=load.questions,
            capacity=load.capacity,
            watchers=server.watchers,
            living_streams=server.hub.streams,
            living_decisions=server.hub.subscriptions,
        ),
        key_sets=tuple(_key_sets(house.keys)),
        insecure=tuple(insecure(settings)),
        warnings=len(settings.policy.warnings),
        digest=settings.policy.digest,
        preset=settings.policy.preset,
        reloads=reloads,
        revision=directory.revision,
        rows=directory.rows,
        held=None if directory.held is None else HeldState(**directory.held._asdict()),
        documents=(house.documents.misses, house.documents.hits),
        shadow=_shadow(house.authorizer),
        decision_log=_decision_log(decision_log),
        models=_models(moving, models),
    )


def insecure(settings: Settings) -> Iterator[str]:
    """Names of the options in force that are laxer than they should be, from a closed set."""
    yield from (info.name for info in lax(settings.policy.options))
    if settings.policy.session is not None:
        yield "session_master_key"
    if settings.server.plaintext_allowed:
        yield "plaintext"
    if settings.loopback_http:
        yield "loopback_http"
    if settings.metrics is not None and settings.metrics.remote_allowed:
        yield "remote_metrics"


def _key_sets(keys: KeySets) -> Iterator[KeySetState]:
    for each in keys.status():
        yield KeySetState(
            issuer=each.issuer,
            part=each.part,
            usable_for=each.usable_for,
            given=each.usable_for == math.inf,
            age=each.age,
            keys=each.keys,
            last_error=None if each.last_error is None else each.last_error.value,
        )


def _decision_log(log: DecisionLog | None) -> DecisionLogState | None:
    if log is None:
        return None
    return DecisionLogState(written=log.written, dropped=log.dropped, refused=log.refused, healthy=log.healthy)


def _models(moving: Moving, models: KeptModels | None) -> ModelsState | None:
    if models is None:
        return None
    catalogued = moving.catalogued
    return ModelsState(
        kept=catalogued.kept,
        left_aside=len(catalogued.left_aside),
        taken=models.taken,
        failed=models.failed,
        outdated=models.outdated,
    )


def _shadow(authorizer: Answering) -> dict[str, int] | None:
    if not isinstance(authorizer, Shadowed):
        return None
    tally = authorizer.tally()
    effects = sum(count for difference, count in tally.differed.items() if difference.effect_differs)
    return {
        "agreed": tally.agreed,
        "effect_differs": effects,
        "reason_differs": tally.differed.total() - effects,
    }
