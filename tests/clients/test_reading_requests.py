"""Reading requests beyond the cases: what could be read in two ways is refused, and large bodies read as small ones."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from usher_client import Question
from usher_client.http import Asked, Reading, RequestRefused, read_credential, read_request, set_session
from usher_client.http.json_members import members
from usher_client.http.json_skim import skimmed_members
from usher_client.http.not_json import NotJson

JSON = [("content-type", "application/json")]
NAMES = frozenset({"model", "metadata", "a"})


def asked(body: str | bytes, headers: list[tuple[str, str]] = JSON, **options: Any) -> Asked:
    data = body.encode() if isinstance(body, str) else body
    return read_request("POST", "/v1/chat/completions", headers, data, Reading(**options))


def read(reader: Any, text: bytes) -> Any:
    try:
        return {name: [json.loads(each) for each in texts] for name, texts in reader(text, NAMES).items()}
    except NotJson:
        return "no JSON"


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("fallbacks", {"fallback_models": ("",)}),
        ("user", {"end_user_id": "\x00"}),
        ("litellm_metadata", {"end_user_id": "\x00"}),
        ("metadata", {"end_user_id": "\x00", "modifies_guardrails": True}),
        ("guardrails", {"modifies_guardrails": True}),
        ("organization_id", {"organization_id": "\x00"}),
    ],
)
def test_what_is_named_twice_is_what_is_refused(name: str, refused: dict[str, Any]) -> None:
    found = asked(f'{{"model": "gpt-4o", "{name}": null, "{name}": "a"}}')

    assert found.wishes() == asked('{"model": "gpt-4o"}').wishes() | refused


def test_a_stream_that_is_named_twice_may_be_one() -> None:
    assert asked('{"stream": true, "stream": false}').stream
    assert not asked('{"stream": [1]}').stream
    assert not asked('{"stream": 1}').stream


def test_an_inner_name_that_is_there_twice_is_as_bad() -> None:
    assert asked('{"metadata": {"user_id": "a", "user_id": "b"}}').end_user_id == "\x00"
    assert asked('{"metadata": {"guardrails": null, "guardrails": null}}').modifies_guardrails is True
    assert asked('{"user": "u", "metadata": {"user_id": "a", "user_id": "b"}}').end_user_id == "u"


@pytest.mark.parametrize(
    "body",
    [
        '{"model": "gpt-4o", "fallbacks": [{"model": "a", "model": "b"}]}',
        '{"model": "gpt-4o", "fallbacks": "o3"}',
        '{"model": "gpt-4o", "fallbacks": {"model": "o3"}}',
        '{"model": "gpt-4o", "fallbacks": [{"gpt-4o": ["o3"]}]}',
        '{"model": "gpt-4o", "fallbacks": [null]}',
    ],
)
def test_fallbacks_that_are_not_certain_are_refused(body: str) -> None:
    assert asked(body).fallback_models == ("",)


def test_two_headers_that_wish_for_teams_are_one_wish_that_is_refused() -> None:
    headers = [*JSON, ("x-team", "red"), ("x-alias", "Red")]

    found = asked("{}", headers, team_header="X-Team", team_alias_header="X-Alias")

    assert (found.team_id, found.team_alias) == ("", None)


def test_an_organization_that_is_no_text_is_one_that_is_refused() -> None:
    assert asked('{"organization_id": ["o1"]}').organization_id == "\x00"
    assert asked('{"organization_id": null}').organization_id == ""


@pytest.mark.parametrize(
    ("guardrails", "changes"),
    [("0", False), ("-0.0e7", False), ('""', False), ("{ }", False), ("1", True), ("[0]", True), ("true", True)],
)
def test_guardrails_that_are_something_are_a_change(guardrails: str, changes: bool) -> None:
    assert asked(f'{{"metadata": {{"guardrails": {guardrails}}}}}').modifies_guardrails is changes


def test_numbers_as_long_as_a_body_are_no_error() -> None:
    assert asked('{"guardrails": ' + "9" * 5000 + "}").model is None
    assert asked('{"model": "gpt-4o", "user": ' + "9" * 400_000 + "}").model == "gpt-4o"


DEEP = "[" * 100 + "]" * 100
LONG = '"' + "x" * 300_000 + '"'


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ('{{"model": "gpt-4o", "x": {}}}', "gpt-4o"),
        ('{{"x": {}, "model": "gpt-4o", "model": "o3"}}', None),
        ('{{"x": {}, "model": "gpt-4o", "mod\\u0065l": "o3"}}', None),
        ('{{"x": {}, "model": "gpt-4o"', None),
        ('{{"x": {}, "model": "gpt-4o"}} {{}}', None),
        ('{{"x": {}, "model": "gpt-4o", "t": NaN}}', None),
        ('[{}, "gpt-4o"]', None),
    ],
)
@pytest.mark.parametrize("filler", [DEEP, LONG], ids=["small", "large"])
def test_a_large_body_is_read_as_a_small_one(body: str, model: str | None, filler: str) -> None:
    assert asked(body.format(filler)).model == model


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6) | st.sampled_from(sorted(NAMES)), inner, max_size=4)
    ),
    max_leaves=20,
)
SPACED = st.sampled_from([None, 0, 1, 3])


@given(st.dictionaries(st.sampled_from(["model", "metadata", "a", "b"]), VALUES), SPACED, st.booleans())
def test_both_readers_read_what_json_reads(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()

    assert read(skimmed_members, text) == read(members, text) == {k: [v] for k, v in value.items() if k in NAMES}


@given(
    st.dictionaries(st.sampled_from(["model", "metadata", "b"]), VALUES),
    st.integers(0, 200),
    st.sampled_from(
        [b"", b'"', b",", b"{", b"}", b"[", b"]", b":", b"\\", b"0", b"\x00", b"\xff", b" ", b"e", b"-", b".", b"\n"]
    ),
    st.booleans(),
)
@example({"a": 1}, 6, b",", True)
@example({"a": [1]}, 7, b",", True)
def test_both_readers_refuse_the_same(value: Any, at: int, put: bytes, instead: bool) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    at %= len(text) + 1
    text = text[:at] + put + text[at + instead :]

    assert read(skimmed_members, text) == read(members, text)


@pytest.mark.parametrize(
    "body", [b'{"a": [' + b"{}," * 3_000_000 + b"1]}", b'{"a": ' + b"[" * 8_000_000], ids=["wide", "deep"]
)
def test_a_body_that_is_made_to_take_memory_takes_none(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(NotJson):
            members(body, NAMES)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


PART = '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-4o\r\n'


@pytest.mark.parametrize(
    "body",
    [
        "preamble\r\n" + PART + "--b--\r\n",
        PART + "--b--\r\nepilogue",
        PART + "--b --\r\n",
        PART.replace('"model"', "model") + "--b--\r\n",
        PART.replace('"model"', '"mod\\el"') + "--b--\r\n",
        PART.replace('"model"', '"model"; name="x"') + "--b--\r\n",
        PART.replace("\r\n\r\n", "\r\ncontent-transfer-encoding: base64\r\n\r\n") + "--b--\r\n",
        PART.replace("\r\n\r\n", "\r\ncontent-type: text/plain; charset=utf-7\r\n\r\n") + "--b--\r\n",
        PART.replace("\r\n\r\n", "\r\ncontent-disposition: form-data\r\n\r\n") + "--b--\r\n",
        PART + '--b\r\nContent-Disposition: form-data; name="model"; filename="f"\r\n\r\no3\r\n--b--\r\n',
        PART.replace("gpt-4o\r\n", "") + "--b--\r\n",
    ],
)
def test_a_form_that_two_readers_could_read_in_two_ways_names_nothing(body: str) -> None:
    assert asked(body, [("content-type", "multipart/form-data; boundary=b")]).model is None


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=b; boundary=c", "multipart/form-data; boundary="],
)
def test_a_form_without_its_one_boundary_names_nothing(content_type: str) -> None:
    assert asked(PART + "--b--\r\n", [("content-type", content_type)]).model is None


def test_what_clients_send_in_forms_is_read() -> None:
    body = (
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a \\"b\\".wav"; filename*=UTF-8\'\'a%20b.wav\r\n'
        "Content-Type: audio/wav\r\n\r\n\r\n--a\r\n\r\n"
        '--b\r\ncontent-disposition: form-data; name="model"\r\n'
        "Content-Type: text/plain; charset=utf-8\r\n\r\nwhisper-1\r\n"
        '--b\r\nContent-Disposition: form-data; name="user"\r\n\r\nu1\r\n--b--'
    )
    found = asked(body, [("content-type", 'multipart/form-data; boundary="b"')])

    assert (found.model, found.end_user_id) == ("whisper-1", "u1")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"header": "two words"}, "header"),
        ({"model_header": ""}, "model_header"),
        ({"origins": "https://ui.example"}, "origins"),
        ({"origins": ["https://ui.example/"]}, "origins"),
        ({"origins": ["*"]}, "origins"),
        ({"base_path": "gateway"}, "base_path"),
        ({"base_path": "/gateway/"}, "base_path"),
        ({"max_body": -1}, "max_body"),
    ],
)
def test_a_mistake_in_the_configuration_is_named(options: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=f"^{error}: "):
        Reading(**options)


def test_a_cookie_opens_a_websocket_from_an_allowed_origin_only() -> None:
    cookie, origins = ("cookie", "litellm_ui_token_1=a.b.c"), Reading(origins=("https://ui.example",))
    upgrade = ("Upgrade", "WebSocket")
    with pytest.raises(RequestRefused, match="origin_not_allowed"):
        read_credential("GET", [cookie, upgrade, ("origin", "https://evil.example")], origins)

    found = read_credential("GET", [cookie, upgrade, ("origin", "https://ui.example")], origins)

    assert found.source == "cookie"


def test_a_session_that_no_browser_would_keep_is_not_set() -> None:
    with pytest.raises(ValueError, match=r"^token: larger"):
        set_session("a.b." + "c" * 4096, 1, "/")


def test_no_token_stands_in_the_text_of_what_carries_it() -> None:
    found = read_credential("GET", [("authorization", "Bearer canary.token.value")])
    with pytest.raises(RequestRefused) as caught:
        read_credential("GET", [("authorization", "Bearer canary.a.b"), ("x-api-key", "canary.a.c")])

    assert "canary" not in repr(found) + repr(caught.value)


def test_what_is_asked_or_sent_is_in_no_text_of_an_object() -> None:
    asked = read_request("POST", "/canary", [], b'{"model":"canary","user":"canary","organization_id":"canary"}')
    question = Question(token="canary", route="/canary", model="canary", team_id="canary", end_user_id="canary")
    set_cookie = set_session("canary.canary.canary", 1.0, "/")

    assert asked.model == "canary"
    assert "canary" not in repr([asked, question, set_cookie])
