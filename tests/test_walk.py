"""Finding music files: odd names, links, what is hidden or closed."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from earmark.errors import LibraryError
from earmark.library import AUDIO_EXTENSIONS, Found, WalkProblem, told, walk
from earmark.library.passed_over import Kind
from tests.systems import make_pipe, unix_socket


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))


def found(root: Path) -> list[str]:
    """Names below `root` of all that was found, in order; there must be no problem."""
    names = []
    for each in walk(root):
        assert isinstance(each, Found), each
        names.append(os.path.relpath(each.path, root))
    return names


def problems(root: Path) -> dict[str, str]:
    return {Path(p.path).name: p.reason for p in walk(root) if isinstance(p, WalkProblem)}


def test_nested_files_in_an_order_of_names(tmp_path: Path) -> None:
    make(tmp_path, "b.mp3", "A/z.ogg", "A/b/deep.FLAC", "c/x.Opus", "a.wav", "A/notes.txt")
    assert found(tmp_path) == ["a.wav", "b.mp3", "A/z.ogg", "A/b/deep.FLAC", "c/x.Opus"]


def test_stats_are_the_files_own(tmp_path: Path) -> None:
    make(tmp_path, "song.mp3")
    os.utime(tmp_path / "song.mp3", ns=(1, 1234567890123456789))
    assert list(walk(tmp_path)) == [
        Found(str(tmp_path / "song.mp3"), len("song.mp3"), 1234567890123456789)
    ]


def test_names_of_any_kind(tmp_path: Path) -> None:
    make(tmp_path, "Ünïcödé/夜曲.mp3", "new\nline.ogg", "[red].mp3", "-rf.mp3")
    for name in (b"caf\xe9.mp3", b"\xff\xfe.flac"):
        (tmp_path / os.fsdecode(name)).touch()
    assert {os.fsencode(name) for name in found(tmp_path)} == {
        *(b"caf\xe9.mp3", b"\xff\xfe.flac", b"new\nline.ogg", b"[red].mp3", b"-rf.mp3"),
        "Ünïcödé/夜曲.mp3".encode(),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("...And Justice for All/01 Blackened.mp3", ".38 Special/...Baby One More Time.mp3"),
        *(
            ".O.rang/x.ogg",
            ".gif from god/x.mp3",
            "..Calva y Nada/x.mp3",
            ".5 The Gray Chapter/x.mp3",
        ),
        *("…Like Clockwork/x.flac", ".hidden.mp3", ".38.mp3", ".Single/x.mp3"),
        *("Recycler/05 My Head's in Mississippi.mp3", "Recycled/x.mp3", "Lost+Found/x.mp3"),
        *("Trash/x.mp3", "#1 Hits/x.mp3", "@Home/x.mp3", "$ave/x.mp3", ".trashed-story.mp3"),
        *("RECYCLER.mp3", "@eaDir.mp3", ".earmarked.mp3", "Found/x.mp3"),
    ],
)
def test_a_name_is_no_reason_to_be_passed_over(tmp_path: Path, name: str) -> None:
    make(tmp_path, name)
    passed_over: Counter[Kind] = Counter()
    assert [os.path.relpath(each.path, tmp_path) for each in walk(tmp_path, passed_over)] == [name]
    assert not passed_over


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "bin") for name in ("@Recycle", "#recycle", "RECYCLER", "RECYCLED")),
        *(
            (name, "bin")
            for name in ("$Recycle.Bin", "$RECYCLE.BIN", "$recycle.bin", ".Trash-1000")
        ),
        *((name, "bin") for name in ("S-1-5-21-1-2-3-1001", ".Trash", ".recycle", "#Recycle")),
        *(
            (name, "snapshot")
            for name in ("#snapshot", "@Recently-Snapshot", ".stversions", ".zfs")
        ),
        *(
            (name, "service")
            for name in ("@__thumb", "@eaDir", "@EADIR", "lost+found", "found.000")
        ),
        *((name, "service") for name in ("System Volume Information", ".Spotlight-V100")),
        *((name, "service") for name in (".fseventsd", ".AppleDouble", "found.000")),
        *((name, "hidden") for name in (".git", ".cache", ".config", ".local", ".thumbnails")),
    ],
)
def test_folders_that_no_person_means(tmp_path: Path, name: str, kind: Kind) -> None:
    make(tmp_path, "song.mp3", f"{name}/old.mp3", f"{name}/deep/old.mp3", f"Album/{name}/old.mp3")
    passed_over: Counter[Kind] = Counter()
    found = [os.path.relpath(each.path, tmp_path) for each in walk(tmp_path, passed_over)]
    assert found == ["song.mp3"]
    assert passed_over == {kind: 2}


def test_files_that_are_no_recordings(tmp_path: Path) -> None:
    make(tmp_path, "song.mp3", "._song.mp3", "._cover.jpg", ".trashed-1700000000-song.mp3")
    make(tmp_path, ".pending-1700000000-song.mp3", ".earmark-0123456789ab.mp3")
    passed_over: Counter[Kind] = Counter()
    found = [os.path.relpath(each.path, tmp_path) for each in walk(tmp_path, passed_over)]
    assert found == ["song.mp3"]
    assert passed_over == {"shadow": 1, "unfinished": 3}  # a picture would not count anyway


def test_what_was_passed_over_is_told_in_words() -> None:
    assert told({"hidden": 1, "bin": 2, "shadow": 120}) == (
        "2 recycle bins, 1 hidden folder, 120 macOS side files"
    )
    assert told({}) == ""


def test_an_empty_root_is_not_the_current_folder() -> None:
    with pytest.raises(LibraryError, match="is empty"):
        walk("")


def test_a_root_may_be_hidden(tmp_path: Path) -> None:
    make(tmp_path, ".music/song.mp3")
    assert found(tmp_path / ".music") == ["song.mp3"]


def test_every_known_extension(tmp_path: Path) -> None:
    make(tmp_path, *(f"x{extension}" for extension in AUDIO_EXTENSIONS))
    assert len(found(tmp_path)) == len(AUDIO_EXTENSIONS)


def test_links_in_circles_end(tmp_path: Path) -> None:
    make(tmp_path, "music/a/song.mp3", "other/far.mp3", "other/back/near.mp3")
    root = tmp_path / "music"
    (root / "a" / "up").symlink_to(root, target_is_directory=True)
    (root / "a" / "self.mp3").symlink_to("self.mp3")
    (root / "out").symlink_to(tmp_path / "other", target_is_directory=True)
    (root / "out too").symlink_to(tmp_path / "other", target_is_directory=True)
    (tmp_path / "other" / "back" / "home").symlink_to(root, target_is_directory=True)
    names = [p.path for p in walk(root) if isinstance(p, Found)]
    expected = ["a/song.mp3", "out/far.mp3", "out/back/near.mp3"]
    assert [os.path.relpath(name, root) for name in names] == expected
    assert list(problems(root)) == ["self.mp3"]


def test_a_link_to_a_folder_above_brings_its_files_once(tmp_path: Path) -> None:
    make(tmp_path, "music/song.mp3", "sibling.mp3")
    (tmp_path / "music" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert found(tmp_path / "music") == ["song.mp3", "up/sibling.mp3"]


def test_linked_files_are_found_once(tmp_path: Path) -> None:
    make(tmp_path, "music/z/real.mp3", "music/.store/kept.mp3", "elsewhere.mp3")
    root = tmp_path / "music"
    (root / "a.mp3").symlink_to(root / "z" / "real.mp3")  # real.mp3 is found in its own place
    (root / "b.mp3").symlink_to(tmp_path / "elsewhere.mp3")
    (root / "c.mp3").symlink_to(root / ".store" / "kept.mp3")  # found nowhere else
    assert found(root) == ["b.mp3", "c.mp3", "z/real.mp3"]


def test_broken_links_are_told(tmp_path: Path) -> None:
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nothing.mp3")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nothing.txt")
    assert problems(tmp_path) == {"gone.mp3": "broken link: No such file or directory"}


def test_what_is_no_file_is_told_and_never_opened(tmp_path: Path) -> None:
    make(tmp_path, "folder.mp3/song.ogg")
    make_pipe(tmp_path / "pipe.mp3")
    with unix_socket() as server:
        server.bind(str(tmp_path / "socket.flac"))
        assert problems(tmp_path) == {
            "pipe.mp3": "not a regular file",
            "socket.flac": "not a regular file",
        }
    names = [Path(p.path).name for p in walk(tmp_path) if isinstance(p, Found)]
    assert names == ["song.ogg"]


def test_folders_that_cannot_be_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "open/a.mp3", "closed/b.mp3", "shut.mp3/c.ogg")
    real_scandir = os.scandir
    closed = {str(tmp_path / "closed"), str(tmp_path / "shut.mp3")}

    # Permissions would not stop a test that runs as root.
    def scandir(path: str) -> object:
        if str(path) in closed:
            raise PermissionError(13, "Permission denied", path)
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [p for p in walk(tmp_path) if isinstance(p, WalkProblem)] == [
        WalkProblem(path, "folder cannot be read: Permission denied", is_dir=True)
        for path in sorted(closed)
    ]
    assert [Path(p.path).name for p in walk(tmp_path) if isinstance(p, Found)] == ["a.mp3"]


def test_a_root_that_cannot_be_read_stops_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LibraryError, match="No such file"):
        walk(tmp_path / "nothing")
    make_pipe(tmp_path / "pipe.mp3")
    with pytest.raises(LibraryError, match="neither a folder nor a file"):
        walk(tmp_path / "pipe.mp3")


def test_a_file_as_root(tmp_path: Path) -> None:
    make(tmp_path, "clip.mkv")  # whatever it is called: somebody has named it
    assert found(tmp_path) == []
    assert [p.path for p in walk(tmp_path / "clip.mkv")] == [str(tmp_path / "clip.mkv")]


def test_a_relative_root_gives_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "music/song.mp3")
    monkeypatch.chdir(tmp_path)
    assert [p.path for p in walk("music/../music")] == [str(tmp_path / "music" / "song.mp3")]


def test_a_file_that_vanishes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.mp3", "b.mp3")
    walking = walk(tmp_path)
    next(walking)
    (tmp_path / "b.mp3").unlink()
    (problem,) = walking
    assert isinstance(problem, WalkProblem)
    assert problem.reason == "cannot be read: No such file or directory"


def test_very_deep_folders(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 900)
    deep.mkdir(parents=True)
    make(deep, "song.mp3")
    assert len(found(tmp_path)) == 1
