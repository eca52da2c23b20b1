"""Connections by themselves: quick ones are not held up."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

import pytest

from earmark.web.server import listen


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
