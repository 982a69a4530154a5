"""A real provider as the oracle sees it: its documents pass through the fault proxy, its tokens are its own."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from keyring import decode, encode
from oracle.judge import Token
from oracle.provider import KEPT, Issuer
from oracle.timeline import Rules
from tools.fault_proxy import KEYS, FaultProxy
from tools.faults import Fault


def contents(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token, unverified."""
    header, claims, _ = text.split(".")
    return json.loads(decode(header)), json.loads(decode(claims))


class Realm(Issuer):
    """A provider that runs elsewhere. Whoever has it tells of its keys and gives its tokens."""

    server: FaultProxy

    def __init__(
        self,
        name: str,
        issuer: str,
        proxy: FaultProxy,
        rules: Rules,
        *,
        deadline: float,
        keys_path: str,
        roles: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """`roles` says by who they are for (`service`, `user`) what claims meet them."""
        super().__init__(name, issuer, proxy, rules, deadline=deadline)
        self.watched.keys_path = keys_path
        self._roles = roles
        self._current: list[Token] = []
        self._older: deque[Token] = deque(maxlen=KEPT)
        self.directly = False
        """Whether usherd asks it itself, and not by way of the proxy."""
        self.service_when: Mapping[str, str] = {}
        """As of `issuers[].service_when`; empty: the well-known shapes."""

    @property
    def tokens(self) -> list[Token]:
        return [*self._current, *self._older]

    @property
    def discovery_path(self) -> str:
        return urlsplit(self.issuer).path.rstrip("/") + super().discovery_path

    def roles(self, models: list[str]) -> list[dict[str, Any]]:
        return [self.role(dict(when), [who], models) for who, when in self._roles.items()]

    def configuration(self) -> dict[str, Any]:
        made = super().configuration()
        if self.directly:
            made["keys"]["discovery"] = True
        return made | ({"service_when": dict(self.service_when)} if self.service_when else {})

    def of_kind(self, kind: str) -> Token:
        """The current token of that kind."""
        return next(token for token in self._current if token.kind == kind)

    async def fail(self, fault: Fault | None, path: str = KEYS) -> None:
        await super().fail(fault, path)

    def away(self) -> None:
        """The provider itself is about to be out of reach."""
        self.watched.healthy_since = float("inf")

    def back(self, kids: Iterable[str]) -> None:
        """The provider is there again, and publishes these keys."""
        self.shows(kids)
        self.watched.healthy_since = time.monotonic()

    def hold(self, **texts: str) -> None:
        """Asks about these tokens from now on, by their kind, and about some made of them that are not genuine."""
        self._older.extend(self._current[: len(texts)])
        self._current = [self.token(text, kind) for kind, text in texts.items()]
        text = next(iter(texts.values()))
        head, claims, signature = text.split(".")
        changed = decode(claims).replace(b'"iat":1', b'"iat":2')
        assert changed != decode(claims)
        self._current.append(self.token(f"{head}.{encode(changed)}.{signature}", "tampered", like=text, signed=False))
        header = {**contents(text)[0], "kid": "never"}
        self._current.append(
            self.token(f"{encode(json.dumps(header).encode())}.{claims}.{signature}", "never", like=text)
        )

    def token(self, text: str, kind: str = "good", *, like: str = "", **wrong: bool) -> Token:
        """What the oracle is to know of a token; `like`, if given, has its dates."""
        expires = float(contents(like or text)[1]["exp"]) - time.time() + time.monotonic()
        kid = contents(text)[0]["kid"]
        return Token(text=text, provider=self.name, kid=kid, expires=expires, kind=kind, **wrong)
