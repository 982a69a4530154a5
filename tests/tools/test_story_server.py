"""The story server does what it promises to those who test clients with it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.error
from collections.abc import Iterator

import grpc
import pytest

from tools.rpc_world import SERVICE
from tools.teller import Teller, story_server, teller
from usher.v1 import authorization_service_pb2 as api
from usher_client import Client
from usher_client.questions import Question, question_message


@pytest.fixture(scope="module")
def server() -> Iterator[Teller]:
    with teller() as running:
        yield running


def refused(server: Teller, path: str, **body: object) -> int:
    with pytest.raises(urllib.error.HTTPError) as error:
        server.post(path, **body)
    error.value.close()
    return error.value.code


def test_a_team_is_blocked_as_soon_as_that_is_answered(server: Teller) -> None:
    asks = server.post("lab/begin", teams=2)["asks"]

    with Client(server.grpc) as client:
        before = [client.authorize(**ask) for ask in asks]
        server.post("lab/flip", team=1, blocked=True)
        blocked = [client.authorize(**ask) for ask in asks]
        server.post("lab/flip", team=1, blocked=False)
        after = [client.authorize(**ask) for ask in asks]

    assert [bool(each) for each in (*before, *blocked, *after)] == [True, True, True, False, True, True]
    assert all(each.cacheable for each in before)
    assert blocked[1].reason == "TEAM_BLOCKED"


def test_a_revoked_token_ends_what_was_decided_on_it(server: Teller) -> None:
    begun = server.post("lab/begin", teams=1, silence=0.9)
    question = question_message(Question(**begun["asks"][0]))
    request = api.AuthorizeRequest(question=question, mode=api.MODE_WATCH)

    with grpc.insecure_channel(server.grpc) as channel:
        watch = channel.unary_stream(
            f"/{SERVICE[1:]}/Authorize", api.AuthorizeRequest.SerializeToString, api.AuthorizeResponse.FromString
        )
        events = watch(request, timeout=30)
        first = next(events)
        server.post("lab/revoke", team=0)
        last = [event.WhichOneof("event") for event in events][-1]

    assert first.terms.max_silence.ToTimedelta().total_seconds() == pytest.approx(begun["max_silence"], abs=1e-5)
    assert begun["max_silence"] == pytest.approx(0.9)
    assert last == "ended"


def test_a_request_that_is_none_is_said_to_be_malformed(server: Teller) -> None:
    port = int(server.http.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET\r\n\r\n")
        answer = connection.makefile("rb").readline()

    assert answer.split()[1] == b"400"


def test_what_is_not_there_or_malformed_is_said(server: Teller) -> None:
    server.post("lab/begin", teams=1)
    story = server.stories()["stories"][0]["id"]
    server.post(f"stories/{story}/begin")

    assert refused(server, "stories/no/such/begin") == 404
    assert refused(server, f"stories/{story}/steps/-1") == 404
    assert refused(server, f"stories/{story}/steps/99") == 404
    assert refused(server, f"stories/{story}/steps/first") == 400
    assert refused(server, "lab/flip", team=1, blocked=True) == 404
    assert refused(server, "lab/flip", team=0) == 400
    assert refused(server, "lab/begin", teams=0) == 400
    assert refused(server, "lab/begin", teams=1, silence=0.001) == 400
    assert refused(server, "weather") == 404


def test_it_ends_when_its_standard_input_is_closed() -> None:
    command, env = story_server()
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdin.close()

        assert process.wait(30) == 0


def test_it_ends_when_whoever_started_it_is_killed() -> None:
    command, env = story_server()
    starts = f"import subprocess; subprocess.run({command!r})"
    with subprocess.Popen(
        [sys.executable, "-c", starts], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline()
        starter.send_signal(signal.SIGKILL)

        # Its standard input stays open; when it ends, its end of this pipe is the last to be closed.
        assert starter.stdout.read() == b""
