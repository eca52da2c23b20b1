"""No name of a file leads out of the libraries that were given."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from earmark.web.faults import Refused
from earmark.web.roots import Roots
from tests.audiofiles import synth, write
from tests.systems import make_pipe
from tests.web.servers import serving

SECRET = b"secret"


@pytest.fixture
def lib(tmp_path: Path) -> Path:
    """A library with a song, hidden things and links, beside a folder that is none of it."""
    lib, outside = tmp_path / "lib", tmp_path / "library-outside"
    (lib / "a").mkdir(parents=True)
    outside.mkdir()
    (lib / "a" / "song.mp3").write_bytes(b"song")
    (lib / "a" / "._hidden.mp3").write_bytes(SECRET)
    (lib / ".trash").mkdir()
    (lib / ".trash" / "old.mp3").write_bytes(SECRET)
    (lib / "a" / "notes.txt").write_bytes(SECRET)
    (outside / "private.mp3").write_bytes(SECRET)
    (lib / "link.mp3").symlink_to(outside / "private.mp3")
    (lib / "linked").symlink_to(outside, target_is_directory=True)
    (lib / "inside.mp3").symlink_to(lib / "a" / "song.mp3")
    (lib / "to-hidden.mp3").symlink_to(lib / "a" / "._hidden.mp3")
    (lib / "loop.mp3").symlink_to(lib / "loop.mp3")
    (lib / "folder.mp3").mkdir()
    make_pipe(lib / "pipe.mp3")
    return lib


OUTSIDE = [
    "../library-outside/private.mp3",
    "a/../../library-outside/private.mp3",
    "a/..",
    "link.mp3",
    "linked/private.mp3",
    "linked/none.mp3",
    "/etc/passwd",
    "//etc/passwd",
]
MISSING = [
    "a/._hidden.mp3",
    ".trash/old.mp3",
    "a/notes.txt",
    "a/none.mp3",
    "to-hidden.mp3",
    "loop.mp3",
    "folder.mp3",
    "pipe.mp3",
    "a",
    "",
    "x" * 5000 + ".mp3",
]


def refused(status: int, find: object, name: str) -> None:
    with pytest.raises(Refused) as caught:
        find(name)  # type: ignore[operator]
    assert caught.value.status_code == status
    assert SECRET.decode() not in str(caught.value.detail)


@pytest.mark.parametrize("name", ["...And Justice for All/01.mp3", ".38 Special/...Baby.mp3"])
def test_a_leading_dot_hides_no_music(tmp_path: Path, name: str) -> None:
    song = tmp_path / "lib" / name
    song.parent.mkdir(parents=True)
    song.write_bytes(b"song")
    assert Roots([tmp_path / "lib"])["lib"].by_name(name) == str(song)


@pytest.mark.parametrize("name", ["@Recycle/a.mp3", "x/$Recycle.Bin/a.mp3", ".git/a.mp3"])
def test_what_a_scan_passes_over_is_not_given_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "lib" / name).parent.mkdir(parents=True)
    (tmp_path / "lib" / name).write_bytes(SECRET)
    refused(404, Roots([tmp_path / "lib"])["lib"].by_name, name)


def test_names_that_lead_out_are_refused(lib: Path) -> None:
    root = Roots([lib])["lib"]
    for name in [*OUTSIDE, "a/song.mp3\0.txt"]:
        refused(403, root.by_name, name)
        refused(403, root.by_id, base64.urlsafe_b64encode(name.encode()).decode().rstrip("="))
    for name in MISSING:
        refused(404, root.by_name, name)
    for file_id in ("!", "a", "_" * 7, "é"):
        refused(404, root.by_id, file_id)


def test_names_within_are_found(lib: Path) -> None:
    root = Roots([lib])["lib"]
    song = str(lib / "a" / "song.mp3")
    assert root.by_name("a/song.mp3") == song
    assert root.by_name("inside.mp3") == song
    assert root.by_id(root.file_id(song)) == song
    odd = os.fsdecode(os.fsencode(lib) + b"/a/\xff\xfe.mp3")
    Path(odd).write_bytes(b"x")
    assert root.by_id(root.file_id(odd)) == odd
    assert root.shown(odd) == "a/\ufffd\ufffd.mp3"


def test_a_neighbour_with_a_longer_name_is_outside(lib: Path) -> None:
    root = Roots([lib])["lib"]
    assert root.holds(str(lib / "a" / "song.mp3"))
    assert not root.holds(str(lib) + "rary-outside/private.mp3")
    assert not root.holds(str(lib / "link.mp3"))


def test_libraries_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    folders = [tmp_path / "a" / "Müsic!", tmp_path / "b" / "Müsic!", tmp_path / "日本"]
    for folder in folders:
        folder.mkdir(parents=True)
    assert list(Roots(folders).all) == ["m-sic", "m-sic-2", "library"]


def test_requests_cannot_leave_a_library_either(lib: Path, tmp_path: Path) -> None:
    write(lib / "a" / "song.mp3", synth("music", 2.0), 44100, "mp3")
    with serving(tmp_path / "home", libraries=[str(lib)]) as server:
        names = [name for name in [*OUTSIDE, *MISSING] if 0 < len(name) < 4000]
        answer = server.client.post("/libraries/lib/classify", json={"paths": names})
        assert answer.status_code == 422
        for result in answer.json()["results"]:
            assert result["error"]["code"] in ("outside", "not_found")
        for name in names:
            file_id = base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")
            for what in ("audio", "cover", "overview", "preview", "spectrogram.png"):
                answer = server.client.get(f"/libraries/lib/files/{file_id}/{what}")
                assert answer.status_code in (403, 404)
                assert SECRET not in answer.content
        for raw in encoded_paths():
            request = f"GET {raw} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            assert SECRET not in server.raw(request.encode("latin-1"))


def encoded_paths() -> list[str]:
    """Ways to write a path that servers have fallen for."""
    base = "/api/v1/libraries/lib/files"
    return [
        f"{base}/../../../../library-outside/private.mp3/audio",
        f"{base}/%2e%2e%2f%2e%2e%2flibrary-outside%2fprivate.mp3/audio",
        f"{base}/..%5c..%5clibrary-outside/audio",
        f"{base}/%252e%252e%252flibrary-outside/audio",
        f"{base}/\xc0\xae\xc0\xae/audio",
        f"{base}//audio",
        f"{base}/%00/audio",
        "/api/v1/libraries/..%2flibrary-outside/files/cHJpdmF0ZS5tcDM/audio",
        "/api/v1/uploads/..%2f..%2fcatalogue.sqlite/audio",
    ]


def test_a_link_that_leads_out_is_neither_heard_nor_played(lib: Path, tmp_path: Path) -> None:
    outside = tmp_path / "library-outside" / "private.mp3"
    private = {"artist": "Private", "album": "Diary", "title": "Confession"}
    write(outside, synth("music", 3.0), 44100, "mp3", tags=private)
    tagged = {**private, "genre": "Secretcore"}
    write(outside.with_name("tagged.mp3"), synth("music", 3.0), 44100, "mp3", tags=tagged)
    before = outside.read_bytes()
    for odd in ("pipe.mp3", "loop.mp3"):
        (lib / odd).unlink()
    with serving(tmp_path / "home", libraries=[str(lib)], allow_write=True) as server:
        job = server.job({"kind": "plan", "library_id": "lib"})
        plan_id = job["result"]["plan_id"]
        page = server.client.get(f"/plans/{plan_id}/albums", params={"show": "all"}).json()
        items = {i["path"]: i for album in page["albums"] for i in album["items"]}
        assert items["link.mp3"]["action"] == "error"
        assert items["link.mp3"]["reason"] == "leads out of the library"
        for name in ("link.mp3", "linked/private.mp3", "linked/tagged.mp3"):
            assert items[name]["action"] == "error"
            assert items[name]["before"] == []
        # Nor is told what its tags say: in the plan, the library's figures, or what can be learned.
        for where in (f"/plans/{plan_id}/albums?show=all", "/libraries/lib", "/plans", "/jobs"):
            told = server.client.get(where).text
            assert not [word for word in (*private.values(), "Secretcore") if word in told]
        wanted = {"merges": {}, "only": [], "min_tracks": 3}
        learned = server.client.post("/libraries/lib/labels", json=wanted).text
        assert "Secretcore" not in learned
        root = f"http://{server.host}:{server.port}"
        assert server.client.get(root + items["link.mp3"]["media"]["audio_url"]).status_code == 403
        # Told to write it all the same, nothing is.
        item_id = items["link.mp3"]["item_id"]
        server.client.patch(f"/plans/{plan_id}/items/{item_id}", json={"genres": ["Polka"]})
        answer = server.client.post(f"/plans/{plan_id}/apply", json={})
        if answer.status_code == 202:
            server.wait(answer.json()["job_id"])
    assert outside.read_bytes() == before


def test_a_server_may_do_without_libraries(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.client.get("/libraries").json()["libraries"] == []
        assert server.client.get("/plans").json() == {"plans": []}
        assert server.client.get("/journal/runs").json() == {"runs": []}
        answer = server.client.post("/jobs", json={"kind": "scan", "library_id": "x"})
        assert answer.status_code == 404
