"""Connections: how long one may be quiet, how many may be, and how much is answered at a time.

A connection is quiet while no whole request has come on it: it is new, or kept after an answer, or
its headers trickle. Of those there are bounds, for each address and in all, and the one that has
been quiet longest makes room. Whoever means it sends all headers at once, so that nobody is shut
out by many who do not, even where all come from one address, as behind a proxy or a router. New
ones and kept ones are counted by themselves: many new ones do not end those that a proxy keeps.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from earmark.web.auth import address_of
from earmark.web.faults import Refused, answer
from earmark.web.protection import BARE
from earmark.web.schemas.common import Fault
from earmark.web.settings import Bounds, is_loopback


class _Quiet:
    """Connections that are quiet, the longest first."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._all: dict[H11Protocol, str] = {}
        self._counts: Counter[str] = Counter()

    def add(self, connection: H11Protocol) -> None:
        """It is quiet from now on; another may have to go."""
        address = connection.client[0] if connection.client else ""
        self.discard(connection)
        self._all[connection] = address
        self._counts[address] += 1
        if self._counts[address] > self._bounds.n_quiet_of_one:
            self._end(next(known for known, of in self._all.items() if of == address))
        elif len(self._all) > self._bounds.n_quiet:
            self._end(next(iter(self._all)))

    def discard(self, connection: H11Protocol) -> None:
        address = self._all.pop(connection, None)
        if address is not None:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]

    def _end(self, connection: H11Protocol) -> None:
        self.discard(connection)
        connection.transport.close()


class Impatient(H11Protocol):
    """Hangs up where a request's headers do not come, which uvicorn would wait for."""

    bounds: Bounds
    new: _Quiet
    kept: _Quiet
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()
        self.new.add(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_answering():
            self._cancel()
            self.new.discard(self)
            self.kept.discard(self)
        elif self._deadline is None:
            self._expect()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_answering() and not self.transport.is_closing():
            self.kept.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        self.new.discard(self)
        self.kept.discard(self)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """As uvicorn does, in the shape and with the headers of all other refusals."""
        refusal = answer(400, Fault(code="bad_request", message=msg, hint=""), dict(BARE))
        head = [*refusal.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=head, reason=b"Bad Request"),
            h11.Data(data=bytes(refusal.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(self.bounds.headers_s, self._give_up)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self._is_answering() and not self.transport.is_closing():
            self.transport.close()


def protocol(bounds: Bounds) -> type[Impatient]:
    """What speaks HTTP on the connections of one server."""
    own = {"bounds": bounds, "new": _Quiet(bounds), "kept": _Quiet(bounds)}
    return type("Bounded", (Impatient,), own)


class Places:
    """ASGI middleware: so many requests are answered at a time, of all and of one address.

    This machine has no bound of its own: a proxy on it speaks for many, and who sits at it is not
    shut out.
    """

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self._app = app
        self._bounds = bounds
        self._n_all = 0
        self._counts: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = address_of(scope)
        is_full = self._n_all >= self._bounds.n_requests
        if not is_loopback(address):
            is_full = is_full or self._counts[address] >= self._bounds.n_requests_of_one
        if is_full:
            e = Refused(503, "too many requests at a time", retry_after_s=2, close=True)
            refusal = answer(e.status_code, e.fault, {**BARE, **(e.headers or {})})
            await refusal(scope, receive, send)
            return
        self._n_all += 1
        self._counts[address] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._n_all -= 1
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]
