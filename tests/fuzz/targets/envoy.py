"""What Envoy asks with: whatever it is, it is let pass or denied, and only where no key is at hand it is an error.

An input is a letter for the configuration, and a CheckRequest. Behind the real handler is the real authorizer, with the
company of the target `rpc`; one that remembers nothing, and the reader of the Python client, must say the same.
"""

from __future__ import annotations

import atexit
import re
from functools import cache
from typing import Any, cast

from google.protobuf.message import DecodeError

from fuzz.no_waiting import NoWaiting
from fuzz.target import Target
from fuzz.targets.envoy_inputs import RULES, mutate, seeds
from fuzz.targets.rpc import HEARD, LIMITS, Call, check_signed
from fuzz.targets.rpc_company import FORGETFUL, WORLD
from tools.envoy_requests import CHECK, Told, told
from usher_client.http import Reading, read_credential, read_request
from usher_client.http import RequestRefused as ClientRefused
from usher_client.questions import Question as ClientQuestion
from usher_client.questions import question_message
from usherd.calls import Call as Asking
from usherd.domain import Effect, Question
from usherd.errors import Fault
from usherd.inbound.cookies import PREFIX
from usherd.inbound.handed_on import GatewayRules
from usherd.inbound.refused import RequestRefused
from usherd.reasons import Reason
from usherd.rpc.envoy.attributes import Taken, Taker
from usherd.rpc.envoy.service import EnvoyService, EnvoyTerms, instead
from usherd.rpc.envoy.wire import CheckRequest
from usherd.rpc.guard import guarded
from usherd.rpc.limits import Gate
from usherd.rpc.server import all_alike
from usherd.rpc.service import AuthorizationService
from worlds import finished

LOOP = NoWaiting()
atexit.register(LOOP.close)
_PLAIN = re.compile(r"[!-~]+")


class EnvoyCall(Call):
    """One of Envoy's, without a trace."""

    def invocation_metadata(self) -> tuple[()]:
        return ()


@cache
def _served(letter: str) -> tuple[GatewayRules, EnvoyService, Any]:
    rules = RULES[letter]
    served = AuthorizationService(WORLD.authorizer, limits=LIMITS, gate=Gate(LIMITS), listener=HEARD)
    service = EnvoyService(served, EnvoyTerms(rules, lambda: "i" * 26), HEARD)
    serve, at_hand = service.handlers()[CHECK], service.at_hand()[CHECK]
    begun = all_alike(may_explain=False)(CHECK)
    return rules, service, guarded(serve, begun, at_hand, unbegun=Asking(CHECK), instead=instead)


def _check(data: bytes) -> object:
    letter, body = data[:1].decode("latin-1"), data[1:]
    rules, service, serve = _served(letter if letter in RULES else "d")
    HEARD.told = ""
    bytes_told = LOOP.run_until_complete(serve(body, cast(Any, EnvoyCall())))
    answer = told(bytes_told)
    service.marks(body, cast(Any, EnvoyCall()), Asking(CHECK))
    taken, question = _question(rules, body)
    if question is None:
        assert answer.kind == "denied", "let pass, or an error, without a question"
    else:
        _check_answer(question, answer)
        # Whoever names a model by it tells it themselves.
        if len(question.token) > 100 and question.token not in f"{question[1:]}{taken and taken.request_id}":
            assert question.token not in f"{answer}{HEARD.told}", "a token is told"
    if answer.kind == "denied":
        assert 400 <= answer.status <= 499
        assert answer.metadata["effect"] == "DENY"
        assert set(answer.body["error"]) == {"message", "type", "param", "code"}
    elif answer.kind == "ok":
        assert taken is not None
        _check_headers(rules, taken, answer)
    _read_otherwise(rules, body, question)
    # Ids are of one answer.
    return {name: value for name, value in vars(answer).items() if name not in ("set", "metadata")}


def _question(rules: GatewayRules, body: bytes) -> tuple[Taken | None, Question | None]:
    taken = None
    try:
        taken = Taker(rules).taken(body)
        return taken, taken.question(rules)
    except RequestRefused:
        return taken, None


def _check_answer(question: Question, answer: Told) -> None:
    try:
        verdict = finished(FORGETFUL.authorizer.authorize(question)).verdict
    except Fault:
        assert answer.kind in ("error", "denied"), "let pass without a decision"
        return
    allowed = verdict.effect is Effect.ALLOW
    assert answer.kind == ("ok" if allowed else "denied"), f"{answer.kind}, and forgetful {verdict.reason}"
    assert answer.metadata["reason"] == verdict.reason.name
    assert answer.metadata.get("model", "") == (verdict.resolved_model or "")
    if allowed and verdict.reason is not Reason.PUBLIC_ROUTE:
        check_signed(question.token)


def _check_headers(rules: GatewayRules, taken: Taken, answer: Told) -> None:
    """Nothing that a client sent stands where we say who asks, and no credential goes on."""
    handled = {*answer.set, *answer.removed}
    assert handled >= set(rules.identity_headers)
    assert not set(answer.set) & set(answer.removed)
    for name, value in answer.set.items():
        assert name == "cookie" or _PLAIN.fullmatch(value)
    sent = {each.decode(errors="replace") for each in taken.sent.odd_headers}
    assert handled >= {each for each in sent if each.replace("_", "-") in rules.identity_headers}
    if rules.forward_credential:
        assert not handled & {"authorization", "cookie", "x-api-key"}
        return
    assert handled >= set(rules.credential_headers)
    cookies = "; ".join(taken.received.headers.values("cookie"))
    if re.search(rf"(?:^|;)\s*{PREFIX}", cookies) and rules.reading.credential_header is None:
        assert "cookie" in handled
        assert not re.search(rf"(?:^|[;,])\s*{PREFIX}", answer.set.get("cookie", ""))


def _read_otherwise(rules: GatewayRules, body: bytes, question: Question | None) -> None:
    """The Python client reads the same request, and finds nothing else in it."""
    try:
        attributes = CheckRequest.FromString(body).attributes
    except DecodeError:
        return
    http = attributes.request.http
    raw = http.header_map.headers
    if not raw or question is None or attributes.context_extensions or rules.model_metadata or not http.path.isascii():
        return
    pairs = [(each.key.decode("latin-1"), (each.raw_value or each.value).decode("latin-1")) for each in raw]
    if not all(f"{name}{value}".isascii() for name, value in pairs):
        return
    reading = rules.reading
    rules_of_client = Reading(
        header=reading.credential_header,
        origins=tuple(reading.origins),
        base_path=reading.base_path,
        model_header=reading.model_header,
        team_header=reading.team_header,
        team_alias_header=reading.team_alias_header,
    )
    method = http.method.decode(errors="replace")
    try:
        token = read_credential(method, pairs, rules_of_client).token
    except ClientRefused:
        raise AssertionError("the client refuses what is asked here") from None
    assert token == question.token, "another token"
    asked = read_request(method, http.path.decode(), pairs, http.raw_body or http.body, rules_of_client)
    assert asked.route == question.route, "another route"
    assert (asked.team_id, asked.team_alias) == (question.team_id, question.team_alias), "another team"
    assert reading.model_header is None or asked.model == question.model, "another model in the header"
    made = question_message(ClientQuestion(token=token, **asked.wishes()))
    if asked.model is None or question.model is None or len(body) > 1000:
        # Their bounds are not the same, nor is what they cut.
        return
    assert made.model == question.model, "another model"
    if reading.model_header is None:
        assert tuple(made.fallback_models) == question.fallback_models, "other fallbacks"
        assert made.end_user_id == question.end_user_id, "another end user"
        assert made.organization_id == question.organization_id, "another organization"
        assert made.modifies_guardrails == question.modifies_guardrails, "other guardrails"


TARGET = Target(
    name="envoy",
    seeds=seeds,
    check=_check,
    mutate=mutate,
    max_size=16384,
    out_of_reach={
        "rpc/envoy/service.py": "bodies beyond 16 KiB are read in a thread; callers are not told apart here",
        "rpc/envoy/answers.py": "more remembered verdicts than one run has questions",
        "inbound/body.py": "bounds beyond the longest input",
        "inbound/forms.py": "bounds beyond the longest input",
        "inbound/handed_on.py": "what is allowed has a holder, if only an anonymous one",
    },
)
