"""The connections of what is watched, apart from that of all other calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from usher_client.channels import SERVICE
from usher_client.faults import Closed

WATCHES: Final = 64
"""Calls on one connection at most. A server takes so many at least, and lets what is beyond wait without a word."""


@dataclass(eq=False, slots=True)
class Place:
    """One connection."""

    channel: Any
    authorize: Any
    """Begins a call of Authorize on it."""
    calls: int = 0


class WatchChannels:
    """Opens a connection where none has room, and closes those that nobody needs but one. Any thread may use it."""

    def __init__(self, opened: Callable[[], Any], let_go: Callable[[Any], None]) -> None:
        """`opened` opens a channel that shares its connection with no other; `let_go` closes one without calls."""
        self._opened = opened
        self._let_go = let_go
        self._lock = threading.Lock()
        self._places: list[Place] = []
        self._over = False

    @property
    def calls(self) -> tuple[int, ...]:
        """The calls on each connection, the oldest first."""
        with self._lock:
            return tuple(each.calls for each in self._places)

    def take(self) -> Place:
        """A place for one call, which `leave` must give back. Raises Closed."""
        with self._lock:
            if self._over:
                raise Closed
            for place in self._places:
                if place.calls < WATCHES:
                    break
            else:
                channel = self._opened()
                place = Place(channel, channel.unary_stream(f"/{SERVICE}/Authorize"))
                self._places.append(place)
            place.calls += 1
            return place

    def leave(self, place: Place) -> None:
        """Gives a place back."""
        with self._lock:
            place.calls -= 1
            if self._over or place.calls or not any(each.calls == 0 for each in self._places if each is not place):
                return
            self._places.remove(place)
        self._let_go(place.channel)

    def close(self) -> list[Any]:
        """No call begins any more. Returns the channels, which the caller closes."""
        with self._lock:
            self._over = True
            places, self._places = self._places, []
        return [each.channel for each in places]
