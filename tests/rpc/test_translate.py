"""The border: what a gateway controls is checked, what an end user controls passes unjudged."""

from __future__ import annotations

import pytest
from google.protobuf.internal import api_implementation
from hypothesis import given
from hypothesis import strategies as st

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usherd.domain import Question
from usherd.errors import FaultReason, InvalidRequest
from usherd.rpc import translate
from usherd.rpc.lenient import parse_asked

BROKEN = b"\xff\xfe"
FIELDS = {1: "token", 2: "route", 3: "method", 4: "model", 6: "team_id", 7: "team_alias", 8: "end_user_id"}
FIELDS |= {9: "organization_id"}


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


def test_protobuf_is_the_implementation_whose_strictness_is_relied_upon() -> None:
    assert api_implementation.Type() == "upb"


def test_a_question_passes_field_by_field() -> None:
    asked = question_pb2.Question(
        token="t", route="r", method="m", model="", fallback_models=["a", ""], team_alias="", end_user_id="e",
        organization_id="o", modifies_guardrails=True,
    )  # fmt: skip

    question = translate.question(api.CheckRequest(question=asked))

    assert question == Question(
        token="t", route="r", method="m", model="", fallback_models=("a", ""), team_id=None, team_alias="",
        end_user_id="e", organization_id="o", modifies_guardrails=True,
    )  # fmt: skip


ASKED = st.builds(
    question_pb2.Question,
    token=st.sampled_from(["", "t", "tr"]),
    route=st.sampled_from(["", "r", "rm"]),
    method=st.sampled_from(["", "m"]),
    model=st.none() | st.sampled_from(["", "a"]),
    fallback_models=st.lists(st.sampled_from(["", "a"]), max_size=2),
    team_id=st.none() | st.sampled_from(["", "a"]),
    end_user_id=st.sampled_from(["", "a"]),
    organization_id=st.sampled_from(["", "a"]),
    modifies_guardrails=st.booleans(),
)


@given(ASKED, ASKED, st.booleans())
def test_questions_have_the_same_encoding_exactly_when_they_are_equal(
    one: question_pb2.Question, other: question_pb2.Question, explain: bool
) -> None:
    first = api.CheckRequest(question=one)
    second = api.AuthorizeRequest(question=other, options=api.Options(explain=explain))

    same = translate.question(first) == translate.question(second)

    assert (translate.encoded(first) == translate.encoded(second)) == same


def test_a_request_without_a_question_has_no_encoding() -> None:
    with pytest.raises(InvalidRequest) as raised:
        translate.encoded(api.CheckRequest())

    assert raised.value.reason is FaultReason.QUESTION_MISSING


def test_what_is_not_set_is_absent() -> None:
    question = translate.question(api.CheckRequest(question=question_pb2.Question()))

    assert question == Question(token="", route="")


@pytest.mark.parametrize("number", FIELDS)
def test_text_of_the_end_user_that_is_not_utf8_becomes_text_that_the_core_denies(number: int) -> None:
    data = _field(1, _field(number, BROKEN)) + _field(2, _field(3, b"id"))

    request = parse_asked(api.CheckRequest, data)

    assert getattr(translate.question(request), FIELDS[number]) == "\x00"
    assert request.options.request_id == "id"


def test_broken_text_does_not_take_the_change_of_guardrails_away() -> None:
    request = parse_asked(api.CheckRequest, _field(1, _field(2, BROKEN) + bytes([10 << 3, 1])))

    question = translate.question(request)

    assert (question.route, question.modifies_guardrails) == ("\x00", True)


def test_only_the_broken_fallbacks_are_replaced() -> None:
    request = parse_asked(api.CheckRequest, _field(1, _field(5, b"good") + _field(5, BROKEN) + _field(2, b"/v1")))

    assert translate.question(request).fallback_models == ("good", "\x00")
    assert translate.question(request).route == "/v1"


def test_broken_text_in_one_item_of_a_batch_leaves_the_others_as_they_are() -> None:
    one = _field(2, _field(1, b"a") + _field(2, _field(2, BROKEN)))
    other = _field(2, _field(1, b"b") + _field(2, _field(2, b"/v1") + _field(1, b"own")))

    request = parse_asked(api.BatchCheckRequest, _field(1, BROKEN) + one + other)

    ids, questions = translate.items(request)
    assert ids == ["a", "b"]
    assert [(each.token, each.route) for each in questions] == [("\x00", "\x00"), ("own", "/v1")]


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff",
        _field(1, b"\xff"),
        _field(1, b"")[:1],
        _field(1, _field(1, b"token"))[:-2],
        _field(1, _field(1, BROKEN)) + b"\x0a",
        _field(2, _field(3, BROKEN)),  # the gateway's own text: request_id
        _field(1, _field(1, BROKEN)) + _field(2, _field(2, BROKEN)),
    ],
    ids=lambda data: data.hex(),
)
def test_what_is_no_message_is_undecodable(data: bytes) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_asked(api.CheckRequest, data)

    assert raised.value.reason is FaultReason.REQUEST_UNDECODABLE
    assert raised.value.__context__ is None or not str(raised.value.__context__).count("\\x")


def test_empty_bytes_are_a_request_without_a_question() -> None:
    with pytest.raises(InvalidRequest) as raised:
        translate.question(parse_asked(api.CheckRequest, b""))

    assert raised.value.reason is FaultReason.QUESTION_MISSING


@pytest.mark.parametrize(
    ("text", "revision"),
    [("", None), ("store:0", ("store", 0)), ("s" * 32 + ":9223372036854775807", ("s" * 32, 2**63 - 1))],
)
def test_a_revision_is_a_store_and_a_number(text: str, revision: tuple[str, int] | None) -> None:
    request = api.CheckRequest(options=api.Options(at_least_as_fresh=text))

    assert translate.wishes(request).at_least == revision


@pytest.mark.parametrize(
    "text",
    ["store", ":1", "store:", "store:-1", "store:01", "store:1:2", "store:1\n", "s" * 33 + ":1", "sto re:1",
     "store:1e3", "store:٣", "store:" + "9" * 20, "störe:1", "x" * 70],
)  # fmt: skip
def test_any_other_revision_is_malformed(text: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        translate.wishes(api.CheckRequest(options=api.Options(at_least_as_fresh=text)))

    assert raised.value.reason is FaultReason.REVISION_MALFORMED


@pytest.mark.parametrize(("text", "good"), [("", True), ("a b~!", True), ("x" * 128, True)] + [
    (text, False) for text in ("x" * 129, "a\n", "é", "\x7f", "\x00", "\u202e")
])  # fmt: skip
def test_a_request_id_is_short_printable_ascii(text: str, good: bool) -> None:
    request = api.CheckRequest(options=api.Options(request_id=text))

    if good:
        assert translate.wishes(request).request_id == text
    else:
        with pytest.raises(InvalidRequest) as raised:
            translate.wishes(request)
        assert raised.value.reason is FaultReason.REQUEST_ID


def _batch(*ids: str, tokens: int = 1, token: str = "") -> api.BatchCheckRequest:
    request = api.BatchCheckRequest(token=token)
    for number, each in enumerate(ids):
        request.items.add(id=each, question=question_pb2.Question(token=f"t{number % tokens}" if tokens else ""))
    return request


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (_batch(), FaultReason.ITEM_COUNT),
        (_batch(*map(str, range(1001))), FaultReason.ITEM_COUNT),
        (_batch(""), FaultReason.ITEM_ID),
        (_batch("a", "a"), FaultReason.ITEM_ID),
        (_batch("é" * 65), FaultReason.ITEM_ID),
        (_batch(*map(str, range(17)), tokens=17), FaultReason.TOKEN_COUNT),
        (api.BatchCheckRequest(items=[api.BatchCheckRequest.Item(id="a")]), FaultReason.QUESTION_MISSING),
    ],
    ids=["no item", "1001 items", "empty id", "one id twice", "long id", "17 tokens", "no question"],
)
def test_a_batch_out_of_bounds_is_invalid(request_: api.BatchCheckRequest, reason: FaultReason) -> None:
    with pytest.raises(InvalidRequest) as raised:
        translate.items(request_)

    assert raised.value.reason is reason


def test_a_batch_at_its_bounds_is_taken_whole() -> None:
    ids, questions = translate.items(_batch(*(f"{n:0128}" for n in range(1000)), tokens=16))

    assert len(ids) == len(questions) == 1000
    assert len({question.token for question in questions}) == 16


def test_the_batch_token_stands_in_for_missing_ones_only() -> None:
    request = _batch("a", tokens=0, token="shared")
    request.items.add(id="b", question=question_pb2.Question(token="own"))

    _, questions = translate.items(request)

    assert [question.token for question in questions] == ["shared", "own"]
