"""Ports with parts that a story puts out of reach, and writes that it remembers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from usherd.domain import VerificationKey
from usherd.errors import DirectoryUnavailable, KeysUnavailable
from usherd.facts import Write
from usherd.ports import Directory, Facts, Keys, Provisioning, Wanted


class Outages(Protocol):
    """Knows what is out of reach now."""

    @property
    def unavailable(self) -> Collection[str]:
        """Some of `keys`, `directory`, `provisioning`."""


class StoryKeys:
    """The keys of a policy, and beside them keys of the runner for issuers that have given keys of their own."""

    def __init__(self, keys: Keys, beside: Keys, runners: Collection[tuple[str, str]], outages: Outages) -> None:
        """`runners` are (issuer, key id) of the keys that are found `beside`."""
        self._keys = keys
        self._beside = beside
        self._runners = runners
        self._outages = outages

    def _of(self, issuer: str, kid: str | None) -> Keys:
        if "keys" in self._outages.unavailable:
            raise KeysUnavailable
        return self._beside if (issuer, kid) in self._runners else self._keys

    def find(self, issuer: str, kid: str | None) -> VerificationKey | None:
        """As `ports.Keys.find`."""
        return self._of(issuer, kid).find(issuer, kid)

    async def find_fresh(self, issuer: str, kid: str | None, patience: float) -> VerificationKey | None:
        """As `ports.Keys.find_fresh`: there is nothing fresher."""
        return self.find(issuer, kid)

    def trusts(self, key: VerificationKey) -> bool:
        """As `ports.Keys.trusts`."""
        return self._of(key.issuer, key.kid).trusts(key)

    def usable_for(self, key: VerificationKey) -> float:
        """As `ports.Keys.usable_for`."""
        return self._of(key.issuer, key.kid).usable_for(key)


class StoryDirectory:
    """A directory that is out of reach at times."""

    def __init__(self, directory: Directory, outages: Outages) -> None:
        self._directory = directory
        self._outages = outages

    async def facts(self, wanted: Sequence[Wanted]) -> Facts:
        """As `ports.Directory.facts`."""
        if "directory" in self._outages.unavailable:
            raise DirectoryUnavailable
        return await self._directory.facts(wanted)

    def at_hand(self) -> Facts | None:
        """As `ports.Directory.at_hand`."""
        return None if "directory" in self._outages.unavailable else self._directory.at_hand()

    async def reach(self, store: str, revision: int) -> None:
        """As `ports.Directory.reach`."""
        await self._directory.reach(store, revision)


class StoryWrites:
    """Remembers what was written since it was last asked, and writes it."""

    def __init__(self, provisioning: Provisioning, outages: Outages) -> None:
        self._provisioning = provisioning
        self._outages = outages
        self._made: list[Write] = []

    async def write(self, writes: Sequence[Write]) -> None:
        """As `ports.Provisioning.write`."""
        if "provisioning" in self._outages.unavailable:
            raise DirectoryUnavailable
        await self._provisioning.write(writes)
        self._made += writes

    def taken(self) -> list[Write]:
        """What was written since the last time."""
        made, self._made = self._made, []
        return made
