"""Inputs of the RPC target: requests that mean something, and changes of them that keep to their form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random

from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from fuzz.mutators import changed_text, mutate_bytes
from fuzz.proto_mutator import mutate_message
from fuzz.targets.rpc_company import METHODS, WORLD, tokens
from fuzz.targets.token_gate import CLAIMS, VALID
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usherd.rpc.names import AUTHORIZATION as NAME
from worlds import CHAT

TEXTS: dict[str, tuple[str, ...]] = {
    "route": (CHAT, "/v1/models", "/key/generate", "/health/liveliness", "/openai/deployments/o1/chat/completions",
    "//", "/v1/%2e", ""),
    "method": ("POST", "GET", "", "get", "HEAD"),
    "model": ("gpt-4o", "gpt-4o-mini", "o1", "default", "claude-3", "*", "", "x" * 300, "gpt-4o\0"),
    "fallback_models": ("gpt-4o", "o1", "gpt-4o-mini", "*", ""),
    "team_id": ("a", "b", "nobody's", "", "\n"),
    "team_alias": ("Alpha", "Beta", "", "x" * 300),
    "end_user_id": ("customer", "blocked", "", "\x00"),
    "organization_id": ("acme", "id:acme", ""),
    "at_least_as_fresh": ("store:1", "store:0", "store:99", "other:1", "store:01", "x", ":", "store:" + "9" * 19),
    "request_id": ("r-1", "é", "x" * 129, "\n", ""),
    "id": ("1", "2", "x" * 128, "x" * 129, "é" * 65, ""),
    "page_token": ("", "AAAA", "x" * 1025, "é", "A"),
    "service": ("", NAME, "unknown"),
    "file_by_filename": ("usher/v1/question.proto", "no.proto"),
    "file_containing_symbol": (NAME, "usher.v1.Question", "no.Symbol", ""),
    "all_extension_numbers_of_type": ("usher.v1.Question", "x"),
    "list_services": ("", "*"),
    "host": ("", "h"),
}  # fmt: skip


def _text(name: str, value: str, random: Random) -> str:
    if name != "token":
        return (
            random.choice(TEXTS.get(name, ("x", "usher.v1.Question")))
            if random.random() < 0.7
            else changed_text(value, random)
        )
    choice = random.randrange(10)
    if choice < 6:
        return random.choice(tokens())
    if choice < 8:
        # Signed anew, with other claims.
        return WORLD.pairs["idp"].token(
            CLAIMS(json.dumps(VALID | {"roles": ["Reader"], "groups": ["a"]}).encode(), random)
        )
    return changed_text(value or random.choice(tokens()), random)


def seeds() -> list[bytes]:
    """A letter for the method, and a request."""
    questions = [question_pb2.Question(token=token, route=CHAT, method="POST", model="gpt-4o") for token in tokens()]
    alice = questions[0]
    for name, texts in TEXTS.items():
        if name in alice.DESCRIPTOR.fields_by_name and name != "fallback_models":
            questions += [
                question_pb2.Question(**{"token": tokens()[3], "route": CHAT, "model": "gpt-4o"} | {name: text})
                for text in texts
            ]
    questions.append(
        question_pb2.Question(token=tokens()[1], route=CHAT, model="gpt-4o", fallback_models=["gpt-4o", "o1"])
    )
    found = [b"c" + api.CheckRequest(question=question).SerializeToString() for question in questions]
    found += [b"a" + api.AuthorizeRequest(question=question).SerializeToString() for question in questions[:20]]
    wishes = [api.Options(explain=True)] + [api.Options(at_least_as_fresh=text) for text in TEXTS["at_least_as_fresh"]]
    wishes += [api.Options(request_id=text) for text in TEXTS["request_id"]]
    found += [
        letter + api.CheckRequest(question=alice, options=each).SerializeToString()
        for each in wishes
        for letter in (b"c", b"C")
    ]
    found += [b"a" + api.AuthorizeRequest(question=alice, mode=mode).SerializeToString() for mode in (1, 2)]  # type: ignore[arg-type]
    add = api.SubscribeRequest.Add
    subscriptions = [
        *([add(id=number, question=question)] for number, question in enumerate(questions[:12], 1)),
        [add(id=number, question=alice, options=each) for number, each in enumerate(wishes, 1)],
        [add(id=each, question=alice) for each in (2, 1)],
        [add(id=1)],
        [add(question=alice)],
    ]
    found += [b"s" + api.SubscribeRequest(add=each, remove=[1, 7]).SerializeToString() for each in subscriptions]
    found += [b"s" + b"\x0a\x00" * 257 + b"\x12\x01\xff", b"S" + found[-1][1:]]
    item = api.BatchCheckRequest.Item
    batches = [
        [item(id=str(number), question=question) for number, question in enumerate(some)]
        for some in (questions[:4], questions, [alice])
    ]
    found += [
        b"b" + api.BatchCheckRequest(items=each, token=tokens()[1], options=wishes[0]).SerializeToString()
        for each in batches
    ]
    found += [
        b"b" + api.BatchCheckRequest(items=each).SerializeToString()
        for each in ([], [item(id="1")], batches[0] * 2, batches[0][:1] * 2)
    ]
    many = [item(id=str(number), question=question_pb2.Question(token=f"t{number}")) for number in range(17)]
    found += [
        b"b" + api.BatchCheckRequest(items=many).SerializeToString(),
        b"b" + b"\x12\x00" * 1001,
        b"b" + b"\x12\x00" * 1001 + b"\x0a\x01\xff",
    ]
    found += [
        b"l" + api.ListModelsRequest(question=question, page_size=2).SerializeToString() for question in questions[:12]
    ]
    found += [b"l" + api.ListModelsRequest(question=alice, page_size=size, page_token=text).SerializeToString()
              for size in (-1, 0, 1001) for text in TEXTS["page_token"]]  # fmt: skip
    found += [
        letter + health_pb2.HealthCheckRequest(service=text).SerializeToString()
        for text in TEXTS["service"]
        for letter in (b"h", b"w", b"W")
    ]
    found += [b"i", b"i\xff"]
    asks = [{name: text} for name in ("file_by_filename", "file_containing_symbol", "all_extension_numbers_of_type",
        "list_services")
            for text in TEXTS[name]]  # fmt: skip
    asks += [
        {
            "file_containing_extension": reflection_pb2.ExtensionRequest(
                containing_type="usher.v1.Question", extension_number=1
            )
        }
    ]
    found += [b"r" + _framed([reflection_pb2.ServerReflectionRequest(**each).SerializeToString()]) for each in asks]
    broken = [
        b"\xff",
        b"\x0a\x05\x0a\x03\xff\xfe\xfd",
        b"\x0a\x04\x12\x02\xc0\xaf",
        b"\x0a\x04\x2a\x02\xc0\xaf",
        b"\x12\x07\x12\x05\x0a\x03\xff\xfe\xfd",
    ]
    return [*found, *(letter + data for data in broken for letter in (b"a", b"c", b"b", b"l", b"s", b"h", b"w", b"r"))]


def _framed(requests: Sequence[bytes]) -> bytes:
    return b"".join(bytes((len(each) % 256,)) + each for each in requests)


def unframed(data: bytes) -> list[bytes]:
    """The requests of a stream."""
    found: list[bytes] = []
    while data and len(found) < 8:
        found.append(data[1 : 1 + data[0]])
        data = data[1 + data[0] :]
    return found


def mutate(data: bytes, random: Random) -> bytes:
    """Another input that is like it."""
    letter, body = data[:1], data[1:]
    choice = random.randrange(20)
    kind = METHODS.get(letter.lower().decode("latin-1"), METHODS["c"])[1]
    if choice == 0:
        return random.choice(b"acblshiwrACBLSW").to_bytes() + body
    if choice < 3:
        return letter + mutate_bytes(body, random)
    if letter == b"r":
        requests = unframed(body) or [b""]
        place = random.randrange(len(requests))
        return letter + _framed(
            [*requests[:place], _changed(kind, requests[place], random), *requests[place + random.randrange(2) :]]
        )
    return letter + _changed(kind, body, random)


def _changed(kind: type[Message], data: bytes, random: Random) -> bytes:
    try:
        message = kind.FromString(data)
    except DecodeError:
        return mutate_bytes(data, random)
    for _ in range(random.choice((1, 1, 2, 4))):
        if message.DESCRIPTOR.fields:
            mutate_message(message, random, _text)
    written: bytes = message.SerializeToString()
    if random.random() < 0.04 and b"gpt" in written:
        # What a gateway passes on that does not check its texts.
        written = written.replace(b"gpt", b"g\xfft")
    return written
