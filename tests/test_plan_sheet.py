"""A plan on its way through a spreadsheet and back."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import ConfigError, LibraryError
from earmark.library import Plan, TagMode, changes, export_csv, make_plan, read_sheet
from earmark.types import Decision, Tags, Track
from tests.test_plan import ROCK, UNSURE, plan_of, track


def import_csv(path: Path, tracks: list[Track], join: str | None = None) -> Plan:
    return read_sheet(path).plan(tracks, join)


def library() -> list[Track]:
    return [
        track("a.mp3", number=1, artist="=HYPERLINK(1)", album="-", title="+1"),
        track("b.mp3", "(255)", number=2, title='say "hi",\nthen; go'),
        track(os.fsdecode(b"/m/caf\xe9.mp3"), number=3, title="café"),
        track("夜曲.mp3", "Jazz", number=4),
        track("e.mp3", number=5),
    ]


def written(tmp_path: Path, plan: Plan) -> list[dict[str, str]]:
    export_csv(plan, tmp_path / "plan.csv")
    with (tmp_path / "plan.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), "utf-8", newline="")
    return text.getvalue()


def test_a_plan_not_edited_comes_back_the_same(tmp_path: Path) -> None:
    tracks = library()
    decisions: dict[str, Decision | str] = {t.path: ROCK for t in tracks}
    decisions["/m/e.mp3"] = UNSURE
    modes: tuple[TagMode, ...] = ("fill", "overwrite", "append")
    for mode in modes:
        plan = make_plan(tracks, decisions, mode)
        export_csv(plan, tmp_path / f"{mode}.csv")
        back = import_csv(tmp_path / f"{mode}.csv", tracks)
        assert changes(back) == changes(plan)
        assert len(changes(plan)) == (3 if mode == "fill" else 4)
        assert [i.confidence for i in back.items][:2] == [0.8, 0.8]


def test_what_the_table_says(tmp_path: Path) -> None:
    rows = written(tmp_path, plan_of(*library()))
    assert (tmp_path / "plan.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert [row["track_id"] for row in rows] == ["1", "2", "3", "5"]  # "d" keeps its genre
    assert ",".join(rows[0]) == (
        "path,artist,album,title,before,proposed,genre,confidence,agreement,action,track_id,audio_id"
    )
    assert "|".join(rows[0].values()) == (
        "/m/a.mp3|'=HYPERLINK(1)|'-|'+1||Rock|Rock|0.800|0.900|fill|1|"
    )
    assert rows[1]["before"] == "(255)"
    assert rows[2]["path"] == r"/m/caf\xe9.mp3"


def test_edits_are_taken_over(tmp_path: Path) -> None:
    tracks = library()
    rows = written(tmp_path, make_plan(tracks, {t.path: ROCK for t in tracks[:3]}))
    rows[0]["genre"] = "Hard Rock; Live ;hard rock;"
    rows[1]["genre"] = "  "
    rows[3]["genre"] = "Polka"  # the model did not know
    del rows[2]
    write_rows(tmp_path / "plan.csv", rows)
    back = import_csv(tmp_path / "plan.csv", tracks)
    assert [(c.path, c.after) for c in changes(back)] == [
        ("/m/a.mp3", ("Hard Rock", "Live")),
        ("/m/e.mp3", ("Polka",)),
    ]
    assert [i.reason for i in back.items if i.action == "keep"] == ["no genre in the table"]


def test_spreadsheets_quirks(tmp_path: Path) -> None:
    tracks = library()
    plan = plan_of(*tracks)
    rows = written(tmp_path, plan)
    path = tmp_path / "plan.csv"
    moved = [
        {"my notes": "x", **{name.upper(): row[name] for name in reversed(row)}} for row in rows
    ]
    text = write_rows(path, moved, ";")
    assert changes(import_csv(path, tracks)) == changes(plan)
    path.write_text(text.replace("0.800", "0,8"), "utf-8-sig", newline="")
    assert import_csv(path, tracks).items[0].confidence == 0.8
    path.write_text(text.replace("\r\n", "\n") + ";;;\n\n", "utf-8", newline="")
    assert changes(import_csv(path, tracks)) == changes(plan)
    path.write_text(write_rows(path, rows, "\t"), "utf-16", newline="")
    assert changes(import_csv(path, tracks)) == changes(plan)
    path.write_bytes(text.encode("cp1252"))
    back = import_csv(path, tracks)
    assert changes(back) == changes(plan)


def test_a_genre_typed_in_has_no_confidence(tmp_path: Path) -> None:
    tracks = library()
    rows = written(tmp_path, make_plan(tracks, {tracks[0].path: ROCK, tracks[1].path: UNSURE}))
    rows[0]["genre"] = rows[1]["genre"] = "Polka"
    write_rows(tmp_path / "plan.csv", rows)
    items = import_csv(tmp_path / "plan.csv", tracks).items[:2]
    assert [(i.after, i.confidence, i.agreement) for i in items] == [(("Polka",), 0, 0)] * 2


@pytest.mark.parametrize("note", ["sep=;\r\n", "SEP=;\n", '"sep=;"\r\n'])
def test_excels_note_on_the_separator_is_passed_over(tmp_path: Path, note: str) -> None:
    tracks = library()
    plan = plan_of(*tracks)
    path = tmp_path / "plan.csv"
    rows = written(tmp_path, plan)
    text = write_rows(path, [*rows, {**rows[0], "path": "/m/none.mp3"}], ";")
    path.write_text(note + text, "utf-8-sig", newline="")
    back = import_csv(path, tracks)
    assert changes(back) == changes(plan)
    assert back.items[-1].reason.startswith("line 7 of plan.csv")


def test_an_imported_plan_is_joined_too(tmp_path: Path) -> None:
    rows = written(tmp_path, plan_of(track("a.mp3", number=1)))
    rows[0]["genre"] = "Rock; Pop"
    write_rows(tmp_path / "plan.csv", rows)
    (change,) = changes(import_csv(tmp_path / "plan.csv", [track("a.mp3", number=1)], " / "))
    assert change.after == ("Rock / Pop",)


def test_letters_lost_by_a_spreadsheet_do_not_lose_the_row(tmp_path: Path) -> None:
    tracks = library()
    plan = plan_of(*tracks, mode="overwrite")
    path = tmp_path / "plan.csv"
    text = write_rows(path, written(tmp_path, plan))
    path.write_bytes(text.encode("cp1252", "replace"))
    assert b"/m/??.mp3" in path.read_bytes()
    assert changes(import_csv(path, tracks)) == changes(plan)


def test_rows_of_another_catalogue_go_by_path(tmp_path: Path) -> None:
    tracks = library()
    plan = plan_of(*tracks)
    export_csv(plan, tmp_path / "plan.csv")
    renumbered = [dataclasses.replace(t, track_id=6 - t.track_id) for t in tracks]
    assert changes(import_csv(tmp_path / "plan.csv", renumbered)) == changes(plan)


def test_paths_are_exact(tmp_path: Path) -> None:
    names = ("a  b.mp3", "a b.mp3", "a\nb\r.mp3", " c.mp3 ")
    tracks = [track(name, number=i) for i, name in enumerate(names, start=1)]
    rows = written(tmp_path, plan_of(*tracks))
    assert [row["path"] for row in rows] == [t.path for t in tracks]
    for row, genre in zip(rows, "ABCD", strict=True):
        row["genre"] = genre
        del row["track_id"]
    path = tmp_path / "plan.csv"
    write_rows(path, rows)
    back = changes(import_csv(path, tracks))
    assert [(c.path, *c.after) for c in back] == [
        (t.path, genre) for t, genre in zip(tracks, "ABCD", strict=True)
    ]


def test_spaces_lost_by_a_spreadsheet_do_not_lose_the_row(tmp_path: Path) -> None:
    tracks = [track("a  b\n.mp3", number=1), track(" c.mp3 ", number=2)]
    path = tmp_path / "plan.csv"
    write_rows(path, [{"path": p, "genre": "Rock"} for p in ("/m/a b .mp3 ", "/m/ c.mp3")])
    assert [c.path for c in changes(import_csv(path, tracks))] == [t.path for t in tracks]


def test_either_of_path_and_number_is_enough(tmp_path: Path) -> None:
    tracks = library()
    plan = plan_of(*tracks)
    rows = written(tmp_path, plan)
    for column in ("path", "track_id"):
        slim = [{"genre": row["genre"], column: row[column]} for row in rows]
        write_rows(tmp_path / "slim.csv", slim)
        assert changes(import_csv(tmp_path / "slim.csv", tracks)) == changes(plan)


def test_a_row_tells_the_recording_it_was_made_for(tmp_path: Path) -> None:
    number = "12" * 7 + "e" + "3" * 17  # Excel would make 1.21E+30 of it
    heard = dataclasses.replace(track("a.mp3", number=1), audio_id=number)
    plan = plan_of(heard, track("b.mp3", number=2))
    rows = written(tmp_path, plan)
    assert [row["audio_id"] for row in rows] == [f"audio:{number}", ""]
    path = tmp_path / "plan.csv"
    now = [dataclasses.replace(t, audio_id="abc") for t in (heard, track("b.mp3", number=2))]
    assert [item.audio_id for item in import_csv(path, now).items] == [number, "abc"]
    for row in rows:
        del row["audio_id"]
    write_rows(path, rows)
    assert [item.audio_id for item in import_csv(path, now).items] == ["abc", "abc"]


def test_a_track_that_got_a_genre_since_keeps_it(tmp_path: Path) -> None:
    tracks = library()
    export_csv(make_plan(tracks, {"/m/a.mp3": ROCK, "/m/b.mp3": UNSURE}), tmp_path / "plan.csv")
    text = (tmp_path / "plan.csv").read_text("utf-8-sig")
    (tmp_path / "plan.csv").write_text(text.replace("(255),,,", "(255),,Polka,"), "utf-8")
    tagged = [dataclasses.replace(t, tags=Tags(genres=("Jazz",))) for t in tracks]
    back = import_csv(tmp_path / "plan.csv", tagged)
    assert {i.reason for i in back.items if i.genres or i.action == "keep"} == {
        "has a genre by now",
        "no genre in the table",
    }
    assert changes(back) == []


def test_a_genre_typed_in_for_a_track_that_has_one_is_meant(tmp_path: Path) -> None:
    tracks = library()[3:4]
    rows = written(tmp_path, plan_of(*tracks, decision=UNSURE, mode="overwrite"))
    rows[0]["genre"] = "Polka"
    write_rows(tmp_path / "plan.csv", rows)
    (change,) = changes(import_csv(tmp_path / "plan.csv", tracks))
    assert (change.before, change.after) == (("Jazz",), ("Polka",))


def test_rows_that_fit_no_track_are_named(tmp_path: Path) -> None:
    tracks = library()
    rows = written(tmp_path, plan_of(*tracks))
    rows[0] |= {"track_id": "99", "path": "/m/unknown.mp3"}
    rows.append(dict(rows[1]))
    write_rows(tmp_path / "plan.csv", rows)
    back = import_csv(tmp_path / "plan.csv", tracks)
    errors = {item.path: item.reason for item in back.items if item.action == "error"}
    assert errors == {
        "/m/unknown.mp3": "line 2 of plan.csv: no such file in the library, or more than one",
        "/m/b.mp3": "line 6 of plan.csv: the same file is on line 3 already",
    }
    assert len(changes(back)) == 3


def test_broken_files_are_errors(tmp_path: Path) -> None:
    tracks = library()[:1]
    export_csv(plan_of(*tracks), tmp_path / "plan.csv")
    broken = [dataclasses.replace(tracks[0], error="damaged")]
    (item,) = import_csv(tmp_path / "plan.csv", broken).items
    assert (item.action, item.reason) == ("error", "damaged")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"path,track_id\r\n/m/a.mp3,1\r\n", "line 1: no column named genre"),
        (b"genre\r\nRock\r\n", "line 1: no column named track_id"),
        (b"", "no column named genre or track_id"),
        (b"\x89PNG\r\n", "no column named genre or track_id"),
        (b'genre,path\n"' + b"x" * 200_000 + b'"', "line 2: field larger"),
    ],
)
def test_tables_that_are_no_plan(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "plan.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        import_csv(path, [])
    assert str(path) in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        import_csv(tmp_path / "none.csv", [])
    with pytest.raises(LibraryError, match="cannot be written"):
        export_csv(Plan(()), tmp_path / "no" / "plan.csv")


def test_nothing_is_exported_over(tmp_path: Path) -> None:
    song, link = tmp_path / "song.mp3", tmp_path / "link.csv"
    song.write_bytes(b"sound")
    link.symlink_to("nowhere")
    for path in (song, link):
        with pytest.raises(ConfigError, match=r"exists.*choose another name"):
            export_csv(plan_of(track("a.mp3")), path)
    assert song.read_bytes() == b"sound"
    assert {path.name for path in tmp_path.iterdir()} == {"song.mp3", "link.csv"}


def test_an_export_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(item: object) -> tuple[str, ...]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("earmark.library.sheet._cells", full)
    with pytest.raises(LibraryError, match="No space left"):
        export_csv(plan_of(track("a.mp3")), tmp_path / "plan.csv")
    assert list(tmp_path.iterdir()) == []


texts = st.text(st.characters(codec=None), max_size=8)
genre_values = st.lists(st.sampled_from(["Rock", "(255)", "Jazz", "=cmd", "-", "'"]) | texts)


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=8), texts, genre_values), max_size=8),
    st.sampled_from(["fill", "overwrite", "append"]),
    st.sampled_from(["Rock", "=Rock", "'Rock", "R&B", "Étude"]),
)
def test_any_plan_survives_the_way_through_a_file(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[tuple[bytes, str, list[str]]],
    mode: TagMode,
    genre: str,
) -> None:
    tracks = [
        track(f"/m/{os.fsdecode(name)}", *values, number=i, title=text, artist=text, album=text)
        for i, (name, text, values) in enumerate(files, start=1)
    ]
    plan = plan_of(*tracks, decision=dataclasses.replace(ROCK, genre=genre), mode=mode)
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.unlink(missing_ok=True)
    export_csv(plan, path)
    path.read_text("utf-8")
    assert changes(import_csv(path, tracks)) == changes(plan)
