"""A real LiteLLM proxy as a process, in a virtual environment of its own, which is made once.

with litellm(folder, backend.url, USHERD_TARGET=target) as proxy:
    proxy.ask("/v1/chat/completions", token, json={...})
    proxy.told(answer)    what LiteLLM logged about that request
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from peers.programs import CLIENTS
from tools.ports import free_port

HOME = Path(__file__).parent / "litellm"
PATIENCE = 180.0
"""Seconds that a start may take on a busy machine; it imports for ten."""
INSTALL_SECONDS = 600
MODELS = ("gpt-4o", "gpt-4o-mini", "o3")

_VENV = Path(sys.prefix) / "litellm"


@functools.cache
def installed() -> Path:
    """Where its programs are. They are installed once for these constraints and this client."""
    constraints = HOME / "constraints.txt"
    stamp = _VENV / ".installed"
    wanted = hashlib.sha256(constraints.read_bytes() + (CLIENTS / "python" / "pyproject.toml").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(_VENV, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(_VENV)])
        pip = [str(_VENV / "bin" / "pip"), "--disable-pip-version-check", "--quiet", "install"]
        # What LiteLLM sorts errors of its database with, whether or not it has one.
        _run([*pip, "--constraint", str(constraints), "--editable", f"{CLIENTS / 'python'}[litellm]", "prisma"])
        stamp.write_text(wanted)
    return _VENV / "bin"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class LiteLLM:
    """One that runs."""

    def __init__(self, folder: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.address = ("127.0.0.1", port)
        self._folder = folder
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)

    def ask(self, path: str, token: str | None, **request: Any) -> httpx.Response:
        """One request, a POST unless it has nothing to send."""
        headers = {"authorization": f"Bearer {token}"} if token is not None else {}
        method = "POST" if {"json", "data", "content"} & request.keys() else "GET"
        return self.http.request(method, path, headers=headers | request.pop("headers", {}), **request)

    def told(self, answer: httpx.Response) -> dict[str, Any]:
        """What it logged about the request that came through with that answer; it does that a little later."""
        file = self._folder / "told.jsonl"
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            whole = file.read_text().rpartition("\n")[0] if file.exists() else ""
            for told in map(json.loads, whole.splitlines()):
                if told["litellm_call_id"] == answer.headers["x-litellm-call-id"]:
                    found: dict[str, Any] = told
                    return found
            time.sleep(0.1)
        raise AssertionError(self.output())

    def output(self) -> str:
        """All that it printed."""
        return (self._folder / "litellm.log").read_text(errors="replace")


@contextmanager
def litellm(
    folder: Path,
    backend: str,
    *,
    general: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    **environment: str,
) -> Iterator[LiteLLM]:
    """One with these general and other settings beside those that it needs. Ended at the end."""
    with _started(folder, backend, general or {}, settings or {}, environment) as proxy:
        until = time.monotonic() + PATIENCE
        while proxy.process.poll() is None and time.monotonic() < until:
            try:
                if proxy.http.get("/health/liveliness").is_success:
                    yield proxy
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise AssertionError(proxy.output())


def refused_to_start(folder: Path, backend: str, **environment: str) -> str:
    """What it printed before it ended by itself."""
    with _started(folder, backend, {}, {}, environment) as proxy:
        assert proxy.process.wait(PATIENCE) != 0
        return proxy.output()


@contextmanager
def _started(
    folder: Path, backend: str, general: Mapping[str, Any], settings: Mapping[str, Any], environment: Mapping[str, str]
) -> Iterator[LiteLLM]:
    folder.mkdir(exist_ok=True)
    shutil.copy(HOME / "told.py", folder)
    config = folder / "config.yaml"
    config.write_text(json.dumps(_config(backend, general, settings)))
    port = free_port()
    command = [str(installed() / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "litellm.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=_environment(folder, backend, environment), stdout=log, stderr=subprocess.STDOUT
        )
    proxy = LiteLLM(folder, port, process)
    try:
        yield proxy
    finally:
        proxy.http.close()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _config(backend: str, general: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    deployed = {"api_base": f"{backend}/v1", "api_key": "the model's own"}
    hooked = {"path": "/hooked", "target": f"{backend}/v1/chat/completions", "auth": True}
    return {
        "model_list": [
            {"model_name": each, "litellm_params": {"model": f"openai/{each}", **deployed}} for each in MODELS
        ],
        "litellm_settings": {"callbacks": ["told.handler"], "telemetry": False, "num_retries": 0, **settings},
        "general_settings": {
            "custom_auth": "usher_client.litellm.authenticate",
            "pass_through_endpoints": [hooked],
            **general,
        },
    }


def _environment(folder: Path, backend: str, changes: Mapping[str, str]) -> dict[str, str]:
    """Nothing of ours but where programs are; and nothing that would be fetched from, or sent to, another machine."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TOLD": str(folder / "told.jsonl"),
        "LITELLM_MASTER_KEY": f"sk-{secrets.token_hex(32)}",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OPENAI_BASE_URL": f"{backend}/v1",
        "OPENAI_API_KEY": "the model's own",
        "NO_PROXY": "*",
        **changes,
    }
