"""Workers: a file that crashes or hangs its decoder costs one worker, not the run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from earmark.errors import AudioError, BundleError, EarmarkError, FileError
from earmark.pool import Workers

_prefix = ""


def start(prefix: str) -> None:
    global _prefix
    _prefix = prefix


def fail(how: str) -> None:
    if how == "refused":
        raise BundleError("the model is broken", "get another")
    if how == "bug":
        raise ZeroDivisionError("oops")
    os._exit(7)


def work(path: str) -> str:
    name = Path(path).name
    if name == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "hang":
        time.sleep(60)
    if name == "bad":
        raise AudioError(path, "it is bad", "make it better")
    if name == "bug":
        raise ZeroDivisionError("oops")
    return f"{_prefix}{name} in {os.getpid()}"


def run(paths: list[str], n_workers: int = 2, time_limit_s: float = 20) -> dict[str, object]:
    with Workers(n_workers, time_limit_s=time_limit_s) as workers:
        return dict(workers.map(work, paths, initializer=start, initargs=("heard ",)))


def test_every_file_is_worked_on_once_in_other_processes() -> None:
    paths = [f"/music/{i}" for i in range(20)]
    outcomes = run(paths)
    assert sorted(outcomes) == sorted(paths)
    assert all(str(outcomes[p]).startswith(f"heard {Path(p).name} in ") for p in paths)
    assert str(os.getpid()) not in {str(o).rpartition(" ")[2] for o in outcomes.values()}


def test_crash_hang_and_error_are_reported_and_the_rest_goes_on() -> None:
    good = [f"/music/{i}" for i in range(6)]
    outcomes = run(
        [*good[:3], "/music/crash", "/music/hang", "/music/bad", "/music/bug", *good[3:]],
        time_limit_s=3,
    )
    reasons = {
        Path(path).name: outcome.reason
        for path, outcome in outcomes.items()
        if isinstance(outcome, FileError)
    }
    assert reasons == {
        "crash": "the decoder crashed on it (exit code -11)",
        "hang": "took longer than 3 s and was given up",
        "bad": "it is bad",
        "bug": "unexpected ZeroDivisionError: oops",
    }
    assert all(str(outcomes[path]).startswith("heard") for path in good)


def test_paths_are_drawn_as_workers_get_free() -> None:
    n_drawn = 0

    def endless() -> object:
        nonlocal n_drawn
        while True:
            n_drawn += 1
            yield f"/music/{n_drawn}"

    outcomes = Workers(1, time_limit_s=20).map(work, endless())  # type: ignore[arg-type]
    for _ in range(5):
        next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert n_drawn < 20


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("refused", r"the model is broken \(get another\)"),
        ("bug", "a worker cannot get ready: ZeroDivisionError: oops"),
        ("gone", "the worker processes cannot be started, or end at once"),
    ],
)
def test_workers_that_cannot_get_ready_are_no_files_fault(how: str, reason: str) -> None:
    paths = [f"/music/{i}" for i in range(20)]
    with pytest.raises(EarmarkError, match=reason) as caught:
        list(Workers(2, time_limit_s=20).map(work, paths, initializer=fail, initargs=(how,)))
    assert isinstance(caught.value, BundleError) == (how == "refused")


ENDED_EARLY = """
import os, subprocess
from earmark.pool import Workers
from tests.test_pool import work
for i in range(16):
    soon = f"sleep {0.03 + 0.0125 * i}; kill -INT {os.getpid()}"
    try:
        with subprocess.Popen(["sh", "-c", soon], start_new_session=True):
            list(Workers(3, time_limit_s=20).map(work, ["/music/hang"] * 6))
    except KeyboardInterrupt:
        pass
"""


def test_workers_that_are_ended_while_they_start_do_not_complain() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", ENDED_EARLY], capture_output=True, check=False, timeout=120
    )
    assert (ran.returncode, ran.stderr.decode()) == (0, "")


INTERRUPTED = """
from earmark.pool import Workers
from tests.test_pool import work
print("go", flush=True)
try:
    list(Workers(2, time_limit_s=20).map(work, ["/music/hang", "/music/hang"]))
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("delay_s", [0.02, 0.1, 0.3])
def test_ctrl_c_while_workers_start_reaches_the_parent_alone(delay_s: float) -> None:
    if sys.platform == "win32":
        pytest.skip("a group of processes gets no Ctrl-C of its own on Windows")
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"go\n"
        time.sleep(delay_s)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (out, err.decode()) == (b"interrupted\n", "")


def pids(outcomes: Mapping[str, object]) -> set[str]:
    return {str(outcome).rpartition(" ")[2] for outcome in outcomes.values()}


def test_workers_stay_for_the_next_call_that_needs_them_ready_in_the_same_way() -> None:
    paths = [f"/music/{i}" for i in range(4)]
    with Workers(1, time_limit_s=20) as workers:
        first = pids(dict(workers.map(work, paths, initializer=start, initargs=("a ",))))
        again = pids(dict(workers.map(work, paths, initializer=start, initargs=("a ",))))
        other = dict(workers.map(work, paths, initializer=start, initargs=("b ",)))
    assert again == first
    assert len(first) == 1
    assert first.isdisjoint(pids(other))
    assert all(str(outcome).startswith("b ") for outcome in other.values())


def test_a_call_within_another_and_one_after_a_broken_off_one_get_workers_of_their_own() -> None:
    paths = [f"/music/{i}" for i in range(4)]
    with Workers(1, time_limit_s=20) as workers:
        outer = workers.map(work, paths)
        next(outer)
        inner = dict(workers.map(work, paths))
        outer.close()  # type: ignore[attr-defined]
        after = dict(workers.map(work, paths))
    assert len(inner) == len(after) == 4
    assert not any(isinstance(outcome, FileError) for outcome in (inner | after).values())
