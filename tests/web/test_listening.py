"""Uploads and files of a library: what is answered, played and pictured."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import av
import pytest

from earmark.library import Catalogue
from tests.audiofiles import synth, write
from tests.cli import earmark
from tests.web.servers import Server


def upload(server: Server, *files: tuple[str, bytes], **params: Any) -> Any:
    form = [("files", (name, data, "application/octet-stream")) for name, data in files]
    return server.client.post("/classify", files=form, params=params)


def test_an_upload_is_answered_as_the_command_line_answers(server: Server, music: Path) -> None:
    path = music / "Ann" / "First" / "01.mp3"
    answer = upload(server, ("my song.mp3", path.read_bytes()))
    assert answer.status_code == 200
    (result,) = answer.json()["results"]
    expected = json.loads(earmark("classify", "--json", path).out)
    assert answer.json()["model"]["model_id"] == expected["model"]["id"]
    (track,) = expected["tracks"]
    assert result["name"] == "my song.mp3"
    assert (result["genre"], result["reason"]) == (track["genre"], track["rejected"])
    assert result["error"] is None
    assert {row["genre"]: row["p"] for row in result["proba"]} == pytest.approx(track["proba"])
    assert len(result["slices"]) == track["slices"]
    assert all(v["proba"][0] == {"genre": v["genre"], "p": v["p"]} for v in result["slices"])
    assert result["duration_s"] == pytest.approx(8, abs=0.2)
    assert result["media"] is None
    assert server.uploads() == []


def test_several_files_are_answered_in_their_order(server: Server, tmp_path: Path) -> None:
    files = [("broken.mp3", b"no music at all" * 100)]
    for kind in ("wav", "m4a", "opus", "wma"):
        sr = 48000 if kind == "opus" else 44100
        path = write(tmp_path / f"song.{kind}", synth("music", 4.0, sr), sr, kind)
        files.append((path.name, path.read_bytes()))
    files.append(("silent.wav", write(tmp_path / "s.wav", synth("silence")).read_bytes()))
    answer = upload(server, *files)
    results = answer.json()["results"]
    assert answer.status_code == 200
    assert [r["name"] for r in results] == [name for name, _ in files]
    assert results[0]["error"]["message"].startswith("not a music file")
    assert results[-1]["error"]["message"].startswith("silent")
    for result in results[1:-1]:
        assert result["error"] is None
        assert 0 < sum(row["p"] for row in result["proba"]) < 1.001
        # Exactly one of the three says what became of it.
        assert (result["genre"] is None) != (result["reason"] is None)
    assert server.uploads() == []


def test_where_no_file_can_be_heard_the_status_says_so(server: Server) -> None:
    answer = upload(server, ("a.mp3", b"x" * 1000))
    assert answer.status_code == 422
    assert answer.json()["results"][0]["error"]["code"] == "unusable"
    assert "/" not in answer.json()["results"][0]["error"]["message"]


def test_a_kept_upload_is_played_pictured_and_removed(server: Server, tmp_path: Path) -> None:
    data = write(tmp_path / "a.flac", synth("music", 5.0), 44100, "flac").read_bytes()
    (result,) = upload(server, ("<b>.flac", data), keep=True).json()["results"]
    media = result["media"]
    root = f"http://{server.host}:{server.port}"
    assert result["name"] == "<b>.flac"
    assert media["audio_type"] == "audio/flac"

    whole = server.client.get(root + media["audio_url"])
    assert whole.content == data
    assert whole.headers["content-type"] == "audio/flac"
    assert whole.headers["x-content-type-options"] == "nosniff"
    part = server.client.get(root + media["audio_url"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, data[100:200])
    beyond = server.client.get(root + media["audio_url"], headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416

    overview = server.client.get(root + media["overview_url"]).json()
    assert overview["duration_s"] == pytest.approx(5, abs=0.01)
    assert not overview["truncated"]
    assert len(overview["peaks"]) * overview["column_s"] == pytest.approx(5, abs=0.1)
    assert 0.1 < max(overview["peaks"]) <= 1
    picture = server.client.get(root + media["spectrogram_url"], params={"palette": "grey"})
    width, height, levels = read_png(picture.content)
    assert (width, height) == (len(overview["peaks"]), overview["n_bins"])
    assert max(levels) == 255
    # A fundamental from 220 Hz up: the lower half of the picture is the loud one.
    rows = [sum(levels[i * width : (i + 1) * width]) for i in range(height)]
    assert sum(rows[height // 2 :]) > sum(rows[: height // 2])

    preview = tmp_path / "preview.opus"
    preview.write_bytes(server.client.get(root + media["preview_url"]).content)
    with av.open(str(preview)) as container:
        assert (container.duration or 0) / av.time_base == pytest.approx(5, abs=0.1)

    gone = server.client.delete(f"/uploads/{media['upload_id']}")
    assert gone.status_code == 204
    assert server.client.get(root + media["audio_url"]).status_code == 404
    assert server.uploads() == []


def read_png(data: bytes) -> tuple[int, int, bytes]:
    """Width, height and indices of a picture with one byte a pixel and no filters."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert zlib.crc32(name + body) == struct.unpack_from(">I", data, at + 8 + length)[0]
        chunks[name] = body
        at += 12 + length
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    rows = zlib.decompress(chunks[b"IDAT"])
    starts = range(0, len(rows), width + 1)
    assert all(rows[start] == 0 for start in starts)
    return width, height, b"".join(rows[start + 1 : start + 1 + width] for start in starts)


def test_a_file_of_a_library_is_heard_once(server: Server, music: Path) -> None:
    wanted = {"paths": ["Bob/First/01.mp3", "Bob/First/none.mp3"]}
    answers = [server.client.post("/libraries/my-music/classify", json=wanted) for _ in range(2)]
    assert [a.status_code for a in answers] == [200, 200]
    first, second = (a.json()["results"] for a in answers)
    assert first == second
    assert first[0]["file_id"]
    assert first[1]["error"]["code"] == "not_found"
    audio = server.client.get(f"http://{server.host}:{server.port}{first[0]['media']['audio_url']}")
    assert audio.content == (music / "Bob/First/01.mp3").read_bytes()
    with Catalogue.open(server.home / "catalogue.sqlite", read_only=True) as catalogue:
        listens = catalogue._connection.execute("SELECT count(*) FROM listens").fetchone()
    assert listens == (1,)


def test_covers_come_from_the_file_or_from_beside_it(server: Server, music: Path) -> None:
    url = "/libraries/my-music/files"
    (result,) = server.client.post(
        "/libraries/my-music/classify", json={"paths": ["Cee/First/02.flac"]}
    ).json()["results"]
    assert server.client.get(f"{url}/{result['file_id']}/cover").status_code == 404
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
    (music / "Cee" / "First" / "Cover.png").write_bytes(png)
    beside = server.client.get(f"{url}/{result['file_id']}/cover")
    assert (beside.status_code, beside.content) == (200, png)
    assert beside.headers["content-type"] == "image/png"
    # A page that calls itself a picture is none.
    (music / "Cee" / "First" / "Cover.png").write_bytes(b"<html><script>1</script>")
    assert server.client.get(f"{url}/{result['file_id']}/cover").status_code == 404


def test_models_tell_of_themselves(server: Server) -> None:
    (model,) = server.client.get("/models").json()["models"]
    assert model["in_use"]
    assert model["source"] == "shipped"
    card = server.client.get(f"/models/{model['model_id']}").json()
    assert card["labels"] == model["labels"]
    assert card["data"]
    assert "learned" not in card["data"]
    assert server.client.get("/models/none").status_code == 404
    assert server.client.put("/models/in-use", json={"model_id": "none"}).status_code == 404


def test_metrics_count_without_telling_paths(server: Server) -> None:
    server.client.get("/libraries/nothing-of-the-kind")
    text = server.client.get("/metrics").text
    assert 'earmark_requests_total{method="GET",route="/api/v1/libraries/{library_id}"' in text
    assert "nothing-of-the-kind" not in text
    assert "process_resident_memory_bytes" in text
    assert 'earmark_files_total{outcome="failed"}' in text


def test_a_recording_of_a_browser_is_heard(server: Server, tmp_path: Path) -> None:
    """What MediaRecorder makes: WebM that does not say how long it is, and cannot be searched."""
    path = tmp_path / "recording.webm"
    y = synth("music", 6.0, 48000, 1)
    with av.open(str(path), "w", format="webm", options={"live": "1"}) as out:
        stream = out.add_stream("libopus", rate=48000, layout="mono", format="flt")
        frame = av.AudioFrame.from_ndarray(y, format="flt", layout="mono")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    (result,) = upload(server, ("recording.webm", path.read_bytes()), keep=True).json()["results"]
    assert result["error"] is None
    assert result["duration_s"] is None
    assert result["media"]["audio_type"] == "audio/webm"
    root = f"http://{server.host}:{server.port}"
    overview = server.client.get(root + result["media"]["overview_url"]).json()
    assert overview["duration_s"] == pytest.approx(6, abs=0.1)
    server.client.delete(f"/uploads/{result['media']['upload_id']}")


def test_the_extra_is_named_where_it_is_missing() -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from earmark.cli import main\nsys.argv = ['earmark', 'serve']\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 2
    assert "'.[web]'" in done.stderr
