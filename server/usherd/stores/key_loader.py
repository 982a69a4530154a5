"""Loads an issuer's published keys once: from its discovery document, from a URL, or from what the operator gave."""

from __future__ import annotations

import asyncio
from pathlib import Path

from usherd.authenticate import strict_json
from usherd.authenticate.keys import KeySet, KeySetError, load_key_set, load_pem
from usherd.policy import ANY_ISSUER
from usherd.stores.documents import Cause, Document, LoadFailed
from usherd.stores.key_sources import Discovery, GivenKeySet, IssuerKeys, PemFile, discovery_url
from usherd.stores.provider_cache import ProviderCache
from usherd.stores.provider_http import BODY_SIZE, ProviderHttp

DISCOVERY_TTL = 3600.0
"""Seconds that a discovery document is used again. It is forgotten at once when the key set it names fails."""

PARSE_INLINE_SIZE = 8192
"""Bytes: a larger document is parsed in a thread. Measured: 8 KiB, about 20 RSA keys, take 1 ms; 100 keys take 6 ms."""


class KeySetLoader:
    """Loads the key set of one URL or one discovery document, again and again, for one issuer."""

    def __init__(self, issuer: IssuerKeys, source: Discovery | str, http: ProviderHttp, cache: ProviderCache) -> None:
        self._issuer = issuer
        self._source = source
        self._http = http
        self._cache = cache
        self._timeout = issuer.refresh.timeout
        self._last: tuple[bytes, KeySet] | None = None

    async def load(self) -> KeySet:
        """The keys that are published now; at least one is usable. Raises LoadFailed, which has withdrawn ids."""
        if isinstance(self._source, str):
            return await self._key_set(self._source)
        discovery = self._source.url or discovery_url(self._issuer.issuer)
        url = await self._key_set_url(discovery)
        try:
            return await self._key_set(url)
        except LoadFailed:
            # The key set may have moved: the next attempt asks where to.
            await self._cache.drop(discovery)
            raise

    async def _key_set_url(self, discovery: str) -> str:
        """The `jwks_uri` of the discovery document. Nothing else of it is used, above all not its algorithms."""
        document = await self._cache.get(discovery)
        if document is None:
            document = await self._http.get(discovery, timeout=self._timeout)
        metadata = await _parsed(document.body)
        if not isinstance(metadata, dict):
            raise LoadFailed(Cause.NOT_A_DISCOVERY_DOCUMENT)
        # Where no token has to name an issuer, there is no name that the document could be held against.
        if self._issuer.issuer not in (ANY_ISSUER, metadata.get("issuer")):
            raise LoadFailed(Cause.ISSUER_MISMATCH)
        url = metadata.get("jwks_uri")
        if not isinstance(url, str):
            raise LoadFailed(Cause.NOT_A_DISCOVERY_DOCUMENT)
        if discovery.startswith("https:") and not url.startswith("https:"):
            # Even where http on loopback is allowed, a document that was fetched safely never leads there.
            raise LoadFailed(Cause.URL_NOT_ALLOWED)
        await self._cache.put(discovery, document, DISCOVERY_TTL)
        return url

    async def _key_set(self, url: str) -> KeySet:
        known = await self._cache.get(url)
        document = await self._http.get(url, timeout=self._timeout, known=known)
        if self._last is not None and self._last[0] == document.body:
            key_set = self._last[1]
        else:
            key_set = _usable(await _in_thread_if_large(document, self._issuer))
            self._last = (document.body, key_set)
        await self._cache.put(url, document, self._issuer.refresh.every + self._issuer.refresh.stale_for)
        return key_set


def load_given(issuer: IssuerKeys, source: GivenKeySet | PemFile) -> KeySet:
    """The keys that the operator gave, read now; it blocks. Raises LoadFailed.

    With `keys.documents: reference`, JSON without usable keys is a key set without keys: each token is refused, as
    the reference does. In all else it is a mistake that is better found at start.
    """
    if isinstance(source, PemFile):
        text = _read(source.path)
        if text.lstrip().startswith(b"{"):
            return _usable(_load(text, issuer))
        try:
            return _usable(
                load_pem(
                    text,
                    issuer=issuer.name,
                    algorithms=issuer.algorithms,
                    rsa_algorithms=issuer.rsa_algorithms,
                    denied=issuer.denied,
                    options=issuer.options,
                )
            )
        except KeySetError:
            raise LoadFailed(Cause.NOT_A_KEY_SET) from None
    document = _strict(_read(source.document)) if isinstance(source.document, Path) else source.document
    try:
        return _usable(_key_set_of(document, issuer))
    except LoadFailed:
        if issuer.options.key_documents == "every":
            raise
        return KeySet(keys=(), dropped={}, published=0)


async def _in_thread_if_large(document: Document, issuer: IssuerKeys) -> KeySet:
    if len(document.body) <= PARSE_INLINE_SIZE:
        return _load(document.body, issuer)
    return await asyncio.to_thread(_load, document.body, issuer)


async def _parsed(body: bytes) -> object:
    if len(body) <= PARSE_INLINE_SIZE:
        return _strict(body)
    return await asyncio.to_thread(_strict, body)


def _strict(body: bytes) -> object:
    try:
        return strict_json.load(body, max_size=BODY_SIZE)
    except strict_json.StrictJsonError:
        raise LoadFailed(Cause.NOT_JSON) from None


def _load(body: bytes, issuer: IssuerKeys) -> KeySet:
    return _key_set_of(_strict(body), issuer)


def _key_set_of(document: object, issuer: IssuerKeys) -> KeySet:
    try:
        return load_key_set(
            document,
            issuer=issuer.name,
            algorithms=issuer.algorithms,
            rsa_algorithms=issuer.rsa_algorithms,
            denied=issuer.denied,
            options=issuer.options,
        )
    except KeySetError:
        raise LoadFailed(Cause.NOT_A_KEY_SET) from None


def _usable(key_set: KeySet) -> KeySet:
    if not key_set.keys:
        raise LoadFailed(Cause.NO_USABLE_KEY, withdrawn=key_set.withdrawn)
    return key_set


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(BODY_SIZE + 1)
    except OSError:
        raise LoadFailed(Cause.NOT_READABLE) from None
    if len(text) > BODY_SIZE:
        raise LoadFailed(Cause.TOO_LARGE)
    return text
