"""A real server in a process of its own, on a free port of the loopback interface."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.systems import KILLED

START_S = 300  # a busy machine is no failure
STOP_S = 60


class Server:
    """A running server; `client` asks it, below ``/api/v1``."""

    def __init__(self, home: Path, **given: Any) -> None:
        self.home = home
        env = {**os.environ, "EARMARK_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        env.pop("EARMARK_TOKEN", None)
        self.log = home / "server.log"
        home.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.web.run", json.dumps(given)],
                cwd=Path(__file__).parents[2],
                env=env,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        # It prints its address when it answers; nothing if it could not start.
        self.address = self.process.stdout.readline().strip()
        assert self.address, self.log.read_text()
        parts = urlsplit(self.address)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.client = httpx.Client(
            base_url=f"http://{self.host}:{self.port}/api/v1", timeout=START_S, trust_env=False
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it, wait for it; its exit code."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(STOP_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def raw(self, request: bytes, timeout_s: float = 30) -> bytes:
        """Send bytes as they are; all that comes back until the server hangs up or is silent."""
        with socket.create_connection((self.host, self.port), timeout=timeout_s) as s:
            s.sendall(request)
            answer = b""
            while chunk := s.recv(65536):
                answer += chunk
                head, _, body = answer.partition(b"\r\n\r\n")
                if body and b"content-length: %d\r\n" % len(body) in head.lower() + b"\r\n":
                    break
            return answer

    def uploads(self) -> list[Path]:
        """Folders of uploads that are there."""
        return list((self.home / "web" / "uploads").iterdir())

    def job(self, request: dict[str, Any], path: str = "/jobs") -> dict[str, Any]:
        """Ask for a job and wait for its end."""
        answer = self.client.post(path, json=request)
        assert answer.status_code == 202, answer.text
        return self.wait(answer.json()["job_id"])

    def wait(self, job_id: int, states: tuple[str, ...] = ("done",)) -> dict[str, Any]:
        """Wait until a job is in one of these states."""
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            job: dict[str, Any] = self.client.get(f"/jobs/{job_id}").json()
            if job["state"] in states:
                return job
            assert job["state"] not in ("done", "failed", "cancelled"), job
            time.sleep(0.1)
        raise AssertionError(f"job {job_id} is still {job['state']}: {self.log.read_text()}")


@contextmanager
def serving(home: Path, **given: Any) -> Iterator[Server]:
    """A server with these settings, stopped afterwards; its exit code has to be 0."""
    server = Server(home, **given)
    try:
        yield server
    finally:
        code = server.stop()
    assert code in (0, KILLED), server.log.read_text()
