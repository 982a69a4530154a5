"""What `usherd doctor` looks at, one thing after the other."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from usherd.admin.look import insecure
from usherd.cli.caller import CallerLink
from usherd.cli.findings import Finding, State
from usherd.config.settings import Settings
from usherd.errors import CallerNotAllowed, CallerUnknown, DirectoryUnavailable, Fault, NoStore
from usherd.rpc import probe
from usherd.rpc.dial import Connection, connected
from usherd.rpc.dial_health import is_serving
from usherd.rpc.replies import Unreachable
from usherd.stores.sql import looking_after
from usherd.stores.sql.unusable import DatabaseUnusable
from usherd.stores.sql.upgrade import Standing

MAX_PAGE = 1024 * 1024
SKEW = 5.0
"""Seconds by which clocks may differ: beyond, tokens count too early or too late."""
TOLD_WITHIN = 1.0
"""Seconds within which who watches should hear of a change."""
ANSWERED_WITHIN = 0.5
"""Seconds within which a server near by should answer."""

Find = Callable[[Finding], None]


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at, and how it is reached."""

    server: str
    link: CallerLink
    settings: Settings | None
    pages: str | None
    timeout: float
    live: bool = field(kw_only=True)
    token: str | None = field(kw_only=True, repr=False)
    route: str = field(kw_only=True)
    model: str | None = field(kw_only=True)


async def examined(patient: Patient, find: Find) -> None:
    """Looks at everything. Raises Unreachable when nobody is there, and AddressUnusable."""
    if patient.settings is not None:
        for each in _configuration(patient.settings):
            find(each)
    async with connected(patient.server, **patient.link) as connection:
        find(await _health(connection, patient))
        for each in await _pages(patient):
            find(each)
        if patient.settings is not None:
            find(await _store(patient.settings))
        if patient.live:
            for each in await _news(connection, patient):
                find(each)
        if patient.token is not None:
            find(await _revocation(connection, patient, patient.token))


def _configuration(settings: Settings) -> Iterator[Finding]:
    count = len(settings.policy.warnings)
    text = f"it loads, {f'with {count} warnings: usherd config check tells them' if count else 'without a warning'}"
    yield Finding("configuration", State.NOTED if count else State.GOOD, text, {"warnings": count})
    yield _open(sorted(insecure(settings)), "the configuration")


def _open(names: list[str], where: str) -> Finding:
    if not names:
        return Finding("open doors", State.GOOD, f"{where} has no option that is laxer than strict", {"options": []})
    return Finding("open doors", State.NOTED, f"{where} is laxer than strict: {', '.join(names)}", {"options": names})


async def _health(connection: Connection, patient: Patient) -> Finding:
    began = time.monotonic()
    try:
        serving = await is_serving(connection, "", patient.timeout)
    except Unreachable:
        raise
    except Fault as fault:
        return Finding("health", State.UNKNOWN, f"it does not say: {fault.message}", {"fault": fault.reason.name})
    took = time.monotonic() - began
    values = {"serving": serving, "seconds": round(took, 4)}
    if not serving:
        return Finding("health", State.BAD, "NOT_SERVING: it takes no questions now", values)
    slow = took > ANSWERED_WITHIN
    return Finding("health", State.NOTED if slow else State.GOOD, f"SERVING, said in {took * 1000:.0f} ms", values)


async def _pages(patient: Patient) -> list[Finding]:
    url = patient.pages
    if url is None and patient.settings is not None and patient.settings.metrics is not None:
        url = f"http://{patient.settings.metrics.address}"
    if url is None:
        return [
            Finding("pages", State.UNKNOWN, "expected --pages, or telemetry.metrics in --config, to look at /readyz")
        ]
    try:
        told = await asyncio.to_thread(_fetched, f"{url.rstrip('/')}/readyz", patient.timeout)
        return list(_told(told))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [Finding("pages", State.BAD, f"/readyz cannot be read: {type(error).__name__}")]


def _fetched(url: str, timeout: float) -> dict[str, Any]:
    if not url.startswith(("http://", "https://")):
        raise ValueError
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 (http or https, as just seen)
            body = answer.read(MAX_PAGE)
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        # Not ready: the page says why.
        body = error.read(MAX_PAGE)
    found: dict[str, Any] = json.loads(body)
    return found


def _told(told: dict[str, Any]) -> Iterator[Finding]:
    """What the page of readiness says."""
    amiss = sorted(name for name, holds in told["conditions"].items() if not holds)
    if amiss:
        yield Finding("readiness", State.BAD, f"not ready: {', '.join(amiss)}", {"amiss": amiss})
    else:
        yield Finding("readiness", State.GOOD, f"ready; usherd {told['version']}", {"version": told["version"]})
    if "policy" not in told:
        return
    yield _open(sorted(told["policy"]["insecure"]), "the policy in force")
    if told["configuration"]["outdated"]:
        problems = told["configuration"]["last_reload"]["problems"]
        yield Finding("reload", State.BAD, f"its files were refused ({problems} problems): an older policy answers")
    yield _directory(told["directory"], fresh="directory" not in amiss)
    for name, issuer in told["issuers"].items():
        yield _keys(name, issuer)


def _directory(told: dict[str, Any], *, fresh: bool) -> Finding:
    if "lag_seconds" not in told:
        return Finding("directory", State.GOOD, f"in memory, revision {told['revision']}", dict(told))
    lag = told["lag_seconds"]
    values = {"revision": told["revision"], "lag_seconds": lag}
    if lag is None or not fresh:
        return Finding("directory", State.BAD, "the change log is out of reach: there are no answers", values)
    return Finding("directory", State.GOOD, f"revision {told['revision']}, true {lag} s ago", values)


def _keys(name: str, issuer: dict[str, Any]) -> Finding:
    sets = issuer["key_sets"]
    ages = [each["age_seconds"] for each in sets if each["age_seconds"] is not None]
    errors = sorted({each["last_error"] for each in sets if each["last_error"]})
    values = {"usable": issuer["usable"], "oldest_seconds": max(ages, default=None), "errors": errors}
    age = f"fetched {max(ages):.0f} s ago" if ages else "given in full"
    if not issuer["usable"]:
        return Finding(
            f"keys of {name}", State.BAD, f"no key set is usable: {', '.join(errors) or 'none was loaded'}", values
        )
    if errors:
        return Finding(f"keys of {name}", State.NOTED, f"{age}; the last refresh failed: {', '.join(errors)}", values)
    return Finding(f"keys of {name}", State.GOOD, age, values)


async def _store(settings: Settings) -> Finding:
    if settings.store is None:
        return Finding("store", State.UNKNOWN, "directory.url is missing: the directory is in memory")
    try:
        found = await looking_after.look(settings.store.url)
    except (DatabaseUnusable, DirectoryUnavailable) as error:
        cause = error if isinstance(error, DatabaseUnusable) else error.__cause__
        return Finding("store", State.BAD, f"it cannot be looked at from here: {cause}")
    tables = found.tables
    values = {"tables": tables.revision, "expected": tables.newest, "revision": found.revision}
    if tables.standing is not Standing.CURRENT:
        return Finding("store", State.BAD, f"its tables are {tables.standing.value}; run: usherd db upgrade", values)
    return Finding("store", State.GOOD, f"tables {tables.revision}, revision {found.revision}", values)


async def _news(connection: Connection, patient: Patient) -> list[Finding]:
    try:
        async with probe.team(connection, patient.timeout) as name:
            changed = await probe.change(connection, name, patient.timeout)
    except NoStore:
        return [Finding("news", State.UNKNOWN, "it keeps no directory: nothing changes but by a reload")]
    except (CallerUnknown, CallerNotAllowed):
        return [Finding("news", State.UNKNOWN, "this caller may not manage the directory; --no-live leaves it out")]
    except Fault as fault:
        return [Finding("news", State.BAD, f"a change could not be made and watched: {fault.message}")]
    return [_heard("news", "of a change", changed.told), _clock(changed.clock)]


def _heard(about: str, of: str, told: probe.Told) -> Finding:
    values = {"asked_seconds": round(told.asked, 4), "told_seconds": round(told.told, 4)}
    text = (
        f"who watches heard {of} {told.told * 1000:.0f} ms after it was asked for ({told.asked * 1000:.0f} to make it)"
    )
    return Finding(about, State.GOOD if told.told <= TOLD_WITHIN else State.BAD, text, values)


def _clock(ahead: float) -> Finding:
    values = {"server_ahead_seconds": round(ahead, 3)}
    text = f"the server's is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    return Finding("clock", State.GOOD if abs(ahead) <= SKEW else State.BAD, text, values)


async def _revocation(connection: Connection, patient: Patient, token: str) -> Finding:
    about = "revocation"
    try:
        told = await probe.revoke(connection, token, patient.route, patient.model, patient.timeout)
    except ValueError as error:
        return Finding(about, State.UNKNOWN, str(error))
    except (NoStore, CallerUnknown, CallerNotAllowed) as fault:
        return Finding(about, State.UNKNOWN, fault.message)
    except Fault as fault:
        return Finding(about, State.BAD, f"the token could not be revoked and watched: {fault.message}")
    return _heard(about, "that the token was revoked", told)
