"""A real LiteLLM with one line in its config asks a real usherd about everything, and does what it is told."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import company, server
from peers.litellm_proxy import LiteLLM, litellm, refused_to_start
from peers.model_backend import WORDS, Backend, model_backend
from usherd.cli.dev_issuer import Signer
from usherd.cli.dev_people import PEOPLE, Person, config_text, token_of

pytestmark = [pytest.mark.peers, pytest.mark.timeout(900)]

CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Count to three."}]
GRANTED, OTHER, FORBIDDEN = "gpt-4o", "gpt-4o-mini", "o3"
DIRECTORY = """\
organizations:
  - {id: acme}
teams:
  - {id: research, alias: Research, organization: acme, models: ["gpt-4o*"], tpm: 100000, max_budget: 50}
  - {id: brief, alias: Brief, models: ["gpt-4o*"], rpm: 2}
  - {id: spent, alias: Spent, models: ["gpt-4o*"], max_budget: 0}
users:
  - {id: alice, email: alice@example.com, teams: [research], rpm: 1000}
  - {id: bob, email: bob@example.com, teams: [research], blocked: true}
"""
OTHERS = {
    "again": replace(PEOPLE["alice"], about="alice with another token"),
    "brief": Person(about="works in a team with few requests", claims={"sub": "carol", "groups": ["brief"]}),
    "spent": Person(about="works in a team without a budget", claims={"sub": "dave", "groups": ["spent"]}),
    "hooked": Person(
        about="a service that may use the pass-through",
        claims={"sub": "hooked", "azp": "hooked", "idtyp": "app", "roles": ["Hooked"]},
    ),
}
HOOKED = {
    "name": "hooked",
    "when": {"roles": "Hooked"},
    "for": ["service"],
    "grants": {"routes": ["/hooked"], "models": [GRANTED]},
}


@dataclass(frozen=True, slots=True)
class World:
    """What runs, and who may ask it."""

    usherd: str
    backend: Backend
    tokens: dict[str, str] = field(repr=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("usherd")
    with company(folder) as (signer, config), model_backend() as backend:
        _configure(config, signer)
        with server(config) as (_, address):
            people = PEOPLE | OTHERS
            yield World(address, backend, {name: token_of(each, signer) for name, each in people.items()})


def _configure(config: Path, signer: Signer) -> None:
    text = yaml.safe_load(config_text(signer.issuer, address="127.0.0.1:0"))
    text["roles"].append(HOOKED)
    config.write_text(yaml.safe_dump(text))
    (config.parent / "directory.yaml").write_text(DIRECTORY)


@pytest.fixture(scope="module")
def proxy(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiteLLM]:
    folder = tmp_path_factory.mktemp("litellm")
    with litellm(folder, world.backend.url, USHERD_TARGET=world.usherd, USHERD_DEADLINE="20") as proxy:
        yield proxy
        printed = proxy.output()
        # A token's last part is its signature: nobody prints that and means another thing.
        assert not [name for name, token in world.tokens.items() if token.rpartition(".")[2] in printed]


@pytest.fixture(autouse=True)
def nothing_asked(world: World) -> None:
    world.backend.asked.clear()


def chat(model: str = GRANTED, **others: Any) -> dict[str, Any]:
    return {"model": model, "messages": MESSAGES, **others}


def test_what_is_allowed_goes_through_and_is_logged_under_its_team_and_user(world: World, proxy: LiteLLM) -> None:
    answer = proxy.ask(CHAT, world.tokens["alice"], json=chat(user="customer-7"))

    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "".join(WORDS)
    assert world.backend.asked == [(CHAT, GRANTED)]
    logged = proxy.told(answer)["metadata"]
    prefix = "user_api_key_"
    about = {name.removeprefix(prefix): value for name, value in logged.items() if name.startswith(prefix)}
    assert about["team_id"] == "research"
    assert about["team_alias"] == "Research"
    assert about["team_max_budget"] == 50
    assert about["user_id"] == "alice"
    assert about["user_email"] == "alice@example.com"
    assert about["org_id"] == "acme"
    assert about["end_user_id"] == "customer-7"
    assert about["hash"].startswith("usherd-")
    assert len(about["auth_metadata"]["usherd_decision_id"]) == 26


def test_every_token_of_one_holder_is_logged_as_the_same_key(world: World, proxy: LiteLLM) -> None:
    answers = [proxy.ask(CHAT, world.tokens[name], json=chat()) for name in ("alice", "again", "brief")]

    first, second, other = (proxy.told(each)["metadata"]["user_api_key_hash"] for each in answers)
    assert first == second != other


def test_a_streamed_answer_comes_whole(world: World, proxy: LiteLLM) -> None:
    answer = proxy.ask(CHAT, world.tokens["alice"], json=chat(stream=True))

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [word for word in WORDS if f'"{word}"' in answer.text] == list(WORDS)
    assert answer.text.rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize(
    ("who", "path", "model", "status", "code"),
    [
        ("rip", CHAT, GRANTED, 401, "token_expired"),
        ("eve", CHAT, GRANTED, 401, "signature_invalid"),
        (None, CHAT, GRANTED, 401, "token_missing"),
        ("bob", CHAT, GRANTED, 403, "user_blocked"),
        ("mallory", CHAT, GRANTED, 403, "not_entitled"),
        ("alice", CHAT, FORBIDDEN, 403, "model_not_granted"),
        ("alice", "/hooked", GRANTED, 403, "route_not_granted"),
        ("alice", "/v1/%63hat/completions", GRANTED, 403, "route_ambiguous"),
        ("spent", CHAT, GRANTED, 429, "team_budget_exhausted"),
    ],
)
def test_a_denial_has_the_status_reason_and_message_of_the_decision(
    world: World, proxy: LiteLLM, who: str | None, path: str, model: str, status: int, code: str
) -> None:
    answer = proxy.ask(path, world.tokens[who] if who else None, json=chat(model))

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert error["message"].endswith(".")
    assert status != 401 or answer.headers["www-authenticate"].startswith("Bearer")
    assert world.backend.asked == []


def test_the_key_of_litellm_itself_opens_nothing(world: World, proxy: LiteLLM) -> None:
    answer = proxy.ask("/key/list", "sk-1234")

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_malformed")


AS_FORM = {"files": {"file": ("a.wav", b"RIFF")}}
PLACES: dict[str, tuple[str, dict[str, Any]]] = {
    "the query, which wins over the body": (f"{CHAT}?model={FORBIDDEN}", {"json": chat()}),
    "the path": (f"/openai/deployments/{FORBIDDEN}/chat/completions", {"json": chat()}),
    "the older path": (f"/engines/{FORBIDDEN}/chat/completions", {"json": chat()}),
    "a header": ("/v1/batches", {"json": {"input_file_id": GRANTED}, "headers": {"x-litellm-model": FORBIDDEN}}),
    "a field of a form": ("/v1/audio/transcriptions", {"data": {"model": FORBIDDEN}, **AS_FORM}),
    "a fallback": (CHAT, {"json": chat(fallbacks=[FORBIDDEN])}),
    "a fallback with settings": (CHAT, {"json": chat(fallbacks=[{"model": FORBIDDEN}])}),
    "a second name": (CHAT, {"content": f'{{"model":"{GRANTED}","model":"{FORBIDDEN}","messages":[]}}'}),
    "a body of another type": (
        CHAT,
        {"content": f'{{"model":"{FORBIDDEN}","messages":[]}}', "headers": {"content-type": "text/plain"}},
    ),
    "a list of targets": ("/v1/files", {"data": {"purpose": "batch", "target_model_names": FORBIDDEN}, **AS_FORM}),
}


@pytest.mark.parametrize("place", PLACES)
def test_whatever_model_litellm_would_call_is_asked_for(world: World, proxy: LiteLLM, place: str) -> None:
    path, request = PLACES[place]
    headers = {"content-type": "application/json"} if "content" in request else {}
    request = request | {"headers": headers | request.get("headers", {})}

    answer = proxy.ask(path, world.tokens["alice"], **request)

    assert answer.status_code == 403, answer.text
    assert answer.json()["error"]["code"] in ("model_not_granted", "model_required", "route_not_granted")
    assert world.backend.asked == []


def test_litellm_does_call_the_model_in_the_query(world: World, proxy: LiteLLM) -> None:
    assert proxy.ask(f"{CHAT}?model={OTHER}", world.tokens["alice"], json=chat()).status_code == 200

    assert world.backend.asked == [(CHAT, OTHER)]


def test_the_list_of_models_is_what_its_reader_may_call(world: World, proxy: LiteLLM) -> None:
    listed = {name: proxy.ask("/v1/models", world.tokens[name]).json()["data"] for name in ("alice", "reader")}

    assert {name: {each["id"] for each in models} for name, models in listed.items()} == {
        "alice": {"cheap", GRANTED, OTHER},
        "reader": {"text-embedding-3-small"},
    }


def test_the_lines_of_a_batch_are_held_to_what_its_sender_may_call(world: World, proxy: LiteLLM) -> None:
    batch = {"endpoint": CHAT, "completion_window": "24h"}

    refused = proxy.ask("/v1/batches", world.tokens["alice"], json=batch | {"input_file_id": FORBIDDEN})
    made = proxy.ask("/v1/batches", world.tokens["alice"], json=batch | {"input_file_id": GRANTED})

    assert refused.status_code == 403, refused.text
    assert made.status_code == 200, made.text
    assert world.backend.asked == [("/v1/batches", None)]


def test_litellm_holds_a_team_to_its_rate(world: World, proxy: LiteLLM) -> None:
    statuses = [proxy.ask(CHAT, world.tokens["brief"], json=chat()).status_code for _ in range(4)]

    # One request of another test may count, too.
    assert statuses[-2:] == [429, 429]
    assert 200 in statuses


def test_a_pass_through_is_a_route_like_any_other(world: World, proxy: LiteLLM) -> None:
    assert proxy.ask("/hooked", world.tokens["hooked"], json=chat()).status_code == 200
    assert world.backend.asked == [(CHAT, GRANTED)]

    assert proxy.ask("/hooked", world.tokens["hooked"], json=chat(OTHER)).status_code == 403
    assert proxy.ask("/hooked", world.tokens["alice"], json=chat()).status_code == 403


@pytest.mark.parametrize(
    ("who", "model", "opened"),
    [("alice", GRANTED, True), ("alice", FORBIDDEN, False), ("rip", GRANTED, False)],
)
@pytest.mark.parametrize("header", ["Authorization: Bearer {}", "Sec-WebSocket-Protocol: openai-insecure-api-key.{}"])
def test_a_websocket_opens_for_a_model_that_is_granted(
    world: World, proxy: LiteLLM, header: str, who: str, model: str, opened: bool
) -> None:
    answer = _upgraded(proxy, f"/v1/realtime?model={model}", header.format(world.tokens[who]))

    assert answer.startswith("HTTP/1.1 101" if opened else "HTTP/1.1 403")


def _upgraded(proxy: LiteLLM, path: str, header: str) -> str:
    asking = (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{header}\r\n\r\n"
    )
    with socket.create_connection(proxy.address, timeout=60) as connection:
        connection.sendall(asking.encode())
        return connection.recv(1000).decode()


def test_two_tokens_that_differ_are_refused(world: World, proxy: LiteLLM) -> None:
    answer = proxy.ask(CHAT, world.tokens["alice"], json=chat(), headers={"x-litellm-api-key": world.tokens["ada"]})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "credentials_ambiguous")


def test_litellms_own_header_carries_a_token(world: World, proxy: LiteLLM) -> None:
    answer = proxy.ask(CHAT, None, json=chat(), headers={"x-litellm-api-key": f"Bearer {world.tokens['alice']}"})

    assert answer.status_code == 200, answer.text


def test_no_setting_of_litellm_makes_a_permission_of_a_refusal(world: World, tmp_path: Path) -> None:
    general = {
        "custom_auth_settings": {"mode": "auto"},
        "custom_auth_run_common_checks": True,
        "allow_requests_on_db_unavailable": True,
    }
    (tmp_path / "usherd").mkdir()
    with company(tmp_path / "usherd") as (signer, config):
        _configure(config, signer)
        alice, rip = token_of(PEOPLE["alice"], signer), token_of(PEOPLE["rip"], signer)
        with (
            server(config) as (usherd, address),
            litellm(
                tmp_path / "litellm",
                world.backend.url,
                general=general,
                settings={"enable_post_custom_auth_checks": True},
                USHERD_TARGET=address,
                USHERD_CACHE="on",
                USHERD_DEADLINE="20",
            ) as proxy,
        ):
            allowed = proxy.ask(CHAT, alice, json=chat())
            assert allowed.status_code == 200, allowed.text
            assert proxy.ask(CHAT, alice, json=chat(FORBIDDEN)).status_code == 403
            assert proxy.ask(CHAT, rip, json=chat()).status_code == 401
            usherd.terminate()
            usherd.wait(60)
            without = proxy.ask(CHAT, alice, json=chat())

    assert (without.status_code, without.json()["error"]["code"]) == (503, "authorization_unavailable")
    assert world.backend.asked == [(CHAT, GRANTED)]


def test_litellm_does_not_start_with_settings_that_are_wrong(world: World, tmp_path: Path) -> None:
    said = refused_to_start(tmp_path / "litellm", world.backend.url, USHERD_DEADLINE="soon", USHERD_CACHE="huge")

    assert "USHERD_TARGET: required" in said
    assert "USHERD_DEADLINE: expected seconds, more than 0 and at most 60" in said
    assert "USHERD_CACHE: expected on, off, or a number from 1 to 10000" in said
    assert "huge" not in said
