"""The choice of one label a track, and the merges that a person asks for."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import ConfigError
from earmark.genres.labels import choose_labels
from earmark.genres.merges import parse_merges, read_merges, resolve_merges

Values = tuple[str, ...]


def tracks(*groups: tuple[int, str]) -> list[Values]:
    """So many tracks each with these genres, written ``"Rock; Pop"``."""
    return [tuple(g for g in text.split("; ") if g) for n, text in groups for _ in range(n)]


def test_one_label_for_all_spellings() -> None:
    choice = choose_labels([("hip hop",), ("Hip-Hop",), ("HIPHOP",), ("(7)",), ("(255)",), ()])
    assert choice.labels == ("Hip-Hop",) * 4 + (None, None)
    assert choice.counts == {"Hip-Hop": 4}
    assert choice.n_unlabelled == 2


def test_unknown_genres_share_their_commonest_spelling() -> None:
    choice = choose_labels([("Chip Breakz",), ("chip-breakz",), ("Chip Breakz",)])
    assert choice.counts == {"Chip Breakz": 3}


def test_rare_genres_are_dropped_and_told() -> None:
    choice = choose_labels(tracks((5, "Rock"), (2, "Polka")), min_tracks=3)
    assert choice.labels == ("Rock",) * 5 + (None,) * 2
    assert choice.dropped == {"Polka": 2}
    assert (choice.n_left_out, choice.n_ambiguous, choice.n_unlabelled) == (2, 0, 0)


def test_rare_genres_roll_up() -> None:
    given_tracks = tracks((1, "Funeral Doom"), (1, "Doom Metal"), (2, "Metal"), (1, "Polka"))
    choice = choose_labels(given_tracks, min_tracks=4, roll_up=True)
    assert choice.counts == {"Metal": 4}
    assert choice.merged == {
        "Funeral Doom": "Doom Metal",
        "Doom Metal": "Metal",
        "Polka": "Folk",
    }
    assert choice.dropped == {"Folk": 1}


def test_the_more_specific_of_one_line_is_the_label() -> None:
    choice = choose_labels(tracks((3, "Rock; Hard Rock"), (3, "Rock")), min_tracks=3)
    assert choice.counts == {"Hard Rock": 3, "Rock": 3}


def test_falls_back_to_the_ancestor_where_the_specific_one_is_rare() -> None:
    choice = choose_labels(tracks((2, "Rock; Hard Rock"), (3, "Rock")), min_tracks=3)
    assert choice.counts == {"Rock": 5}
    assert choice.dropped == {"Hard Rock": 2}


def test_two_chosen_genres_contradict_each_other() -> None:
    choice = choose_labels(tracks((3, "Rock"), (3, "Jazz"), (2, "Rock; Jazz")), min_tracks=3)
    assert choice.counts == {"Jazz": 3, "Rock": 3}
    assert choice.n_ambiguous == 2
    assert choice.ambiguous == {6: ("Jazz", "Rock"), 7: ("Jazz", "Rock")}


def test_a_genre_that_was_not_chosen_contradicts_nothing() -> None:
    choice = choose_labels(tracks((3, "Rock"), (1, "Rock; Seen Twice")), min_tracks=2)
    assert choice.counts == {"Rock": 4}


def test_contradictions_do_not_settle_themselves_by_dropping_one_side() -> None:
    choice = choose_labels(tracks((9, "Rock; Jazz"), (1, "Rock"), (3, "Pop")), min_tracks=3)
    assert choice.counts == {"Pop": 3}
    assert choice.n_ambiguous == 9
    assert choice.dropped == {"Rock": 1}


def test_forms_are_no_labels_unless_named() -> None:
    given_tracks = tracks((2, "Instrumental"), (2, "Rock; Instrumental"))
    assert choose_labels(given_tracks).counts == {"Rock": 2}
    assert choose_labels(given_tracks, only=["instrumental"]).counts == {"Instrumental": 4}
    merges = {"Rock": "Instrumental"}
    assert choose_labels(given_tracks, merges=merges).counts == {"Instrumental": 4}


def test_only_takes_the_nearest_that_is_named() -> None:
    given_tracks = tracks(
        (2, "Funeral Doom"), (1, "Grunge"), (1, "Jazz"), (1, "Female Fronted Metal")
    )
    choice = choose_labels(given_tracks, only=["metal", "rock"])
    assert choice.labels == ("Metal", "Metal", "Rock", None, "Metal")
    assert choice.merged == {
        "Female Fronted Metal": "Metal",
        "Funeral Doom": "Metal",
        "Grunge": "Rock",
    }
    assert choice.n_left_out == 1


def test_merges_apply_to_raw_values_and_to_genres() -> None:
    merges = parse_merges(["Concertos = Classical", "Folk/Rock=Folk", "Trash Metal=Punk"])
    given_tracks = [("Concertos",), ("concerto; Jazz",), ("Folk/Rock",), ("Thrash Metal",)]
    choice = choose_labels(given_tracks, merges=merges)
    assert choice.labels == ("Classical", None, "Folk", "Punk")
    assert choice.merged == {
        "Concertos": "Classical",
        "Concerto": "Classical",
        "Folk/Rock": "Folk",
        "Thrash Metal": "Punk",
    }


def test_what_is_written_wins_over_what_it_is_an_alias_of() -> None:
    merges = parse_merges(["Alternative=Indie", "Alternative Rock=Rock"])
    choice = choose_labels([("Alternative",), ("Alternative Rock",), ("Alt",)], merges=merges)
    assert choice.labels == ("Indie", "Rock", "Rock")


def test_chains_of_merges_are_followed() -> None:
    assert resolve_merges({"A": "B", "B": "C", "hip hop": "Hip-Hop"}) == {"a": "C", "b": "C"}


@pytest.mark.parametrize(
    "items", [["A=B", "B=A"], ["A=B", "B=C", "C=B"], ["Rock=Pop", "POP=rock", "A=Rock"]]
)
def test_circles_of_merges_are_refused(items: list[str]) -> None:
    with pytest.raises(ConfigError, match="circle"):
        choose_labels([("Rock",)], merges=parse_merges(items))


@pytest.mark.parametrize("item", ["Concertos", "=Rock", "Noise=", "A=Rock/Pop", "A=(255)", " = "])
def test_merges_that_make_no_sense_are_refused(item: str) -> None:
    with pytest.raises(ConfigError, match=item.strip().split("=")[0] or "merged"):
        parse_merges([item])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map.toml", '"Folk/Rock" = "folk"\nConcertos = "classical"\n'),
        ("map.csv", "raw,canonical\nFolk/Rock,Folk\n\nConcertos,Classical\n"),
        ("map.csv", "\ufeffFolk/Rock;Folk\r\nConcertos;Classical\r\n"),
        ("map.txt", '"Folk/Rock",Folk\nConcertos, Classical'),
    ],
)
def test_mapping_files(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8", newline="")
    assert read_merges(path) == {"Folk/Rock": "Folk", "Concertos": "Classical"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("map.toml", b"Rock = 3", "'Rock'"),
        ("map.toml", b"Rock = ", "TOML"),
        ("map.csv", b"Rock,Pop\nJazz", "line 2"),
        ("map.csv", b"Rock,Pop\nJazz,Other", "line 2"),
        ("map.csv", b"\xff\xfeR", "cannot be read"),
    ],
)
def test_bad_mapping_files_name_the_place(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        read_merges(path)
    assert str(path) in str(caught.value)


def test_missing_mapping_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_merges(tmp_path / "none.csv")


values = st.lists(
    st.sampled_from(
        ["Rock", "hard rock", "Jazz", "Bebop", "Instrumental", "Foo", "Other", "Metal"]
    ),
    max_size=3,
).map(tuple)


@given(st.lists(values, max_size=30), st.integers(1, 5), st.booleans())
def test_every_label_has_enough_tracks_and_every_track_a_reason(
    given_tracks: list[Values], min_tracks: int, roll_up: bool
) -> None:
    choice = choose_labels(given_tracks, min_tracks=min_tracks, roll_up=roll_up)
    labelled = [label for label in choice.labels if label is not None]
    assert choice.counts == {label: labelled.count(label) for label in choice.counts}
    assert all(n >= min_tracks for n in choice.counts.values())
    n_without = choice.n_unlabelled + choice.n_ambiguous + choice.n_left_out
    assert len(labelled) + n_without == len(choice.labels) == len(given_tracks)
    backwards = choose_labels(given_tracks[::-1], min_tracks=min_tracks, roll_up=roll_up)
    assert backwards.labels[::-1] == choice.labels


def test_thousands_of_wild_tags_take_seconds_at_most() -> None:
    wild = [(f"Tag {i % 5000}", "Rock", f"Mood {i % 7001}") for i in range(20_000)]
    started = time.perf_counter()
    choice = choose_labels(wild, min_tracks=50, roll_up=True)
    assert choice.counts == {"Rock": 20_000}
    assert time.perf_counter() - started < 20
