"""Running the application: one process that answers, worker processes that listen."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn

from earmark.errors import ConfigError
from earmark.web.app import create_app
from earmark.web.connections import protocol
from earmark.web.services import Services, claimed
from earmark.web.settings import WebSettings

_GRACE_S = 30
_KEEP_ALIVE_S = 20
_BACKLOG = 512
_MOST_HEADER_BYTES = 32 << 10


def serve(settings: WebSettings, on_start: Callable[[str], object]) -> None:
    """Answer until SIGINT or SIGTERM, then finish what is being answered and stop the jobs.

    Parameters
    ----------
    settings : WebSettings
    on_start : callable
        Told the page's address as soon as it answers.

    Raises
    ------
    ConfigError
        The address cannot be listened on.
    LibraryError
        The data folder cannot be used.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    app = create_app(settings)
    listener = listen(settings.host, settings.port)
    config = uvicorn.Config(
        app,
        http=protocol(settings.bounds),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
        # A proxy on this machine may say that it speaks TLS; nobody else is believed.
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1,::1",
    )
    with listener, claimed(settings):
        server = _Server(config, app.state.services, lambda: on_start(_address(settings, listener)))
        server.run(sockets=[listener])
    if not server.started:
        raise ConfigError("the server could not start", "see above")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port in use is told as our own error."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # Only where the protocol is named does asyncio send answers without delay.
        listener = socket.socket(family, kind, protocol or socket.IPPROTO_TCP)
        if sys.platform == "win32":  # where the other option lets two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as e:
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {e.strerror}", "choose another --port"
        ) from e
    return listener


def _address(settings: WebSettings, listener: socket.socket) -> str:
    """Where a browser on this machine finds the page; the token is in the part never sent."""
    port = listener.getsockname()[1]
    host = settings.host
    if host in ("0.0.0.0", "::", ""):
        host = "localhost"
    if ":" in host:
        host = f"[{host}]"
    return f"http://{host}:{port}/" + (f"#token={settings.token}" if settings.token else "")


class _Server(uvicorn.Server):
    """Lets streams of events end as soon as it is told to stop; they would last for ever."""

    def __init__(
        self, config: uvicorn.Config, services: Services, on_start: Callable[[], object]
    ) -> None:
        super().__init__(config)
        self._services = services
        self._on_start = on_start
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._services.begin_stop)
        # Unlike uvicorn's own, it is not raised again afterwards: stopping is no failure. A second
        # Ctrl-C does not wait for answers; jobs are still queued again.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
