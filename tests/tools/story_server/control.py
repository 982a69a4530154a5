"""What can be asked of the server over HTTP, on loopback:

    GET  /stories[?without=models,limits]   the stories that can be told, and those that are left out, with the reason;
                                            without=writes: those that no cache answers
    POST /stories/ID/begin                  from now on gRPC answers for that story's world
    POST /stories/ID/steps/N                makes the change of that step, or says what to ask and what to expect
    POST /lab/begin {teams, silence}        a company; its questions, all allowed, and `max_silence` in seconds, which
                                            is `silence` where that is given
    POST /lab/flip {team, blocked}          blocks a team, or lifts that
    POST /lab/revoke {team}                 revokes the token of that team's question

A step is answered with {"changed": true}, or with {"ask", "expect"}. What is expected is said in the words of stories;
`limits` have `max_budget` in micro-USD and `budget_period` in seconds.

Answers are JSON. 404: there is no such thing, or its story has not begun; 400: malformed.
"""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tools.story_server.lab import Lab
from tools.story_server.plays import Plays, opened_plays
from tools.story_server.stage import Stage

_MOST = 64 * 1024
"""Bytes of a request's body."""


class Control:
    """The requests, one by one."""

    def __init__(self, plays: Plays, lab: Lab) -> None:
        self._plays = plays
        self._lab = lab

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of one connection."""
        try:
            status, answer = await self._answered(reader)
            body = json.dumps(answer).encode()
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader) -> tuple[str, Any]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        lengths = [line.split(":", 1)[1] for line in head[1:] if line.lower().startswith("content-length:")]
        try:
            method, target, _ = head[0].split(" ", 2)
            length = int(lengths[0]) if lengths else 0
            if length > _MOST:
                return "413 Content Too Large", {"error": "too large"}
            body = json.loads(await reader.readexactly(length) or b"{}")
            url = urlsplit(target)
            without = [each for value in parse_qs(url.query).get("without", []) for each in value.split(",")]
            return "200 OK", self._found(method, url.path.strip("/").split("/"), body, without)
        except KeyError as error:
            return "400 Bad Request", {"error": f"{error.args[0]}: missing"}
        except LookupError as error:
            return "404 Not Found", {"error": f"there is no {error}"}
        except (ValueError, TypeError) as error:
            return "400 Bad Request", {"error": str(error)}
        except Exception as error:
            # Whoever tells stories has to see what is wrong with the teller.
            traceback.print_exc()
            return "500 Internal Server Error", {"error": repr(error)}

    def _found(self, method: str, path: list[str], body: dict[str, Any], without: Collection[str]) -> Any:
        match method, path:
            case "GET", ["stories"]:
                return self._plays.listed(without)
            case "POST", ["stories", *name, "begin"]:
                return self._plays.begin("/".join(name))
            case "POST", ["stories", *name, "steps", number]:
                return self._plays.step("/".join(name), int(number), without)
            case "POST", ["lab", "begin"]:
                return self._lab.begin(int(body["teams"]), body.get("silence"))
            case "POST", ["lab", "flip"]:
                return self._lab.flip(int(body["team"]), bool(body["blocked"]))
            case "POST", ["lab", "revoke"]:
                return self._lab.revoke(int(body["team"]))
            case _:
                raise LookupError(f"{method} /{'/'.join(path)}")


@asynccontextmanager
async def controlled(stage: Stage) -> AsyncIterator[str]:
    """The URL under which a stage is told what to show."""
    async with opened_plays(stage) as plays:
        server = await asyncio.start_server(Control(plays, Lab(stage)).serve, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()[:2]
            yield f"http://{host}:{port}"
