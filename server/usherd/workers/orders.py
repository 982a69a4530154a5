"""What a worker is told when it is started, and what ties its life to its supervisor's."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass

from usherd.admin.post import ALONE

_PR_SET_PDEATHSIG = 1


class NotOrders(ValueError):
    """What stands there was not written by a supervisor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """One worker's."""

    number: int
    """From 1 on. Who takes a dead one's place has its number."""
    line: int
    """The file descriptor of its end of the line."""
    supervisor: int
    """The process id."""
    address: str
    """Where it serves, with the port that the supervisor keeps."""
    sessions: str | None
    """Where it tells sessions over HTTP, likewise; None: nowhere."""
    counts: bool
    """Whether its metrics are wanted."""

    def text(self) -> str:
        """As an argument."""
        return json.dumps(asdict(self))

    def take_line(self) -> socket.socket:
        """Its end of the line, which nobody inherits from it. Raises NotOrders."""
        try:
            line = socket.socket(fileno=self.line)
        except OSError:
            raise NotOrders from None
        line.set_inheritable(False)
        return line


def orders(text: str) -> Orders:
    """What such an argument says. Raises NotOrders."""
    try:
        return Orders(**json.loads(text))
    except (TypeError, ValueError):
        raise NotOrders from None


def die_with(supervisor: int) -> None:
    """From now on the kernel kills this process when its supervisor is gone, even where nothing in it runs any more.

    The supervisor must have started it from its main thread. Where the kernel cannot do that, the end of the line does.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        # It was gone before that.
        os._exit(ALONE)
