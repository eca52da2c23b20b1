"""Connections: quick ones are not held up, and many slow ones shut nobody out."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import cast

import httpx
import pytest

from earmark.web.server import listen
from tests.systems import KILLED
from tests.web.servers import Server, serving

TOKEN = "a-token-of-more-than-sixteen"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_answers_are_sent_without_delay(host: str) -> None:
    # Else the second packet of an answer waits for the client's word on the first: 40 ms.
    with listen(host, 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
        assert asyncio.run(_nodelay_when_accepted(listener))


async def _nodelay_when_accepted(listener: socket.socket) -> int:
    """The option as it is on a connection that asyncio has accepted."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    class Asked(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            sock = cast("socket.socket", transport.get_extra_info("socket"))
            accepted.set_result(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            cast("asyncio.Transport", transport).close()

    server = await asyncio.get_running_loop().create_server(Asked, sock=listener)
    async with server:
        _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
        found = await asyncio.wait_for(accepted, 30)
        writer.close()
    return found


# --- many that are slow -------------------------------------------------------------------------

HALF = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits long, so that it is not time that helps."""
    home = tmp_path_factory.mktemp("patient")
    with serving(home, host="0.0.0.0", token=TOKEN, bounds={"headers_s": 600.0}) as running:
        yield running


@pytest.mark.parametrize("begun", [HALF, b"", HALF + b"\r\n"], ids=["half", "silent", "kept"])
def test_many_slow_connections_shut_nobody_out(patient: Server, begun: bytes) -> None:
    base = str(patient.client.base_url)
    with ExitStack() as stack:
        kept = stack.enter_context(httpx.Client(trust_env=False))
        assert kept.get(f"{base}health").status_code == 200
        slow = [stack.enter_context(connected(patient)) for _ in range(700)]
        for connection in slow:
            with suppress(ConnectionError):  # the first ones have had to go
                connection.sendall(begun)
        started = time.monotonic()
        # Who comes now, and who was there before.
        assert httpx.get(f"{base}health", trust_env=False).json()["status"] == "ok"
        if not begun.endswith(b"\r\n\r\n"):
            assert kept.get(f"{base}health").json()["status"] == "ok"
        assert time.monotonic() - started < 5
        while n_open(slow) > 50 and time.monotonic() - started < 30:
            time.sleep(0.1)
        assert n_open(slow) <= 50
        # The latest are waited for on and on.
        if begun == HALF:
            slow[-1].sendall(b"\r\n")
            slow[-1].settimeout(30)
            assert b" 200 " in slow[-1].recv(65536)


def test_a_kept_connection_is_good_for_many_requests(patient: Server) -> None:
    with connected(patient) as connection:
        for _ in range(300):
            connection.sendall(HALF + b"\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")


def test_headers_are_waited_for_only_so_long(tmp_path: Path) -> None:
    with serving(tmp_path) as server, connected(server) as connection:
        connection.sendall(HALF)
        started = time.monotonic()
        assert connection.recv(100) == b""
        assert 2 < time.monotonic() - started < 12


def test_one_address_does_not_take_all_places(tmp_path: Path) -> None:
    bounds = {"n_requests": 8, "n_requests_of_one": 3, "stall_s": 60.0}
    with serving(tmp_path, bounds=bounds) as server, ExitStack() as stack:

        def health(address: str) -> httpx.Response:
            return server.client.get("/health", headers={"X-Forwarded-For": address})

        def hold(address: str) -> None:
            connection = stack.enter_context(connected(server))
            connection.sendall(UNFINISHED % address.encode())
            connection.settimeout(30)
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # it is being read

        for _ in range(3):
            hold("203.0.113.5")
        refused = health("203.0.113.5")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "busy")
        assert int(refused.headers["retry-after"]) > 0
        assert refused.headers["x-frame-options"] == "DENY"
        assert health("203.0.113.6").status_code == 200
        for _ in range(5):
            hold("127.0.0.1")  # of which only the bound on all is asked
        assert health("203.0.113.6").status_code == 503
    assert server.process.returncode in (0, KILLED)


UNFINISHED = (
    b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: %s\r\n"
    b"Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
)


def connected(server: Server) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=30)


def n_open(connections: list[socket.socket]) -> int:
    """How many the server has not hung up on."""
    n = 0
    for connection in connections:
        connection.settimeout(0)
        try:
            while connection.recv(65536):
                pass
        except BlockingIOError:
            n += 1
        except ConnectionError:
            pass
    return n
