"""Counters for monitoring, in Prometheus' text format."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """What is counted. `watch` adds numbers that are read when somebody asks."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "earmark_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "earmark_request_seconds",
            "Time from a request's headers to the last byte of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.files = Counter("earmark_files", "Files listened to.", ("outcome",), registry=registry)
        self.upload_bytes = Counter(
            "earmark_upload_bytes", "Bytes of files received.", registry=registry
        )
        self._jobs = Gauge("earmark_jobs", "Jobs by state.", ("state",), registry=registry)

    def watch(self, name: str, about: str, read: Callable[[], float]) -> None:
        Gauge(f"earmark_{name}", about, registry=self._registry).set_function(read)

    def text(self, jobs: dict[str, int]) -> bytes:
        """All of them; `jobs` counts the jobs of each state."""
        self._jobs.clear()
        for state, n in jobs.items():
            self._jobs.labels(state).set(n)
        return generate_latest(self._registry)


class Measured:
    """ASGI middleware that counts requests by route, so that no path of a stranger's is a label."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        status = 500

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(_method(scope["method"]), route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.monotonic() - started)


def _method(name: str) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return name if name in known else "other"
