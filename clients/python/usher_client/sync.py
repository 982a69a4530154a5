"""The client for threads and plain scripts; the methods are those of AsyncClient."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

import grpc

from usher.v1 import authorization_service_pb2 as api
from usher_client.alarms import Alarms
from usher_client.answers import batch_results, models_page, streamed_decision
from usher_client.bearer import Bearer, shown
from usher_client.cache_sync import Cache
from usher_client.calls_sync import WatchCalls, outcome
from usher_client.channels import SERVICE, open_channel
from usher_client.decision import Decision, Model
from usher_client.faults import BadAnswer, UsherFault
from usher_client.keeping import CacheStatistics, DecisionCache, check_cache
from usher_client.paging import Pages
from usher_client.question_key import plain_key
from usher_client.questions import (
    DEFAULT_DEADLINE,
    Question,
    batch_message,
    checked_deadline,
    options_message,
    question_message,
)
from usher_client.watch_sync import Watch


class Client:
    """Asks one usherd; use it as a context manager, and share it between threads.

    `target` is a gRPC target ("localhost:50051", "unix:/run/usherd.sock", "dns:///usherd.example:443"). Without
    `credentials` the channel is plaintext, which is refused unless the target is on this machine or `plaintext`
    is True. `bearer` is the credential that the server knows this gateway by, or a function that gives the one of now.
    `cache` answers from memory what the server keeps true; without it every question is asked.
    Deadlines are seconds, more than 0 and at most 60. Every method raises a UsherFault when there is no
    answer, and ValueError or TypeError for arguments that only a gateway controls.
    """

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        plaintext: bool = False,
        bearer: Bearer | None = None,
        cache: DecisionCache | None = None,
    ) -> None:
        check_cache(cache)
        self._shown = shown(bearer)
        self._channel = open_channel(target, credentials, plaintext)
        self._watches = WatchCalls(partial(open_channel, target, credentials, plaintext, alone=True))
        # Bytes on both sides: grpc would log what it cannot parse, and hand on None in its place.
        self._authorize: Any = self._channel.unary_stream(f"/{SERVICE}/Authorize")
        self._batch_check: Any = self._channel.unary_unary(f"/{SERVICE}/BatchCheck")
        self._list_models: Any = self._channel.unary_unary(f"/{SERVICE}/ListModels")
        self._alarms = Alarms()
        self._closed = threading.Event()
        self._cache = None if cache is None else Cache(cache, self._subscribe, self._alarms)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the channels. Calls that are still under way end with `Closed`."""
        self._closed.set()
        if self._cache is not None:
            self._cache.close()
        self._alarms.close()
        self._watches.close()
        self._channel.close()

    def authorize(
        self,
        token: str,
        route: str,
        model: str | None = None,
        *,
        method: str = "",
        fallback_models: Sequence[str] = (),
        team_id: str | None = None,
        team_alias: str | None = None,
        end_user_id: str = "",
        organization_id: str = "",
        modifies_guardrails: bool = False,
        deadline: float = DEFAULT_DEADLINE,
        explain: bool = False,
        request_id: str = "",
        at_least_as_fresh: str = "",
    ) -> Decision:
        """May the holder of this token call this route with this model? Raises UsherFault.

        With a cache, it may be answered from memory, unless an explanation or a freshness is asked for.
        """
        timeout = checked_deadline(deadline)
        cache = None if explain or at_least_as_fresh else self._cache
        if cache is not None:
            key = plain_key(
                token,
                route,
                model,
                method,
                fallback_models,
                team_id,
                team_alias,
                end_user_id,
                organization_id,
                modifies_guardrails,
            )
            if key is not None and (known := cache.at_hand(key)) is not None:
                return known
        question = question_message(
            Question(
                token=token,
                route=route,
                model=model,
                method=method,
                fallback_models=fallback_models,
                team_id=team_id,
                team_alias=team_alias,
                end_user_id=end_user_id,
                organization_id=organization_id,
                modifies_guardrails=modifies_guardrails,
            )
        )
        options = options_message(explain=explain, request_id=request_id, at_least_as_fresh=at_least_as_fresh)
        request = api.AuthorizeRequest(question=question, options=options, mode=api.MODE_ONCE).SerializeToString()
        if cache is not None:
            return cache.ask(key, question, timeout, partial(self._ask_once, request))
        return self._ask_once(request, timeout)

    def watch(
        self,
        token: str,
        route: str,
        model: str | None = None,
        *,
        method: str = "",
        fallback_models: Sequence[str] = (),
        team_id: str | None = None,
        team_alias: str | None = None,
        end_user_id: str = "",
        organization_id: str = "",
        modifies_guardrails: bool = False,
        deadline: float = DEFAULT_DEADLINE,
        request_id: str = "",
    ) -> Watch:
        """What becomes of one question, for what lasts: a streamed completion, the run of an agent.

        Nothing is asked before the first event is read. `deadline` is that of each attempt to ask, and how long the
        first decision may take. The cache has no part in it.
        """
        question = question_message(
            Question(
                token=token,
                route=route,
                model=model,
                method=method,
                fallback_models=fallback_models,
                team_id=team_id,
                team_alias=team_alias,
                end_user_id=end_user_id,
                organization_id=organization_id,
                modifies_guardrails=modifies_guardrails,
            )
        )
        options = options_message(explain=False, request_id=request_id, at_least_as_fresh="")
        request = api.AuthorizeRequest(question=question, options=options, mode=api.MODE_WATCH).SerializeToString()
        patience = checked_deadline(deadline)
        return Watch(lambda: self._watches.begin(request, self._shown()), patience, self._alarms, self._watches.turns)

    def cache_statistics(self) -> CacheStatistics | None:
        """What the cache has done up to now; None without a cache."""
        return None if self._cache is None else self._cache.statistics()

    def batch_check(
        self,
        questions: Sequence[Question],
        *,
        token: str = "",
        deadline: float = DEFAULT_DEADLINE,
        explain: bool = False,
        request_id: str = "",
        at_least_as_fresh: str = "",
    ) -> list[Decision | UsherFault]:
        """Answers 1 to 1,000 questions in their order; `token` is for those that have none of their own.

        A question without a decision has a fault in its place, which is falsy and has `allowed` False.
        """
        options = options_message(explain=explain, request_id=request_id, at_least_as_fresh=at_least_as_fresh)
        timeout = checked_deadline(deadline)
        ids, request = batch_message(questions, token, options)
        call = partial(self._batch_check, request, timeout=timeout, metadata=self._shown())
        return batch_results(outcome(call, self._closed), ids)

    def list_models(
        self,
        token: str,
        route: str,
        *,
        method: str = "",
        team_id: str | None = None,
        team_alias: str | None = None,
        end_user_id: str = "",
        organization_id: str = "",
        modifies_guardrails: bool = False,
        deadline: float = DEFAULT_DEADLINE,
        request_id: str = "",
        at_least_as_fresh: str = "",
    ) -> Iterator[Model]:
        """The models that this token may call on this route, sorted by name; the deadline is that of each page.

        Raises ListDenied when the question is denied whatever the model.
        """
        question = Question(
            token=token,
            route=route,
            method=method,
            team_id=team_id,
            team_alias=team_alias,
            end_user_id=end_user_id,
            organization_id=organization_id,
            modifies_guardrails=modifies_guardrails,
        )
        options = options_message(explain=False, request_id=request_id, at_least_as_fresh=at_least_as_fresh)
        timeout = checked_deadline(deadline)
        pages = Pages(question_message(question), options)
        while (request := pages.next_request()) is not None:
            call = partial(self._list_models, request, timeout=timeout, metadata=self._shown())
            models, next_token = models_page(outcome(call, self._closed))
            pages.turned(next_token)
            yield from models

    def _ask_once(self, request: bytes, timeout: float) -> Decision:
        call = outcome(partial(self._authorize, request, timeout=timeout, metadata=self._shown()))
        try:
            first = outcome(partial(next, call, None), self._closed)
            # An ALLOW counts only when the stream then ends, and ends with OK.
            if first is None or outcome(partial(next, call, None), self._closed) is not None:
                raise BadAnswer
            return streamed_decision(first)
        finally:
            call.cancel()

    def _subscribe(self, messages: Iterator[bytes]) -> Any:
        subscribe: Any = self._channel.stream_stream(f"/{SERVICE}/Subscribe")
        return outcome(partial(subscribe, messages, metadata=self._shown()))
