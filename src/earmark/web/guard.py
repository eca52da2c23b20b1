"""Who may ask: the door that every request passes before anything else sees it.

Host
    A page of somebody else's whose name has been made to point at this machine (DNS rebinding)
    calls the server by that name. Only known names are answered; numbers cannot be rebound.
Origin
    A browser says where a request that changes something comes from; only our own page may. So
    may programs, which say nothing.
Token
    Beyond loopback, everything but the page's own files and the health check needs one.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from earmark.web.auth import Auth
from earmark.web.faults import Refused, answer
from earmark.web.protection import HEADERS, NO_CONTENT_POLICY
from earmark.web.settings import WebSettings, is_loopback

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_API = "/api/"
_OPEN = frozenset({"/api/v1/health", "/api/v1/session"})


class Guard:
    """ASGI middleware that answers in the application's place where a request may not pass."""

    def __init__(self, app: ASGIApp, settings: WebSettings, auth: Auth) -> None:
        self._app = app
        self._auth = auth
        self._local = settings.is_local
        named = {name.lower() for name in settings.allowed_hosts}
        self._names = named | {settings.host.lower(), "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", NO_CONTENT_POLICY)
                if scope["path"].startswith(_API):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._check(scope)
        except Refused as e:
            response = answer(e.status_code, e.fault, dict(e.headers or {}))
            await response(scope, receive, send_guarded)
        else:
            await self._app(scope, receive, send_guarded)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._may_be_called(hosts[0]):
            raise Refused(
                421,
                "the server is not known under this name",
                "start it with --allow-host NAME if it is yours",
                close=True,
            )
        if scope["path"].startswith(_API):
            self._check_origin(scope["method"], headers, hosts[0])
            if scope["path"] not in _OPEN and not self._auth.is_signed_in(scope):
                raise Refused(
                    401,
                    "a token is needed",
                    "it was shown when the server started; send it as Authorization: Bearer",
                )

    def _may_be_called(self, host: str) -> bool:
        try:
            # urlsplit knows "[::1]:80", and refuses what is no host.
            parts = urlsplit(f"//{host}")
            name, _ = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            return False
        if parts.netloc != host or parts.username is not None:
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return is_loopback(name) or not self._local

    def _check_origin(self, method: str, headers: Headers, host: str) -> None:
        site = headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none"):
            raise _foreign()
        if method in _SAFE:
            return
        for origin in headers.getlist("origin"):
            try:
                parts = urlsplit(origin)
            except ValueError as e:  # no address at all
                raise _foreign() from e
            if parts.scheme not in ("http", "https") or parts.netloc.lower() != host.lower():
                raise _foreign()


def _foreign() -> Refused:
    return Refused(403, "requests from other sites are refused", code="foreign_origin")
