"""A real Envoy asks a real usherd: what passes, what does not, what the upstream is told, and what access logs have."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from peers.envoy import (
    EXAMPLE,
    Config,
    Envoy,
    Upstream,
    dealing_out,
    ext_authz,
    in_its_own_time,
    manager,
    program,
    running,
    upstream,
)
from tools.envoy_company import Asked, asked_by_envoy
from tools.raw_http import Answer, http1, http2
from usherd.callers import MIN_CREDENTIAL

pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]

CHAT = "/v1/chat/completions"
JSON = ("content-type", "application/json")
BODY = b'{"model":"gpt-4o"}'
MODEL_REQUIRED = (403, "model_required")
CREDENTIAL = "0123456789abcdef" * 2
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def usherd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with asked_by_envoy(tmp_path_factory.mktemp("usherd")) as found:
        yield found


@pytest.fixture(scope="module")
def models() -> Iterator[Upstream]:
    with upstream() as found:
        yield found


@pytest.fixture(scope="module")
def envoy(usherd: Asked, models: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    """The example, as it is."""
    with running(tmp_path_factory.mktemp("envoy"), usherd.address, models.port) as found:
        yield found


@contextmanager
def stopped(usherd: Asked) -> Iterator[None]:
    """The server stands still."""
    os.kill(usherd.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(usherd.process.pid, signal.SIGCONT)


def told(models: Upstream) -> dict[str, str]:
    """What the upstream was told of who asks, in its last request."""
    return {name: value for name, value in models.seen[-1]["headers"] if name.startswith("x-usherd-")}


def denied(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


def fails_open(config: Config) -> None:
    ext_authz(config)["failure_mode_allow"] = True


def test_the_example_is_taken() -> None:
    done = subprocess.run(
        [program(), "--mode", "validate", "--config-path", str(EXAMPLE), "-l", "warning"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("ask", [http1, http2])
def test_an_allowance_passes_and_says_who_asks(ask: Ask, usherd: Asked, models: Upstream, envoy: Envoy) -> None:
    answer = ask(envoy.port, "POST", CHAT, [usherd.bearer("alice"), JSON], BODY)

    assert (answer.status, answer.body) == (200, b"ok")
    seen = models.seen[-1]
    assert (seen["method"], seen["path"], seen["body"]) == ("POST", CHAT, BODY)
    who = told(models)
    assert who.pop("x-usherd-decision-id")
    assert who == {
        "x-usherd-user": "alice",
        "x-usherd-team": "research",
        "x-usherd-organization": "acme",
        "x-usherd-model": "gpt-4o",
    }
    assert "authorization" not in dict(seen["headers"])


@pytest.mark.parametrize("ask", [http1, http2])
@pytest.mark.parametrize(
    ("person", "body", "expected", "challenge"),
    [
        ("alice", b'{"model":"o3"}', (403, "model_not_granted"), None),
        ("bob", BODY, (403, "user_blocked"), None),
        ("mallory", BODY, (403, "not_entitled"), 'Bearer error="insufficient_scope"'),
        (
            "rip",
            BODY,
            (401, "token_expired"),
            'Bearer error="invalid_token", error_description="The token has expired."',
        ),
        ("eve", BODY, (401, "signature_invalid"), 'Bearer error="invalid_token", error_description="The token\'s'),
    ],
)
def test_a_denial_is_answered_as_openai_clients_expect_it(
    ask: Ask,
    person: str,
    body: bytes,
    expected: tuple[int, str],
    challenge: str | None,
    usherd: Asked,
    models: Upstream,
    envoy: Envoy,
) -> None:
    models.seen.clear()
    answer = ask(envoy.port, "POST", CHAT, [usherd.bearer(person), JSON], body)

    assert denied(answer) == expected
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert (answer.headers.get("www-authenticate") or "").startswith(challenge or "")
    assert (challenge is None) == ("www-authenticate" not in answer.headers)
    assert models.seen == []


@pytest.mark.parametrize("ask", [http1, http2])
def test_where_there_is_no_decision_nothing_passes_unless_envoy_was_told_so(
    ask: Ask, usherd: Asked, models: Upstream, envoy: Envoy, tmp_path: Path
) -> None:
    headers = [usherd.bearer("far"), JSON, ("x-usherd-user", "evil")]
    models.seen.clear()
    closed = ask(envoy.port, "POST", CHAT, headers, BODY)
    assert denied(closed) == (503, "authorization_unavailable")
    assert closed.headers["retry-after"] == "1"
    assert models.seen == []

    with running(tmp_path, usherd.address, models.port, fails_open) as opened:
        assert ask(opened.port, "POST", CHAT, headers, BODY).status == 200
        # What is denied is denied there, too.
        assert denied(ask(opened.port, "POST", CHAT, [usherd.bearer("bob"), JSON], BODY)) == (403, "user_blocked")
        (line, _) = opened.lines(2)
    assert told(models) == {}
    assert (line["decision_id"], line["effect"], line["status"]) == (None, None, 200)


def test_a_server_that_stands_still_is_waited_for_200_ms(
    usherd: Asked, models: Upstream, envoy: Envoy, tmp_path: Path
) -> None:
    def open_in_time(config: Config) -> None:
        in_its_own_time(config)
        fails_open(config)

    headers = [usherd.bearer("alice"), JSON]
    at = (usherd.address, models.port)
    with (
        running(tmp_path / "closed", *at, in_its_own_time) as shut,
        running(tmp_path / "open", *at, open_in_time) as opened,
        stopped(usherd),
    ):
        before = time.monotonic()
        closed = http1(shut.port, "POST", CHAT, headers, BODY)
        waited = time.monotonic() - before
        passed = http1(opened.port, "POST", CHAT, headers, BODY)

    assert (closed.status, passed.status) == (503, 200)
    # Envoy counts its own milliseconds.
    assert 0.15 <= waited < 5
    assert http1(envoy.port, "POST", CHAT, headers, BODY).status == 200


def test_usherd_itself_says_in_time_that_it_has_no_answer(usherd: Asked, models: Upstream, tmp_path: Path) -> None:
    """Its own words reach the client, and the status of the example does not stand in for them."""

    def patient(config: Config) -> None:
        ext_authz(config)["status_on_error"] = {"code": "BadGateway"}

    with running(tmp_path, usherd.address, models.port, patient) as found:
        answer = http1(found.port, "POST", CHAT, [usherd.bearer("far"), JSON], BODY)
        with stopped(usherd):
            unheard = http1(found.port, "POST", CHAT, [usherd.bearer("alice"), JSON], BODY)

    assert denied(answer) == (503, "authorization_unavailable")
    assert unheard.status == 502


def test_an_access_log_has_what_usherds_own_log_has(models: Upstream, tmp_path: Path) -> None:
    log = {"decision_log": {"file": "decisions.jsonl", "principal": ["user", "team"]}}
    with asked_by_envoy(tmp_path / "usherd", telemetry=log) as usherd:
        with running(tmp_path / "envoy", usherd.address, models.port) as envoy:
            for person, headers in (("alice", [("x-api-key", "other")]), ("alice", []), ("alice", []), ("bob", [])):
                http1(envoy.port, "POST", CHAT, [usherd.bearer(person), JSON, *headers], BODY)
            lines = envoy.lines(4)
        usherd.process.terminate()
        usherd.process.wait(30)

    decided = [json.loads(line) for line in (tmp_path / "usherd" / "decisions.jsonl").read_text().splitlines()]
    assert [(line["effect"], line["reason"]) for line in lines] == [
        ("DENY", "TOKEN_MALFORMED"),
        ("ALLOW", "ALLOWED"),
        ("ALLOW", "ALLOWED"),
        ("DENY", "USER_BLOCKED"),
    ]
    assert [line["status"] for line in lines] == [400, 200, 200, 403]
    for name in ("decision_id", "effect", "reason", "request_id"):
        assert [line[name] for line in lines] == [each[name] for each in decided]
    assert [line["revision"] or "" for line in lines] == [each["revision"] for each in decided]
    assert {each["rpc"] for each in decided} == {"/envoy.service.auth.v3.Authorization/Check"}
    assert (lines[1]["user"], lines[1]["team"], lines[1]["model"]) == ("alice", "research", "gpt-4o")
    assert (lines[0]["user"], lines[0]["team"], lines[0]["model"]) == (None, None, None)
    assert len({line["decision_id"] for line in lines}) == 4


def test_the_model_is_the_routes_own_where_it_has_one(usherd: Asked, models: Upstream, envoy: Envoy) -> None:
    answer = http1(envoy.port, "POST", f"/fast{CHAT}", [usherd.bearer("alice"), JSON], b'{"model":"o3"}')

    assert answer.status == 200
    assert models.seen[-1]["path"] == CHAT
    assert told(models)["x-usherd-model"] == "gpt-4o-mini"


def test_a_route_that_is_nobodys_to_judge_is_not(envoy: Envoy) -> None:
    assert http1(envoy.port, "GET", "/healthz").status == 200


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ([("x-model", "gpt-4o")], b'{"model":"o3"}', 200),
        ([("x-model", "o3")], BODY, 403),
        ([], BODY, 403),
        ([("x-model", "gpt-4o"), ("x-model", "gpt-4o-mini")], BODY, 403),
    ],
    ids=["named", "not granted", "absent", "twice"],
)
@pytest.mark.parametrize("raw", [True, False], ids=["raw headers", "joined headers"])
def test_the_model_is_a_headers_where_that_is_configured(
    raw: bool, headers: list[tuple[str, str]], body: bytes, expected: int, header_scene: dict[bool, Any]
) -> None:
    usherd, envoys = header_scene["usherd"], header_scene[raw]  # type: ignore[index]
    assert http1(envoys.port, "POST", CHAT, [usherd.bearer("alice"), JSON, *headers], body).status == expected


@pytest.fixture(scope="module")
def header_scene(models: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Any, Any]]:
    def joined(config: Config) -> None:
        del ext_authz(config)["encode_raw_headers"]

    folder = tmp_path_factory.mktemp("header")
    with asked_by_envoy(folder / "usherd", {"model_header": "x-model"}) as usherd:
        at = (usherd.address, models.port)
        with running(folder / "raw", *at) as raw, running(folder / "joined", *at, joined) as other:
            yield {"usherd": usherd, True: raw, False: other}


def test_the_model_is_what_another_filter_has_found_out_where_that_is_configured(
    models: Upstream, tmp_path: Path
) -> None:
    namespace = "envoy.lb"

    def finding_out(config: Config) -> None:
        rule = {
            "header": "x-tier",
            "on_header_present": {"metadata_namespace": namespace, "key": "model", "type": "STRING"},
        }
        manager(config)["http_filters"].insert(
            0,
            {
                "name": "envoy.filters.http.header_to_metadata",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config",
                    "request_rules": [rule],
                },
            },
        )
        ext_authz(config)["metadata_context_namespaces"] = [namespace]

    where = {"model_metadata": {"namespace": namespace, "key": "model"}}
    with (
        asked_by_envoy(tmp_path / "usherd", where) as usherd,
        running(tmp_path / "envoy", usherd.address, models.port, finding_out) as envoy,
    ):
        headers = [usherd.bearer("alice"), JSON]
        named = http1(envoy.port, "POST", CHAT, [*headers, ("x-tier", "gpt-4o-mini")], b'{"model":"o3"}')
        assert named.status == 200
        assert told(models)["x-usherd-model"] == "gpt-4o-mini"
        assert denied(http1(envoy.port, "POST", CHAT, headers, BODY)) == MODEL_REQUIRED


@pytest.mark.parametrize("as_bytes", [True, False], ids=["bytes", "text"])
def test_the_model_is_the_bodys_if_all_of_it_is_there(
    as_bytes: bool, usherd: Asked, models: Upstream, tmp_path: Path
) -> None:
    def short(config: Config) -> None:
        ext_authz(config)["with_request_body"] = {
            "max_request_bytes": 100,
            "allow_partial_message": True,
            "pack_as_bytes": as_bytes,
        }

    def without(config: Config) -> None:
        del ext_authz(config)["with_request_body"]

    headers = [usherd.bearer("alice"), JSON]
    with running(tmp_path / "short", usherd.address, models.port, short) as envoy:
        at = envoy.port
        whole = http1(at, "POST", CHAT, headers, BODY)
        longer = b'{"model":"gpt-4o","messages":["' + b"x" * 200 + b'"]}'
        partial = http1(at, "POST", CHAT, headers, longer)
        no_json = http1(at, "POST", CHAT, headers, b'{"model":"gpt-4o"')
        no_text = http1(at, "POST", CHAT, headers, b'{"model":["gpt-4o"]}')
        no_unicode = http1(at, "POST", CHAT, headers, b'{"model":"gpt-4o","x":"\xff"}')
        in_url = http1(at, "POST", "/openai/deployments/gpt-4o/chat/completions", headers, longer)
    with running(tmp_path / "without", usherd.address, models.port, without) as envoy:
        unseen = http1(envoy.port, "POST", CHAT, headers, BODY)
        named_in_url = http1(envoy.port, "POST", "/openai/deployments/gpt-4o/chat/completions", headers, BODY)

    assert whole.status == 200
    assert [denied(each) for each in (partial, no_json, no_text, unseen)] == [MODEL_REQUIRED] * 4
    # As text Envoy sends it mended, so that it can be read: docs/envoy.md says to send bytes.
    assert no_unicode.status == (403 if as_bytes else 200)
    assert (in_url.status, named_in_url.status) == (200, 200)


def test_a_form_names_the_model_too(usherd: Asked, models: Upstream, envoy: Envoy) -> None:
    part = b'--b\r\ncontent-disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    form = part % (b"file", b'; filename="a.wav"', b"RIFF\x00\xff") + part % (b"model", b"", b"gpt-4o") + b"--b--\r\n"
    headers = [usherd.bearer("alice"), ("content-type", "multipart/form-data; boundary=b")]

    assert http1(envoy.port, "POST", "/v1/audio/transcriptions", headers, form).status == 200
    assert told(models)["x-usherd-model"] == "gpt-4o"


def test_a_websocket_is_asked_about_at_its_handshake(usherd: Asked, models: Upstream, tmp_path: Path) -> None:
    def upgrades(config: Config) -> None:
        manager(config)["upgrade_configs"] = [{"upgrade_type": "websocket"}]

    headers = [usherd.bearer("alice"), ("connection", "Upgrade"), ("upgrade", "websocket")]
    with running(tmp_path, usherd.address, models.port, upgrades) as envoy:
        found = [
            http1(envoy.port, "GET", f"/v1/realtime{query}", headers)
            for query in ("?model=gpt-4o", "?model=o3", "?model=gpt-4o&model=o3")
        ]

    assert found[0].status == 200
    assert told(models)["x-usherd-model"] == "gpt-4o"
    assert [denied(each) for each in found[1:]] == [(403, "model_not_granted"), MODEL_REQUIRED]


def test_a_credential_is_forwarded_where_that_is_configured(models: Upstream, tmp_path: Path) -> None:
    own = {"credential_header": "x-key", "forward_credential": True, "identity_headers": {"x-who": "subject"}}
    with (
        asked_by_envoy(tmp_path / "usherd", own) as usherd,
        running(tmp_path / "envoy", usherd.address, models.port) as envoy,
    ):
        token = usherd.tokens["alice"]
        headers = [("x-key", token), ("authorization", "Bearer of-another"), JSON, ("x-who", "evil")]
        assert http1(envoy.port, "POST", CHAT, headers, BODY).status == 200

    seen = dict(models.seen[-1]["headers"])
    assert (seen["x-key"], seen["authorization"], seen["x-who"]) == (token, "Bearer of-another", "alice")


COOKIES = "theme=dark; litellm_ui_token_7={}; lang=en"


@pytest.mark.parametrize("ask", [http1, http2])
@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([COOKIES], "theme=dark; lang=en"),
        (["litellm_ui_token_7={}"], ""),
        (["theme=dark", "litellm_ui_token_7={}", "lang=en"], "theme=dark; lang=en"),
        (["theme=däm; litellm_ui_token_7={}"], "theme=däm"),
        (["theme=dark", "a=1,2"], "theme=dark; a=1,2"),
    ],
    ids=["among others", "alone", "in a header of its own", "beside one that is not ASCII", "none"],
)
def test_a_session_goes_no_further_than_the_other_credentials_and_its_neighbours_do(
    ask: Ask, sent: list[str], expected: str, usherd: Asked, models: Upstream, envoy: Envoy
) -> None:
    token = usherd.tokens["alice"]
    headers = [("cookie", each.format(token)) for each in sent]
    if "litellm" not in str(sent):
        headers.append(usherd.bearer("alice"))

    assert ask(envoy.port, "GET", "/v1/models", headers).status == 200

    assert token not in str(models.seen[-1])
    # Over HTTP/2 Envoy makes one of several headers.
    seen = "; ".join(value for name, value in models.seen[-1]["headers"] if name == "cookie")
    assert seen.encode("latin-1").decode() == expected


def test_a_session_beside_the_credential_that_counted_is_taken_off_too(
    usherd: Asked, models: Upstream, header_scene: dict[bool, Any]
) -> None:
    asked: Asked = header_scene["usherd"]  # type: ignore[index]
    headers = [asked.bearer("alice"), JSON, ("x-model", "gpt-4o"), ("cookie", COOKIES.format("of-another"))]
    for raw in (True, False):
        assert http1(header_scene[raw].port, "POST", CHAT, headers, BODY).status == 200
        assert dict(models.seen[-1]["headers"])["cookie"] == "theme=dark; lang=en"


def test_a_session_is_forwarded_where_that_is_configured(models: Upstream, tmp_path: Path) -> None:
    with (
        asked_by_envoy(tmp_path / "usherd", {"forward_credential": True}) as usherd,
        running(tmp_path / "envoy", usherd.address, models.port) as envoy,
    ):
        cookies = COOKIES.format(usherd.tokens["alice"])
        assert http1(envoy.port, "GET", "/v1/models", [("cookie", cookies)]).status == 200

    assert dict(models.seen[-1]["headers"])["cookie"] == cookies


def test_envoy_shows_its_own_credential_and_needs_its_right(models: Upstream, tmp_path: Path) -> None:
    assert len(CREDENTIAL) >= MIN_CREDENTIAL
    (tmp_path / "usherd").mkdir()
    (tmp_path / "usherd" / "secret").write_text(CREDENTIAL)
    (tmp_path / "usherd" / "other").write_text(CREDENTIAL[::-1])
    callers = [
        {
            "name": "envoy",
            "credential": "file:secret",
            "rpcs": ["envoy.service.auth.v3.Authorization/Check"],
        },
        {"name": "gateway", "credential": "file:other", "rpcs": ["AuthorizationService/*"]},
    ]
    with asked_by_envoy(tmp_path / "usherd", callers=callers) as usherd:
        outcomes = {}
        for name, credential in (("own", CREDENTIAL), ("another's", CREDENTIAL[::-1]), ("none", "")):
            at = (usherd.address, models.port)
            with running(tmp_path / name, *at, USHERD_CREDENTIAL=credential) as envoy:
                answer = http1(envoy.port, "POST", CHAT, [usherd.bearer("alice"), JSON], BODY)
                outcomes[name] = answer.status

    assert outcomes == {"own": 200, "another's": 503, "none": 503}


def test_an_envoy_asks_through_the_one_that_deals_out_calls(usherd: Asked, models: Upstream, tmp_path: Path) -> None:
    """What docs/deploy.md says of deploy/compose."""
    with (
        dealing_out(tmp_path / "dealer", usherd.address) as dealer,
        running(tmp_path / "envoy", f"127.0.0.1:{dealer.port}", models.port) as envoy,
    ):
        allowed = http1(envoy.port, "POST", CHAT, [usherd.bearer("alice"), JSON], BODY)
        refused = http1(envoy.port, "POST", CHAT, [usherd.bearer("bob"), JSON], BODY)

    assert allowed.status == 200
    assert denied(refused) == (403, "user_blocked")


def test_a_server_that_is_gone_lets_nothing_pass(models: Upstream, tmp_path: Path) -> None:
    with (
        asked_by_envoy(tmp_path / "usherd") as usherd,
        running(tmp_path / "envoy", usherd.address, models.port) as envoy,
    ):
        before = http1(envoy.port, "POST", CHAT, [usherd.bearer("alice"), JSON], BODY)
        usherd.process.terminate()
        usherd.process.wait(30)
        after = http1(envoy.port, "POST", CHAT, [usherd.bearer("alice"), JSON], BODY)

    assert (before.status, after.status) == (200, 503)
