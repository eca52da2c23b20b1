"""The catalogue: what goes in comes out, other processes included, and damage is told."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import LibraryError
from earmark.library import Catalogue, schema
from earmark.types import SliceProbs, Tags, Track

FULL = Tags(
    genres=("(17)Rock", "Pop"),
    artist="Trio",
    album_artist="Various",
    album="Ålbum",
    title="夜曲",
    moods=("calm",),
    groupings=("set", "list"),
    duration_s=12.5,
    container="mp3",
    dialect="ID3v2.3",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "catalogue.sqlite"


@pytest.fixture
def catalogue(path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(path) as opened:
        yield opened


def track(path: str, **values: object) -> Track:
    return dataclasses.replace(Track(path, 10, 20, FULL), **values)  # type: ignore[arg-type]


def paths(catalogue: Catalogue, root: str) -> list[str]:
    return [t.path for t in catalogue.tracks(root)]


def test_tracks_come_back_as_they_went_in(catalogue: Catalogue) -> None:
    odd = os.fsdecode(b"/m/caf\xe9\n.mp3")
    stored = [track("/m/a.mp3"), track(odd, tags=Tags(), error="cannot be read", audio_id="abc")]
    catalogue.upsert_many(stored)
    back = list(catalogue.tracks("/m"))
    assert [dataclasses.replace(t, track_id=0) for t in back] == stored
    assert catalogue.track(odd) == back[1]
    assert catalogue.track("/m/b.mp3") is None


@given(
    genres=st.lists(st.text(st.characters(codec=None), max_size=6), max_size=4),
    title=st.text(st.characters(codec=None), max_size=6),
)
def test_any_genre_survives_and_any_title_is_held(
    tmp_path_factory: pytest.TempPathFactory, genres: list[str], title: str
) -> None:
    with Catalogue.open(tmp_path_factory.getbasetemp() / "any.sqlite") as catalogue:
        catalogue.upsert_many([track("/m/a.mp3", tags=Tags(genres=tuple(genres), title=title))])
        (back,) = catalogue.tracks("/m")
        assert back.tags.genres == tuple(genres)
        assert len(back.tags.title) == len(title)


def test_only_what_is_below_the_root(catalogue: Catalogue) -> None:
    names = ["/m/a/1.mp3", "/m/a b/2.mp3", "/m/a", "/m/a/\xff.mp3", "/m/b/3.mp3", "/m/a0"]
    catalogue.upsert_many(map(track, names))
    assert paths(catalogue, "/m/a") == ["/m/a", "/m/a/1.mp3", "/m/a/\xff.mp3"]
    assert paths(catalogue, "/m/a/") == paths(catalogue, "/m/a/../a") == paths(catalogue, "/m/a")
    assert sorted(paths(catalogue, "/")) == sorted(names)
    assert paths(catalogue, "/m/b/3.mp3") == ["/m/b/3.mp3"]
    assert set(catalogue.stats("/m/a")) == set(paths(catalogue, "/m/a"))
    assert catalogue.summary("/m/a").n_tracks == 3


def test_an_update_keeps_the_number(catalogue: Catalogue) -> None:
    catalogue.upsert_many([track("/m/a.mp3"), track("/m/b.mp3")])
    before = {t.path: t.track_id for t in catalogue.tracks("/m")}
    catalogue.upsert_many([track("/m/a.mp3", size=11, tags=Tags(title="new"))])
    after = {t.path: t for t in catalogue.tracks("/m")}
    assert {p: t.track_id for p, t in after.items()} == before
    assert (after["/m/a.mp3"].size, after["/m/a.mp3"].tags.title) == (11, "new")


def test_numbers_are_never_given_out_again(catalogue: Catalogue) -> None:
    catalogue.upsert_many([track("/m/a.mp3")])
    (first,) = catalogue.tracks("/m")
    catalogue.remove(["/m/a.mp3", "/m/unknown.mp3"])
    catalogue.upsert_many([track("/m/a.mp3")])
    (second,) = catalogue.tracks("/m")
    assert second.track_id > first.track_id


def test_audio_ids_hold_until_the_file_changes(catalogue: Catalogue) -> None:
    catalogue.upsert_many([track("/m/a.mp3")])
    catalogue.set_audio_id("/m/a.mp3", "abc")
    assert catalogue.audio_id("/m/a.mp3", 10, 20) == "abc"
    assert catalogue.audio_id("/m/a.mp3", 10, 21) == ""
    assert catalogue.audio_id("/m/b.mp3", 10, 20) == ""
    catalogue.refresh("/m/a.mp3", 30, 40, Tags(genres=("Jazz",)))  # our own writing
    assert catalogue.audio_id("/m/a.mp3", 30, 40) == "abc"
    (back,) = catalogue.tracks("/m")
    assert (back.tags, back.size, back.mtime_ns) == (Tags(genres=("Jazz",)), 30, 40)
    catalogue.upsert_many([track("/m/a.mp3", mtime_ns=50)])  # anybody's writing
    assert catalogue.audio_id("/m/a.mp3", 10, 50) == ""


def test_a_file_that_could_be_written_is_in_error_no_more(catalogue: Catalogue) -> None:
    catalogue.upsert_many([track("/m/a.mp3", tags=Tags(), error="damaged")])
    catalogue.refresh("/m/a.mp3", 30, 40, FULL)
    assert [(t.error, t.tags) for t in catalogue.tracks("/m")] == [("", FULL)]


def test_slice_probabilities(catalogue: Catalogue) -> None:
    rng = np.random.default_rng(0)
    probs = SliceProbs(rng.random((5, 3), dtype=np.float32), np.arange(5, dtype=np.float32))
    catalogue.put_slice_probs("abc", "m1", probs)
    back = catalogue.slice_probs("abc", "m1")
    assert back is not None
    np.testing.assert_array_equal(back.proba, probs.proba)
    np.testing.assert_array_equal(back.start_s, probs.start_s)
    assert back.proba.dtype == back.start_s.dtype == np.float32
    back.proba[0] = 0  # one's own to change
    assert catalogue.slice_probs("abc", "m2") is None
    assert catalogue.slice_probs("abd", "m1") is None
    catalogue.put_slice_probs("abc", "m1", SliceProbs(probs.proba[:2], probs.start_s[:2]))
    again = catalogue.slice_probs("abc", "m1")
    assert again is not None
    assert again.proba.shape == (2, 3)


def test_summary(catalogue: Catalogue) -> None:
    catalogue.upsert_many(
        [
            track("/m/a.mp3"),
            track("/m/b.mp3"),
            track("/m/c.ogg", tags=Tags(container="ogg")),
            track("/m/d.ogg", tags=Tags(), error="damaged"),
        ]
    )
    summary = catalogue.summary("/m")
    assert (summary.n_tracks, summary.duration_s) == (4, 25.0)
    assert summary.containers == Counter(mp3=2, ogg=1)
    assert summary.genres == Counter({FULL.genres: 2, (): 1})
    assert summary.unreadable == [("/m/d.ogg", "damaged")]


def test_tracks_can_be_changed_while_they_are_read(catalogue: Catalogue) -> None:
    n = 2500  # several pages
    catalogue.upsert_many(track(f"/m/{i:05}.mp3") for i in range(n))
    seen = []
    for each in catalogue.tracks("/m"):
        seen.append(each.path)
        if len(seen) % 500 == 0:
            catalogue.set_audio_id(each.path, "abc")
            catalogue.remove([f"/m/{len(seen) + 10:05}.mp3"])
    assert len(seen) == len(set(seen)) >= n - 5


def test_reading_tracks_takes_little_memory(catalogue: Catalogue) -> None:
    catalogue.upsert_many(track(f"/music/folder/{i:05}.mp3") for i in range(20_000))
    tracemalloc.start()
    assert sum(1 for _ in catalogue.tracks("/music")) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6


def test_a_failing_batch_leaves_nothing(catalogue: Catalogue) -> None:
    def broken() -> Iterator[Track]:
        yield track("/m/a.mp3")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalogue.upsert_many(broken())
    assert paths(catalogue, "/m") == []
    catalogue.upsert_many([track("/m/b.mp3")])
    assert paths(catalogue, "/m") == ["/m/b.mp3"]


READER = """
import sys
from earmark.library import Catalogue
with Catalogue.open(sys.argv[1], read_only=True) as catalogue:
    print(catalogue.slice_probs("abc", "m").proba.shape, len(list(catalogue.tracks("/m"))))
    try:
        catalogue.remove(["/m/a.mp3"])
    except Exception as e:
        print(type(e).__name__)
"""


def test_another_process_reads_while_this_one_writes(catalogue: Catalogue) -> None:
    catalogue.upsert_many([track("/m/a.mp3")])
    probs = SliceProbs(np.ones((4, 2), np.float32), np.zeros(4, np.float32))
    catalogue.put_slice_probs("abc", "m", probs)

    def tracks_while_reading() -> Iterator[Track]:
        yield track("/m/b.mp3")  # from here on the transaction is open
        command = [sys.executable, "-c", READER, str(catalogue.path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.splitlines() == ["(4, 2) 1", "LibraryError"]

    catalogue.upsert_many(tracks_while_reading())
    assert paths(catalogue, "/m") == ["/m/a.mp3", "/m/b.mp3"]


def test_state_outlives_the_process_that_wrote_it(path: Path) -> None:
    with Catalogue.open(path) as first:
        first.upsert_many([track("/m/a.mp3")])
    with Catalogue.open(path) as second:
        assert paths(second, "/m") == ["/m/a.mp3"]


def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"100% ?#&=\xff") / "c.sqlite"
    with Catalogue.open(odd):
        assert odd.exists()


def test_read_only_needs_a_file(path: Path) -> None:
    with pytest.raises(LibraryError, match="cannot be used"):
        Catalogue.open(path, read_only=True)
    assert not path.parent.exists()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_damaged_file_is_told(path: Path, read_only: bool) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all, and long enough for a header" * 40)
    with pytest.raises(LibraryError, match=r"damaged.*move it away and scan again"):
        Catalogue.open(path, read_only=read_only)


def test_damage_further_in_is_told(path: Path) -> None:
    with Catalogue.open(path) as catalogue:
        catalogue.upsert_many(track(f"/m/{i}.mp3") for i in range(3000))
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    path.write_bytes(content)
    with (
        pytest.raises(LibraryError, match=r"damaged.*move it away and scan again"),
        Catalogue.open(path) as catalogue,
    ):
        list(catalogue.tracks("/m"))


def test_a_newer_file_is_told(path: Path) -> None:
    Catalogue.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LibraryError, match=r"newer version.*upgrade"):
        Catalogue.open(path)


def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (name)")
    connection.close()
    with pytest.raises(LibraryError, match="another program"):
        Catalogue.open(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("songs",)]
        assert connection.execute("PRAGMA journal_mode").fetchone() != ("wal",)
    connection.close()


def test_an_older_file_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Catalogue.open(path) as catalogue:
        catalogue.upsert_many([track("/m/a.mp3")])
    newer = (*schema._MIGRATIONS, "ALTER TABLE tracks ADD COLUMN year INTEGER;\n")
    monkeypatch.setattr(schema, "_MIGRATIONS", newer)
    with Catalogue.open(path) as catalogue:
        assert paths(catalogue, "/m") == ["/m/a.mp3"]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(newer),)
        assert connection.execute("SELECT year FROM tracks").fetchall() == [(None,)]
    connection.close()
    monkeypatch.undo()
    with pytest.raises(LibraryError, match="newer version"):
        Catalogue.open(path)


def test_tags_read_before_more_places_were_known_are_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probs = SliceProbs(np.ones((1, 2), np.float32), np.zeros(1, np.float32))
    monkeypatch.setattr(schema, "_MIGRATIONS", schema._MIGRATIONS[:1])
    with Catalogue.open(path) as catalogue:
        catalogue.upsert_many([track("/m/a.mp3")])
        catalogue.put_slice_probs("heard", "model", probs)
        size, mtime_ns = catalogue.stats("/m")["/m/a.mp3"]
    monkeypatch.undo()
    with Catalogue.open(path) as catalogue:
        assert catalogue.stats("/m") == {"/m/a.mp3": (size, -1)}
        assert mtime_ns != -1
        assert catalogue.slice_probs("heard", "model") is not None


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(LibraryError, match="cannot be used"):
        Catalogue.open(tmp_path / "home" / "catalogue.sqlite")
