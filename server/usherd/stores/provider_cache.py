"""Keeps what comes from identity providers for a while: in this process and, if there is one, where replicas share."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from usherd.ports import Clock, Stopwatch
from usherd.stores.documents import Document
from usherd.stores.memory_cache import Entry, MemoryCache
from usherd.stores.provider_http import BODY_SIZE, ETAG_SIZE
from usherd.stores.shared_cache import PATIENCE, SharedCache, shared_cache
from usherd.stores.told import Tell

MAX_DOCUMENTS, MAX_DOCUMENT_BYTES = 256, 16 << 20
MAX_ANSWERS, MAX_ANSWER_BYTES = 20_000, 32 << 20
"""Entries, and bytes of their values, that one process keeps."""


class CacheNames:
    """Names under which things are kept: digests that nobody without the secret can compute, nor turn back."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"usherd names of kept values", "sha256")

    def of(self, kind: str, *parts: str) -> str:
        """The name of what these parts say; other parts, or the same ones cut otherwise, have another."""
        keyed = hashlib.blake2b(digest_size=32, key=self._key)
        for part in parts:
            data = part.encode()
            keyed.update(len(data).to_bytes(8, "big") + data)
        return f"usherd:1:{kind}:{keyed.hexdigest()}"


class DocumentCache:
    """A bounded cache of documents by URL. It may lose any of them at any time; it never returns one past its time."""

    def __init__(
        self,
        clock: Clock,
        *,
        memory: MemoryCache | None = None,
        shared: SharedCache | None = None,
        names: CacheNames | None = None,
    ) -> None:
        self.now = clock
        self._memory = memory or MemoryCache(clock, max_entries=MAX_DOCUMENTS, max_bytes=MAX_DOCUMENT_BYTES)
        self._shared = shared
        self._names = names or CacheNames(secrets.token_bytes(32))
        self.hits = self.misses = 0
        """How often `get` found a document, and how often it did not."""

    @property
    def failures(self) -> int:
        """How often a backend failed."""
        return self._memory.failures + (0 if self._shared is None else self._shared.failures)

    @property
    def is_shared(self) -> bool:
        """Whether other replicas put things here, too."""
        return self._shared is not None

    async def get(self, url: str) -> Document | None:
        """The newest document of that URL that is there and whose time is not over."""
        found = await self._found(self._name(url))
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found

    async def _found(self, name: str) -> Document | None:
        entry = await self._memory.get(name)
        if self._shared is not None:
            other = await self._shared.get(name)
            if other is not None and (entry is None or entry.made_at < other.made_at):
                entry = other
        return None if entry is None else _document(entry)

    async def put(self, url: str, document: Document, ttl: float) -> None:
        """Keeps the document for `ttl` seconds from when it was fetched. Not at all, if that is over."""
        fetched_at = self.now() if document.fetched_at is None else document.fetched_at
        entry = Entry(fetched_at, fetched_at + ttl, _framed(document))
        name = self._name(url)
        await self._memory.put(name, entry)
        if self._shared is not None:
            await self._shared.put(name, entry)

    async def drop(self, url: str) -> None:
        """Forgets the document of that URL, for all who share it."""
        name = self._name(url)
        await self._memory.drop(name)
        if self._shared is not None:
            await self._shared.drop(name)

    def _name(self, url: str) -> str:
        # A digest: URLs may hold secrets, and backends log their keys.
        return self._names.of("document", url)


class AnswerCache:
    """A bounded cache of what issuers said of tokens, under digests of the tokens."""

    def __init__(self, memory: MemoryCache, shared: SharedCache | None, names: CacheNames) -> None:
        self._memory = memory
        self._shared = shared
        self._names = names

    def name(self, issuer: str, token: str) -> str:
        """What an answer is known by. `issuer` is the digest of everything that asking and reading depends on."""
        return self._names.of("answer", issuer, token)

    async def known(self, name: str) -> Entry | None:
        """The answer, if this process has it."""
        return await self._memory.get(name)

    async def shared(self, name: str) -> Entry | None:
        """The answer, if another replica has had it."""
        entry = None if self._shared is None else await self._shared.get(name)
        if entry is not None:
            await self._memory.put(name, entry)
        return entry

    async def put(self, name: str, entry: Entry) -> None:
        """Keeps an answer until it expires."""
        await self._memory.put(name, entry)
        if self._shared is not None:
            await self._shared.put(name, entry)


class ProviderCaches(NamedTuple):
    """What one house keeps of identity providers."""

    documents: DocumentCache
    answers: AnswerCache


@asynccontextmanager
async def provider_caches(
    clock: Clock,
    stopwatch: Stopwatch,
    url: str | None = None,
    secret: bytes | None = None,
    *,
    patience: float = PATIENCE,
    tell: Tell = lambda works, fields: None,
) -> AsyncIterator[ProviderCaches]:
    """Both caches, open as long as the block is. `url` None: in this process alone.

    Replicas with the same URL and secret share them. `patience` is how many seconds one call there may take;
    `tell` hears when it fails.
    """
    answers = MemoryCache(clock, max_entries=MAX_ANSWERS, max_bytes=MAX_ANSWER_BYTES)
    if url is None or secret is None:
        names = CacheNames(secrets.token_bytes(32))
        yield ProviderCaches(DocumentCache(clock, names=names), AnswerCache(answers, None, names))
        return
    names = CacheNames(secret)
    async with shared_cache(
        url,
        secret,
        clock=clock,
        stopwatch=stopwatch,
        max_size=BODY_SIZE + ETAG_SIZE + 2,
        patience=patience,
        tell=tell,
    ) as shared:
        yield ProviderCaches(DocumentCache(clock, shared=shared, names=names), AnswerCache(answers, shared, names))


def _framed(document: Document) -> bytes:
    etag = b"" if document.etag is None else document.etag.encode()
    return len(etag).to_bytes(2, "big") + etag + document.body


def _document(entry: Entry) -> Document | None:
    size = int.from_bytes(entry.value[:2], "big")
    etag, body = entry.value[2 : 2 + size], entry.value[2 + size :]
    if len(entry.value) < 2 + size or not etag.isascii():
        return None
    return Document(body=body, etag=etag.decode("ascii") or None, fetched_at=entry.made_at)
