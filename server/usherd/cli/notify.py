"""Tells a service manager that the server serves, as systemd's Type=notify wants it (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import socket

_VARIABLE = "NOTIFY_SOCKET"


def tell_started() -> None:
    """Says so, where somebody asked to be told; nothing comes of it where they cannot be reached."""
    address = os.environ.get(_VARIABLE, "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as teller:
        teller.setblocking(False)
        teller.sendto(b"READY=1", "\0" + address[1:] if address.startswith("@") else address)
