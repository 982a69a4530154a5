"""Reads the secrets that a configuration names: none of them stands in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from usherd.config import build_callers, sessions, telemetry
from usherd.config.document import Document
from usherd.config.problems import KeyPath, Problem, Unusable
from usherd.config.scalars import (
    check_cache_url,
    check_database_url,
    database_shown,
    placed_database,
    read_secret,
)
from usherd.config.schema import File
from usherd.config.settings import SharedCacheSettings, StoreSettings

_Secret = TypeVar("_Secret")

MIN_KEY = 32
"""Bytes. HS256 under less can be found by trying (RFC 7518, section 3.2), and so can what is sealed under less."""


class Secrets(NamedTuple):
    """Everything secret that one file names."""

    master_key: bytes | None
    """What sessions are verified by."""
    client_secrets: tuple[bytes | None, ...]
    """What each issuer is asked with; None: it is not asked."""
    shared_cache: SharedCacheSettings | None
    store: StoreSettings | None
    """The database that keeps the directory."""
    credentials: tuple[tuple[bytes, ...], ...]
    """Of each caller, as digests."""
    trace_headers: tuple[tuple[str, str], ...]
    """What the receiver of traces is shown."""
    session_secrets: tuple[bytes, ...]
    """What keys of sessions are encrypted under, 32 bytes each."""


class Reader:
    """Reads the secrets of one file, and remembers what is wrong with them."""

    def __init__(self, file: File, document: Document, environment: Mapping[str, str]) -> None:
        self._file = file
        self._document = document
        self._environment = environment
        self.problems: list[Problem] = []

    def all(self) -> Secrets:
        """All of them. What could not be read is missing, and among the problems."""
        return Secrets(
            master_key=self._master_key(),
            client_secrets=tuple(self._client_secrets()),
            shared_cache=self._shared_cache(),
            store=self._store(),
            credentials=self._noted(
                build_callers.credentials(self._file.callers, self._document.folder, self._environment)
            ),
            trace_headers=self._noted(telemetry.trace_headers(self._file, self._document.folder, self._environment)),
            session_secrets=self._noted(sessions.secrets(self._file, self._document.folder, self._environment)),
        )

    def _noted(self, read: tuple[tuple[_Secret, ...], Iterable[tuple[KeyPath, str]]]) -> tuple[_Secret, ...]:
        secrets, problems = read
        for path, text in problems:
            self._wrong(path, text)
        return secrets

    def _read(self, path: KeyPath, reference: str, *, least: int = 0, why: str = "") -> bytes | None:
        try:
            secret = read_secret(reference, self._document.folder, self._environment)
            if len(secret) < least:
                raise Unusable(f"is too short; expected at least {least} bytes: {why}")
        except Unusable as error:
            self._wrong(path, str(error))
            return None
        return secret

    def _wrong(self, path: KeyPath, text: str) -> None:
        self.problems.append(self._document.problem(path, text))

    def _master_key(self) -> bytes | None:
        reference = self._file.insecure.session_master_key
        if reference is None:
            return None
        why = "whoever sees a session could find a short one by trying"
        return self._read(("insecure", "session_master_key"), reference, least=MIN_KEY, why=why)

    def _client_secrets(self) -> list[bytes | None]:
        found: list[bytes | None] = []
        for index, issuer in enumerate(self._file.issuers):
            asked = issuer.keys.introspection
            path: KeyPath = ("issuers", index, "keys", "introspection", "client_secret")
            secret = None if asked is None else self._read(path, asked.client_secret)
            try:
                (secret or b"").decode()
            except UnicodeDecodeError:
                self._wrong(path, "is not UTF-8; expected a secret that can be sent")
            found.append(secret)
        return found

    def _shared_cache(self) -> SharedCacheSettings | None:
        url, reference = self._file.cache.identity_provider, self._file.cache.identity_provider_key
        path, key_path = ("cache", "identity_provider"), ("cache", "identity_provider_key")
        if url == "memory":
            if reference is not None:
                self._wrong(
                    key_path, "seals nothing in memory; expected no such key, or identity_provider: redis://..."
                )
            return None
        if reference is None:
            self._wrong(
                path,
                "is shared without a key; expected identity_provider_key: env:NAME, or whoever writes there makes the"
                " keys that tokens are verified by",
            )
        why = "whoever sees what is shared could find a short one by trying"
        key = None if reference is None else self._read(key_path, reference, least=MIN_KEY, why=why)
        if url.startswith(("env:", "file:")):
            url = self._url(path, url, check_cache_url)
        return None if key is None or not url else SharedCacheSettings(url=url, key=key)

    def _store(self) -> StoreSettings | None:
        url = self._file.directory.url
        if url is None:
            return None
        if url.startswith(("env:", "file:")):
            url = self._url(("directory", "url"), url, check_database_url)
        url = placed_database(url, self._document.folder)
        return StoreSettings(
            at=database_shown(url),
            url=url,
            max_staleness=self._file.directory.max_staleness,
            entities=self._file.cache.entities,
        )

    def _url(self, path: KeyPath, reference: str, check: Callable[[str], None]) -> str:
        read = self._read(path, reference)
        try:
            url = (read or b"").decode("ascii")
            if read is not None:
                check(url)
        except UnicodeDecodeError:
            self._wrong(path, "holds no URL; expected one that is ASCII")
            return ""
        except Unusable as error:
            self._wrong(path, str(error))
            return ""
        return url
