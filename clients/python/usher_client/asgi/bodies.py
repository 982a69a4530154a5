"""Reads a request's body as a whole, up to a bound, and gives it to the app again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from usher_client.asgi.protocol import Message, Receive
from usher_client.http.json_members import LARGE
from usher_client.http.reading import RequestRefused


class ClientGone(Exception):
    """The client went before its request was there."""


async def read_body(
    receive: Receive, headers: Iterable[tuple[bytes, bytes]], most: int, large: Callable[[], Awaitable[None]]
) -> bytes:
    """The body. Raises RequestRefused for more than `most` bytes, as soon as it is known, and ClientGone.

    `large` is called once, as soon as the body is known to be large, and may raise what it likes: nobody may have that
    much kept and read for them before they are known.
    """
    known_large = False
    for name, value in headers:
        if name.lower() == b"content-length" and value.isdigit():
            if int(value[:20]) > most:
                raise RequestRefused("body_too_large")
            known_large = int(value[:20]) > LARGE
    if known_large:
        await large()
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise RequestRefused("body_too_large")
        if size > LARGE and not known_large:
            known_large = True
            await large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the whole body first, and then whatever the server has: that the client has gone."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return left.pop() if left else await receive()

    return receive_again
