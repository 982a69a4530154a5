"""Discovery leads to an issuer's own keys and nowhere else; settings that would do harm do not load."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from keyring import ALGORITHMS, key_pair, key_set
from shared_data import needs_shared, shared
from stores.support import Hands, RunKeySets, issuer_keys
from tools.key_server import DISCOVERY_PATH, Fault, KeyServer
from usherd.errors import KeysUnavailable
from usherd.stores.documents import Cause
from usherd.stores.key_sets import KeySets
from usherd.stores.key_sources import Discovery, GivenKeySet, KeySetUrls, Refresh, discovery_url
from usherd.stores.provider_cache import DocumentCache
from usherd.stores.provider_http import ProviderHttp

A, B, RSA = key_pair("P-256", "a"), key_pair("P-256", "b"), key_pair("RSA", "rsa")


@pytest.mark.parametrize("issuer", ["https://idp.example/tenant", "https://idp.example/tenant/"])
def test_the_discovery_document_is_below_the_issuer(issuer: str) -> None:
    assert discovery_url(issuer) == "https://idp.example/tenant/.well-known/openid-configuration"


class TestDiscovery:
    async def test_it_leads_to_the_keys(self, server: KeyServer, run: RunKeySets) -> None:
        server.describe()
        server.publish(A.jwk())

        async with run(issuer_keys(Discovery(), issuer=server.origin)) as keys:
            assert keys.find("idp", "a") is not None

    async def test_it_may_be_elsewhere_but_must_be_the_issuers(self, server: KeyServer, run: RunKeySets) -> None:
        server.describe(issuer="https://idp.example")
        server.publish(A.jwk())

        async with run(issuer_keys(Discovery(url=server.origin + DISCOVERY_PATH))) as keys:
            assert keys.find("idp", "a") is not None

    @pytest.mark.parametrize(
        "issuer", ["https://evil.example", "", None, 7, ["https://idp.example"], "https://idp.example/"]
    )
    async def test_another_issuers_document_is_refused(
        self, issuer: object, server: KeyServer, run: RunKeySets
    ) -> None:
        server.describe(issuer=issuer)
        server.publish(A.jwk())

        async with run(issuer_keys(Discovery(url=server.origin + DISCOVERY_PATH))) as keys:
            assert keys.status()[0].last_error is Cause.ISSUER_MISMATCH
            with pytest.raises(KeysUnavailable):
                keys.find("idp", "a")

        assert server.count() == 0

    @pytest.mark.parametrize(
        ("jwks_uri", "cause"),
        [
            ("http://169.254.169.254/latest/meta-data", Cause.URL_NOT_ALLOWED),
            ("file:///etc/passwd", Cause.URL_NOT_ALLOWED),
            ("https://user:secret@idp.example/keys", Cause.URL_NOT_ALLOWED),
            ("/keys", Cause.URL_NOT_ALLOWED),
            ("https://[::1", Cause.URL_NOT_ALLOWED),
            ("", Cause.URL_NOT_ALLOWED),
            (None, Cause.NOT_A_DISCOVERY_DOCUMENT),
            (["https://idp.example/keys"], Cause.NOT_A_DISCOVERY_DOCUMENT),
        ],
    )
    async def test_it_cannot_lead_to_what_is_not_fetched(
        self, jwks_uri: object, cause: Cause, server: KeyServer, run: RunKeySets
    ) -> None:
        server.describe(jwks_uri=jwks_uri)

        async with run(issuer_keys(Discovery(), issuer=server.origin)) as keys:
            assert keys.status()[0].last_error is cause

    @pytest.mark.parametrize("body", [b"[]", b'"x"', b"7", b"null"])
    async def test_it_must_be_an_object(self, body: bytes, server: KeyServer, run: RunKeySets) -> None:
        server.documents[DISCOVERY_PATH] = body

        async with run(issuer_keys(Discovery(), issuer=server.origin)) as keys:
            assert keys.status()[0].last_error is Cause.NOT_A_DISCOVERY_DOCUMENT

    async def test_its_algorithms_widen_nothing(self, server: KeyServer, run: RunKeySets) -> None:
        server.describe(id_token_signing_alg_values_supported=["none", "HS256", "ES256", "RS256"])
        server.publish(A.jwk(), RSA.jwk(alg=...))

        async with run(issuer_keys(Discovery(), issuer=server.origin, algorithms=frozenset({"RS256"}))) as keys:
            found = keys.find("idp", "rsa")
            assert found is not None
            assert found.algorithms == {"RS256"}
            assert keys.find("idp", "a") is None

    async def test_it_is_not_fetched_again_with_each_refresh(
        self, server: KeyServer, run: RunKeySets, stopwatch: Hands, clock: Hands
    ) -> None:
        server.describe()
        server.publish(A.jwk())
        async with run(issuer_keys(Discovery(), issuer=server.origin)) as keys:
            for _ in range(3):
                stopwatch.move(60)
                await keys.find_fresh("idp", "unknown", 30)
            before = (server.count(DISCOVERY_PATH), server.count())
            stopwatch.move(60)
            clock.move(3600)
            await keys.find_fresh("idp", "unknown", 30)
            after = (server.count(DISCOVERY_PATH), server.count())

        assert before == (1, 4)
        assert after == (2, 5)

    async def test_when_the_key_set_it_names_fails_it_is_asked_again(
        self, server: KeyServer, run: RunKeySets, stopwatch: Hands
    ) -> None:
        server.describe()
        server.publish(A.jwk())
        async with run(issuer_keys(Discovery(), issuer=server.origin)) as keys:
            await server.fail(Fault.STATUS_404)
            server.publish(B.jwk(), path="/moved")
            server.describe(jwks_uri=server.origin + "/moved")
            first = await keys.find_fresh("idp", "b", 30)
            stopwatch.move(60)
            second = await keys.find_fresh("idp", "b", 30)

        assert first is None
        assert second is not None

    @pytest.mark.parametrize("fault", [Fault.STATUS_500, Fault.HTML, Fault.DOWN, Fault.HUGE, Fault.CUT_OFF_JSON])
    async def test_no_document_is_no_keys(self, fault: Fault, server: KeyServer, run: RunKeySets) -> None:
        server.describe()
        server.publish(A.jwk())
        await server.fail(fault, DISCOVERY_PATH)

        async with run(issuer_keys(Discovery(), issuer=server.origin)) as keys:
            with pytest.raises(KeysUnavailable):
                keys.find("idp", "a")

    async def test_one_that_is_fetched_safely_never_leads_to_plain_http(self, stopwatch: Hands, clock: Hands) -> None:
        documents = {
            discovery_url("https://idp.example"): {"issuer": "https://idp.example", "jwks_uri": "http://127.0.0.1/keys"}
        }
        async with _key_sets_of(documents, "https://idp.example", stopwatch, clock) as keys:
            assert keys.status()[0].last_error is Cause.URL_NOT_ALLOWED


def _key_sets_of(documents: dict[str, Any], issuer: str, stopwatch: Hands, clock: Hands) -> Any:
    """Running key sets of one issuer whose documents are served without a network."""

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.dumps(documents[unquote(str(request.url))]).encode()
        return httpx.Response(200, headers={"Content-Type": "application/json"}, stream=httpx.ByteStream(body))

    http = ProviderHttp(httpx.AsyncClient(transport=httpx.MockTransport(answer)), allow_loopback_http=True)
    return KeySets(
        [issuer_keys(Discovery(), issuer=issuer)], http=http, cache=DocumentCache(clock), stopwatch=stopwatch
    ).running()


@needs_shared
@pytest.mark.parametrize(
    "provider",
    [
        path.name.removesuffix(".metadata.json")
        for path in sorted(shared("vectors/jwks-real/wellknown").glob("*.metadata.json"))
    ],
)
async def test_real_providers_are_discovered(provider: str, stopwatch: Hands, clock: Hands) -> None:
    folder = shared("vectors/jwks-real/wellknown")
    metadata = json.loads((folder / f"{provider}.metadata.json").read_bytes())
    documents = {
        discovery_url(metadata["issuer"]): metadata,
        metadata["jwks_uri"]: json.loads((folder / f"{provider}.jwks.json").read_bytes()),
    }

    async with _key_sets_of(documents, metadata["issuer"], stopwatch, clock) as keys:
        (status,) = keys.status()

    assert (status.last_error, status.keys > 0) == (None, True)


def test_an_issuer_is_named_once(stopwatch: Hands, clock: Hands) -> None:
    issuers = [issuer_keys(GivenKeySet(document=key_set(A))), issuer_keys("https://idp.example/keys")]
    http = ProviderHttp(httpx.AsyncClient(), allow_loopback_http=False)

    with pytest.raises(ValueError, match="idp: named twice"):
        KeySets(issuers, http=http, cache=DocumentCache(clock), stopwatch=stopwatch)


@pytest.mark.parametrize(
    "wrong",
    [
        {"every": 0},
        {"every": -1},
        {"every": math.nan},
        {"timeout": 0},
        {"stale_for": -1},
        {"removed_grace": -1},
        {"unknown_kid_cooldown": 0},
        {"unknown_kid_cooldown": math.nan},
    ],
)
def test_settings_that_would_hammer_or_hang_do_not_load(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="refresh: "):
        Refresh(**wrong)


def test_a_list_of_no_urls_does_not_load() -> None:
    with pytest.raises(ValueError, match="at least one"):
        KeySetUrls(urls=())


def test_urls_stay_out_of_reprs() -> None:
    settings = issuer_keys(KeySetUrls(urls=("https://idp.example/keys?secret",)), algorithms=ALGORITHMS)

    assert "secret" not in repr(settings) + repr(Discovery(url="https://idp.example/?secret"))
