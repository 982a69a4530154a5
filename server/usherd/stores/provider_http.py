"""Fetches one document from an identity provider, or asks it about a token; every wait and every byte is bounded."""

from __future__ import annotations

import asyncio
import base64
import functools
import http.cookiejar
import ipaddress
import logging
import os
import ssl
import zlib
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TypeVar
from urllib.parse import SplitResult, quote_plus, urlencode, urlsplit

import httpx

from usherd.stores.documents import Cause, Document, LoadFailed

BODY_SIZE = 1 << 20
"""The most bytes of one document, after decompression."""

URL_SIZE = 2048
"""The most characters of a URL."""

ETAG_SIZE = 256
"""The most characters of an entity tag that is worth keeping."""

_REFUSALS = frozenset({400, 403, 413, 414, 422, 431})
"""Statuses that what is in a question may be the cause of, at the endpoint or at a firewall before it."""
_GZIP = 16 + zlib.MAX_WBITS
_Result = TypeVar("_Result")


class ProviderHttp:
    """An HTTP client for identity providers: https, no redirects, no proxies, no cookies."""

    def __init__(self, client: httpx.AsyncClient, *, allow_loopback_http: bool) -> None:
        self._client = client
        self._allow_loopback_http = allow_loopback_http

    async def get(self, url: str, *, timeout: float, known: Document | None = None) -> Document:
        """The document at `url`, all of it within `timeout` seconds. Raises LoadFailed.

        `known`, if it has an entity tag, makes the request conditional, and is itself the answer when it still holds
        (RFC 9110, section 15.4.5).
        """
        return await self._bounded(url, timeout, self._get(url, known))

    async def post(
        self, url: str, form: Mapping[str, str], *, basic: tuple[str, str] | None, timeout: float, max_size: int
    ) -> bytes:
        """The JSON of at most `max_size` bytes that a form is answered with, all of it within `timeout` seconds.

        `basic` is the client's id and secret, if they go by HTTP Basic. Raises LoadFailed.
        """
        return await self._bounded(url, timeout, self._post(url, form, basic, max_size))

    async def _bounded(self, url: str, timeout: float, work: Coroutine[None, None, _Result]) -> _Result:
        if not url_is_allowed(url, allow_loopback_http=self._allow_loopback_http):
            work.close()
            raise LoadFailed(Cause.URL_NOT_ALLOWED)
        try:
            async with asyncio.timeout(timeout):
                return await work
        except TimeoutError:
            raise LoadFailed(Cause.TIMEOUT) from None
        except (httpx.ConnectError, UnicodeError):  # a host name that no resolver takes is a UnicodeError
            raise LoadFailed(Cause.CONNECT) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            raise LoadFailed(Cause.PROTOCOL) from None

    async def _get(self, url: str, known: Document | None) -> Document:
        headers = {"If-None-Match": known.etag} if known is not None and known.etag is not None else {}
        async with self._client.stream("GET", url, headers=headers) as response:
            if response.status_code == httpx.codes.NOT_MODIFIED and headers and known is not None:
                return known
            _check_status(response)
            if not _is_json_like(response.headers.get("content-type", "")):
                raise LoadFailed(Cause.CONTENT_TYPE)
            return Document(body=await _body(response, BODY_SIZE), etag=_etag(response.headers))

    async def _post(self, url: str, form: Mapping[str, str], basic: tuple[str, str] | None, max_size: int) -> bytes:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if basic is not None:
            headers["Authorization"] = _basic(*basic)
        content = urlencode(form).encode("ascii")
        try:
            return await self._posted(url, headers, content, max_size)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # A kept connection may have been closed meanwhile. Asking twice changes nothing there.
            return await self._posted(url, headers, content, max_size)

    async def _posted(self, url: str, headers: Mapping[str, str], content: bytes, max_size: int) -> bytes:
        async with self._client.stream("POST", url, headers=headers, content=content) as response:
            if response.status_code == httpx.codes.UNAUTHORIZED:
                raise LoadFailed(Cause.CREDENTIALS_REFUSED)
            if response.status_code in _REFUSALS:
                raise LoadFailed(Cause.REQUEST_REFUSED)
            _check_status(response)
            if response.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise LoadFailed(Cause.CONTENT_TYPE)
            return await _body(response, max_size)


@asynccontextmanager
async def provider_http(
    *, allow_loopback_http: bool = False, tls: ssl.SSLContext | None = None, kept: int = 0
) -> AsyncIterator[ProviderHttp]:
    """A client, open as long as the block is. `tls` None: the certificate authorities that this system trusts.
    `kept` is how many idle connections stay open.

    Those, and not a list that comes with a library: providers inside a company have certificates of its own authority.
    """
    for name in ("httpx", "httpcore"):
        # They log URLs and headers, which are the operator's business alone.
        logging.getLogger(name).setLevel(logging.WARNING)
    async with httpx.AsyncClient(
        verify=tls if tls is not None else _trusting(_authorities()),
        trust_env=False,
        follow_redirects=False,
        # One deadline covers the whole fetch; a time per read would let a peer drip bytes for ever.
        timeout=None,  # noqa: S113
        # Documents are fetched minutes apart: a kept connection would be found closed more often than open.
        limits=httpx.Limits(max_keepalive_connections=kept, keepalive_expiry=15.0),
        cookies=http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
        headers={
            "User-Agent": f"usherd/{version('usherd')}",
            "Accept": "application/json, application/jwk-set+json",
            "Accept-Encoding": "gzip",
        },
    ) as client:
        yield ProviderHttp(client, allow_loopback_http=allow_loopback_http)


_Stamps = tuple[tuple[int, int, int] | None, ...]


def _authorities() -> _Stamps:
    """Which files of certificate authorities the system has now."""
    paths = ssl.get_default_verify_paths()
    return tuple(_stamp(path) for path in (paths.cafile, paths.capath))


def _stamp(path: str | None) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        found = None
    return None if found is None else (found.st_ino, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _trusting(authorities: _Stamps) -> ssl.SSLContext:
    """What trusts the system's authorities, read again when they are others.

    One for all clients: it takes about a megabyte, and what an ended client leaves in cycles would hold it for long.
    """
    return ssl.create_default_context()


def url_is_allowed(url: str, *, allow_loopback_http: bool) -> bool:
    """Whether documents may be fetched there: https without credentials, or http on loopback if that is allowed."""
    if not url.isascii() or len(url) > URL_SIZE:
        return False
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port != 0
    except ValueError:
        return False
    if not parts.hostname or not port_is_fine or "@" in parts.netloc or parts.fragment:
        return False
    return parts.scheme == "https" or (allow_loopback_http and parts.scheme == "http" and _is_loopback(parts))


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_status(response: httpx.Response) -> None:
    if response.has_redirect_location:
        raise LoadFailed(Cause.REDIRECT)
    if response.status_code != httpx.codes.OK:
        raise LoadFailed(Cause.STATUS, _retry_after(response.headers))


def _basic(client_id: str, secret: str) -> str:
    """The header's value: both are form-urlencoded first (RFC 6749, section 2.3.1), so that a colon stays one."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode("ascii")
    return "Basic " + base64.b64encode(pair).decode("ascii")


def _is_json_like(content_type: str) -> bool:
    # Key sets on plain file hosts come as text/plain. Pages do not: a page that happens to parse is still no key set.
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("application/json", "text/json", "text/plain") or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _etag(headers: httpx.Headers) -> str | None:
    etag = headers.get("etag", "")
    return etag if 0 < len(etag) <= ETAG_SIZE and etag.isascii() and etag.isprintable() else None


def _retry_after(headers: httpx.Headers) -> float | None:
    # The other form of this header is a date (RFC 9110, 10.2.3), which means something only by the peer's clock.
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


async def _body(response: httpx.Response, max_size: int) -> bytes:
    """The body, decompressed here: httpx would inflate a whole chunk, however large it gets."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise LoadFailed(Cause.CONTENT_ENCODING)
    inflate = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
    body = bytearray()
    async for chunk in response.aiter_raw():
        if inflate is None:
            body += chunk
        else:
            try:
                body += inflate.decompress(chunk, max_size + 1 - len(body))
            except zlib.error:
                raise LoadFailed(Cause.CONTENT_ENCODING) from None
        if len(body) > max_size:
            raise LoadFailed(Cause.TOO_LARGE)
        if inflate is not None and inflate.unused_data:
            raise LoadFailed(Cause.CONTENT_ENCODING)
    if inflate is not None and not inflate.eof:
        raise LoadFailed(Cause.CONTENT_ENCODING)
    return bytes(body)
