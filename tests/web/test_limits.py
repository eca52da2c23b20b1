"""Too much, too long, too slow, too many, and files that lie: refused, and the server goes on."""

from __future__ import annotations

import socket
import struct
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from earmark.errors import AudioError
from earmark.pool import FilePool
from tests.audiofiles import synth, write
from tests.web.servers import Server, serving

MIB = 1 << 20


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes little."""
    bounds = {
        "max_files": 3,
        "max_upload_bytes": 60 * MIB,
        "max_request_bytes": 80 * MIB,
        "max_body_bytes": MIB,
        "max_duration_s": 3600.0,
        "max_overview_s": 20.0,
        "n_uploads": 4,
        "max_kept_bytes": 3 * MIB,
        "kept_s": 600.0,
        "stall_s": 1.0,
        "min_bytes_a_s": 2000.0,
        "headers_s": 1.0,
        "time_limit_s": 20.0,
        "memory_bytes": 400 * MIB,
    }
    with serving(tmp_path_factory.mktemp("strict"), bounds=bounds, n_workers=1) as running:
        yield running


@pytest.fixture(autouse=True)
def still_up(strict: Server, tmp_path: Path) -> Iterator[None]:
    """After each attack the server answers as before, and has kept nothing of it."""
    yield
    song = write(tmp_path / "after.wav", synth("music", 2.0))
    answer = send(strict, song.read_bytes())
    assert answer.status_code == 200
    assert answer.json()["results"][0]["error"] is None
    until = time.monotonic() + 10
    while strict.uploads() and time.monotonic() < until:
        time.sleep(0.1)
    assert strict.uploads() == []


def send(server: Server, *files: bytes, **params: bool) -> httpx.Response:
    form = [("files", ("song.mp3", data)) for data in files]
    return server.client.post("/classify", files=form, params=params)


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of the only file, or of the request."""
    body = answer.json()
    fault = body["error"] if "error" in body else body["results"][0]["error"]
    assert fault["message"]
    return answer.status_code, fault["code"]


# --- too much -----------------------------------------------------------------------------------


def test_a_file_that_is_too_large(strict: Server) -> None:
    assert error(send(strict, bytes(61 * MIB))) == (413, "too_large")


def test_a_request_that_is_too_large_is_refused_by_its_claim(strict: Server) -> None:
    head = (
        b"POST /api/v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    assert b" 413 " in strict.raw(head)


def test_a_request_without_a_claim_is_counted(strict: Server) -> None:
    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n'
        for _ in range(90):
            yield bytes(MIB)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        answer = strict.client.post("/classify", content=endless(), headers=headers)
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        return  # it hung up while we were sending
    assert error(answer) == (413, "too_large")


def test_too_many_files(strict: Server) -> None:
    assert error(send(strict, *[b"x"] * 4)) == (413, "too_large")


def test_too_many_parts_are_refused_early(strict: Server) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    for parts in (part * 50, b"--x\r\nA: b\r\n\r\n\r\n" * 50):  # a form may have other fields
        answer = form(strict, parts + b"--x--\r\n")
        assert error(answer) == (422, "invalid")
    for parts in (part * 1000, b"--x\r\n\r\n\r\n" * (4 * MIB)):
        started = time.monotonic()
        answer = form(strict, parts + b"--x--\r\n")
        assert error(answer) == (413, "too_large")
        assert "parts" in answer.json()["error"]["message"]
        assert time.monotonic() - started < 5


def form(server: Server, body: bytes) -> httpx.Response:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    return server.client.post("/classify", content=body, headers=headers)


def test_json_that_is_too_large(strict: Server) -> None:
    answer = strict.client.post("/jobs", content=b'{"kind": "' + b"x" * 2 * MIB + b'"}')
    assert error(answer) == (413, "too_large")


def test_headers_that_are_too_large(strict: Server) -> None:
    request = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (1 << 17)
    try:
        answer = strict.raw(request + b"\r\n\r\n")
    except (ConnectionError, TimeoutError):
        return
    assert b" 400 " in answer or b" 431 " in answer or answer == b""


def test_uploads_that_are_kept_make_room_for_each_other(strict: Server, tmp_path: Path) -> None:
    song = write(tmp_path / "a.wav", synth("music", 8.0)).read_bytes()  # 1.4 MB
    media = [send(strict, song, keep=True).json()["results"][0]["media"] for _ in range(3)]
    root = f"http://{strict.host}:{strict.port}"
    found = [strict.client.get(root + m["audio_url"]).status_code for m in media]
    assert found == [404, 200, 200]
    for m in media[1:]:
        strict.client.delete(f"/uploads/{m['upload_id']}")


def test_a_picture_of_a_long_track_is_cut(strict: Server, tmp_path: Path) -> None:
    song = write(tmp_path / "a.mp3", synth("music", 30.0), 44100, "mp3").read_bytes()
    media = send(strict, song, keep=True).json()["results"][0]["media"]
    root = f"http://{strict.host}:{strict.port}"
    overview = strict.client.get(root + media["overview_url"]).json()
    assert overview["truncated"]
    assert overview["duration_s"] == pytest.approx(20, abs=0.1)
    strict.client.delete(f"/uploads/{media['upload_id']}")


# --- forms that are none ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"x", 415),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=" + "b" * 300, b"x", 400),
        ("multipart/form-data; boundary=x", b"no form", 400),
        ("multipart/form-data; boundary=x", b"", 400),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 422),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp3"\r\n\r\nabc',
            400,
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nabc\r\n--x--\r\n',
            422,
        ),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 9999, 400),
        ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"b" * 99999, 400),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 30 + b"\r\n--x--", 400),
        ("multipart/form-data; boundary=x", b"--x\r\n" + (b"A: " + b"b" * 3000 + b"\r\n") * 7, 400),
    ],
)
def test_what_is_no_form(strict: Server, kind: str, body: bytes, status: int) -> None:
    answer = strict.client.post("/classify", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_a_name_is_never_a_path(strict: Server, tmp_path: Path) -> None:
    song = write(tmp_path / "a.wav", synth("music", 2.0)).read_bytes()
    names = ["../../evil.wav", "/etc/passwd", "C:\\evil.wav", "..", "a" * 999 + ".wav", ""]
    for name in names:
        part = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = part.encode() + song + b"\r\n--x--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = strict.client.post("/classify", content=body, headers=headers)
        shown = answer.json()["results"][0]["name"]
        assert "/" not in shown
        assert 0 < len(shown) <= 255
    assert not list(strict.home.rglob("*evil*"))


# --- too slow, too many -------------------------------------------------------------------------

SLOW = (
    b"POST /api/v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp3"\r\n\r\n'
)


def test_an_upload_that_stalls_is_cut_off(strict: Server) -> None:
    started = time.monotonic()
    assert b" 408 " in strict.raw(SLOW)
    assert time.monotonic() - started < 20


def test_an_upload_that_is_broken_off_is_no_error_of_the_server(strict: Server) -> None:
    kept = strict.uploads()
    with socket.create_connection((strict.host, strict.port), timeout=30) as s:
        s.sendall(SLOW)
        until = time.monotonic() + 30
        while len(strict.uploads()) == len(kept) and time.monotonic() < until:
            time.sleep(0.05)
        assert len(strict.uploads()) == len(kept) + 1
    while len(strict.uploads()) > len(kept) and time.monotonic() < until:
        time.sleep(0.05)
    assert set(strict.uploads()) == set(kept)
    assert "Traceback" not in strict.log.read_text()


def test_an_upload_that_trickles_is_cut_off(strict: Server) -> None:
    with socket.create_connection((strict.host, strict.port), timeout=30) as s:
        s.sendall(SLOW)
        answer = b""
        for _ in range(100):
            s.sendall(b"x" * 20)
            s.settimeout(0.2)
            try:
                answer = s.recv(65536)
            except TimeoutError:
                continue
            break
        assert b" 408 " in answer


def test_headers_that_never_end_are_hung_up_on(strict: Server) -> None:
    with socket.create_connection((strict.host, strict.port), timeout=30) as s:
        s.sendall(b"GET /api/v1/health HTTP/1.1\r\n")
        assert s.recv(100) == b""
    # So are those of a second request on the same connection.
    with socket.create_connection((strict.host, strict.port), timeout=30) as s:
        s.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in s.recv(65536)
        s.sendall(b"GET /api/v1/health HTTP/1.1\r\n")
        rest = b""
        while chunk := s.recv(65536):
            rest += chunk
        assert b" 200 " not in rest


def test_more_uploads_than_there_is_room_for_come_back_later(strict: Server) -> None:
    sockets = [socket.create_connection((strict.host, strict.port), timeout=30) for _ in range(4)]
    stop = threading.Event()

    def feed() -> None:
        """Fast enough to be borne."""
        while not stop.wait(0.2):
            for s in sockets:
                s.sendall(b"x" * 4000)

    try:
        for s in sockets:
            s.sendall(SLOW)
        feeder = threading.Thread(target=feed)
        feeder.start()
        time.sleep(0.5)
        answer = send(strict, b"x")
        assert error(answer) == (503, "busy")
        assert int(answer.headers["retry-after"]) > 0
        assert strict.client.get("/health").status_code == 200
    finally:
        stop.set()
        feeder.join()
        for s in sockets:
            s.close()


# --- files that lie -----------------------------------------------------------------------------


def test_a_track_of_ten_hours(strict: Server, tmp_path: Path) -> None:
    # 36 MB of MP3: the same second, 8 kbit/s, again and again.
    one = write(tmp_path / "s.mp3", synth("tone", 2.0, 8000, 1), 8000, "mp3", bit_rate=8000)
    frames = one.read_bytes()
    start = frames.index(b"\xff\xe3")
    ten_hours = frames[start:] * (36_000_000 // len(frames[start:]))
    answer = send(strict, ten_hours)
    assert error(answer) == (422, "unusable")
    assert "too long" in answer.json()["results"][0]["error"]["message"]


def test_a_header_that_claims_ten_hours(strict: Server, tmp_path: Path) -> None:
    answer = send(strict, flac_claiming(tmp_path, 36_000))
    assert error(answer) == (422, "unusable")
    assert "too long: 600 minutes" in answer.json()["results"][0]["error"]["message"]


def test_a_header_that_claims_too_little_or_nothing(strict: Server, tmp_path: Path) -> None:
    for seconds in (1, 0):
        answer = send(strict, flac_claiming(tmp_path, seconds))
        assert answer.status_code == 200
        assert answer.json()["results"][0]["error"] is None


def flac_claiming(folder: Path, seconds: int) -> bytes:
    """Four seconds of music whose header says otherwise."""
    data = bytearray(write(folder / "a.flac", synth("music", 4.0), 44100, "flac").read_bytes())
    # STREAMINFO: after "fLaC", a block header of 4 bytes and 13 bytes, 36 bits of samples.
    at = 4 + 4 + 13
    data[at] = data[at] & 0xF0
    data[at + 1 : at + 5] = struct.pack(">I", seconds * 44100)
    return bytes(data)


def test_a_wave_that_claims_more_than_it_holds(strict: Server, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((2, 2, 44100, 0, "NONE", ""))
        out.writeframes(np.zeros(4410, np.int16).tobytes())
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 40, 0xFFFFFFF0)
    struct.pack_into("<I", data, 4, 0xFFFFFFF0)
    answer = send(strict, bytes(data))
    assert error(answer) == (422, "unusable")


def test_a_bomb_of_silence(strict: Server, tmp_path: Path) -> None:
    # Half an hour of eight channels in a few hundred kilobytes; decoded, it would be gigabytes.
    path = write(tmp_path / "a.flac", np.zeros((8, 96000 * 4), np.float32), 96000, "flac")
    data = path.read_bytes()
    audio = data.index(b"\xff\xf8") if b"\xff\xf8" in data else data.index(b"\xff\xf9")
    bomb = bytearray(data[:audio] + data[audio:] * 450)
    bomb[21] &= 0xF0
    bomb[22:26] = b"\0\0\0\0"  # and it does not say how long it is
    assert len(bomb) < 40 * MIB
    started = time.monotonic()
    answer = send(strict, bytes(bomb))
    assert error(answer) == (422, "unusable")
    assert time.monotonic() - started < 60


def test_compressed_requests_are_not_unpacked(strict: Server) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = strict.client.post("/jobs", content=b"\x1f\x8b" + bytes(1000), headers=headers)
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("head", [b"RIFF", b"fLaC", b"ID3\x04", b"OggS", b"\0\0\0 ftypM4A "])
def test_noise_behind_a_known_beginning(strict: Server, head: bytes) -> None:
    rng = np.random.default_rng(len(head))
    files = [head + rng.bytes(50_000), head, head + bytes(50_000)]
    answer = send(strict, *files)
    assert answer.status_code == 422
    assert all(r["error"]["code"] == "unusable" for r in answer.json()["results"])


def test_what_would_open_other_files_is_read_as_what_it_is(strict: Server) -> None:
    playlists = (
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"http://127.0.0.1:1/secret.mp3\n",
    )
    answer = send(strict, *playlists)
    assert answer.status_code == 422
    assert "root:" not in answer.text


# --- memory -------------------------------------------------------------------------------------


def greedy(path: str) -> int:
    return np.ones(int(path) * MIB, np.uint8).size


def test_a_worker_that_wants_too_much_memory_costs_its_file_only() -> None:
    with FilePool(1, time_limit_s=60, memory_limit_bytes=200 * MIB) as pool:
        outcomes = [pool.outcome(pool.submit(greedy, n), n) for n in ("50", "900", "60")]
    assert outcomes[0] == 50 * MIB
    assert isinstance(outcomes[1], AudioError)
    assert outcomes[1].reason == "takes more memory than one file may"
    assert outcomes[2] == 60 * MIB
