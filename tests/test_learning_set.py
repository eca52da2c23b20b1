"""What is said of labelled tracks before anything is learned from them."""

from pathlib import Path

import pytest

from earmark.datasets import read
from earmark.events import Note, run
from earmark.features.store import FeatureStore
from earmark.training.choosing import idle_merges
from earmark.training.learning_set import assemble
from earmark.training.request import LabelRequest
from earmark.types import ListenConfig
from tests.audiofiles import Kind, synth, write
from tests.sessions import resources

KINDS: dict[str, Kind] = {"Jazz": "tone", "Rock": "noise"}


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six tracks of each of two genres, by as many artists, and one of no artist and no genre."""
    root = tmp_path_factory.mktemp("music")
    rows = ["path,genre,artist"]
    for genre, kind in KINDS.items():
        for i in range(6):
            y = synth(kind, 2.0, 22050, 1, seed=i)
            write(root / f"{genre}-{i}.flac", y, 22050, "flac")
            rows.append(f"{genre}-{i}.flac,{genre},{genre} artist {i}")
    write(root / "other.flac", synth("chirp", 2.0, 22050, 1), 22050, "flac")
    rows.append("other.flac,,")
    (root / "labels.csv").write_text("\n".join(rows))
    return root


def notes(music: Path, home: Path, **labels: object) -> list[str]:
    """What `assemble` says."""
    given: dict[str, object] = {
        "source": str(music / "labels.csv"), "min_tracks": 3, "fingerprints": False, **labels
    }  # fmt: skip
    request = LabelRequest(str(music), **given)  # type: ignore[arg-type]
    said: list[str] = []
    with (
        resources(home) as session,
        FeatureStore(home, ListenConfig()) as store,
    ):
        run(
            assemble(request, session, store),
            lambda event: said.append(event.text) if isinstance(event, Note) else None,
        )
    return said


def of_artists(said: list[str]) -> list[str]:
    return [text for text in said if "is not known" in text]


def test_artists_of_tracks_that_are_not_learned_from_do_not_matter(
    music: Path, tmp_path: Path
) -> None:
    assert of_artists(notes(music, tmp_path)) == []


def test_artists_that_are_not_known_are_pointed_out(music: Path, tmp_path: Path) -> None:
    table = music / "some.csv"
    text = (music / "labels.csv").read_text()
    table.write_text(text.replace("Jazz artist 0", "").replace("Rock artist 1", "Various Artists"))
    (said,) = of_artists(notes(music, tmp_path, source=str(table)))
    assert said.startswith("the artist of 2 of 12 tracks is not known: ")


@pytest.mark.parametrize(
    ("merges", "said"),
    [
        ({"Concertos": "Rock"}, ["no track is of Concertos, which --merge or --mapping names"]),
        ({"hip hop": "Jazz", "ROCK": "Jazz", "Polka": "Jazz"}, ["no track is of hip hop, Polka"]),
        ({"Beat": "Jazz", "Jazz": "Swing"}, ["no track is of Beat,"]),
        ({"Rock": "Beat", "Beat": "Rock and Roll"}, []),  # one leads to the other
        ({"Rock": "Rock"}, []),
        (dict.fromkeys("ABCDE", "Rock"), ["no track is of A, B, C and 2 more, which"]),
    ],
)
def test_a_merge_of_what_no_track_is_of_is_pointed_out(
    music: Path, merges: dict[str, str], said: list[str]
) -> None:
    table = read(str(music / "labels.csv"), music).tracks
    found = idle_merges(table, LabelRequest(str(music), merges=merges))
    assert [found[: len(text)] for text in said] == said
    assert bool(found) == bool(said)


def test_merges_of_other_labels_than_genres_are_taken_as_written(music: Path) -> None:
    moods = read(str(music / "labels.csv"), music, field="artist").tracks
    request = LabelRequest(str(music), field="artist", merges={"jazz ARTIST 0": "X", "Y": "X"})
    assert idle_merges(moods, request).startswith("no track is of Y,")


def test_an_idle_merge_is_told_before_anything_is_heard(music: Path, tmp_path: Path) -> None:
    said = notes(music, tmp_path, merges={"Concertos": "Rock"})
    assert said[0] == "no track is of Concertos, which --merge or --mapping names"
