"""A second teacher for a distilled backbone: what both hear, what is learned, what is kept."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs earmark[train]")
pytest.importorskip("sklearn", reason="needs earmark[head]")
pytest.importorskip("onnx", reason="needs earmark[head]")

from earmark.events import run
from earmark.models import bundle as bundles
from earmark.models.embeddings import EmbeddingStore, TrackEmbeddings
from earmark.models.runtime import Classifier
from earmark.training.learners.second_teacher import _aligned, with_second_teacher
from earmark.training.provenance import known_of
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.recipes.settings import DistilConfig, ImitationConfig
from tests import backbones, foreign
from tests.audiofiles import Kind, synth, write
from tests.cli import Ran, earmark
from tests.sessions import resources

KINDS: dict[str, Kind] = {"Jazz": "tone", "Rock": "noise"}
RECIPE = """
kind = "distilled"
seed = 4  # which measures by one track of each kind
[distil]
n_slices = 24
clip = 2.0
[imitation]
teacher = "{}"
n_excerpts = 2
n_hidden = 16
n_components = 5
epochs = {}
batch_size = 8
dropout = 0.0
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where musicnn has been added, with random weights, and ``bins``, the second teacher, lies."""
    home = tmp_path_factory.mktemp("home")
    foreign.add_musicnn(home)
    backbones.write(home / "bins")
    return home


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``library``: two genres by six artists each; ``more``: twelve tracks; ``one``: one."""
    root = tmp_path_factory.mktemp("music")
    for folder in ("library", "more", "one"):
        (root / folder).mkdir()
    for genre, kind in KINDS.items():
        for i in range(12):
            tags = {"artist": f"{genre} artist {i // 2}", "genre": genre}
            y = synth(kind, 4.0, 16000, 1, seed=i)
            write(root / f"library/{genre}-{i}.flac", y, 16000, "flac", tags)
        for i in range(6):
            y = synth(kind, 8.0, 16000, 1, seed=100 + i) * (0.2 + 0.1 * i)
            write(root / f"more/{kind}-{i}.flac", y.astype(np.float32), 16000, "flac")
    write(root / "one/0.flac", synth("music", 8.0, 16000, 1), 16000, "flac")
    return root


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARMARK_HOME", str(home))


def trained(home: Path, music: Path, out: Path, teacher: str = "", epochs: int = 60) -> Ran:
    recipe = out.with_suffix(".toml")
    recipe.write_text(RECIPE.format(teacher or home / "bins", epochs))
    return earmark(
        *("train", music / "library", "-r", recipe, "--unlabelled", music / "more"),
        *("--out", out, "--workers", "1", "--no-fingerprints"),
    )


@pytest.fixture(scope="module")
def first(home: Path, music: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    out = tmp_path_factory.mktemp("models") / "two-teachers"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_HOME", str(home))
        return out, trained(home, music, out)


def test_its_features_stand_behind_the_first_teachers(
    first: tuple[Path, Ran], home: Path, music: Path
) -> None:
    out, ran = first
    assert ran.code == 0, ran.err
    assert "learned from bins on " in ran.err
    made = bundles.load(out.with_name("two-teachers-run") / "backbone")
    distilled, facts = (made.meta.training[name] for name in ("distilled", "imitation"))
    # Two tracks of twelve are measured by, each in two stretches of one slice.
    assert (facts["n_tracks"], facts["n_slices"], facts["n_compared_slices"]) == (10, 20, 4)
    assert facts["teacher"] == str(home / "bins")
    assert made.meta.data["second_teacher"]["licence"] == "CC0"
    assert "Permission to use" in bundles.texts(out)[bundles.LICENCE_NAME]
    X = np.random.default_rng(0).integers(0, 256, (3, 96, 187), dtype=np.uint8)
    embeddings = Classifier(made).embeddings(X)
    added = embeddings[:, distilled["n_features"] :]
    assert added.shape == (3, 5)
    assert np.abs(embeddings).max() <= 2.0
    # Some lie beyond what noise, unlike any music, is cut off at.
    assert added.std(axis=0).max() > 0
    (before,) = (
        bundles.load(folder)
        for folder in (home / "distilled").iterdir()
        if "imitation" not in bundles.load(folder).meta.training
    )
    np.testing.assert_array_equal(Classifier(before).embeddings(X), embeddings[:, :-5])
    np.testing.assert_array_equal(Classifier(bundles.load(out)).embeddings(X), embeddings)


def test_it_is_not_learned_from_twice(
    first: tuple[Path, Ran], home: Path, music: Path, tmp_path: Path
) -> None:
    ran = trained(home, music, tmp_path / "again")
    assert ran.code == 0, ran.err
    assert "the backbone has learned from bins before" in ran.err
    old, new = (
        bundles.load(folder / "backbone").model_id
        for folder in (first[0].with_name("two-teachers-run"), tmp_path / "again-run")
    )
    assert old == new


@pytest.mark.parametrize(
    ("own", "head", "theirs", "is_known"),
    [
        ("own", None, "theirs", True),
        ("own", "head", "theirs", True),
        ("own", None, None, False),
        (None, None, "theirs", False),
    ],
)
def test_the_music_that_the_teacher_has_learned_from_is_the_backbones_too(
    music: Path,
    tmp_path: Path,
    own: str | None,
    head: str | None,
    theirs: str | None,
    is_known: bool,
) -> None:
    def learned(name: str) -> dict[str, str]:
        return {"tracks": f"all {name}", "groups": f"artist-{name}"}

    backbone = backbones.write(tmp_path / "backbone", learned(own) if own else None)
    data: dict[str, object] = {"learned": learned(theirs)} if theirs else {}
    if head and theirs:  # what that has learned from is in no embedding
        data = {"learned": learned(head), "backbone_learned": learned(theirs)}
    like = backbones.write(tmp_path / "teacher")
    meta = dataclasses.replace(like.meta, temperature=2.0, data=data)  # another model
    teacher = bundles.write(like.path, meta, like.network.read_bytes())
    recipe = TrainingRecipe(
        distil=DistilConfig(clip=2.0),
        imitation=ImitationConfig(
            "x", n_excerpts=2, n_hidden=16, n_components=2, epochs=60, batch_size=8, dropout=0.0
        ),
        seed=4,
    )
    paths = sorted(map(str, (music / "more").iterdir()))
    with resources(tmp_path) as session:
        made = run(with_second_teacher(recipe, backbone, teacher, paths, session))
    known = known_of(made)
    names = {name for name in (own, theirs) if name}
    assert known.tracks == {"all"} | names
    assert known.groups == {f"artist-{name}" for name in names}
    assert known.is_all == is_known


def test_a_teacher_that_is_not_there_is_missed_before_anything_is_heard(
    home: Path, music: Path, tmp_path: Path
) -> None:
    ran = trained(home, music, tmp_path / "out", teacher="mn04")
    assert ran.code == 1
    assert "the second teacher mn04 is not here yet" in ran.err
    assert "earmark models add mn04" in ran.err
    assert not (tmp_path / "out").exists()


def test_a_teacher_of_whom_next_to_nothing_is_learned_is_refused(
    first: tuple[Path, Ran], home: Path, music: Path, tmp_path: Path
) -> None:
    learned = bundles.load(first[0].with_name("two-teachers-run") / "backbone").meta.training
    assert learned["imitation"]["r2"] >= 0.1
    made = sorted((home / "distilled").iterdir())
    ran = trained(home, music, tmp_path / "out", epochs=1)
    assert ran.code == 1
    assert "of the variance of the second teacher's embedding is told, 10% is the least" in ran.err
    assert "give more music, of more kinds, by --unlabelled" in ran.err
    assert not (tmp_path / "out").exists()
    assert sorted((home / "distilled").iterdir()) == made


def test_slices_are_learned_beside_those_that_start_nearest(tmp_path: Path) -> None:
    """Of tracks that both can answer about."""
    backbone, rng = backbones.write(tmp_path / "bins"), np.random.default_rng(0)

    def stored(folder: str, tracks: dict[str, list[float]], broken: str) -> EmbeddingStore:
        store = EmbeddingStore(tmp_path / folder, backbone)
        for name, starts in tracks.items():
            rows = rng.normal(size=(len(starts), 4)).astype(np.float32)
            if name == broken:
                rows[:] = np.nan
            traits = np.zeros((len(starts), 3), np.float32)
            store.add(TrackEmbeddings(rows, traits, np.array(starts, np.float32), name))
        store.flush()
        return store

    three, two = [0.0, 3.0, 6.0], [0.5, 5.0]
    with (
        stored("mine", {"a": three, "b": three, "c": three, "d": three}, broken="b") as mine,
        stored("theirs", {"a": two, "b": two, "c": two}, broken="c") as theirs,
    ):
        ((own, other),) = _aligned(mine, theirs, ["a", "b", "c", "d"])
        assert [rows.tolist() for rows in (own, other)] == [
            mine.locate(["a"])[0].tolist(),
            theirs.locate(["a"])[0][[0, 1, 1]].tolist(),
        ]
