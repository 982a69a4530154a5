"""Every attack that docs/envoy.md tells of, tried on a real Envoy: its table says what must come of it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest

from peers.envoy import Config, Envoy, Upstream, ext_authz, in_its_own_time, manager, running, upstream
from tools.envoy_company import Asked, asked_by_envoy
from tools.envoy_requests import CHECK, told
from tools.raw_http import Answer, Headers, http1

pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "envoy.md"
CHAT = "/v1/chat/completions"
BODY = b'{"model":"gpt-4o"}'
JSON = ("content-type", "application/json")
OURS = ("x-usherd-user", "x-usherd-team", "x-usherd-organization", "x-usherd-end-user", "x-usherd-model")


class Row(NamedTuple):
    """A row of the table."""

    attack: str
    envoy: str
    status: int
    by: str
    outcome: str


def table() -> list[Row]:
    """The table of attacks."""
    found = re.findall(r"^\| (.+?) \| (example|bare) \| (\d+) \| (\w+) \| ?(.*?) ?\|$", PAGE.read_text("utf-8"), re.M)
    return [Row(attack, envoy, int(status), by, outcome.strip("`")) for attack, envoy, status, by, outcome in found]


class Attack(NamedTuple):
    """What is sent: `headers` besides the token and the content type."""

    headers: Headers = ()
    path: str = CHAT
    body: bytes | None = BODY
    method: str = "POST"
    with_token: bool = True


Made = Callable[[Asked], Attack]
FORGED = [(name, "evil") for name in OURS]
PAD = b'{"pad":"' + b"x" * 5000 + b'","model":"gpt-4o"}'


def _bearer(token: str | bytes) -> tuple[str, str | bytes]:
    return "authorization", b"Bearer " + (token if isinstance(token, bytes) else token.encode())


ATTACKS: dict[str, Made] = {
    "identity headers sent along": lambda usherd: Attack([*FORGED, *((name.upper(), "evil2") for name, _ in FORGED)]),
    "identity headers where there is nothing to say": lambda usherd: Attack(
        FORGED, "/health/liveliness", None, "GET", False
    ),
    "identity headers with underscores": lambda usherd: Attack(
        [("x_usherd_user", "evil"), ("x-usherd_team", "evil"), ("x_usherd_end_user", "evil")]
    ),
    "identity headers while nobody answers, failing open": lambda usherd: Attack(FORGED),
    "a decision id sent along": lambda usherd: Attack([("x-usherd-decision-id", "evil")]),
    "another credential beside the token": lambda usherd: Attack([("x-api-key", usherd.tokens["ada"])]),
    "two values of one key header": lambda usherd: Attack(
        [("x-api-key", usherd.tokens["alice"]), ("x-api-key", usherd.tokens["ada"])], with_token=False
    ),
    "two authorization headers": lambda usherd: Attack([usherd.bearer("ada")]),
    "the token in the URL": lambda usherd: Attack(path=f"{CHAT}?token={usherd.tokens['alice']}", with_token=False),
    "the token in a cookie, from another origin": lambda usherd: Attack(
        [("cookie", f"litellm_ui_token_1={usherd.tokens['alice']}"), ("origin", "https://evil.example")],
        with_token=False,
    ),
    "a token of 50,000 characters": lambda usherd: Attack([_bearer("a" * 50_000)], with_token=False),
    "a token of 64 KB": lambda usherd: Attack([_bearer("a" * 65_536)], with_token=False),
    "a token that is no text": lambda usherd: Attack([_bearer(b"\xff\xfe\xc3")], with_token=False),
    "a header of 64 KB": lambda usherd: Attack([("x-large", "a" * 65_000)]),
    "dot segments to another route": lambda usherd: Attack(path=f"{CHAT}/../../../key/generate"),
    "dot segments to the same route": lambda usherd: Attack(path="/v1/models/../chat/completions"),
    "an empty segment": lambda usherd: Attack(path="/v1//chat/completions"),
    "an encoded slash": lambda usherd: Attack(path="/v1/chat%2Fcompletions"),
    "an encoded letter": lambda usherd: Attack(path="/v1/ch%61t/completions"),
    "a backslash": lambda usherd: Attack(path="/v1/chat\\completions"),
    "a path parameter": lambda usherd: Attack(path="/v1/chat;x/completions"),
    "a fragment": lambda usherd: Attack(path=f"{CHAT}#x"),
    "a path that is no text": lambda usherd: Attack(path="/v1/chat/\xff\xfe"),
    "a model in the body other than the one in the URL": lambda usherd: Attack(
        path="/openai/deployments/gpt-4o/chat/completions", body=b'{"model":"o3"}'
    ),
    "the model twice in the body": lambda usherd: Attack(body=b'{"model":"gpt-4o","model":"o3"}'),
    "a fallback that is not granted": lambda usherd: Attack(body=b'{"model":"gpt-4o","fallbacks":["o3"]}'),
    "a compressed body": lambda usherd: Attack([("content-encoding", "gzip")]),
    "a body that is no JSON": lambda usherd: Attack(body=b"model=gpt-4o"),
    "a body above the bound": lambda usherd: Attack(body=BODY + b" " * 1024 * 1024),
    "the model behind the part that Envoy sends": lambda usherd: Attack(body=PAD),
    "the same, with a word that it is all there": lambda usherd: Attack(
        [("x-envoy-auth-partial-body", "false")], body=PAD
    ),
    "a whole body, with a word that it is not all there": lambda usherd: Attack(
        [("x-envoy-auth-partial-body", "true")],
        "/openai/deployments/gpt-4o/chat/completions",
        b'{"fallbacks":["o3"]}',
    ),
    "a body with a length and in chunks": lambda usherd: Attack([("transfer-encoding", "chunked")]),
}
BY_GRPC = "bytes that are no request"
"""No Envoy sends such: they are sent to usherd as Envoy would."""


def bare(config: Config) -> None:
    """The example without what the table says."""
    http, asking = manager(config), ext_authz(config)
    for key in ("merge_slashes", "path_with_escaped_slashes_action", "common_http_protocol_options"):
        del http[key]
    http |= {"normalize_path": False, "max_request_headers_kb": 96}
    http["http_filters"] = [each for each in http["http_filters"] if "header_mutation" not in each["name"]]
    del asking["encode_raw_headers"]
    asking["with_request_body"] = {"max_request_bytes": 1024, "allow_partial_message": True}


def failing_open(config: Config) -> None:
    """The example that lets pass what nobody answers."""
    in_its_own_time(config)
    ext_authz(config)["failure_mode_allow"] = True


class Scene(NamedTuple):
    """All that runs."""

    usherd: Asked
    models: Upstream
    envoys: dict[str, Envoy]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("attacks")
    with asked_by_envoy(folder / "usherd") as usherd, upstream() as models:
        at = (usherd.address, models.port)
        with (
            running(folder / "example", *at) as example,
            running(folder / "bare", *at, bare) as without,
            running(folder / "open", *at, failing_open) as opened,
        ):
            yield Scene(usherd, models, {"example": example, "bare": without, "open": opened})


def sent(scene: Scene, envoy: str, attack: Attack) -> tuple[Answer, dict[str, Any] | None]:
    """The answer, and what reached the upstream."""
    headers = [*([scene.usherd.bearer("alice")] if attack.with_token else []), JSON, *attack.headers]
    scene.models.seen.clear()
    answer = http1(scene.envoys[envoy].port, attack.method, attack.path, headers, attack.body)
    return answer, scene.models.seen[-1] if scene.models.seen else None


@pytest.mark.parametrize("row", table(), ids=lambda row: f"{row.attack} ({row.envoy})")
def test_an_attack_ends_as_the_page_says(row: Row, scene: Scene) -> None:
    if row.attack == BY_GRPC:
        with grpc.insecure_channel(scene.usherd.address) as channel:
            answered = told(channel.unary_unary(CHECK)(b"\xff\xfe\x00", timeout=10))
        assert (answered.kind, answered.status, answered.body["error"]["code"]) == ("denied", row.status, row.outcome)
        return
    nobody_answers = "nobody answers" in row.attack
    attack = ATTACKS[row.attack](scene.usherd)
    if nobody_answers:
        os.kill(scene.usherd.process.pid, signal.SIGSTOP)
    try:
        answer, reached = sent(scene, "open" if nobody_answers else row.envoy, attack)
    finally:
        os.kill(scene.usherd.process.pid, signal.SIGCONT)

    assert answer.status == row.status
    assert (reached is not None) == (row.status == 200)
    if reached is None:
        is_usherds = answer.headers.get("content-type") == "application/json"
        assert ("usherd" if is_usherds else "Envoy") == row.by
        assert (answer.json()["error"]["code"] if is_usherds else "") == row.outcome
        return
    names = [name for name, _ in reached["headers"] if name.replace("_", "-").startswith("x-usherd-")]
    told_upstream = {name: value for name, value in reached["headers"] if name in OURS}
    assert len(names) == len(set(names))
    assert "evil" not in str([value for name, value in reached["headers"] if name in names])
    if row.outcome == "the upstream has none":
        assert told_upstream == {}
    else:
        assert row.outcome == "the upstream has usherd's"
        assert told_upstream == {
            "x-usherd-user": "alice",
            "x-usherd-team": "research",
            "x-usherd-organization": "acme",
            "x-usherd-model": "gpt-4o",
        }
        assert reached["path"] == CHAT


def test_every_attack_is_on_the_page_and_every_row_is_one() -> None:
    rows = table()

    assert {row.attack for row in rows} == {*ATTACKS, BY_GRPC}
    assert len({(row.attack, row.envoy) for row in rows}) == len(rows)
    lines = PAGE.read_text("utf-8").split("| attack | Envoy |", 1)[1].split("\n\n", 1)[0].splitlines()
    assert len(rows) == len(lines) - 2
