"""The verbs on real files: what goes to which output, and which exit code says what."""

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mutagen
import pytest

from tests.audiofiles import synth, write
from tests.cli import earmark

MUSIC = Path(__file__).parents[1] / "examples" / "music"
NOWHERE = Path(tempfile.gettempdir()) / "earmark-model-that-is-never-written"
ENGLISH = {"artist": "Trio", "album": "First", "title": "One"}


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two labelled files, three without genre (one with an odd name), and a broken one."""
    root = tmp_path / "library"
    (root / "First").mkdir(parents=True)
    music = synth("music", 6.0)
    write(root / "First" / "one.mp3", music, container="mp3", tags={**ENGLISH, "genre": "Jazz"})
    write(root / "First" / "two.flac", music, container="flac", tags={"genre": "Rock"})
    write(root / "First" / "three.ogg", synth("music", 6.0, seed=3), container="ogg", tags=ENGLISH)
    write(root / "four.m4a", synth("music", 6.0, seed=4), container="m4a")
    odd = os.fsdecode(b"f\xfcnf <b>.wav")
    write(root / "five.wav", synth("music", 6.0, seed=5), container="wav").rename(root / odd)
    (root / "broken.mp3").write_bytes(b"this is no music" * 100)
    return root


def test_scan_counts_and_says_what_it_could_not_read(library: Path) -> None:
    ran = earmark("scan", library)
    assert ran.code == 3
    facts = {
        line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in ran.out.splitlines()[:5]
    }
    assert facts["tracks"].startswith("6 (6 new")
    assert facts["without genre"] == "3"
    assert facts["unreadable"] == "1"
    assert "Jazz" in ran.out
    assert "broken.mp3" in ran.err
    assert "0 new, 0 changed, 0 gone, 6 as before" in earmark("scan", library).out


def test_scan_of_a_sound_library_ends_well() -> None:
    assert earmark("scan", MUSIC).code == 0


def test_it_runs_as_a_module_too() -> None:
    program = [sys.executable, "-m", "earmark"]
    for args, code, said in ((["--version"], 0, "earmark "), (["scan", "/no/such"], 1, "")):
        done = subprocess.run([*program, *args], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert done.stdout.startswith(said)
    assert "/no/such" in done.stderr
    usage = subprocess.run([*program, "scan", "-h"], capture_output=True, text=True, check=True)
    assert "Usage: python -m earmark scan" in usage.stdout


def test_scan_of_nothing_says_so() -> None:
    ran = earmark("scan", "/no/such/folder")
    assert ran.code == 1
    assert ran.err.startswith("earmark: ")
    assert "/no/such/folder" in ran.err
    assert ran.out == ""


def test_classify_json_has_the_documented_shape(library: Path) -> None:
    ran = earmark("classify", library, "--json")
    assert ran.code == 3
    found = json.loads(ran.out)
    assert set(found) == {"model", "tracks"}
    labels = set(found["model"]["labels"])
    assert len(found["tracks"]) == 6
    for track in found["tracks"]:
        assert set(track) == {
            *("path", "genre", "confidence", "agreement", "proba", "slices", "rejected", "error"),
        }
        if track["path"].endswith("broken.mp3"):
            assert track["genre"] is None
            assert track["error"]
            continue
        assert track["error"] is None
        assert set(track["proba"]) == labels
        # The rest is how likely it is that the track is no music.
        assert 0 < sum(track["proba"].values()) < 1.0001
        assert (track["genre"] is None) == (track["rejected"] is not None)
        assert track["slices"] >= 2
    # A name that is no UTF-8 comes back as the very bytes.
    names = {os.fsencode(Path(track["path"]).name) for track in found["tracks"]}
    assert b"f\xfcnf <b>.wav" in names
    assert "broken.mp3" in ran.err


def test_classify_csv_is_a_table_with_a_row_a_file(library: Path) -> None:
    ran = earmark("classify", library / "four.m4a", library / "broken.mp3", "--csv")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert [row["path"] for row in rows] == [str(library / n) for n in ("four.m4a", "broken.mp3")]
    assert rows[1]["error"]


def test_classify_names_an_unusable_file_once_with_its_reason() -> None:
    ran = earmark("classify", "/no/such.mp3")
    assert ran.code == 3
    assert ran.out.count("/no/such.mp3") == 1
    assert "no such file" in ran.out
    assert ran.err == ""
    # What a program reads may go where nobody looks.
    assert "skipped: /no/such.mp3: no such file" in earmark("classify", "/no/such.mp3", "--csv").err


def test_classify_asked_for_certainty_does_not_know(library: Path) -> None:
    ran = earmark("classify", library / "four.m4a", "--json", "--min-confidence", "1.0")
    (track,) = json.loads(ran.out)["tracks"]
    assert ran.code == 0
    assert track["genre"] is None
    assert "100% asked for" in track["rejected"]
    assert " ? " in earmark("classify", library / "four.m4a", "--min-confidence", "1").out


def test_classify_hears_a_moved_and_retagged_file_only_once(library: Path) -> None:
    first = json.loads(earmark("classify", library / "four.m4a", "--json").out)["tracks"][0]
    moved = library / "First" / "moved.m4a"
    shutil.move(library / "four.m4a", moved)
    tags = mutagen.File(moved, easy=True)
    tags["title"] = "Moved"
    tags.save()
    again = json.loads(earmark("classify", moved, "--json").out)["tracks"][0]
    assert {**again, "path": ""} == {**first, "path": ""}


@pytest.mark.parametrize(
    ("args", "code", "complaint"),
    [
        (("classify",), 2, "Missing argument"),
        (("classify", MUSIC, "--json", "--csv"), 2, "choose one of --json and --csv"),
        (("classify", MUSIC, "--vote", "loudest"), 2, "loudest"),
        (("classify", MUSIC, "--model", "/no/model"), 1, "/no/model is not a model"),
        (("tag", MUSIC, "--append", "--overwrite"), 2, "choose one of --overwrite and --append"),
        (("tag", MUSIC, "--import", "/no/plan.csv"), 2, "/no/plan.csv"),
        (("tag", MUSIC, "--join", ""), 2, "nothing between them"),
        (("undo",), 1, "there is nothing to undo"),
        (("undo", "17"), 1, "there is no run 17"),
        (("train", MUSIC, "--out", NOWHERE, "--merge", "nonsense"), 2, "nonsense"),
        (("train", MUSIC, "--out", NOWHERE), 1, "fewer than two genres with 10 tracks"),
    ],
)
def test_mistakes_are_told_and_coded(
    args: tuple[object, ...], code: int, complaint: str, tmp_path: Path
) -> None:
    ran = earmark(*args)
    assert ran.code == code, ran.err
    assert complaint in " ".join(ran.err.replace("│", " ").split())
    assert "Traceback" not in ran.err
    assert ran.out == ""
    assert not list(NOWHERE.parent.glob(f"{NOWHERE.name}*"))


def test_tag_plans_and_touches_nothing(library: Path) -> None:
    before = digests(library)
    ran = earmark("tag", library, "--min-confidence", "0")
    assert "(none) → " in ran.out
    assert "6 tracks: 3 to write, 0 not known, 1 unusable, 2 stay as they are" in ran.out
    assert "nothing was written" in ran.out
    assert digests(library) == before


def test_tag_apply_fills_only_what_is_missing_and_undo_is_exact(library: Path) -> None:
    before = digests(library)
    ran = earmark("tag", library, "--min-confidence", "0", "--apply")
    assert ran.code == 3, ran.err
    assert "3 files written; `earmark undo 1` takes it back" in ran.out
    after = digests(library)
    changed = {name for name in before if before[name] != after[name]}
    assert set(after) == set(before)
    assert {Path(name).suffix for name in changed} == {".ogg", ".m4a", ".wav"}
    assert mutagen.File(library / "four.m4a").tags["©gen"][0]
    assert "0 to write" in earmark("tag", library, "--min-confidence", "0", "--apply").out

    undone = earmark("undo")
    assert undone.code == 0, undone.err
    assert "run 1: 3 files restored" in undone.out
    assert digests(library) == before
    assert earmark("undo").code == 1


def test_tag_through_a_spreadsheet(library: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "plan.csv"
    earmark("tag", library, "--min-confidence", "0", "--export", sheet)
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    for row in rows:
        row["genre"] = "Polka; Folk" if row["path"].endswith("four.m4a") else ""
    with sheet.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter=";")
        table.writeheader()
        table.writerows(rows)
    ran = earmark("tag", library, "--import", sheet, "--apply")
    assert "1 files written" in ran.out, ran.err
    assert mutagen.File(library / "four.m4a").tags["©gen"] == ["Polka", "Folk"]


def test_a_song_that_took_a_planned_ones_place_is_left_alone(library: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "plan.csv"
    earmark("tag", library, "--min-confidence", "0", "--export", sheet)
    other = write(tmp_path / "other.m4a", synth("music", 5.0, seed=9), container="m4a").read_bytes()
    (library / "four.m4a").write_bytes(other)
    ran = earmark("tag", library, "--import", sheet, "--apply")
    assert ran.code == 3
    assert "2 files written" in ran.out
    assert "it has changed since the plan was made (plan again)" in ran.out
    assert (library / "four.m4a").read_bytes() == other


def test_tag_overwrite_and_append_are_asked_for(library: Path) -> None:
    song = library / "First" / "two.flac"
    ran = earmark("tag", song, "--append", "--min-confidence", "0", "--apply")
    assert ran.code == 0, ran.err
    genres = mutagen.File(song)["genre"]
    assert genres[0] == "Rock"
    earmark("undo")
    earmark("tag", song, "--overwrite", "--min-confidence", "0", "--apply")
    again = mutagen.File(song)["genre"]
    assert again == [genres[-1]]


def test_tag_join_says_the_same_twice(library: Path) -> None:
    song = library / "First" / "two.flac"
    args = ("tag", song, "--append", "--join", " / ", "--min-confidence", "0", "--apply")
    assert earmark(*args).code == 0
    (genres,) = mutagen.File(song)["genre"]
    assert genres.startswith("Rock / ")
    assert "0 to write" in earmark(*args).out
    assert mutagen.File(song)["genre"] == [genres]


def test_a_variable_that_is_not_set_does_not_tag_the_current_folder(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(library)
    monkeypatch.chdir(library)
    ran = earmark("tag", "", "--min-confidence", "0", "--apply")
    assert ran.code == 1
    assert "the name of the folder is empty" in ran.err
    assert digests(library) == before


def test_an_export_replaces_no_song(library: Path) -> None:
    before = digests(library)
    ran = earmark("tag", library, "--export", library / "four.m4a")
    assert ran.code == 2
    assert "four.m4a exists (delete it, or choose another name)" in ran.err
    assert digests(library) == before


def answering(answer: str, *args: object) -> tuple[str, str]:
    """What `earmark` says with a person at its terminal, its results going elsewhere."""
    pty = pytest.importorskip("pty")
    person, terminal = pty.openpty()
    os.write(person, answer.encode())
    program = [sys.executable, "-c", "from earmark.cli import main; main()", *map(str, args)]
    done = subprocess.run(
        program, stdin=terminal, capture_output=True, text=True, check=False, timeout=300
    )
    os.close(person)
    os.close(terminal)
    return done.stdout, done.stderr


def test_a_person_is_asked_also_where_the_plan_goes_elsewhere(library: Path) -> None:
    song = library / "four.m4a"
    before = song.read_bytes()
    args = ("tag", song, "--min-confidence", "0", "--apply")
    said, asked = answering("n\n", *args)
    assert "Write genres to 1 files? [y/N]" in asked
    assert said.splitlines()[-1] == "nothing was written"

    assert song.read_bytes() == before
    said, _ = answering("y\n", *args)
    assert "1 files written" in said
    assert song.read_bytes() != before


INTERRUPTED = """
import earmark.workflows.apply as workflow
from earmark.cli import main

real, calls = workflow.apply_change, []

def write(*args, **options):
    calls.append(args)
    if len(calls) == {}:
        raise KeyboardInterrupt
    return real(*args, **options)

workflow.apply_change = write
main()
"""


@pytest.mark.parametrize(
    ("at", "said"),
    [(3, "2 files written; `earmark undo 1` takes it back"), (1, "nothing was written")],
)
def test_an_interrupted_run_says_how_to_take_it_back(library: Path, at: int, said: str) -> None:
    before = digests(library)
    args = ["tag", str(library), "--min-confidence", "0", "--apply"]
    program = [sys.executable, "-c", INTERRUPTED.format(at), *args]
    done = subprocess.run(
        program,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        errors="replace",
        timeout=300,
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-2:] == [f"earmark: {said}", "earmark: interrupted"]
    assert "cut off" in earmark("undo", "--list").out
    earmark("undo")
    assert digests(library) == before


def test_nothing_written_is_not_offered_back(library: Path) -> None:
    song = write(library / "none.wav", synth("music", 1.0), container="wav")
    header = song.read_bytes().partition(b"data")[0]
    song.write_bytes(header + b"data" + bytes(4))  # only trying tells that it has no sound
    sheet = library / "plan.csv"
    sheet.write_text(f"path,genre\n{song},Polka\n")
    ran = earmark("tag", song, "--import", sheet, "--apply")
    assert ran.code == 3
    assert "nothing was written" in ran.out
    assert "undo" not in ran.out
    assert "its audio cannot be compared" in ran.err


def test_what_an_imported_plan_cannot_write_is_told_in_the_plan(library: Path) -> None:
    song = library / "four.m4a"
    sheet = library / "plan.csv"
    earmark("tag", song, "--min-confidence", "0", "--export", sheet)
    song.chmod(0o444)
    ran = earmark("tag", song, "--import", sheet, "--apply")
    assert ran.code == 3
    assert "?  the file is read-only (allow writing to it first)" in ran.out
    assert "1 unusable" in ran.out
    assert "undo" not in ran.out
    assert ran.err == ""


def test_what_cannot_be_written_is_told_in_the_plan(library: Path) -> None:
    (library / "four.m4a").chmod(0o444)
    (library / "link.ogg").hardlink_to(library / "First" / "three.ogg")
    write(library / "raw.aac", synth("music", 6.0), container="adts")
    ran = earmark("tag", library, "--min-confidence", "0")
    assert ran.code == 3
    assert "1 to write, 0 not known, 5 unusable, 2 stay as they are" in ran.out
    assert "?  the file is read-only (allow writing to it first)" in ran.out
    assert "it has 2 hard links" in ran.out
    assert "raw AAC cannot hold tags" in ran.out
    assert ran.err == ""


def test_a_damaged_catalogue_does_not_stand_in_the_way_of_undo(
    library: Path, earmark_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(library)
    monkeypatch.chdir(library)
    earmark("tag", ".", "--min-confidence", "0", "--apply")
    for file in earmark_home.glob("catalogue.sqlite*"):
        file.write_bytes(b"rubbish" * 1000)
    listed = earmark("undo", "--list")
    assert listed.code == 0, listed.err
    assert "3 done" in listed.out
    assert str(library) in "".join(listed.out.split("\n"))
    ran = earmark("undo")
    assert ran.code == 0, ran.err
    assert "3 files restored" in ran.out
    assert "the catalogue could not be updated" in ran.err
    assert digests(library) == before


def test_a_reader_that_has_enough_is_no_disaster() -> None:
    program = [sys.executable, "-c", "from earmark.cli import main; main()", "scan", str(MUSIC)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.close()
        _, complaints = running.communicate(timeout=60)
    assert complaints == b""
