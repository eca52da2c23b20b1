"""`earmark.Session`: many files, a library, training; in worker processes, with a home."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs earmark[head]")
pytest.importorskip("onnx", reason="needs earmark[head]")

import earmark
from earmark.errors import BundleError, ConfigError, DataError, EarmarkError, LibraryError
from earmark.events import Event, Progress
from earmark.models import bundle as bundles
from earmark.tags import Journal
from tests import backbones
from tests.audiofiles import synth, write
from tests.cli import earmark as command_line
from tests.systems import SIGKILL

ROOT = Path(__file__).parents[1]
GENRES = {"Rock": "noise", "Classical": "music"}


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve tracks of each of two genres, by six artists; two without a genre; one broken."""
    root = tmp_path_factory.mktemp("library")
    for genre, kind in GENRES.items():
        for i in range(12):
            y = synth(kind, 4.0, 22050, 1, seed=i)  # type: ignore[arg-type]
            tags = {"genre": genre, "artist": f"{genre} artist {i // 2}", "title": str(i)}
            write(root / f"{genre}{i}.flac", y, 22050, "flac", tags)
    for kind in GENRES.values():
        y = synth(kind, 4.0, 22050, 1, seed=99)  # type: ignore[arg-type]
        write(root / f"blank {kind}.mp3", y, 22050, "mp3", {"artist": "nobody", "title": kind})
    (root / "broken.mp3").write_bytes(b"this is no music" * 100)
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a backbone that tells music from noises as soon as a head has learned to."""
    home = tmp_path_factory.mktemp("home")
    backbones.write(home / "models" / "bins")
    recipe = 'kind = "head"\n[head]\nbackbone = "bins"\n'
    (home / "head.toml").write_text(recipe)
    return home


@pytest.fixture
def session(home: Path) -> Iterator[earmark.Session]:
    with earmark.Session(home, workers=2, time_limit_s=60) as opened:
        yield opened


@pytest.fixture(scope="module")
def model(music: Path, home: Path) -> earmark.Model:
    with earmark.Session(home, workers=1) as session:
        made = session.train(music, home / "mine", recipe=str(home / "head.toml"), min_tracks=5)
    return made.model


def multiprocessing_children() -> set[int]:
    """Processes that this one has started and that are still there."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True)
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    mine = [row for row in rows if row[1] == str(os.getpid())]
    return {int(row[0]) for row in mine if "multiprocessing.spawn" in row[2]}


def digests(root: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in root.iterdir()}


# --- listening ------------------------------------------------------------------------------------


def test_results_come_as_they_are_ready_and_files_that_fail_are_among_them(
    session: earmark.Session, model: earmark.Model, music: Path
) -> None:
    stream = session.classify(music, model)
    first = next(stream)
    found = {Path(r.path).name: r for r in (first, *stream)}
    assert len(found) == 27
    assert "broken.mp3" in found
    assert found["broken.mp3"].error
    assert found["broken.mp3"].genre is None
    right = [found[f"{genre}{i}.flac"].proba[genre] > 0.5 for genre in GENRES for i in range(12)]
    assert all(right)
    one = session.classify([music / "Rock1.flac", str(music / "gone.mp3")], model)
    assert [bool(result.error) for result in sorted(one, key=lambda r: r.path)] == [False, True]


def test_a_session_says_what_a_single_call_and_the_command_line_say(
    session: earmark.Session, model: earmark.Model, music: Path
) -> None:
    path = music / "Classical3.flac"
    (result,) = session.classify(path, model)
    assert result == model.classify(path)
    (doubting,) = session.classify(path, "bins", min_confidence=1.0)
    assert doubting.genre is None
    assert doubting.rejected


def test_embeddings_of_many_files_say_which_could_not_be_heard(
    session: earmark.Session, model: earmark.Model, music: Path
) -> None:
    paths = [music / "Rock1.flac", music / "broken.mp3", music / "Classical1.flac"]
    data = session.embed(paths, model)
    assert data.paths == [str(paths[0]), str(paths[2])]
    assert list(data.errors) == [str(paths[1])]
    assert pytest.approx(np.stack([model.embed(p) for p in (paths[0], paths[2])])) == data.X
    nothing = session.embed([music / "broken.mp3"], model)
    assert (nothing.paths, len(nothing.X)) == ([], 0)


def test_progress_is_told_to_whoever_asks(home: Path, model: earmark.Model, music: Path) -> None:
    events: list[Event] = []
    with earmark.Session(home, workers=1, progress=events.append) as session:
        list(session.classify(music / "Rock1.flac", model, remember=False))
    told = [(e.stage, e.done, e.total) for e in events if isinstance(e, Progress)]
    assert told == [("listening", 0, 1), ("listening", 1, 1)]


def test_nothing_is_printed(
    home: Path, model: earmark.Model, music: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with earmark.Session(home, workers=1, progress=True) as session:
        list(session.classify([music / "Rock1.flac", music / "broken.mp3"], model))
        session.scan(music)
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_dies_while_idle_is_replaced(
    home: Path, model: earmark.Model, music: Path
) -> None:
    others = multiprocessing_children()  # of tests before this one
    with earmark.Session(home, workers=1) as session:
        list(session.classify(music / "Rock1.flac", model, remember=False))
        (worker,) = multiprocessing_children() - others
        os.kill(worker, SIGKILL)
        time.sleep(0.5)
        (result,) = session.classify(music / "Rock1.flac", model, remember=False)
    assert result.error == ""


@pytest.mark.parametrize(
    "limits",
    [
        {"workers": 0},
        {"time_limit_s": 0},
        {"time_limit_s": float("nan")},
        {"workers": "2"},
        {"workers": 1.5},
    ],
)
def test_limits_that_make_no_sense_are_refused(home: Path, limits: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        earmark.Session(home, **limits)  # type: ignore[arg-type]


def test_a_model_that_was_replaced_embeds_anew(home: Path, music: Path, tmp_path: Path) -> None:
    old = backbones.write(tmp_path / "model")
    song = music / "Rock1.flac"
    with earmark.Session(home, workers=1) as session:
        first = session.embed(song, old.path)
        other = dataclasses.replace(old.meta, listen=backbones.LISTEN, temperature=2.0)
        network = backbones.network(full=100)
        new = bundles.write(old.path, other, network)
        again = session.embed(song, new.path)
        assert pytest.approx(earmark.load_model(new.path).embed(song)[None]) == again.X
    assert first.X.shape == again.X.shape


def test_a_closed_session_says_so_and_leaves_no_workers(
    home: Path, model: earmark.Model, music: Path
) -> None:
    others = multiprocessing_children()  # of tests before this one
    session = earmark.Session(home, workers=1)
    stream = session.classify(music, model, remember=False)
    next(stream)
    ours = multiprocessing_children() - others
    assert ours
    session.close()
    with pytest.raises(EarmarkError):
        list(stream)
    assert not ours & multiprocessing_children()
    with pytest.raises(LibraryError, match="this session is closed"):
        session.scan(music)


def test_a_session_of_another_thread_is_refused_in_words(home: Path, music: Path) -> None:
    with earmark.Session(home, workers=1) as session, ThreadPoolExecutor(1) as thread:
        session.scan(music)
        with pytest.raises(LibraryError, match="opened by another thread"):
            thread.submit(session.scan, music).result()


# --- tagging --------------------------------------------------------------------------------------


def test_plan_apply_and_undo_are_those_of_the_command_line(
    home: Path, model: earmark.Model, music: Path, tmp_path: Path
) -> None:
    before = digests(music)
    with earmark.Session(home, workers=1) as session:
        plan = session.plan(music, model, min_confidence=0.0)
        counts = plan.counts()
        assert (counts["fill"], counts["keep"], counts["error"]) == (2, 24, 1)
        plan.to_csv(tmp_path / "plan.csv")
        with (tmp_path / "plan.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == 3  # those that are not to stay as they are
        assert digests(music) == before
        run = session.apply(session.read_plan(music, tmp_path / "plan.csv"))
        assert (run.n_written, run.skipped) == (2, ())
        after = digests(music)
        assert {name for name in after if after[name] != before[name]} == {
            "blank noise.mp3",
            "blank music.mp3",
        }
        assert session.runs()[0].run_id == run.run_id
        assert session.scan(music).n_missing_genre == 0
        undone = session.undo(run)
        assert undone.n_written == 2
        assert digests(music) == before
        with pytest.raises(LibraryError, match="nothing to undo"):
            session.undo(run.run_id)


def test_a_run_of_another_home_is_not_undone_by_its_number(
    home: Path, model: earmark.Model, music: Path, tmp_path: Path
) -> None:
    before = digests(music)
    with earmark.Session(home, workers=1) as session, earmark.Session(tmp_path) as other:
        run = session.apply(session.plan(music, model, min_confidence=0.0))
        with pytest.raises(LibraryError, match="is of the journal"):
            other.undo(run)
        session.undo(run)
    assert digests(music) == before


def test_a_mode_that_there_is_not_is_refused(session: earmark.Session, music: Path) -> None:
    with pytest.raises(ConfigError, match="there is no mode 'overwite'"):
        session.plan(music, mode="overwite")  # type: ignore[arg-type]


def test_no_home_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EARMARK_HOME", str(tmp_path / "own"))
    with earmark.Session("") as session:
        assert session.home == tmp_path / "own"


def test_two_do_not_tag_at_once(home: Path, model: earmark.Model, music: Path) -> None:
    before = digests(music)
    with earmark.Session(home, workers=1) as session, Journal(home) as other:
        plan = session.plan(music, model, min_confidence=0.0)
        other.new_run()
        with pytest.raises(LibraryError, match="another earmark is writing tags"):
            session.apply(plan)
    assert digests(music) == before


# --- learning -------------------------------------------------------------------------------------


def test_a_training_gives_model_scores_and_confusion(
    session: earmark.Session, model: earmark.Model, music: Path, home: Path, tmp_path: Path
) -> None:
    recipe = str(home / "head.toml")
    report = session.train(music, tmp_path / "my-model", recipe=recipe, min_tracks=5, seed=3)
    assert report.model.labels == ("Classical", "Rock")
    assert report.scores["accuracy"] == 1.0
    assert report.confusion.shape == (2, 3)
    assert report.confusion.sum() == report.scores["n_tracks"]
    assert (report.run_dir / "recipe.toml").is_file()
    assert earmark.load_model(tmp_path / "my-model").labels == report.model.labels


def test_no_model_is_replaced_without_a_word(
    session: earmark.Session, music: Path, home: Path, tmp_path: Path
) -> None:
    recipe = str(home / "head.toml")
    out = tmp_path / "model"
    first = session.train(music, out, recipe=recipe, min_tracks=5, seed=1).model
    same = session.train(music, out, recipe=recipe, min_tracks=5, seed=1).model
    assert same.bundle.model_id == first.bundle.model_id
    with pytest.raises(BundleError, match="holds another model"):
        session.train(music, out, recipe=recipe, min_tracks=5, seed=2)
    session.train(music, out, recipe=recipe, min_tracks=5, seed=2, replace=True)


def test_a_model_is_measured_on_what_it_has_not_learned(
    session: earmark.Session, model: earmark.Model, music: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError):
        session.evaluate(model, music / "Rock1.flac")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    for genre, kind in GENRES.items():
        for i in range(3):
            y = synth(kind, 4.0, 22050, 1, seed=50 + i)  # type: ignore[arg-type]
            tags = {"genre": genre, "artist": f"new {genre} {i}"}
            write(fresh / f"{genre}{i}.flac", y, 22050, "flac", tags)
    found = session.evaluate(model, fresh)
    assert found.n_tracks == 6
    assert found.track["accuracy"].value == 1.0


# --- scripts --------------------------------------------------------------------------------------

UNGUARDED = """
import sys
import earmark
with earmark.Session({home!r}, workers=1) as session:
    print(len(list(session.classify({song!r}, remember=False))))
"""


def ran(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(text)
    command = [sys.executable, str(script)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_script_without_a_guard_is_told_so_in_one_line(tmp_path: Path, music: Path) -> None:
    names = {"home": str(tmp_path / "home"), "song": str(music / "Rock1.flac")}
    done = ran(tmp_path, UNGUARDED.format(**names))
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert 'put what it does behind if __name__ == "__main__":' in last
    assert done.stderr.count("Traceback") == 1
    assert len(done.stderr.splitlines()) < 40
    guarded = 'if __name__ == "__main__":\n' + "\n".join(
        f"    {line}" for line in UNGUARDED.format(**names).splitlines()
    )
    done = ran(tmp_path, guarded)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


GO = "list(__import__('earmark').Session({home!r}, workers=1).classify({song!r}))"
GUARDED = {
    "a name for it": "main = __name__ == '__main__'\nif main:\n    " + GO,
    "within a try": "try:\n    if __name__ == '__main__':\n        " + GO + "\nfinally:\n    pass",
    "a function": "def go():\n    " + GO + "\nif __name__ in ('__main__',):\n    go()",
}


@pytest.mark.parametrize("how", GUARDED)
def test_guards_of_all_kinds_are_known(tmp_path: Path, music: Path, how: str) -> None:
    text = GUARDED[how].format(home=str(tmp_path / "home"), song=str(music / "Rock1.flac"))
    done = ran(tmp_path, text)
    assert (done.returncode, done.stderr) == (0, "")


def test_leaving_early_is_no_guard(tmp_path: Path, music: Path) -> None:
    text = GO.format(home=str(tmp_path / "home"), song=str(music / "Rock1.flac"))
    done = ran(tmp_path, f"if __name__ != '__main__':\n    raise SystemExit\n{text}\n")
    assert "put what it does behind" in done.stderr.splitlines()[-1]


def test_a_program_from_standard_input_is_refused_in_words(tmp_path: Path, music: Path) -> None:
    text = GO.format(home=str(tmp_path / "home"), song=str(music / "Rock1.flac"))
    command = [sys.executable, "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert "save it as a file, and run that" in done.stderr.splitlines()[-1]


def test_a_single_file_needs_no_guard(tmp_path: Path) -> None:
    song = ROOT / "examples" / "music" / "Beating That Thing.mp3"
    done = ran(tmp_path, f"import earmark\nprint(earmark.classify({str(song)!r}).n_slices)\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 0


def test_what_a_session_heard_the_command_line_knows(
    home: Path, model: earmark.Model, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARMARK_HOME", str(home))
    with earmark.Session(workers=1) as session:
        assert session.home == home
        list(session.classify(music / "Rock2.flac", model))
    os.utime(music / "Rock2.flac")
    said = command_line("classify", "--model", home / "mine", music / "Rock2.flac")
    assert said.code == 0, said.err


def test_errors_of_earmark_are_one_family() -> None:
    for name in ("AudioError", "TagError", "LibraryError", "DataError", "BundleError"):
        assert issubclass(getattr(earmark.errors, name), EarmarkError)
