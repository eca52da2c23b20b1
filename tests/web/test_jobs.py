"""Jobs go on without the page, and after the server was stopped or killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from earmark.tags import Journal
from tests import backbones
from tests.audiofiles import synth, write
from tests.systems import SIGKILL
from tests.web.servers import Server, serving

if sys.platform == "win32":
    pytest.skip("looks at processes as Linux has them", allow_module_level=True)

N_SONGS = 60


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough songs for a job to take a while."""
    root = tmp_path_factory.mktemp("songs") / "songs"
    root.mkdir()
    for i in range(N_SONGS):
        write(root / f"{i:02}.flac", synth("music", 10.0, seed=i), 44100, "flac")
    return root


@pytest.fixture
def lib(songs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(songs, tmp_path / "songs"))


def events(server: Server, job_id: int, **given: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Id, kind and data of all events of a stream, to its end."""
    found = []
    with server.client.stream("GET", f"/jobs/{job_id}/events", **given) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in stream.iter_lines():
            if not line and fields:
                if "data" in fields:
                    found.append(
                        (fields.get("id", ""), fields["event"], json.loads(fields["data"]))
                    )
                fields = {}
            elif line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
    return found


def until_progress(server: Server, job_id: int, stage: str, done: int = 1) -> None:
    """Wait until a job has got so far, or further."""
    with server.client.stream("GET", f"/jobs/{job_id}/events") as stream:
        for line in stream.iter_lines():
            if f'"stage": "{stage}"' in line and json.loads(line[6:])["done"] >= done:
                return
            assert '"state":"failed"' not in line, line
            if '"state":"done"' in line:
                return


def test_events_are_told_again_from_where_a_stream_broke_off(tmp_path: Path) -> None:
    lib = tmp_path / "lib"
    lib.mkdir()
    for i in range(3):
        (lib / f"broken{i}.mp3").write_bytes(b"nothing")
        (lib / f"odd{i}.flac").symlink_to(lib / "none.flac")
    with serving(tmp_path / "home", libraries=[str(lib)]) as server:
        job = server.job({"kind": "scan", "library_id": "lib"})
        told = events(server, job["job_id"])
        skipped = [event for event in told if event[1] == "skipped"]
        assert len(skipped) == job["n_skipped"] >= 3
        assert {event[2]["path"] for event in skipped} >= {"odd0.flac", "odd1.flac", "odd2.flac"}
        assert told[-1][1] == "job"
        assert told[-1][2]["state"] == "done"
        assert [int(id) for id, _, _ in skipped] == sorted(int(id) for id, _, _ in skipped)
        second = skipped[1][0]
        for again in (
            events(server, job["job_id"], headers={"Last-Event-ID": second}),
            events(server, job["job_id"], params={"after": second}),
        ):
            assert [event[0] for event in again if event[1] == "skipped"] == [
                event[0] for event in skipped[2:]
            ]
        assert server.client.get("/jobs/99/events").status_code == 404
        wrong = server.client.get("/jobs/1/events", headers={"Last-Event-ID": "x; DROP"})
        assert wrong.status_code == 422

        listed = server.client.get("/jobs", params={"kind": "scan", "state": "done"}).json()
        assert [j["job_id"] for j in listed["jobs"]] == [job["job_id"]]
        assert server.client.get("/jobs", params={"kind": "train"}).json() == {"jobs": []}
        assert server.client.get("/jobs", params={"library_id": "x"}).json() == {"jobs": []}
        assert server.client.post(f"/jobs/{job['job_id']}/cancel").json()["state"] == "done"
        assert server.client.post("/jobs/99/cancel").status_code == 404


def test_jobs_are_cancelled_and_their_processes_may_die(lib: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "home", libraries=[str(lib)], n_workers=1) as server:
        plan = {"kind": "plan", "library_id": "songs"}
        first, second = (server.client.post("/jobs", json=plan).json() for _ in range(2))
        assert server.client.get(f"/jobs/{second['job_id']}").json()["state"] == "queued"
        server.client.post(f"/jobs/{second['job_id']}/cancel")
        assert server.client.get(f"/jobs/{second['job_id']}").json()["state"] == "cancelled"
        until_progress(server, first["job_id"], "listening")
        with listening_held_up(server):
            server.client.post(f"/jobs/{first['job_id']}/cancel")
            ended = server.wait(first["job_id"], ("cancelled",))
        assert ended["result"] is None
        assert ended["finished_at"]

        third = server.client.post("/jobs", json=plan).json()
        until_progress(server, third["job_id"], "listening")
        with listening_held_up(server):
            for pid in worker_pids(server.home):
                os.kill(pid, SIGKILL)
        failed = server.wait(third["job_id"], ("failed",))
        assert "ended unexpectedly" in failed["error"]
        assert server.client.get("/health").json()["status"] == "ok"


def test_a_job_ends_with_its_server_even_while_it_has_nothing_to_say(
    lib: Path, tmp_path: Path
) -> None:
    with serving(tmp_path / "home", libraries=[str(lib)], n_workers=1) as server:
        job = server.client.post("/jobs", json={"kind": "plan", "library_id": "songs"}).json()
        until_progress(server, job["job_id"], "listening")
        with listening_held_up(server):
            server.stop(SIGKILL)
            # Long before its file's time is up.
            until = time.monotonic() + 30
            while worker_pids(server.home) and time.monotonic() < until:
                time.sleep(0.1)
            assert worker_pids(server.home) == []


@contextlib.contextmanager
def listening_held_up(server: Server) -> Iterator[None]:
    """The one job that runs cannot be faster than the server stops.

    Those that listen for it hang, as they do over a file that takes its time.
    """
    if sys.platform == "win32":
        pytest.skip("processes cannot be stopped for a while on Windows")
    (pid,) = worker_pids(server.home)
    stopped = [child for child in children(pid) if stop_process(child)]
    assert stopped
    try:
        yield
    finally:
        for child in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGCONT)


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def stop_process(pid: int) -> bool:
    if sys.platform == "win32":
        pytest.skip("processes cannot be stopped for a while on Windows")
    try:
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return False
    return True


def worker_pids(home: Path) -> list[int]:
    """Processes of jobs that keep their data in `home`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes()
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if b"earmark.web.jobs.process" in command and os.fsencode(home) in environment:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, SIGKILL])
def test_a_restart_takes_up_what_was_running(lib: Path, tmp_path: Path, number: int) -> None:
    given: dict[str, Any] = {"libraries": [str(lib)], "n_workers": 1}
    with serving(tmp_path / "home", **given) as server:
        job = server.client.post("/jobs", json={"kind": "plan", "library_id": "songs"}).json()
        until_progress(server, job["job_id"], "listening", 2)
        with listening_held_up(server):
            server.stop(number)
            until = time.monotonic() + 60
            while worker_pids(server.home) and time.monotonic() < until:
                time.sleep(0.1)
        assert worker_pids(server.home) == []
    with serving(tmp_path / "home", **given) as server:
        ended = server.wait(job["job_id"])
        assert ended["n_starts"] == 2
        assert ended["result"]["counts"]["n_items"] == N_SONGS
        assert len(server.client.get("/plans").json()["plans"]) == 1


def test_writing_that_is_stopped_goes_on_and_is_undone(lib: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in lib.iterdir()}
    # One that takes all sounds for music.
    model = backbones.write(tmp_path / "model")
    given: dict[str, Any] = {"libraries": [str(lib)], "n_workers": 1, "allow_write": True}
    given["model"] = str(model.path)
    with serving(tmp_path / "home", **given) as server:
        plan = {"kind": "plan", "library_id": "songs", "min_confidence": 0}
        plan_id = server.job(plan)["result"]["plan_id"]
        chosen = server.client.post(f"/plans/{plan_id}/choose", json={"choice": "accepted"})
        assert chosen.json()["n_changed"] == N_SONGS
        job = server.client.post(f"/plans/{plan_id}/apply", json={}).json()
        until_progress(server, job["job_id"], "writing")
        server.stop(signal.SIGTERM)
    with Journal(tmp_path / "home") as journal:
        # The file at hand was settled.
        (run,) = journal.runs()
        assert not run.counts.keys() & {"writing", "ready"}, journal.changes(run.run_id)
    with serving(tmp_path / "home", **given) as server:
        ended = server.wait(job["job_id"])
        assert ended["result"]["n_written"] + ended["result"]["n_already"] == N_SONGS
        counts = server.client.get(f"/plans/{plan_id}").json()["counts"]
        assert counts["written"] == N_SONGS
        assert all(path.read_bytes() != data for path, data in before.items())
        runs = server.client.get("/journal/runs").json()["runs"]
        assert sum(run["counts"].get("done", 0) for run in runs) == N_SONGS
        undone = [server.job({}, f"/journal/runs/{run['run_id']}/undo") for run in runs]
        assert {path: path.read_bytes() for path in lib.iterdir()} == before
        assert server.client.get(f"/plans/{plan_id}").json()["counts"]["written"] == 0
    # As if it had been killed before it could say that the last file was undone.
    with contextlib.closing(sqlite3.connect(tmp_path / "home" / "web" / "web.sqlite")) as db, db:
        db.execute("UPDATE jobs SET state = 'running' WHERE job_id = ?", (undone[0]["job_id"],))
        db.execute("UPDATE plan_items SET written = 1")
    with serving(tmp_path / "home", **given) as server:
        again = server.wait(undone[0]["job_id"])
        assert again["result"]["n_written"] == undone[0]["result"]["n_written"] > 0
        assert server.client.get(f"/plans/{plan_id}").json()["counts"]["written"] < N_SONGS


def test_a_job_of_a_library_that_is_not_served_any_more_fails(lib: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "home", libraries=[str(lib)], n_workers=1) as server:
        job = server.client.post("/jobs", json={"kind": "plan", "library_id": "songs"}).json()
        until_progress(server, job["job_id"], "listening")
        with listening_held_up(server):
            server.stop(signal.SIGTERM)
    with serving(tmp_path / "home") as server:
        failed = server.wait(job["job_id"], ("failed",))
        assert failed["error"] == "its library is not served any more"
        assert failed["library_id"] is None


def test_a_stopping_server_finishes_what_it_is_answering(tmp_path: Path) -> None:
    song = write(tmp_path / "a.wav", synth("music", 4.0)).read_bytes()
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
    body = head + song + b"\r\n--x--\r\n"
    request = (
        b"POST /api/v1/classify HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    with serving(tmp_path / "home", n_workers=1) as server:
        with socket.create_connection((server.host, server.port), timeout=60) as s:
            s.sendall(request + body[:100_000])
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(1)
            s.sendall(body[100_000:])
            answer = b""
            while chunk := s.recv(65536):
                answer += chunk
        assert b" 200 " in answer.split(b"\r\n")[0]
        assert b'"proba"' in answer
        assert server.process.wait(60) == 0
        assert not (tmp_path / "home" / "web" / "uploads").exists()


def test_others_on_the_machine_cannot_look_into_what_the_server_keeps(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as server:
        assert stat.S_IMODE((server.home / "web").stat().st_mode) == 0o700
        assert stat.S_IMODE((server.home / "web" / "uploads").stat().st_mode) == 0o700


def test_two_servers_do_not_share_a_data_folder(tmp_path: Path) -> None:
    with serving(tmp_path / "home"):
        env = {**os.environ, "EARMARK_HOME": str(tmp_path / "home")}
        second = subprocess.run(
            [sys.executable, "-c", "from earmark.cli import main; main()", "serve", "--port", "0"],
            env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert second.returncode == 1
        assert "another earmark serve is using" in second.stderr
        assert "Traceback" not in second.stderr


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        yield s.getsockname()[1]


def test_a_port_in_use_is_said_so(busy_port: int, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from earmark.cli import main; main()", "serve", "--port",
         str(busy_port), "--library", str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert f"port {busy_port}" in ran.stderr


def test_watchers_are_bounded(lib: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"libraries": [str(lib)], "bounds": {"n_events": 0}}
    with serving(tmp_path / "home", **given) as server:
        job = server.job({"kind": "scan", "library_id": "songs"})
        answer = server.client.get(f"/jobs/{job['job_id']}/events")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
