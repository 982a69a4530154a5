"""Loads an issuer's published keys once: from its discovery document, from a URL, or from what the operator gave."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from usherd.authenticate import strict_json
from usherd.authenticate.keys import KeySet, KeySetError, load_key_set, load_pem
from usherd.policy import ANY_ISSUER
from usherd.stores.documents import Cause, Document, LoadFailed
from usherd.stores.key_sources import Discovery, GivenKeySet, IssuerKeys, PemFile, discovery_url
from usherd.stores.provider_cache import DocumentCache
from usherd.stores.provider_http import BODY_SIZE, ProviderHttp

DISCOVERY_TTL = 3600.0
"""Seconds that a discovery document is used again. It is forgotten at once when the key set it names fails."""

PARSE_INLINE_SIZE = 8192
"""Bytes: a larger document is parsed in a thread. Measured: 8 KiB, about 20 RSA keys, take 1 ms; 100 keys take 6 ms."""


class Loaded(NamedTuple):
    """A key set, and how old it is."""

    key_set: KeySet
    age: float = 0.0
    """Seconds since it was fetched; 0: it was fetched by this load, which began then."""
    failure: LoadFailed | None = None
    """Why it was not fetched now, where that was tried."""


class KeySetLoader:
    """Loads the key set of one URL or one discovery document, again and again, for one issuer."""

    def __init__(self, issuer: IssuerKeys, source: Discovery | str, http: ProviderHttp, cache: DocumentCache) -> None:
        self._issuer = issuer
        self._source = source
        self._http = http
        self._cache = cache
        self._timeout = issuer.refresh.timeout
        self._last: tuple[bytes, KeySet] | None = None
        self._may_have_moved = False
        self._newest = -math.inf
        """When the newest document was fetched that was loaded here, in seconds since the epoch."""

    async def load(self, *, instead: float = 0.0, in_need: float = 0.0) -> Loaded:
        """The keys that are published; at least one is usable. Raises LoadFailed, which has withdrawn ids.

        Of what replicas share, a document younger than `instead` seconds does instead of a fetch, and one younger than
        `in_need` after a fetch that failed.
        """
        if isinstance(self._source, str):
            return await self._loaded(self._source, instead, in_need)
        discovery = self._source.url or discovery_url(self._issuer.issuer)
        url = await self._key_set_url(discovery)
        try:
            loaded = await self._loaded(url, instead, in_need)
        except LoadFailed:
            # The key set may have moved: the next attempt asks where to.
            self._may_have_moved = True
            raise
        self._may_have_moved = loaded.failure is not None
        return loaded

    async def _key_set_url(self, discovery: str) -> str:
        """The `jwks_uri` of the discovery document. Nothing else of it is used, above all not its algorithms."""
        document, is_new = await self._discovery(discovery)
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
        if is_new:
            # Kept as long as the keys: a replica that starts while the provider is down needs both.
            ttl = max(DISCOVERY_TTL, self._longest) if self._cache.is_shared else DISCOVERY_TTL
            await self._cache.put(discovery, document, ttl)
        return url

    @property
    def _longest(self) -> float:
        """Seconds that a key set counts for at most after it was fetched."""
        return self._issuer.refresh.every + self._issuer.refresh.stale_for

    async def _discovery(self, url: str) -> tuple[Document, bool]:
        """The document, and whether it was fetched just now."""
        known = await self._cache.get(url)
        if known is not None and self._age(known) < DISCOVERY_TTL and not self._may_have_moved:
            return known, False
        asked_at = self._cache.now()
        try:
            document = await self._http.get(url, timeout=self._timeout)
        except LoadFailed:
            if known is None or not self._cache.is_shared:
                raise
            return known, False
        return replace(document, fetched_at=asked_at), True

    async def _loaded(self, url: str, instead: float, in_need: float) -> Loaded:
        known = await self._cache.get(url)
        shared = await self._shared(known, instead)
        if shared is not None:
            return shared
        asked_at = self._cache.now()
        try:
            document = await self._http.get(url, timeout=self._timeout, known=known)
            key_set = await self._key_set(document)
        except LoadFailed as failure:
            if failure.withdrawn:
                # Nobody may begin with keys that their provider has taken back.
                await self._cache.drop(url)
                raise
            shared = await self._shared(known, in_need)
            if shared is None:
                raise
            return shared._replace(failure=failure)
        self._newest = asked_at
        await self._cache.put(url, replace(document, fetched_at=asked_at), self._longest)
        return Loaded(key_set)

    async def _shared(self, known: Document | None, younger_than: float) -> Loaded | None:
        """What replicas share, if it is so young, newer than what was loaded here, and of use under these rules."""
        if known is None or known.fetched_at is None or not self._cache.is_shared:
            return None
        # Ages are by a clock that may be set back: then what was loaded here would grow younger, and never old.
        age = self._age(known)
        if not 0 <= age < younger_than or known.fetched_at <= self._newest:
            return None
        try:
            key_set = await self._key_set(known)
        except LoadFailed:
            # It was of use under the rules of whoever put it there.
            return None
        self._newest = known.fetched_at
        return Loaded(key_set, age)

    async def _key_set(self, document: Document) -> KeySet:
        if self._last is None or self._last[0] != document.body:
            self._last = (document.body, _usable(await _in_thread_if_large(document, self._issuer)))
        return self._last[1]

    def _age(self, document: Document) -> float:
        return self._cache.now() - (document.fetched_at or 0.0)


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
