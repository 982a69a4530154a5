"""Says where an issuer's keys come from, as LiteLLM's URLs do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from usherd.config.litellm.notebook import Notebook
from usherd.config.litellm.versions import REFERENCE, Version
from usherd.config.problems import KeyPath, Unusable, key_text
from usherd.config.scalars import check_url, duration_text

DISCOVERY = ".well-known/openid-configuration"
"""What makes a URL that of a discovery document, to LiteLLM."""


def key_source(urls: str | None, version: Version) -> dict[str, Any]:
    """The source for one URL, or later for several with commas between them: of key sets, or of one discovery document.

    Raises Unusable.
    """
    if not urls or not urls.strip():
        raise Unusable("is not set, and LiteLLM refuses every token then; expected the URL of the issuer's key set")
    listed = [urls] if version == REFERENCE else [url.strip() for url in urls.split(",") if url.strip()]
    for url in listed:
        check_url(url, loopback_http=True)
    discovered = [url for url in listed if DISCOVERY in url and version != REFERENCE]
    if not discovered:
        return {"jwks_url": listed[0] if len(listed) == 1 else listed}
    if len(listed) > 1:
        raise Unusable(
            "has a discovery document beside other URLs; expected that alone, or the URLs of key sets: what the"
            " document calls jwks_uri"
        )
    return {"discovery": discovered[0]}


def needs_loopback_http(source: Mapping[str, Any]) -> bool:
    """Whether the source is asked without TLS, which `key_source` lets pass for this machine only."""
    urls = [source.get("discovery"), *_many(source.get("jwks_url"))]
    return any(isinstance(url, str) and urlsplit(url).scheme == "http" for url in urls)


def _many(urls: object) -> list[object]:
    return urls if isinstance(urls, list) else [urls]


def inline_keys(document: object) -> dict[str, Any]:
    """A key document, read as LiteLLM does: what `keys` has, or else the document itself, if that is a list of keys.

    Anything else is no key set, and has no keys.
    """
    keys = document["keys"] if isinstance(document, Mapping) and "keys" in document else document
    return {"keys": list(keys) if isinstance(keys, list) else []}


def bounded_duration(seconds: float, least: float, most: float, path: KeyPath, book: Notebook) -> str:
    """A duration within usherd's bounds, to the millisecond; it is noted where LiteLLM's is outside."""
    bounded = round(min(max(seconds, least), most), 3)
    if not least <= seconds <= most:
        book.note(f"{key_text(path)}: {duration_text(bounded)}, which is as far as usherd goes")
    return duration_text(bounded) if bounded == int(bounded) else f"{bounded:.3f}".rstrip("0") + "s"
