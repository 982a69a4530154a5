"""Turns the pages of a list, and stops when a server would turn them for ever."""

from __future__ import annotations

from typing import Final

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usher_client.faults import BadAnswer

PAGE_SIZE: Final = 1000
MAX_PAGES: Final = 1000


class Pages:
    """Which page to ask for next."""

    def __init__(self, question: question_pb2.Question, options: api.Options) -> None:
        self._request = api.ListModelsRequest(question=question, options=options, page_size=PAGE_SIZE)
        self._pages = 0
        self._last = False

    def next_request(self) -> bytes | None:
        """The request for the next page; None after the last. Raises BadAnswer after 1,000 pages."""
        if self._last:
            return None
        if self._pages == MAX_PAGES:
            raise BadAnswer
        self._pages += 1
        return self._request.SerializeToString()

    def turned(self, next_page_token: str) -> None:
        """Remembers what the page said about the next. Raises BadAnswer when that is the same page again."""
        if next_page_token and next_page_token == self._request.page_token:
            raise BadAnswer
        self._request.page_token = next_page_token
        self._last = not next_page_token
