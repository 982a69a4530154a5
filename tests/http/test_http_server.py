"""The pages are served to whoever asks properly, and nobody else holds anything up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from usherd.http.server import MAX_HEAD, HttpUnusable, Page, serving, text_page

CANARY = "a text that only an exception has"


async def _page(accept: str) -> Page:
    return text_page(200, f"accepts {accept}")


async def _broken(accept: str) -> Page:
    raise ValueError(CANARY)


async def _large(accept: str) -> Page:
    return Page(200, "text/plain", b"x" * (16 << 20))


PAGES = {"/page": _page, "/broken": _broken, "/large": _large}


@asynccontextmanager
async def running(**bounds: float) -> AsyncIterator[int]:
    async with serving(PAGES, "127.0.0.1", 0, **bounds) as port:  # type: ignore[arg-type]
        yield port


async def sent(port: int, data: bytes, *, within: float = 10.0) -> bytes:
    """All that comes back until the server closes."""
    async with asyncio.timeout(within):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


async def get(port: int, target: str = "/page", headers: str = "", method: str = "GET") -> bytes:
    return await sent(port, f"{method} {target} HTTP/1.1\r\nhost: here\r\n{headers}\r\n".encode())


async def eventually(port: int) -> bytes:
    """The first answer that there is."""
    for _ in range(200):
        if answer := await get(port):
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError("there was no room again")


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def test_a_page_is_given_what_the_request_accepts_and_its_query_is_left_aside() -> None:
    async with running() as port:
        answer = await get(port, "/page?name=value", "accept: text/plain\r\nAccept: */*\r\n")

    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\naccepts text/plain, */*\n")
    assert b"\r\nconnection: close\r\n" in answer.lower()


async def test_head_has_the_head_and_no_body() -> None:
    async with running() as port:
        answer = await get(port, method="HEAD")

    assert status(answer) == 200
    assert b"content-length: 9\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [("GET /other", 404), ("GET /page/", 404), ("GET /../page", 404), ("POST /page", 405), ("PUT /page", 405)],
)
async def test_there_are_no_other_pages_and_no_other_methods(request_line: str, expected: int) -> None:
    async with running() as port:
        answer = await sent(port, f"{request_line} HTTP/1.1\r\nhost: here\r\n\r\n".encode())

    assert status(answer) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"no http at all\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /page HTTP/1.1\r\n\r\n",
        b"GET /page HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"GET /page HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"GET /page HTTP/1.1\r\nhost: a\r\nname : value\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_told_so(data: bytes) -> None:
    async with running() as port:
        assert status(await sent(port, data)) == 400
        assert status(await get(port)) == 200


async def test_a_head_is_read_to_its_bound() -> None:
    async with running() as port:
        answer = await sent(port, b"GET /page HTTP/1.1\r\nhost: a\r\nname: " + b"x" * (2 * MAX_HEAD))
        fits = await get(port, headers=f"name: {'x' * (MAX_HEAD // 2)}\r\n")

    # What was sent besides may have reset the connection before the answer was read.
    assert answer == b"" or status(answer) == 431
    assert status(fits) == 200


async def test_a_page_that_fails_says_nothing_of_why(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as port:
        answer = await get(port, "/broken")

    assert status(answer) == 500
    assert CANARY.encode() not in answer
    assert [record.getMessage() for record in caplog.records] == ["http_fault"]
    assert CANARY not in str(vars(caplog.records[0]))


@pytest.mark.parametrize("begun", [b"", b"GET /page HTTP/1.1\r\nhost: a\r\n"])
async def test_a_request_that_does_not_arrive_in_time_is_not_waited_for(begun: bytes) -> None:
    async with running(patience=0.2) as port:
        assert await sent(port, begun, within=10.0) == b""


async def test_a_reader_who_does_not_read_is_not_waited_for() -> None:
    async with running(patience=0.2, connections=1) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.transport.pause_reading()
        writer.write(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n")
        # The only place is free again.
        answer = await eventually(port)
        assert status(answer) == 200
        writer.transport.abort()


async def test_whoever_says_nothing_keeps_nobody_out_who_asks() -> None:
    async with running(connections=2, patience=30.0) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for _, writer in silent:
            writer.write(b"GET /page HTTP/1.1\r\nhost: a\r\n")
        await asyncio.sleep(0.1)
        answer = await get(port)
        ended = await asyncio.wait_for(_end(silent[0][0]), 10)
        silent[1][1].write(b"\r\n")
        other = await asyncio.wait_for(silent[1][0].read(), 10)
        for _, writer in silent:
            writer.close()

    assert status(answer) == 200
    # Of those who were silent it was the first.
    assert ended == b""
    assert status(other) == 200


async def test_a_crowd_that_comes_at_once_and_says_nothing_is_bounded_and_holds_nothing_up() -> None:
    async with running(connections=4, patience=30.0) as port:
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
        answer = await get(port)
        await asyncio.sleep(0.1)
        left = [reader for reader, _ in crowd if not reader.at_eof() and reader.exception() is None]
        for _, writer in crowd:
            writer.close()

    assert status(answer) == 200
    assert len(left) <= 4


async def test_connections_beyond_the_bound_are_closed_at_once_where_all_have_asked_and_have_room_later() -> None:
    go_on = asyncio.Event()

    async def waiting(accept: str) -> Page:
        await go_on.wait()
        return text_page(200, "at last")

    async with serving(PAGES | {"/waiting": waiting}, "127.0.0.1", 0, connections=2, patience=30.0) as port:
        held = [asyncio.create_task(get(port, "/waiting")) for _ in range(2)]
        await asyncio.sleep(0.1)
        refused = await get(port)
        go_on.set()
        served = [await each for each in held]
        answer = await eventually(port)

    assert refused == b""
    assert [status(each) for each in served] == [200, 200]
    assert status(answer) == 200


async def _end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_whoever_is_connected_does_not_hold_up_the_end() -> None:
    async with asyncio.timeout(5):
        async with running(patience=60.0) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.05)
        writer.close()


async def test_a_port_that_is_taken_is_told() -> None:
    async with running() as port:
        with pytest.raises(HttpUnusable, match="taken"):
            async with serving(PAGES, "127.0.0.1", port):
                pass
