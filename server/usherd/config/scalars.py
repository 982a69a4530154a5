"""The small words of a configuration: durations, sizes, money, URLs, secrets."""

from __future__ import annotations

import ipaddress
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from usherd.config.problems import Unusable, quoted
from usherd.config.read_files import about_to_read

if TYPE_CHECKING:
    from collections.abc import Mapping

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"([0-9]{1,9})(B|KiB|MiB)")
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}
_MAX_SECRET = 64 * 1024
MAX_MICRO_USD = 2**62


def seconds(value: object) -> float:
    """The seconds of a duration such as `500ms`, `30s`, `10m`, `24h`, `30d`. Raises Unusable."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Unusable("is no duration; expected a number and a unit, as 500ms, 30s, 10m, 1h or 30d")
    return float(Decimal(found[1])) * _SECONDS[found[2]]


def duration_text(value: float) -> str:
    """Seconds as a person writes them."""
    if not value:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        size = _SECONDS[unit]
        if value >= size and value % size == 0:
            return f"{int(value // size)}{unit}"
    return f"{value * 1000:g}ms"


def bounded_seconds(value: object, least: float, most: float) -> float:
    """As `seconds`, within bounds. Raises Unusable."""
    found = seconds(value)
    if not least <= found <= most:
        raise Unusable(f"is out of bounds; expected {duration_text(least)} to {duration_text(most)}")
    return found


def size_text(value: int) -> str:
    """A number of bytes as a person writes it."""
    for unit in ("MiB", "KiB"):
        if value and value % _BYTES[unit] == 0:
            return f"{value // _BYTES[unit]}{unit}"
    return f"{value}B"


def bounded_bytes(value: object, least: int, most: int) -> int:
    """The bytes of a size such as `8KiB` or `512B`, within bounds. Raises Unusable."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Unusable("is no size; expected a number and a unit, as 512B, 8KiB or 1MiB")
    size = int(found[1]) * _BYTES[found[2]]
    if not least <= size <= most:
        raise Unusable(f"is out of bounds; expected {size_text(least)} to {size_text(most)}")
    return size


def micro_usd(value: object) -> int:
    """Millionths of a US dollar of an amount such as `12`, `0.5` or `"0.000001"`. Raises Unusable."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unusable("is no amount of money; expected US dollars, as 100 or 0.25")
    text = str(value)
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?([eE]-?[0-9]{1,2})?", text) is None:
        raise Unusable("is no amount of money; expected US dollars, not below 0, as 100 or 0.25")
    amount = Decimal(text) * 1_000_000
    if amount != amount.to_integral_value():
        raise Unusable("is finer than a millionth of a dollar; expected at most six decimals")
    if amount > MAX_MICRO_USD:
        raise Unusable("is too much money; expected less than 4 trillion dollars")
    return int(amount)


def check_url(text: str, *, loopback_http: bool) -> None:
    """An https URL without user, fragment or white space. With `loopback_http`, http to this machine will do.

    Raises Unusable.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or not text.isascii() or not text.isprintable() or " " in text or len(text) > 2048:
        raise Unusable("is no URL; expected https://host/path")
    if parts.username is not None or parts.password is not None:
        raise Unusable("has a user or password in it; expected a URL without")
    if parts.fragment or "#" in text:
        raise Unusable("has a fragment (#); expected a URL without")
    if parts.scheme == "http" and is_loopback(host):
        if not loopback_http:
            raise Unusable("is http; expected https, or insecure.loopback_http: true for http to this machine")
    elif parts.scheme != "https":
        raise Unusable("is not https; expected an https URL: keys that anyone on the way can change prove nothing")


def is_loopback(host: str) -> bool:
    """Whether a URL's host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_secret_reference(text: object) -> str:
    """`env:NAME` or `file:path`. Raises Unusable, whose text never repeats the value: it may be the secret itself."""
    if not isinstance(text, str) or re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+", text) is None:
        raise Unusable("is no reference to a secret; expected env:NAME or file:path, never the secret itself")
    return text


CACHE_SCHEMES = ("redis", "rediss", "unix")


def check_cache(text: object) -> str:
    """`memory`, a URL without a password, or a reference to one that may have it. Raises Unusable."""
    if isinstance(text, str) and re.match(r"(env|file):", text):
        return check_secret_reference(text)
    if not isinstance(text, str) or (text != "memory" and "://" not in text):
        raise Unusable(f"is no cache; expected memory, {_CACHE_URLS}, or env:NAME or file:path that hold such a URL")
    if text != "memory":
        check_cache_url(text)
        if "@" in text:
            raise Unusable("has a user or password in it; expected env:NAME or file:path that hold the whole URL")
    return text


_CACHE_URLS = "redis://host:port/0, rediss://host:port/0 (TLS), unix:///path"


def check_cache_url(text: str) -> None:
    """The URL of a Valkey or Redis. It says where, and not how: there is no query. Raises Unusable, without the URL."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    known = parts.scheme in CACHE_SCHEMES and text.isascii() and text.isprintable() and " " not in text
    if not known or len(text) > 2048 or "?" in text or "#" in text:
        raise Unusable(f"is no URL of a cache; expected {_CACHE_URLS}")
    if parts.scheme == "unix":
        if len(parts.path) < 2:
            raise Unusable(f"names no socket; expected {_CACHE_URLS}")
    elif not host or re.fullmatch(r"/?|/[0-9]{1,3}", parts.path) is None:
        raise Unusable(f"names no host, or a path that is no number; expected {_CACHE_URLS}")


_DATABASE_URLS = "sqlite:///file or postgresql://user@host/database"


def check_database(text: object) -> str:
    """The URL of a database without a password, or a reference to one that may have it. Raises Unusable."""
    if isinstance(text, str) and re.match(r"(env|file):", text):
        return check_secret_reference(text)
    if not isinstance(text, str):
        raise Unusable(f"is no URL; expected {_DATABASE_URLS}, or env:NAME or file:path that hold such a URL")
    check_database_url(text)
    parts = urlsplit(text)
    if parts.password is not None or "password" in dict(parse_qsl(parts.query, keep_blank_values=True)):
        raise Unusable("has a password in it; expected env:NAME or file:path that hold the whole URL")
    return text


def check_database_url(text: str) -> None:
    """The URL of a database. Raises Unusable, without the URL."""
    try:
        parts = urlsplit(text)
        _ = parts.hostname, parts.port
    except ValueError:
        parts = urlsplit("")
    usable = text.isascii() and text.isprintable() and " " not in text and len(text) <= 2048 and "#" not in text
    is_file = text.startswith("sqlite:///") and len(text) > len("sqlite:///") and "?" not in text
    if not usable or not (is_file or (parts.scheme in ("postgresql", "postgres") and "://" in text)):
        raise Unusable(f"is no URL of a database; expected {_DATABASE_URLS}")


def placed_database(url: str, folder: Path) -> str:
    """The URL, with the file of an SQLite where it is seen from that folder."""
    path = url.removeprefix("sqlite:///")
    return url if path in (url, ":memory:") else f"sqlite:///{folder.absolute() / path}"


def database_shown(url: str) -> str:
    """Where a database is, without anything secret: of a PostgreSQL, no more than that it is one."""
    return url if url.startswith("sqlite:") else "postgresql"


def is_unprotected_cache(url: str) -> bool:
    """Whether what is said to that cache crosses a network unencrypted."""
    parts = urlsplit(url)
    return parts.scheme == "redis" and not is_loopback(parts.hostname or "")


def read_secret(reference: str, folder: Path, environment: Mapping[str, str]) -> bytes:
    """The secret that a reference names; one newline at the end of a file is not part of it. Raises Unusable."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        found = environment.get(name)
        if not found:
            raise Unusable(f"the environment variable {name} is not set; expected it to hold the secret")
        return found.encode()
    about_to_read(folder / name)
    try:
        with (folder / name).open("rb") as file:
            content = file.read(_MAX_SECRET + 1)
    except (OSError, ValueError):
        raise Unusable(f"the file {quoted(name)} cannot be read; expected it to hold the secret") from None
    content = content.removesuffix(b"\n").removesuffix(b"\r")
    if not content or len(content) > _MAX_SECRET:
        raise Unusable(f"the file {quoted(name)} is empty or too large; expected it to hold the secret")
    return content


def check_address(text: str) -> None:
    """`host:port`, `[v6]:port` or `unix:path`. Raises Unusable."""
    if text.startswith("unix:") and len(text) > len("unix:"):
        return
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", text)
    if found is None or int(found[2]) > 65535:
        raise Unusable(f"{quoted(text)} is no address; expected host:port, [v6]:port or unix:path")


def check_workers(workers: int, address: str) -> None:
    """Whether so many workers can serve there. Raises Unusable."""
    if workers > 1 and address.startswith("unix:"):
        raise Unusable(f"is {workers}, and a unix: socket is for one; expected 1, or server.address: host:port")
