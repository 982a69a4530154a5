"""Whatever way a key server fails: no keys are made up, good ones are kept, and only for so long."""

from __future__ import annotations

import asyncio

import pytest

from keyring import key_pair
from stores.support import Events, Hands, RunKeySets, issuer_keys
from tools.faults import LATE_BUT_GOOD, Fault
from tools.key_server import DISCOVERY_PATH, KeyServer
from usherd.errors import KeysUnavailable
from usherd.stores.documents import Cause
from usherd.stores.key_sources import Discovery
from usherd.stores.refreshed_keys import KeyEvent

OUTCOMES = {
    Fault.DOWN: Cause.CONNECT,
    Fault.RESET: Cause.PROTOCOL,
    Fault.HANG: Cause.TIMEOUT,
    Fault.DRIP: Cause.TIMEOUT,
    Fault.NOT_HTTP: Cause.PROTOCOL,
    Fault.ENDLESS_HEADERS: Cause.PROTOCOL,
    Fault.STATUS_500: Cause.STATUS,
    Fault.STATUS_400: Cause.STATUS,
    Fault.STATUS_401: Cause.STATUS,
    Fault.STATUS_403: Cause.STATUS,
    Fault.STATUS_404: Cause.STATUS,
    Fault.STATUS_429: Cause.STATUS,
    Fault.STATUS_304: Cause.STATUS,
    Fault.REDIRECT_301: Cause.REDIRECT,
    Fault.REDIRECT_302: Cause.REDIRECT,
    Fault.REDIRECT_307: Cause.REDIRECT,
    Fault.REDIRECT_308: Cause.REDIRECT,
    Fault.HTML: Cause.CONTENT_TYPE,
    Fault.HTML_SAID_TO_BE_JSON: Cause.NOT_JSON,
    Fault.WRONG_CONTENT_TYPE: Cause.CONTENT_TYPE,
    Fault.CUT_OFF: Cause.PROTOCOL,
    Fault.CUT_OFF_JSON: Cause.NOT_JSON,
    Fault.HUGE: Cause.TOO_LARGE,
    Fault.GZIP_BOMB: Cause.TOO_LARGE,
    Fault.BAD_GZIP: Cause.CONTENT_ENCODING,
    Fault.UNKNOWN_ENCODING: Cause.CONTENT_ENCODING,
    Fault.EMPTY_SET: Cause.NO_USABLE_KEY,
    Fault.NOT_AN_OBJECT: Cause.NOT_A_KEY_SET,
    Fault.ERROR_OBJECT: Cause.NOT_A_KEY_SET,
    Fault.DOUBLED_KEYS: Cause.NOT_JSON,
    Fault.DEEP: Cause.NOT_JSON,
    Fault.MANY_KEYS: Cause.NOT_A_KEY_SET,
    Fault.ONLY_BAD_KEYS: Cause.NO_USABLE_KEY,
    Fault.OTHER_ISSUER: Cause.NOT_A_KEY_SET,
}

PAIR = key_pair("P-256", "good")


def _timeout(fault: Fault) -> float:
    """Short only where it must be waited for."""
    return 0.2 if OUTCOMES[fault] is Cause.TIMEOUT else 10.0


def test_every_fault_has_an_outcome() -> None:
    assert set(OUTCOMES) == set(Fault) - LATE_BUT_GOOD


@pytest.mark.parametrize("fault", OUTCOMES)
async def test_at_a_cold_start_the_keys_are_unavailable(
    fault: Fault, server: KeyServer, run: RunKeySets, events: Events
) -> None:
    server.publish(PAIR.jwk())
    await server.fail(fault)

    async with run(issuer_keys(server.keys_url, refresh={"timeout": _timeout(fault)})) as keys:
        with pytest.raises(KeysUnavailable):
            keys.find("idp", "good")
        (status,) = keys.status()

    assert (status.last_error, status.keys, status.age, status.usable_for) == (OUTCOMES[fault], 0, None, 0.0)
    assert status.attempted
    assert events.of(KeyEvent.FAILED)[0] == {
        "issuer": "idp",
        "part": 0,
        "cause": OUTCOMES[fault].value,
        "failures": 1,
    }


@pytest.mark.parametrize("fault", OUTCOMES)
async def test_a_good_set_serves_until_its_stale_bound_and_again_after_recovery(
    fault: Fault, server: KeyServer, run: RunKeySets, stopwatch: Hands
) -> None:
    server.publish(PAIR.jwk())
    issuer = issuer_keys(server.keys_url, refresh={"timeout": _timeout(fault), "every": 600, "stale_for": 3600})
    async with run(issuer) as keys:
        await server.fail(fault)
        unknown = await keys.find_fresh("idp", "unknown", 30)
        warm = keys.find("idp", "good")
        (status,) = keys.status()
        stopwatch.move(4199)
        almost_stale = keys.find("idp", "good")
        stopwatch.move(1)
        with pytest.raises(KeysUnavailable):
            keys.find("idp", "good")
        assert warm is not None
        with pytest.raises(KeysUnavailable):
            keys.trusts(warm)
        await server.fail(None)
        recovered = await keys.find_fresh("idp", "good", 30)
        (healthy,) = keys.status()

    assert unknown is None
    assert healthy.last_error is None
    assert warm is almost_stale
    assert (status.last_error, status.keys) == (OUTCOMES[fault], 1)
    assert recovered is not None
    assert recovered.thumbprint == warm.thumbprint


IN_DISCOVERY = {
    fault: Cause.ISSUER_MISMATCH if cause in (Cause.NOT_A_KEY_SET, Cause.NO_USABLE_KEY) else cause
    for fault, cause in OUTCOMES.items()
    # A document with more in it than is read is still one.
    if fault is not Fault.DOUBLED_KEYS
} | {Fault.NOT_AN_OBJECT: Cause.NOT_A_DISCOVERY_DOCUMENT}


@pytest.mark.parametrize("fault", IN_DISCOVERY)
async def test_a_discovery_document_that_fails_leads_nowhere_and_takes_no_good_key_away(
    fault: Fault, server: KeyServer, run: RunKeySets, clock: Hands, stopwatch: Hands
) -> None:
    server.describe()
    server.publish(PAIR.jwk())
    issuer = issuer_keys(Discovery(), issuer=server.origin, refresh={"timeout": _timeout(fault)})

    await server.fail(fault, DISCOVERY_PATH)
    async with run(issuer) as cold:
        (status,) = cold.status()
        with pytest.raises(KeysUnavailable):
            cold.find("idp", "good")
    asked = server.count()
    await server.fail(None, DISCOVERY_PATH)
    async with run(issuer) as keys:
        await server.fail(fault, DISCOVERY_PATH)
        # The document is read again each hour.
        clock.move(3600)
        stopwatch.move(3600)
        unknown = await keys.find_fresh("idp", "unknown", 30)
        warm = keys.find("idp", "good")
        stopwatch.move(600)
        with pytest.raises(KeysUnavailable):
            keys.find("idp", "good")
        await server.fail(None, DISCOVERY_PATH)
        recovered = await keys.find_fresh("idp", "good", 30)

    assert asked == 0
    assert status.last_error is IN_DISCOVERY[fault]
    assert unknown is None
    assert warm is not None
    assert recovered is not None


@pytest.mark.parametrize(
    "bad",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "bad"},
        PAIR.jwk(kid="bad", use="enc"),
        PAIR.jwk(kid="bad", d="AAAA"),
        PAIR.jwk(kid=7),
        {"generate": "RSA", "size": 4096, "kid": "bad"},
        None,
        [],
    ],
)
async def test_one_bad_key_among_good_ones_is_dropped_alone(bad: object, server: KeyServer, run: RunKeySets) -> None:
    server.publish(bad, PAIR.jwk())

    async with run(issuer_keys(server.keys_url)) as keys:
        assert keys.find("idp", "good") is not None
        assert keys.find("idp", "bad") is None
        assert keys.status()[0].keys == 1


@pytest.mark.parametrize("fault", [Fault.REDIRECT_301, Fault.REDIRECT_302, Fault.REDIRECT_307, Fault.REDIRECT_308])
async def test_a_redirect_is_not_followed(fault: Fault, server: KeyServer, run: RunKeySets) -> None:
    server.documents["/elsewhere"] = server.documents["/keys"]
    await server.fail(fault)

    async with run(issuer_keys(server.keys_url)):
        pass

    assert server.count("/elsewhere") == 0


async def test_retry_after_is_honoured_by_background_and_forced_refreshes(
    server: KeyServer, run: RunKeySets, stopwatch: Hands
) -> None:
    server.publish(PAIR.jwk())
    await server.fail(Fault.STATUS_429)
    async with run(issuer_keys(server.keys_url)) as keys:
        (status,) = keys.status()
        await server.fail(None)
        stopwatch.move(59)
        with pytest.raises(KeysUnavailable):
            await keys.find_fresh("idp", "good", 30)
        stopwatch.move(1)
        found = await keys.find_fresh("idp", "good", 30)

    assert status.next_refresh == 60
    assert found is not None
    assert server.count() == 2


@pytest.mark.parametrize(("asked", "honoured"), [("99999", 120.0), ("Fri, 31 Dec 2027 23:59:59 GMT", 1.0), ("-5", 1.0)])
async def test_retry_after_is_bounded(asked: str, honoured: float, server: KeyServer, run: RunKeySets) -> None:
    server.status_headers = {"Retry-After": asked}
    await server.fail(Fault.STATUS_500)

    async with run(issuer_keys(server.keys_url)) as keys:
        assert keys.status()[0].next_refresh == honoured


async def test_retries_back_off(server: KeyServer, run: RunKeySets, events: Events) -> None:
    pauses = []
    await server.fail(Fault.STATUS_500)
    async with run(issuer_keys(server.keys_url)) as keys:
        for failures in (1, 2):
            await events.reach(KeyEvent.FAILED, failures)
            await asyncio.sleep(0.05)
            pauses.append(keys.status()[0].next_refresh)

    assert pauses == [1.0, 2.0]
