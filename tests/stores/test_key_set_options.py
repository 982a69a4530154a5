"""The options of keys, from the document to the key that a token finds."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keyring import key_pair, key_set
from stores.support import Events, Hands, RunKeySets, issuer_keys
from tools.key_server import DISCOVERY_PATH, KeyServer
from usherd import origins
from usherd.config.settings import KeySettings, RefreshSettings
from usherd.options import LITELLM, STRICT, with_values
from usherd.policy import ANY_ISSUER
from usherd.stores.documents import Cause
from usherd.stores.key_sets import GivenKeysUnusable, KeySets
from usherd.stores.key_sources import Discovery, GivenKeySet, KeySetUrls, PemFile
from usherd.stores.provider_cache import DocumentCache
from usherd.stores.provider_http import ProviderHttp
from usherd.stores.refreshed_keys import KeyEvent

RSA, OTHER, CURVE = key_pair("RSA", "a"), key_pair("RSA", "b"), key_pair("P-256", "curve")
NO_KEYS: list[object] = [
    {"keys": None},
    {"keys": []},
    {"error": "x"},
    [],
    {},
    RSA.jwk(),
    key_set(CURVE),
    ["-----BEGIN"],
]


async def test_a_fetched_set_is_read_as_the_options_say(server: KeyServer, run: RunKeySets) -> None:
    server.publish(RSA.jwk(use="enc", alg="RS512"), OTHER.jwk(kid="a"), CURVE.jwk())

    async with run(issuer_keys(server.keys_url, options=LITELLM)) as keys:
        found = keys.find("idp", "a")
        assert found is not None
        assert found.algorithms == {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
        assert keys.find("idp", "curve") is None
        assert keys.find("idp", None) is None


async def test_a_key_that_is_no_longer_alone_is_lost_to_tokens_without_an_id(
    server: KeyServer, run: RunKeySets, stopwatch: Hands
) -> None:
    server.publish(RSA.jwk())
    async with run(issuer_keys(server.keys_url, options=LITELLM)) as keys:
        alone = keys.find("idp", None)
        server.publish(RSA.jwk(), CURVE.jwk())
        beside_another = await keys.find_fresh("idp", None, 30)
        stopwatch.move(60)
        server.publish(RSA.jwk())
        alone_again = await keys.find_fresh("idp", None, 30)

    assert alone is not None
    assert beside_another is None
    assert alone_again is alone


async def test_of_several_sets_each_must_publish_just_that_key(run: RunKeySets) -> None:
    async with KeyServer() as first, KeyServer() as second:
        first.publish(RSA.jwk())
        second.publish(RSA.jwk())
        source = KeySetUrls(urls=(first.keys_url, second.keys_url))
        async with run(issuer_keys(source, options=LITELLM)) as keys:
            alone = keys.find("idp", None)
            second.publish(RSA.jwk(), CURVE.jwk())
            beside_another = await keys.find_fresh("idp", None, 30)
            by_its_id = keys.find("idp", "a")

    assert alone is not None
    assert beside_another is None
    assert by_its_id is not None


@pytest.mark.parametrize("document", NO_KEYS, ids=lambda document: str(document)[:20])
async def test_given_documents_without_keys_refuse_each_token_as_the_reference_does(
    document: object, run: RunKeySets, events: Events, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(document))

    async with run(issuer_keys(GivenKeySet(document=file), options=LITELLM)) as keys:
        found = [keys.find("idp", kid) for kid in ("a", "", None)]
        fresh = await keys.find_fresh("idp", "a", 30)
        (status,) = keys.status()

    assert (found, fresh) == ([None, None, None], None)
    assert (status.keys, status.last_error) == (0, Cause.NO_USABLE_KEY)
    assert [told["cause"] for told in events.of(KeyEvent.FAILED)] == ["no_usable_key"]


@pytest.mark.parametrize("document", [{"keys": None}, {"keys": []}, {"error": "x"}, key_set(CURVE)])
def test_where_every_document_is_read_one_without_keys_stops_the_start(
    document: dict[str, object], stopwatch: Hands, clock: Hands
) -> None:
    http = ProviderHttp(httpx.AsyncClient(), allow_loopback_http=False)
    issuer = issuer_keys(GivenKeySet(document=document), algorithms=frozenset({"RS256"}))

    with pytest.raises(GivenKeysUnusable):
        KeySets([issuer], http=http, cache=DocumentCache(clock), stopwatch=stopwatch)


@pytest.mark.parametrize("text", ["{", "<html>"])
def test_a_file_that_is_no_json_stops_the_start_under_every_preset(
    text: str, tmp_path: Path, stopwatch: Hands, clock: Hands
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    http = ProviderHttp(httpx.AsyncClient(), allow_loopback_http=False)

    with pytest.raises(GivenKeysUnusable, match="not_json"):
        KeySets(
            [issuer_keys(GivenKeySet(document=file), options=LITELLM)],
            http=http,
            cache=DocumentCache(clock),
            stopwatch=stopwatch,
        )


async def test_a_list_may_be_given(run: RunKeySets) -> None:
    async with run(issuer_keys(GivenKeySet(document=[RSA.jwk()]), options=LITELLM)) as keys:
        assert keys.find("idp", "a") is not None


@pytest.mark.parametrize("as_map", [False, True])
async def test_pem_files_are_for_those_who_read_every_document(
    as_map: bool, run: RunKeySets, tmp_path: Path, stopwatch: Hands, clock: Hands
) -> None:
    public = RSA.private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    file = tmp_path / "issuer.pem"
    file.write_text(json.dumps({"a": pem}) if as_map else pem)
    every = with_values(LITELLM, {"keys.documents": "every"})
    http = ProviderHttp(httpx.AsyncClient(), allow_loopback_http=False)

    async with run(issuer_keys(PemFile(path=file), options=every)) as keys:
        assert keys.find("idp", "a") is not None
        assert keys.find("idp", None) is not None
    issuer = issuer_keys(PemFile(path=file), options=LITELLM)
    with pytest.raises(GivenKeysUnusable, match="not_a_key_set"):
        KeySets([issuer], http=http, cache=DocumentCache(clock), stopwatch=stopwatch)


async def test_a_discovery_document_for_any_issuer_may_name_any(server: KeyServer, run: RunKeySets) -> None:
    server.describe(issuer="https://another.example")
    server.publish(RSA.jwk())
    source = Discovery(url=server.origin + DISCOVERY_PATH)
    options = with_values(STRICT, {"token.require_issuer": False})

    async with run(issuer_keys(source, issuer=ANY_ISSUER, options=options)) as keys:
        assert keys.find("idp", "a") is not None


def test_the_options_of_the_configuration_reach_the_keys() -> None:
    refresh = RefreshSettings(every=600, stale_for=3600, removed_grace=0, unknown_kid_cooldown=30, timeout=5)
    settings = KeySettings(
        name="idp",
        issuer=ANY_ISSUER,
        algorithms=frozenset({"RS256"}),
        algorithms_given=False,
        jwks=key_set(RSA),
        refresh=refresh,
        options=LITELLM,
    )

    assert origins.issuer_keys(settings).options is LITELLM
