"""Makes a home as today's version leaves it: ``python -m tests.homes.make_home``.

``0.1.0.tar.gz`` was made so from the sources of version 0.1.0, and is not made again: it shows what
that version wrote. A later version may get an archive of its own beside it, called after it.
It takes all extras, and a minute or two.

A small library is scanned, two models are learned from it, tags are planned, written and undone on
the command line and over the page's API. All lies in one fixed folder, so that a home made again
differs in times and in a few random numbers only. In the archive::

    home/         Earmark's home: catalogue, journal, stores, the page's store; in it,
                  models/parlour and runs/parlour: a head on the backbone, and its run folder
    config/       the user's settings, for $XDG_CONFIG_HOME
    Music/        the library after all that was written
    bins/         the backbone
    tiny.toml     a recipe; tiny/, tiny-run/: a network learned by it, and its run folder
    plan.csv      a plan for the tracks without a genre, made before any was written
    facts.json    what there is to compare with, see `facts`
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

from tests import backbones
from tests.audiofiles import CONTAINERS, synth, write
from tests.cli import earmark
from tests.homes import ARCHIVES, BANDS, HEAD, NETWORK, SCRATCH, Home, albums, api_facts
from tests.web.servers import Server, serving

MADE_S = 1_767_225_600
"""When the music was made: the first second of 2026."""

GENRES = ("Polka", "Waltz")
LABELLED = ("mp3", "opus", "m4a", "mp3", "wma", "opus")
"""Containers of the tracks that each genre has."""

# Without a genre: a track of every family of tags, in odd places too; how much of it is hiss.
UNLABELLED: dict[bytes, tuple[str, float]] = {
    "Åsa/Höst/01 Löv.mp3".encode(): ("mp3", 0.3),
    "Åsa/Höst/02 Regn.flac".encode(): ("flac", 0.05),
    b"Lo\xefs/Caf\xe9/01.ogg": ("ogg", 0.2),  # Latin-1, which is no UTF-8
    b"Bo/One/01.opus": ("opus", 0.9),
    b"Bo/One/02.m4a": ("m4a", 0.8),
    b"Bo/One/03.wma": ("wma", 0.85),
    b"Bo/Two/01.wv": ("wavpack", 0.1),
    b"Bo/Two/02.wav": ("wav", 0.55),
}
EDITED = ("01 Löv.mp3", "01.ogg", "02.m4a")
"""What the first run writes; of the first, the genre is changed by hand."""

RECIPE = """\
kind = "network"
description = "the least there is"

[features]
n_mels = 32
hop_length = 1024

[slices]
n_frames = 32
hop_frames = 32

[network]
name = "cnn"
widths = [2, 2, 4, 4]

[schedule]
epochs = 3
batch_size = 8
min_steps = 6
"""
SETTINGS = """\
model = "parlour"
workers = 1
min_confidence = 0.54
"""


def main() -> None:
    version = run("--version").split()[1]
    archive = ARCHIVES / f"{version}.tar.gz"
    for there in (archive, SCRATCH):
        if there.exists():
            raise SystemExit(f"{there} is there; move it away")
    SCRATCH.mkdir()
    os.chdir(SCRATCH)
    os.environ |= {"EARMARK_HOME": f"{SCRATCH}/home", "XDG_CONFIG_HOME": f"{SCRATCH}/config"}
    os.environ["OMP_NUM_THREADS"] = "1"
    make_music()
    backbones.write(Path("bins"))
    Path("tiny.toml").write_text(RECIPE)
    Path("config/earmark").mkdir(parents=True)
    Path("config/earmark/config.toml").write_text(SETTINGS)
    originals = Home(SCRATCH, {}).states()
    run("scan", "Music", code=3)
    run(*HEAD)
    run(*NETWORK)
    by_command_line()
    with serving(SCRATCH / "home", libraries=[f"{SCRATCH}/Music"], allow_write=True) as server:
        by_page(server)
        told = api_facts(server)
    Path("facts.json").write_text(json.dumps(facts(version, originals, told), indent=1) + "\n")
    tidy()
    pack(archive)
    shutil.rmtree(SCRATCH)


def run(*args: str, code: int = 0) -> str:
    ran = earmark(*args)
    if ran.code != code:
        raise SystemExit(f"earmark {' '.join(args)}: {ran.code}\n{ran.out}{ran.err}")
    return ran.out


# --- what is done -------------------------------------------------------------------------------


def make_music() -> None:
    """Tracks of each genre by as many artists, those without a genre, and a broken one."""
    for number, genre in enumerate(GENRES):
        for i, container in enumerate(LABELLED, start=1):
            artist, seed = f"{genre} Band {i}", 10 * number + i
            tags = {"artist": artist, "album": f"Live {seed}", "title": "Dance", "genre": genre}
            path = Path(f"{BANDS}/{artist}/Live/01 Dance{CONTAINERS[container].suffix}")
            _write(path, container, seed, 0.05 + 0.6 * number + 0.05 * i, tags)
    for seed, (name, (container, hiss)) in enumerate(UNLABELLED.items(), start=40):
        artist, album, _ = name.decode("latin-1" if b"\xef" in name else "utf-8").split("/")
        tags = {"artist": artist, "album": album, "title": f"Song {seed}"}
        _write(Path("Music") / os.fsdecode(name), container, seed, hiss, tags)
    Path("Music/Bo/Two/03.flac").write_bytes(b"fLaC, and no more")
    files = (path for path in Path("Music").rglob("*") if path.is_file())
    for i, path in enumerate(sorted(files, key=os.fsencode)):
        os.utime(path, ns=(0, (MADE_S + 60 * i) * 10**9 + 123_456_789))


def _write(path: Path, container: str, seed: int, hiss: float, tags: dict[str, str]) -> None:
    """Three seconds of a tune, `hiss` of it noise; half as much where that takes much room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    large = container in ("ogg", "flac", "wavpack", "wav")
    sr = {"opus": 24000, "wav": 11025, "flac": 11025, "wavpack": 11025}.get(container, 22050)
    n_channels = 2 if container == "ogg" else 1  # FFmpeg's own encoder knows no other
    tune, noise = (
        synth(kind, 1.6 if large else 3.2, sr, n_channels, seed) for kind in ("music", "noise")
    )
    write(path, (1 - hiss) * tune + hiss * noise, sr, container, tags, bit_rate=32_000)


def by_command_line() -> None:
    """A run from an edited plan, which stays, and one that is undone."""
    run("tag", "Music", "--min-confidence", "0", "--export", "plan.csv", code=3)
    with Path("plan.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = [row for row in rows if row["path"].endswith(EDITED)]
    chosen[-1]["genre"] = "Humppa; Polka"
    with Path("edited.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(chosen)
    run("tag", "Music", "--import", "edited.csv", "--apply", code=3)
    Path("edited.csv").unlink()
    run("tag", "Music", "--overwrite", "--apply", "--min-confidence", "0", code=3)
    run("undo")


def by_page(server: Server) -> None:
    """A plan that is decided on and written, and one that waits, half decided; a measurement."""
    server.job({"kind": "scan", "library_id": "music"})
    models = server.client.get("/models").json()["models"]
    (model_id,) = (model["model_id"] for model in models if model["source"] == "trained")
    server.client.put("/models/in-use", json={"model_id": model_id}).raise_for_status()
    server.job({"kind": "evaluate", "library_id": "music"})
    wanted = {"kind": "plan", "library_id": "music", "min_confidence": 0}
    plan_id = server.job(wanted)["result"]["plan_id"]
    decide(server, plan_id, "Bo/One/03.wma", choice="accepted")
    decide(server, plan_id, "Åsa/Höst/02 Regn.flac", genres=["Humppa", "Jenkka"])
    decide(server, plan_id, "Bo/One/01.opus", choice="rejected")
    server.job({}, f"/plans/{plan_id}/apply")
    wanted |= {"mode": "overwrite", "join": "; ", "min_confidence": 0.54}
    plan_id = server.job(wanted)["result"]["plan_id"]
    choosing = {"choice": "accepted", "genre": "Waltz"}
    server.client.post(f"/plans/{plan_id}/choose", json=choosing).raise_for_status()
    decide(server, plan_id, "Bo/Two/01.wv", genres=["Humppa", "Polka"])
    decide(server, plan_id, "Bands/Waltz Band 1/Live/01 Dance.mp3", choice="rejected")


def decide(server: Server, plan_id: int, path: str, **change: Any) -> None:
    items = (item for album in albums(server, plan_id) for item in album["items"])
    (item_id,) = (item["item_id"] for item in items if item["path"] == path)
    url = f"/plans/{plan_id}/items/{item_id}"
    server.client.patch(url, json=change).raise_for_status()


# --- what is kept -------------------------------------------------------------------------------


def facts(version: str, originals: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """What tests compare with.

    ``originals`` and ``files`` are the library's files before any run and in the archive, as
    `Home.states` has them; ``by_head`` and ``by_network`` what ``classify --json`` says of them by
    the two models; all else, what the API told (see `api_facts`).
    """
    return {
        "version": version,
        "originals": originals,
        "files": Home(SCRATCH, {}).states(),
        "by_head": json.loads(run("classify", "Music", "--json", code=3)),
        "by_network": json.loads(run("classify", "Music", "--model", "./tiny", "--json", code=3)),
        **told,
    }


def tidy() -> None:
    """Bring write-ahead logs home; leave out pictures, logs and locks."""
    for database in Path().rglob("*.sqlite"):
        with closing(sqlite3.connect(database)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for pattern in ("*.png", "*.log", "*.lock", "*.sqlite-wal", "*.sqlite-shm"):
        for path in Path().rglob(pattern):
            path.unlink()


def pack(archive: Path) -> None:
    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = MADE_S  # those of the music are in the facts, to the nanosecond
        return entry

    with tarfile.open(archive, "x:gz", compresslevel=9) as tar:
        for path in sorted(Path().rglob("*"), key=os.fsencode):
            tar.add(path, recursive=False, filter=plain)


if __name__ == "__main__":
    main()
