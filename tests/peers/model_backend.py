"""A small server that answers as OpenAI does, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ("one ", "two ", "three")


class Backend:
    """Where it is, and what it was asked for: paths with the models that bodies named."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[tuple[str, str | None]] = []


@contextmanager
def model_backend() -> Iterator[Backend]:
    """One that runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.backend = Backend(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.backend  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """It says nothing."""

    def do_GET(self) -> None:
        # The file's name is the model that its one line is for.
        if self.path.endswith("/content"):
            model = self.path.split("/")[-2]
            self._answer({"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": model}})
        else:
            self._answer({"object": "list", "data": []})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        read = json.loads(body) if self.headers.get_content_type() == "application/json" else {}
        self.server.backend.asked.append((self.path, read.get("model")))  # type: ignore[attr-defined]
        if self.path.endswith("/batches"):
            self._answer({"id": "batch_1", "object": "batch", "status": "validating", "created_at": 1, **read})
        elif read.get("stream"):
            self._stream(read["model"])
        else:
            message = {"role": "assistant", "content": "".join(WORDS)}
            usage = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._answer(
                {"id": "1", "object": "chat.completion", "created": 1, "model": read.get("model"), "usage": usage}
                | {"choices": [choice]}
            )

    def _stream(self, model: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for word in WORDS:
            choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _answer(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
