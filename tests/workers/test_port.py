"""The port is kept from the first moment: nobody else can be there before the workers, or come between them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from usherd.rpc.address import AddressUnusable
from usherd.workers.port import kept

SHARED = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)


@contextmanager
def bound(port: int, *options: int, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as made:
        for option in options:
            made.setsockopt(socket.SOL_SOCKET, option, 1)
        made.bind((host, port))
        yield made


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "0.0.0.0", "[::]"])
def test_workers_may_listen_there_and_nobody_who_does_not_share(host: str) -> None:
    where = "::1" if host == "[::1]" else "127.0.0.1"
    with kept(f"{host}:0") as address:
        port = port_of(address)
        with bound(port, *SHARED, host=where) as one, bound(port, *SHARED, host=where) as other:
            one.listen()
            other.listen()
        for options in ((), (socket.SO_REUSEADDR,)):
            with pytest.raises(OSError, match="in use"), bound(port, *options, host=where):
                pass

    assert address.startswith(f"{host}:")
    assert port_of(address) > 0


@pytest.mark.parametrize("options", [(), (socket.SO_REUSEADDR,), (socket.SO_REUSEPORT,), SHARED])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_whoever_listens_already_is_found_however_they_share(options: tuple[int, ...], host: str) -> None:
    with bound(0, *options) as stranger:
        stranger.listen()
        taken = stranger.getsockname()[1]
        with pytest.raises(AddressUnusable, match="it is taken"), kept(f"{host}:{taken}"):
            pass


def test_two_supervisors_never_keep_one_port() -> None:
    with kept("127.0.0.1:0") as address, pytest.raises(AddressUnusable, match="it is taken"), kept(address):
        pass


def test_connections_that_have_just_ended_do_not_hold_a_port() -> None:
    with bound(0, socket.SO_REUSEADDR) as server:
        server.listen()
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        # Who closes first keeps the end of the connection for a minute.
        accepted.close()
        client.close()

    with kept(f"127.0.0.1:{port}") as address:
        assert port_of(address) == port


@pytest.mark.parametrize("address", ["unix:/tmp/x.sock", "nowhere.invalid:1", "192.0.2.1:0"])
def test_what_cannot_be_shared_or_is_not_here_is_refused(address: str) -> None:
    with pytest.raises(AddressUnusable), kept(address):
        pass
