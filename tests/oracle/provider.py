"""A provider of the oracle's own: it rotates its keys, fails when it is told to, and signs tokens good and bad."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from keyring import KeyPair, decode, encode, key_pair
from oracle.judge import Token, Watched
from oracle.timeline import KeyHistory, Rules
from tools.faults import Fault
from tools.key_server import DISCOVERY_PATH, KEYS_PATH, KeyServer

AUDIENCE = "https://gateway.example"
LONG = 4 * 3600
"""Seconds that a token lives which is not to expire: longer than any run."""
SOON = 3
"""Seconds that one lives which is to expire while it is in use."""
KEPT = 6
"""Tokens under older keys that are still asked about: in their grace, beyond it, withdrawn."""


class Issuer:
    """An issuer of tokens beside usherd, whose discovery document and keys a key server has."""

    def __init__(self, name: str, issuer: str, server: KeyServer, rules: Rules, *, deadline: float) -> None:
        """`issuer` is its `iss`; `deadline` as `server.limits.deadline` of usherd, in seconds."""
        self.name = name
        self.issuer = issuer
        self.server = server
        self.watched = Watched(server, KeyHistory(rules, deadline), KEYS_PATH)

    @property
    def tokens(self) -> list[Token]:
        """What there is to ask about."""
        raise NotImplementedError

    def renew(self) -> None:
        """Replaces tokens that have expired a while ago, if it has such; it is called again and again."""

    async def fail(self, fault: Fault | None, path: str = KEYS_PATH) -> None:
        """Fails in that way from now on; None: works again."""
        await self.server.fail(fault, path)
        self.watched.fault = fault
        self.watched.healthy_since = time.monotonic() if fault is None else float("inf")

    def shows(self, kids: Iterable[str]) -> None:
        """Remembers which keys it publishes from now on."""
        now, before = time.monotonic(), self.watched.published
        self.watched.published = {kid: before.get(kid, now) for kid in kids}

    def configuration(self) -> dict[str, Any]:
        """Its entry under `issuers`."""
        rules = self.watched.history.rules
        refresh = {
            "every": f"{rules.every:g}s",
            "stale_for": f"{rules.stale_for:g}s",
            "removed_grace": f"{rules.removed_grace:g}s",
            "unknown_kid_cooldown": f"{rules.cooldown:g}s",
            "timeout": f"{rules.timeout:g}s",
        }
        return {
            "name": self.name,
            "issuer": self.issuer,
            "audiences": [AUDIENCE],
            "leeway": "0s",
            "keys": {"discovery": self.server.origin + self.discovery_path, "refresh": refresh},
        }

    @property
    def discovery_path(self) -> str:
        """Where its discovery document is."""
        return DISCOVERY_PATH

    def roles(self, models: list[str]) -> list[dict[str, Any]]:
        """What its tokens are granted."""
        return [self.role({"roles": "Caller"}, ["service"], models)]

    def role(self, when: dict[str, Any], who: list[str], models: list[str]) -> dict[str, Any]:
        """One role, of those who meet the condition."""
        grants = {"routes": ["openai_routes"], "models": models}
        return {"name": f"{who[0]}-{self.name}", "issuer": self.name, "when": when, "for": who, "grants": grants}


class Provider(Issuer):
    """One whose keys are made here."""

    def __init__(self, name: str, rules: Rules, *, deadline: float) -> None:
        """`deadline` as `server.limits.deadline` of usherd, in seconds."""
        super().__init__(name, f"https://{name}.example", KeyServer(), rules, deadline=deadline)
        self._numbers = itertools.count(1)
        self._shown: list[tuple[KeyPair, bool]] = []
        self._older: deque[Token] = deque(maxlen=KEPT)
        self._current: list[Token] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.server)
        self.server.describe(issuer=self.issuer)
        self.rotate()
        self.watched.healthy_since = time.monotonic()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def rotate(self) -> None:
        """Publishes a new key beside the others, and signs with it from now on."""
        pair = key_pair("Ed25519", f"{self.name}-{next(self._numbers)}")
        self._shown.append((pair, True))
        self._publish()
        self._older.extend(token for token in self._current if token.kind == "good")
        never = key_pair("Ed25519", f"{self.name}-never")
        forged = key_pair("Ed25519", f"{self.name}-forger")
        self._current = [
            self.sign(pair),
            self.sign(pair, kind="good, of two"),
            self.sign(pair, lives=SOON, kind="expiring"),
            self.sign(pair, lives=-60, kind="expired"),
            self.sign(pair, kind="other audience", for_us=False),
            self.sign(pair, kind="tampered", signed=False),
            self.sign(KeyPair(kind="Ed25519", kid=pair.kid, private=forged.private), kind="forged", signed=False),
            self.sign(never, kind="key never published"),
        ]

    def remove_oldest(self) -> None:
        """Publishes all keys but the oldest, if there is another."""
        if len(self._shown) > 1:
            del self._shown[0]
            self._publish()

    def withdraw_oldest(self) -> None:
        """Publishes the oldest key for something else than signatures, if there is another."""
        if len(self._shown) > 1:
            self._shown[0] = (self._shown[0][0], False)
            self._publish()

    def renew(self) -> None:
        """Signs anew what has expired a while ago."""
        now = time.monotonic()
        pair = self._shown[-1][0]
        self._current = [
            self.sign(pair, lives=SOON, kind="expiring") if each.kind == "expiring" and each.expires < now - 1 else each
            for each in self._current
        ]

    @property
    def tokens(self) -> list[Token]:
        """What there is to ask about."""
        return [*self._current, *self._older]

    def of_kind(self, kind: str) -> Token:
        """The current token of that kind."""
        return next(token for token in self._current if token.kind == kind)

    def sign(self, pair: KeyPair, *, lives: int = LONG, kind: str = "good", **wrong: bool) -> Token:
        """A token under that key."""
        now, monotonic = time.time(), time.monotonic()
        issued, expires = int(now) - max(0, -lives) - 5, int(now) + lives
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": AUDIENCE if wrong.get("for_us", True) else "somebody-else",
            "sub": f"{kind} by {pair.kid}",
            "azp": "caller",
            "idtyp": "app",
            "roles": ["Caller"],
            "iat": issued,
            "exp": expires,
        }
        text = pair.token(claims)
        if kind == "tampered":
            head, payload, signature = text.split(".")
            text = f"{head}.{encode(decode(payload).replace(b'Caller', b'Called'))}.{signature}"
        return Token(
            text=text,
            provider=self.name,
            kid=pair.kid or "",
            expires=monotonic + expires - now,
            kind=kind,
            **wrong,
        )

    def _publish(self) -> None:
        self.server.publish(*(pair.jwk(use="sig" if good else "enc") for pair, good in self._shown))
        self.shows(pair.kid or "" for pair, good in self._shown if good)
