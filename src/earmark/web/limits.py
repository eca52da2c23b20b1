"""Bounds on what a request may send, and how slowly; kept before anything reads it."""

from __future__ import annotations

import asyncio
import contextlib
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from earmark.web.faults import Refused, answer
from earmark.web.settings import Bounds

UPLOAD_PATHS = frozenset({"/api/v1/classify"})
# A form adds its own lines to the files.
_FORM_BYTES = 1 << 20


# Of a request that is refused, so much is still taken, for so long.
_LINGER_BYTES = 16 << 20
_LINGER_S = 2.0


class Lingering:
    """ASGI middleware: a client that is still sending hears why it is refused.

    Hanging up with bytes unread makes the system throw away what was answered.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _brings_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        done = False

        async def noting() -> Message:
            nonlocal done
            message = await receive()
            done = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        async def lingering(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                n_bytes = 0
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LINGER_S):
                        while not done and n_bytes < _LINGER_BYTES:
                            n_bytes += len((await noting()).get("body", b""))
            await send(message)

        await self._app(scope, noting, lingering)


def _brings_body(headers: Headers) -> bool:
    # Who asks first whether to send at all is told before.
    may = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    return may and "expect" not in headers


class BodyLimits:
    """ASGI middleware: bytes are counted and timed while the application draws them."""

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self._app = app
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._bounds.max_body_bytes
        if scope["path"] in UPLOAD_PATHS:
            most = self._bounds.max_request_bytes + _FORM_BYTES
        claimed = Headers(scope=scope).get("content-length", "0")
        if claimed.isdecimal() and int(claimed) > most:
            e = too_large(most)
            await answer(e.status_code, e.fault, dict(e.headers or {}))(scope, receive, send)
            return
        await self._app(scope, _Counted(receive, most, self._bounds), send)


class _Counted:
    """Receives, until it is too much or too slow."""

    def __init__(self, receive: Receive, most: int, bounds: Bounds) -> None:
        self._receive = receive
        self._most = most
        self._bounds = bounds
        self._n_bytes = 0
        self._started: float | None = None
        self._done = False

    async def __call__(self) -> Message:
        if self._done:
            # Only a client that hangs up is still to be heard of.
            return await self._receive()
        if self._started is None:
            self._started = time.monotonic()
        try:
            async with asyncio.timeout(self._bounds.stall_s):
                message = await self._receive()
        except TimeoutError as e:
            raise _too_slow() from e
        if message["type"] != "http.request":
            return message
        self._n_bytes += len(message.get("body", b""))
        self._done = not message.get("more_body", False)
        if self._n_bytes > self._most:
            raise too_large(self._most)
        taken_s = time.monotonic() - self._started
        least = (taken_s - self._bounds.stall_s) * self._bounds.min_bytes_a_s
        if not self._done and self._n_bytes < least:
            raise _too_slow()
        return message


def too_large(most: int) -> Refused:
    return Refused(413, f"more than {in_megabytes(most)}", close=True)


def in_megabytes(n_bytes: int) -> str:
    return f"{n_bytes / (1 << 20):g} MB"


def _too_slow() -> Refused:
    return Refused(408, "the request arrived too slowly", "try again", close=True)
