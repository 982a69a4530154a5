"""A real Prometheus: the programs of Debian's package, and one that runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.ports import free_port

SECONDS = 300
PATIENCE = 60.0
_UNPACKED = Path(sys.prefix) / "debian" / "prometheus"
"""Beside the virtual environment's packages: it is unpacked once, and nothing of it is installed or started."""
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def program(name: str) -> str:
    """`prometheus` or `promtool`: the one in PATH, or else the one of Debian's package."""
    if (found := shutil.which(name)) is not None:
        return found
    unpacked = _UNPACKED / "usr" / "bin" / name
    if not unpacked.exists():
        _unpack()
    return str(unpacked)


def _unpack() -> None:
    if shutil.which("apt-get") is None:
        pytest.fail("the peers need prometheus, in PATH or from Debian's packages")
    _UNPACKED.mkdir(parents=True, exist_ok=True)
    download = ["apt-get", "download", "prometheus"]
    if subprocess.run(download, cwd=_UNPACKED, capture_output=True, timeout=SECONDS, check=False).returncode != 0:
        # A new machine has no list of packages yet.
        _run(["apt-get", "update"])
        _run(download)
    (package,) = _UNPACKED.glob("*.deb")
    _run(["dpkg-deb", "-x", package.name, "."])
    package.unlink()


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=_UNPACKED, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, path: str, **values: str) -> Any:
        """The data of an answer of its API."""
        url = f"http://127.0.0.1:{self._port}{path}?{urllib.parse.urlencode(values)}"
        try:
            with _NO_PROXY.open(url, timeout=PATIENCE) as answer:
                told = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{values}: {error.read().decode()}") from None
        assert told["status"] == "success", told
        return told["data"]

    def series(self, query: str) -> list[dict[str, Any]]:
        """What a query gives now."""
        found: list[dict[str, Any]] = self.get("/api/v1/query", query=query)["result"]
        return found


@contextmanager
def scraping(folder: Path, address: str, rules: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes that address every second with those rules, once it has seen enough for a rate."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "usherd", "static_configs": [{"targets": [address]}]}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        prometheus = Prometheus(port)
        _until_it_has_seen_enough(prometheus, folder)
        yield prometheus
    finally:
        process.terminate()
        process.wait()


def _until_it_has_seen_enough(prometheus: Prometheus, folder: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if prometheus.series("count_over_time(usherd_build_info[1m]) > 4"):
                return
        except (OSError, AssertionError):
            # It does not listen yet, or is not ready.
            pass
        time.sleep(0.2)
    raise AssertionError((folder / "prometheus.log").read_text())
