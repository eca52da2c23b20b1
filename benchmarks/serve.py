"""`earmark serve` under load: 50 clients upload 30 s clips, beside what the command line does.

Both listen to the same clips with the same number of workers, one after the other, and again, so
that a machine that gets busier or hotter is fair to both. Clients run in a process of their own
and on the same cores; what they cost is on the server's account.

Before that, one client asks for little, again and again on one connection, which tells what a
request costs by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.audiofiles import synth, write

from earmark.config import usable_cores

N_CLIENTS = 50
N_SMALL = 500
N_CLIPS = 40
CLIP_S = 30.0
TARGET = 0.8


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients saw: seconds of each answer, errors, clips a second."""

    latencies_s: list[float]
    n_errors: int
    rate: float


def clips(folder: Path) -> list[Path]:
    """MP3 of 128 kbit/s, all different."""
    folder.mkdir()
    return [
        write(folder / f"{i:02}.mp3", synth("music", CLIP_S, seed=i), 44100, "mp3")
        for i in range(N_CLIPS)
    ]


def by_command_line(paths: list[Path], n_clips: int, n_workers: int, home: Path) -> float:
    """Clips a second of `earmark classify`, without what starting it takes."""
    folder = home / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    # A file is heard once; under another name it is another.
    names = [folder / f"{i:05}.mp3" for i in range(n_clips)]
    for i, name in enumerate(names):
        if not name.exists():
            os.link(paths[i % len(paths)], name)
    env = {**os.environ, "EARMARK_HOME": str(home)}

    def seconds(some: list[Path]) -> float:
        started = time.perf_counter()
        command = [sys.executable, "-c", "from earmark.cli import main; main()", "classify"]
        options = ["--no-cache", "--quiet", "--csv", "--workers", str(n_workers)]
        subprocess.run(
            [*command, *options, *map(str, some)], env=env, check=True, stdout=subprocess.DEVNULL
        )
        return time.perf_counter() - started

    # As many as there are workers: all of them start, and hear one each.
    idle = seconds(names[:n_workers])
    return (n_clips - n_workers) / (seconds(names) - idle)


class Running:
    """A server of this benchmark's own."""

    def __init__(self, n_workers: int, home: Path) -> None:
        command = [sys.executable, "-c", "from earmark.cli import main; main()", "serve"]
        self._process = subprocess.Popen(
            [*command, "--port", "0", "--workers", str(n_workers)],
            env={**os.environ, "EARMARK_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        found = re.search(r":(\d+)/", self._process.stdout.readline())
        assert found, "the server did not start"
        self.port = int(found[1])

    def rss_bytes(self) -> int:
        """Of the server and its workers together, which only Linux tells."""
        if sys.platform != "linux":
            return 0
        pids = [self._process.pid]
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
        status = (Path(f"/proc/{pid}/statm").read_text().split() for pid in pids)
        return sum(int(fields[1]) for fields in status) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()


async def drive(port: int, bodies: list[bytes], n_requests: int, n_clients: int) -> Load:
    """Have clients upload, each as soon as its last clip was answered."""
    latencies: list[float] = []
    errors = 0
    left = iter(range(n_requests))

    async def client() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for i in left:
            body = bodies[i % len(bodies)]
            started = time.perf_counter()
            writer.write(_HEAD % len(body))
            writer.write(body)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            answer = await reader.readexactly(int(length[1])) if length else b""
            latencies.append(time.perf_counter() - started)
            errors += not (head.startswith(b"HTTP/1.1 200") and b'"error":null' in answer)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(n_clients)))
    return Load(latencies, errors, n_requests / (time.perf_counter() - started))


async def ask_for_little(port: int) -> list[float]:
    """Seconds of each of many small requests, one after the other on a connection that is kept."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies = []
    for _ in range(N_SMALL):
        started = time.perf_counter()
        writer.write(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert head.startswith(b"HTTP/1.1 200"), head
        assert length, head
        await reader.readexactly(int(length[1]))
        latencies.append(time.perf_counter() - started)
    writer.close()
    return latencies


_HEAD = (
    b"POST /api/v1/classify HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n"
)


def form(path: Path) -> bytes:
    """A clip as a multipart form."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp3"\r\n\r\n'
    return head + path.read_bytes() + b"\r\n--x--\r\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=usable_cores())
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), options.workers, options.requests, options.rounds)


def _load_average() -> str:
    if sys.platform == "win32":
        return "not known"
    return f"{os.getloadavg()[0]:.1f}"


def measure(folder: Path, n_workers: int, n_requests: int, n_rounds: int) -> None:
    """Measure in turns, and print."""
    print(f"{os.cpu_count()} cores, load {_load_average()}")
    paths = clips(folder / "clips")
    bodies = [form(path) for path in paths]
    server = Running(n_workers, folder / "home")
    try:
        asyncio.run(drive(server.port, bodies, 2 * n_workers, n_workers))  # workers are awake
        small = statistics.quantiles(asyncio.run(ask_for_little(server.port)), n=100)
        print(
            f"{N_SMALL} small requests on one connection:"
            f" p50 {small[49] * 1000:.1f} ms, p99 {small[98] * 1000:.1f} ms"
        )
        rates, ratios, latencies, n_errors, rss = [], [], [], 0, [server.rss_bytes()]
        for number in range(1, n_rounds + 1):
            by_cli = by_command_line(paths, n_requests, n_workers, folder / "home-cli")
            load = asyncio.run(drive(server.port, bodies, n_requests, N_CLIENTS))
            rss.append(server.rss_bytes())
            rates.append(load.rate)
            ratios.append(load.rate / by_cli)
            latencies += load.latencies_s
            n_errors += load.n_errors
            print(
                f"round {number}: command line {by_cli:.1f} clips/s, server {load.rate:.1f},"
                f" ratio {ratios[-1]:.2f}, RSS {rss[-1] / 2**20:.0f} MB"
            )
    finally:
        server.stop()
    cuts = statistics.quantiles(latencies, n=100)
    ratio = statistics.median(ratios)
    print(f"{N_CLIENTS} clients, {n_workers} workers, {len(latencies)} clips of {CLIP_S:.0f} s")
    print(f"p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s, {n_errors} errors")
    print(f"RSS of all processes: {rss[0] / 2**20:.0f} MB idle, then")
    print("  " + ", ".join(f"{n / 2**20:.0f}" for n in rss[1:]) + " MB after each round")
    verdict = "reached" if ratio >= TARGET else "missed"
    print(f"throughput / command line's, median: {ratio:.2f} (target {TARGET}: {verdict})")


if __name__ == "__main__":
    main()
