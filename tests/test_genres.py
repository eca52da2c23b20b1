"""Genre names: raw tag values in, canonical names out; and the tree of them."""

from __future__ import annotations

import time

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
from earmark.genres.names import _saying_nothing, _unswapped, load

TREE = load("tree")
NAMES = [*TREE["top"], *(child for children in TREE["children"].values() for child in children)]

# What parsing looks at: separators, brackets, numbers, words known and unknown, odd casing.
PIECES = (
    "Rock^hip hop^foo^BAR^17^(17)^(^)^((^/^;^|^, ^ & ^ and ^ - ^+^\0^'^'n'^ n ^(RX)^Other^"
    "ß^É^ŉ^[^]^_^ ^.^Music^s^140^{^}^|^刀^漀^、^（^）^【^】^\r\n^-1^Жанр"
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


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        *(
            (name, name)
            for name in (
                "Techno (Peak Time / Driving)",
                "Techno (Raw / Deep / Hypnotic)",
                "Foo [Bar; Baz]",
                "Electro (Classic / Detroit / Modern)",
                "Trance (Raw, Deep)",
                "Foo {A | B}",
            )
        ),
        ("techno (raw / deep)", "Techno (Raw / Deep)"),
        ("Techno（Raw／Deep）", "Techno(Raw/Deep)"),
        ("Foo 【Bar / Baz】; Rock", "Foo 【Bar / Baz】; Rock"),
        ("Techno (Raw / Deep) / House", "Techno (Raw / Deep); House"),
        ("Foo (Rock & Pop)", "Foo (Rock & Pop)"),
        ("Foo (Rock / Pop", "Foo (Rock; Pop"),  # one bracket is none
        ("(Rock / Pop)", "Rock; Pop"),
        ("140 / Deep Dubstep / Grime", "Deep Dubstep; Grime"),
        ("140 Deep Dubstep", "140 Deep Dubstep"),
        ("140; Grime", "Grime"),
        ("Rock, 1999", "Rock"),
        ("17; 20", "Rock; Alternative Rock"),
        ("17/20", "Rock; Alternative Rock"),
        ("17;", "Rock"),
        ("17\0Pop", "Rock; Pop"),
        ("17\r\n20", "Rock; Alternative Rock"),
        ("（17）", "Rock"),
        ("[17]", "Rock"),
        ("１７", "Rock"),
        ("(17)(20)", "Rock; Alternative Rock"),
        ("(255)Rock", "Rock"),
        ("(17)20", "Rock"),
        ("((Foo)", "Foo"),
        ("Drum & Bass / Jungle", "Drum & Bass; Jungle"),
        ("Minimal / Deep Tech", "Minimal Techno; Deep Tech"),
        ("Melodic House & Techno", "Melodic House & Techno"),
        ("Rock；Pop", "Rock; Pop"),
        ("ロック、ジャズ", "Rock; Jazz"),
        ("【Rock】", "Rock"),
        ("90s", "90s"),
    ],
)
def test_brackets_and_numbers(raw: str, expected: str) -> None:
    assert "; ".join(parse([raw])) == expected
    assert "; ".join(parse(parse([raw]))) == expected


@pytest.mark.parametrize("raw", ["-1", "17.", "#17", "1999", "2024", "٣", "(1999)", "-17-"])
def test_numbers_that_are_no_genres(raw: str) -> None:
    assert parse([raw]) == ()


@given(st.lists(st.sampled_from(["Foo", "Raw Deep", "Techno", "x"]), min_size=1, max_size=4))
def test_whatever_is_in_brackets_stays_together(words: list[str]) -> None:
    for separator in (" / ", "/", "; ", ", ", " | ", " & ", "\\\\"):
        for opening, closing in ("()", "[]", "{}"):
            name = f"Zyx {opening}{separator.join(words)}{closing}"
            assert parse([name]) == (name,)
            assert parse([f"Rock / {name}; Pop"]) == ("Rock", name, "Pop")


@given(st.integers(0, 10**6), st.sampled_from(["/", ", ", "; ", " | "]), st.booleans())
def test_a_number_beside_a_name_is_no_genre(number: int, separator: str, first: bool) -> None:
    parts = [str(number), "Zyx"] if first else ["Zyx", str(number)]
    assert parse([separator.join(parts)]) == ("Zyx",)


@pytest.mark.parametrize("text", ["Rock", "Hip-Hop", "R&B", "To", "Рок", "Drum & Bass", "Métal"])
def test_swapped_utf_16_is_put_right(text: str) -> None:
    swapped = text.encode("utf-16-be").decode("utf-16-le")
    assert parse([swapped]) == parse([text])
    assert parse([f"{text}; Jazz".encode("utf-16-be").decode("utf-16-le")]) == parse([text, "Jazz"])


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=6))
def test_what_may_be_chinese_is_left_alone(text: str) -> None:
    if any(ord(c) & 0xFF > 5 for c in text):
        assert _unswapped(text) == text


def test_no_word_that_is_known_looks_swapped() -> None:
    words = [*NAMES, *(w for others in load("aliases")["aliases"].values() for w in others)]
    for word in (*words, *_saying_nothing(), "　　", "一", "刀", "⼀⼀"):
        assert _unswapped(word) == word


@pytest.mark.parametrize(
    "raw",
    ["(1)" * 50_000, "(" * 200_000, "a/" * 100_000, "([{" * 100_000 + ")]}" * 100_000, "9" * 10**6],
    ids=lambda raw: raw[:6],
)
def test_texts_of_any_length_are_read_in_no_time(raw: str) -> None:
    began = time.monotonic()
    parse([raw])
    assert time.monotonic() - began < 5


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
    *["Unknown", "<unknown>", "Other", "genre", "misc", "Default", "N/A", "Music"],
    *["Без жанра", "Жанр", "ジャンル", "未分类", "알 수 없음", "Genre inconnu", "Sin género"],
    *[
        "Nessuno",
        "n/a",
        "N.A.",
        "none",
        "<None>",
        "[undefined]",
        "undefined",
        "Unknown Genre",
        "Unbekannt",
    ],
    *["no genre", "?", "Ｕｎｋｎｏｗｎ", "ＮＯＮＥ", "（未分類）", "ｎ／ａ", "Ｇｅｎｒｅ"],
    *["未知流派", "ジャンルなし", "장르 없음", "Tidak diketahui", "نامشخص", "Không rõ"],
    *["Género desconocido", "Gênero desconhecido", "Genere sconosciuto", "Неизвестный жанр"],
    *["Bilinmeyen tür", "Tuntematon", "Okänd genre", "Ukendt genre", "Onbekend genre"],
    *["Bez žánru", "Άγνωστο", "غير معروف", "לא ידוע", "ไม่ทราบ", "अज्ञात", "Nepoznato"],
    *["Nieznany gatunek", "Brak", "Ismeretlen", "Necunoscut", "Невідомий жанр"],
    *["unknown; other", "Other / Misc", "(None)\0", "\ufeffUnknown"],
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
@example([", (17)Rock"])
@example(["Pop, (17)Rock"])
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
    for name, others in [("", _saying_nothing()), *aliases["aliases"].items()]:
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


@pytest.mark.parametrize(
    ("name", "above"),
    [
        ("Techno (Raw / Deep / Hypnotic)", ("Techno", "Electronic")),
        ("Electro (Classic / Detroit / Modern)", ("Electro", "Electronic")),
        ("Female Fronted Metal (Live)", ("Metal",)),
        ("Zyx (Rock)", ()),
    ],
)
def test_brackets_narrow_down_what_stands_before_them(name: str, above: tuple[str, ...]) -> None:
    assert ancestors(name) == above


def test_no_genre_is_said_in_many_languages() -> None:
    languages = {code[:2] for code in load("missing")}
    assert len(languages) >= 20
    for words in load("missing").values():
        for word in (*words["none"], *words.get("genre", ())):
            for raw in (word, word.upper(), f"<{word}>", f" ({word.lower()}) "):
                assert parse([raw]) == (), raw


def test_forms_are_no_styles() -> None:
    assert not is_style("Instrumental")
    assert is_style("Instrumental Rock")
    assert is_style("Chip Breakz")


def test_one_spelling_is_the_most_frequent() -> None:
    counts = {"Chip Breakz": 2, "chip-breakz": 5, "ChipBreakz": 1, "Rock": 9}
    expected = dict.fromkeys(["Chip Breakz", "chip-breakz", "ChipBreakz"], "chip-breakz")
    assert one_spelling(counts) == expected | {"Rock": "Rock"}
