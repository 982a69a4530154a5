"""What a gateway that speaks HTTP needs around a decision: reading requests, session cookies, answers to refusals.

    reading = Reading(origins=("https://ui.example",))
    carried = read_credential("POST", headers, reading)          # RequestRefused: answer it with refusal_answer
    asked = read_request("POST", target, headers, body, reading)
    decision = client.authorize(carried.token, **asked.wishes())
    answer = denial_answer(decision)                             # status, headers and body, as OpenAI's clients expect

Nothing here waits, keeps anything, or knows a framework; `usher_client.asgi` is made of it. Headers are pairs of texts,
names in any case, as they came: doubles count.
"""

from usher_client.http.cookies import clear_sessions, set_session
from usher_client.http.credential import Credential, read_credential
from usher_client.http.errors import (
    HttpAnswer,
    denial_answer,
    fault_answer,
    refusal_answer,
    sse_denial,
    sse_fault,
)
from usher_client.http.reading import Headers, Reading, RequestRefused
from usher_client.http.request import Asked, read_request

__all__ = [
    "Asked",
    "Credential",
    "Headers",
    "HttpAnswer",
    "Reading",
    "RequestRefused",
    "clear_sessions",
    "denial_answer",
    "fault_answer",
    "read_credential",
    "read_request",
    "refusal_answer",
    "set_session",
    "sse_denial",
    "sse_fault",
]
