"""Genre names: raw tag values in, canonical names out; and the tree of them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutagen._constants import GENRES as MUTAGEN_GENRES

from earmark.genres import (
    ancestors,
    canonical,
    fold,
    is_missing,
    is_style,
    one_spelling,
    parent,
    parse,
    same,
    top,
)
from earmark.genres.names import load

TREE = load("tree")
NAMES = [*TREE["top"], *(child for children in TREE["children"].values() for child in children)]

# What parsing looks at: separators, brackets, numbers, words known and unknown, odd casing.
PIECES = (
    "Rock^hip hop^foo^BAR^17^(17)^(^)^((^/^;^|^, ^ & ^ and ^ - ^+^\0^'^'n'^ n ^(RX)^Other^"
    "ß^É^ŉ^[^]^_^ ^.^Music^s"
)
messy = st.lists(st.sampled_from(PIECES.split("^")), max_size=8).map("".join)
texts = st.one_of(messy, st.text(max_size=30))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("17", "Rock"),
        ("(17)", "Rock"),
        ("(17)Rock", "Rock"),
        ("(17)(4)Foo", "Rock; Disco; Foo"),
        ("(4)Eurodisco", "Disco; Euro Disco"),
        ("(RX)", "Remix"),
        ("(CR)", "Cover"),
        ("((literal", "Literal"),
        ("((I can figure out any genre)", "I can figure out any genre"),
        ("0", "Blues"),
        ("Rock;Pop", "Rock; Pop"),
        ("Rock|Pop", "Rock; Pop"),
        ("Rock, Pop", "Rock; Pop"),
        ("Rock/Pop", "Rock; Pop"),
        ("Rock\0Pop\0Rock", "Rock; Pop"),
        ("Rock\\\\Pop", "Rock; Pop"),
        ("Rock & Blues", "Rock; Blues"),
        ("Soul and Funk", "Soul; Funk"),
        ("Rock & Foo", "Rock & Foo"),
        ("Electronic - House", "Electronic; House"),
        ("Folk, World, & Country", "Folk; World; Country"),
        ("Hip-Hop/Rap", "Hip-Hop"),
        ("R&B/Soul", "R&B"),
        ("Folk/Rock", "Folk Rock"),
        ("Folk; Rock", "Folk; Rock"),
        ("Drum & Bass", "Drum & Bass"),
        ("drum'n'bass", "Drum & Bass"),
        ("Drum n Bass", "Drum & Bass"),
        ("dnb", "Drum & Bass"),
        ("Rock 'n' Roll", "Rock & Roll"),
        ("Singer/Songwriter", "Singer-Songwriter"),
        ("Trash Metal", "Thrash Metal"),
        ("Soundtrck", "Soundtrack"),
        ("SoundTrack", "Soundtrack"),
        ("Game soundtrack", "Game"),
        ("VGM", "Game"),
        ("Ambiance", "Ambient"),
        ("Classique", "Classical"),
        ("Klassik", "Classical"),
        ("Música clásica", "Classical"),
        ("КЛАССИКА", "Classical"),
        ("Romantic", "Romantic Classical"),
        ("Concertos", "Concerto"),
        ("Rock music", "Rock"),
        ("Chamber Music", "Chamber Music"),
        ("Blues", "Blues"),
        ("Electronica", "Electronica"),
        ("chip_breakz  deluxe", "Chip Breakz Deluxe"),
        ("NEW FOO THING", "New Foo Thing"),
        ("XQZ", "XQZ"),
        ("McFoo style", "McFoo style"),
        ("don't foo", "Don't Foo"),
    ],
)
def test_parse(raw: str, expected: str) -> None:
    assert "; ".join(parse([raw])) == expected


SAYING_NOTHING = [
    *[
        "",
        " ",
        "\0",
        ";;",
        "---",
        "(255)",
        "255",
        "192",
        "12",
        "(12)",
        "9" * 5000,
        "(None)",
        "None",
    ],
    *["Unknown", "<unknown>", "Other", "genre", "misc", "Default", "N/A", "Music", "Unbekannt"],
]


@pytest.mark.parametrize("raw", SAYING_NOTHING)
def test_no_genre(raw: str) -> None:
    assert parse([raw]) == ()
    assert is_missing([raw])


@pytest.mark.parametrize(
    "raw", ["hip hop", "Hip-Hop", "HIPHOP", "HipHop", "hip_hop", "Hip‐Hop", "7"]
)
def test_spellings_of_hip_hop_are_one(raw: str) -> None:
    assert parse([raw]) == ("Hip-Hop",)


def test_order_is_kept_and_duplicates_go() -> None:
    assert parse(["Pop", "rock", "POP", "(17)"]) == ("Pop", "Rock")
    assert parse(["chip breakz", "Chip-Breakz"]) == ("Chip Breakz",)


@given(st.lists(texts, max_size=4))
@example(["((17)"])
@example(["(a) b & (c"])
def test_parsing_again_changes_nothing(values: list[str]) -> None:
    once = parse(values)
    assert parse(once) == once
    assert all(name.strip() and fold(name) for name in once)
    assert len({fold(name) for name in once}) == len(once)


@given(texts)
def test_canonical_keeps_what_it_is_given_apart(text: str) -> None:
    name = canonical(text)
    assert canonical(name) == name
    assert same(text, name)


@pytest.mark.parametrize("number", range(192))
def test_numbers_mean_what_mutagen_says(number: int) -> None:
    assert parse([str(number)]) == parse([f"({number})"]) == parse([MUTAGEN_GENRES[number]])


def test_every_name_is_its_own_canonical_spelling() -> None:
    assert [canonical(name) for name in NAMES] == NAMES
    assert [parse([name]) for name in NAMES] == [(name,) for name in NAMES]
    assert len({fold(name) for name in NAMES}) == len(NAMES)


def test_data_files_agree() -> None:
    aliases = load("aliases")
    known = set(NAMES)
    assert set(TREE["children"]) <= known
    assert set(aliases["aliases"]) <= known
    assert {name for name in load("id3v1")["names"] if name} <= known
    meanings: dict[str, set[str]] = {}
    for name, others in [("", aliases["none"]), *aliases["aliases"].items()]:
        for other in others:
            meanings.setdefault(fold(other), set()).add(name)
    assert {key: names for key, names in meanings.items() if len(names) > 1} == {}
    # A name cannot also be an alias: the alias would never be looked up.
    assert sorted(set(meanings) & {fold(name) for name in NAMES}) == []


def test_every_genre_hangs_on_a_root() -> None:
    assert {top(name) for name in NAMES} == set(TREE["top"])
    assert [name for name in NAMES if name in ancestors(name)] == []


def test_tree() -> None:
    assert parent("Grunge") == "Alternative Rock"
    assert ancestors("Grunge") == ("Alternative Rock", "Rock")
    assert top("Grunge") == "Rock"
    assert parent("Rock") is None
    assert top("Rock") == "Rock"


def test_benchmark_genres_are_roots() -> None:
    ten = "blues,classical,country,disco,hiphop,jazz,metal,pop,reggae,rock"
    labels = parse([ten, "electronic"])
    assert len(labels) == 11
    assert tuple(top(label) for label in labels) == labels


def test_unknown_genres_go_by_their_last_words() -> None:
    assert parent("Female Fronted Metal") == "Metal"
    assert ancestors("Slow Doom Metal") == ("Doom Metal", "Metal")
    assert parent("Chip Breakz") is None
    assert top("Chip Breakz") == "Chip Breakz"


def test_forms_are_no_styles() -> None:
    assert not is_style("Instrumental")
    assert is_style("Instrumental Rock")
    assert is_style("Chip Breakz")


def test_one_spelling_is_the_most_frequent() -> None:
    counts = {"Chip Breakz": 2, "chip-breakz": 5, "ChipBreakz": 1, "Rock": 9}
    expected = dict.fromkeys(["Chip Breakz", "chip-breakz", "ChipBreakz"], "chip-breakz")
    assert one_spelling(counts) == expected | {"Rock": "Rock"}
