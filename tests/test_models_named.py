"""Models by name: added, fetched, found, removed."""

import dataclasses
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="needs earmark[head]")

from earmark.errors import BundleError, ConfigError
from earmark.events import Event, Progress, run
from earmark.models import bundle as bundles
from earmark.models import catalog
from earmark.models.foreign.sources import SOURCES, Source
from earmark.workflows import models
from tests import backbones, foreign
from tests.audiofiles import synth, write
from tests.cli import earmark


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    return foreign.musicnn_wheel(folder / "musicnn.whl", foreign.musicnn_variables())


@pytest.fixture
def published(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """musicnn, as a server on this machine publishes it."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(wheel.parent))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        source = dataclasses.replace(
            SOURCES["musicnn"],
            url=f"http://127.0.0.1:{server.server_port}/{wheel.name}",
            sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
            n_bytes=wheel.stat().st_size,
        )
        monkeypatch.setitem(SOURCES, "musicnn", source)
        yield source
        server.shutdown()
        thread.join()


def leftovers(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "models").glob("*"))


# --- adding ------------------------------------------------------------------------------------


def test_a_model_is_fetched_checked_and_converted(published: Source, tmp_path: Path) -> None:
    events: list[Event] = []
    bundle = run(models.add("musicnn", tmp_path), events.append)
    assert events[-1] == Progress(
        f"fetching {published.file}", published.n_bytes, published.n_bytes
    )
    assert bundle.path == catalog.folder_of("musicnn", tmp_path)
    assert (bundle.meta.name, bundle.meta.licence) == ("musicnn", "ISC")
    assert bundles.texts(bundle.path)["LICENSE"].startswith("Copyright")
    assert "LICENSE" in (bundle.path / "SHA256SUMS").read_text()
    assert leftovers(tmp_path) == ["musicnn"]
    again = run(models.add("musicnn", tmp_path))  # in its place
    assert again.model_id == bundle.model_id


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sha256": 64 * "0"}, "is not the file that this version knows"),
        ({"n_bytes": 1000}, "is longer than the 1000 bytes"),
        ({"url": "http://127.0.0.1:1/none"}, "cannot be fetched"),
    ],
)
def test_another_file_than_the_one_known_is_refused(
    published: Source,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    change: dict[str, str | int],
    why: str,
) -> None:
    monkeypatch.setitem(SOURCES, "musicnn", dataclasses.replace(published, **change))  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=why):
        run(models.add("musicnn", tmp_path))
    assert leftovers(tmp_path) == []


def test_a_file_at_hand_is_taken_and_checked_too(
    published: Source, wheel: Path, tmp_path: Path
) -> None:
    assert run(models.add("musicnn", tmp_path, wheel)).meta.licence == "ISC"
    other = tmp_path / "other.whl"
    other.write_bytes(wheel.read_bytes() + b"more")
    with pytest.raises(BundleError, match="is not the file"):
        run(models.add("musicnn", tmp_path, other))


def test_a_model_is_replaced_by_no_other(published: Source, wheel: Path, tmp_path: Path) -> None:
    own = backbones.write(tmp_path / "own")
    other = dataclasses.replace(own.meta, temperature=2.0)
    bundles.write(tmp_path / "other", other, own.network.read_bytes())
    for name in ("mine", "musicnn"):
        run(models.add(name, tmp_path, own.path))
        with pytest.raises(ConfigError, match=f"`earmark models remove {name}` first"):
            run(models.add(name, tmp_path, tmp_path / "other"))
        (catalog.folder_of(name, tmp_path) / "model.onnx").write_bytes(b"damaged")
        run(models.add(name, tmp_path, own.path))  # the same again, which mends it
        assert bundles.load(catalog.folder_of(name, tmp_path)).model_id == own.model_id
    with pytest.raises(ConfigError, match="another model is called musicnn"):
        run(models.add("musicnn", tmp_path, wheel))
    assert leftovers(tmp_path) == ["mine", "musicnn"]


def test_what_has_to_be_fetched_by_hand_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"by hand.*mn04_as_mAP_432\.pt"):
        run(models.add("mn04", tmp_path))


# --- finding -----------------------------------------------------------------------------------


def test_a_folder_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert catalog.find("mine", home) == Path("mine")  # neither: for others to complain about
    own = backbones.write(tmp_path / "own")
    run(models.add("mine", home, own.path))
    assert catalog.find("mine", home) == home / "models" / "mine"
    (here / "mine").mkdir()
    assert catalog.find("mine", home) == home / "models" / "mine"
    backbones.write(here / "mine")
    assert catalog.find("mine", home) == Path("mine")
    assert catalog.find(str(own.path), home) == own.path


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_known_model_that_was_not_added_is_told_from_one_that_there_is_not(
    name: str, tmp_path: Path
) -> None:
    verbs = (
        ("classify", tmp_path, "--model", name),
        ("audit", tmp_path, "--model", name),
        ("evaluate", name, tmp_path),
        ("evaluate", name, tmp_path, "--cv", "2"),
        ("train", tmp_path, "--recipe", "head", "--backbone", name, "--out", tmp_path / "out"),
    )
    for verb in verbs:
        ran = earmark(*verb)
        assert ran.code == 1
        assert f"add it first: `earmark models add {name}`" in ran.err, verb


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "-x", "a b"])
def test_what_is_no_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no name"):
        catalog.folder_of(name, tmp_path)


# --- the command line --------------------------------------------------------------------------


def test_a_named_model_is_listed_used_and_removed(earmark_home: Path, tmp_path: Path) -> None:
    before = earmark("models", "list").out
    assert "ear " in before  # comes with the package
    assert "mine" not in before
    own = backbones.write(tmp_path / "own")
    added = earmark("models", "add", "mine", "--from", own.path)
    assert (added.code, "licence: CC0" in added.out) == (0, True)
    listed = earmark("models", "list").out
    assert "mine" in listed
    assert "musicnn" in listed  # to be had
    song = tmp_path / "song.flac"
    write(song, synth("music", 7.0, 22050, 1), 22050, "flac")
    asked = earmark("classify", "--json", "--model", "mine", song)
    assert json.loads(asked.out)["model"]["labels"] == list(backbones.LABELS), asked.err
    assert earmark("models", "remove", "mine").code == 0
    assert leftovers(earmark_home) == []
    gone = earmark("models", "remove", "mine")
    assert (gone.code, "no model called mine" in gone.err) == (2, True)
    kept = earmark("models", "remove", catalog.SHIPPED)
    assert kept.code == 2
    assert kept.err == "earmark: ear comes with Earmark and cannot be removed\n"


def test_a_damaged_model_is_listed_with_the_reason(earmark_home: Path, tmp_path: Path) -> None:
    own = backbones.write(tmp_path / "own")
    assert earmark("models", "add", "mine", "--from", own.path).code == 0
    (earmark_home / "models" / "mine" / "model.onnx").write_bytes(b"other")
    # The table breaks lines where it is narrow.
    assert "checksum" in earmark("models", "list").out
    assert earmark("models", "remove", "mine").code == 0


def test_a_folder_with_other_things_in_it_is_neither_deleted_nor_replaced(tmp_path: Path) -> None:
    bundle = run(models.add("mine", tmp_path, backbones.write(tmp_path / "own").path))
    (bundle.path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"notes\.txt") as refused:
        catalog.remove("mine", tmp_path)
    assert refused.value.hint.startswith("move what else is there away")
    with pytest.raises(BundleError, match=r"notes\.txt") as refused:
        run(models.add("mine", tmp_path, tmp_path / "own"))
    assert refused.value.hint == f"move {bundle.path} away"
    assert (bundle.path / "notes.txt").exists()


def test_a_head_learns_on_a_backbone_by_name(earmark_home: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs earmark[head]")
    assert (
        earmark("models", "add", "bins", "--from", backbones.write(tmp_path / "b").path).code == 0
    )
    music = tmp_path / "music"
    music.mkdir()
    for genre, kind in {"Rock": "noise", "Folk": "music"}.items():
        for i in range(9):
            tags = {"genre": genre, "artist": f"{genre} {i // 2}"}
            y = synth(kind, 3.5, 22050, 1, seed=i)  # type: ignore[arg-type]
            write(music / f"{genre}{i}.flac", y, 22050, "flac", tags)
    out = tmp_path / "model"
    done = earmark(
        *("train", music, "--recipe", "head", "--backbone", "bins", "--min-tracks", "5"),
        *("--no-fingerprints", "--out", out),
    )
    assert done.code == 0, done.err
    assert json.loads((out / "model.json").read_text())["training"]["backbone"]["name"] == "bins"
