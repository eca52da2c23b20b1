"""What the image does before the server runs, without an image: the script with stand-ins."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.web.servers import Server

DOCKER = Path(__file__).parents[2] / "docker"


def run(
    tmp_path: Path, uid: int, owner: str = "0:0", **environment: str
) -> tuple[int, list[str], str]:
    """Exit code, the commands that it ran, stderr; nothing of it happens."""
    stubs, log = tmp_path / "bin", tmp_path / "log"
    stubs.mkdir()
    says = {"id": str(uid), "stat": owner, "chown": "", "setpriv": "", "earmark": ""}
    for name, text in says.items():
        stub = stubs / name
        stub.write_text(f'#!/bin/sh\necho "{name} $*" >> "{log}"\necho "{text}"\n')
        stub.chmod(0o755)
    done = subprocess.run(
        ["sh", str(DOCKER / "entrypoint.sh"), "serve", "--host", "0.0.0.0"],
        env={
            "PATH": f"{stubs}:{os.defpath}",
            "EARMARK_HOME": str(tmp_path / "data"),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    ran = log.read_text().splitlines() if log.exists() else []
    return (
        done.returncode,
        [line for line in ran if not line.startswith(("id", "stat"))],
        done.stderr,
    )


def test_root_becomes_the_user_and_the_group_asked_for(tmp_path: Path) -> None:
    code, ran, _ = run(tmp_path, 0, PUID="1234", PGID="567")
    data = tmp_path / "data"
    assert code == 0
    assert data.is_dir()
    assert ran == [
        f"chown -R 1234:567 {data}",
        "setpriv --reuid 1234 --regid 567 --clear-groups --no-new-privs"
        " earmark serve --host 0.0.0.0",
    ]


def test_a_data_folder_of_the_right_owner_is_left_alone(tmp_path: Path) -> None:
    code, ran, _ = run(tmp_path, 0, owner="1000:1000")
    assert code == 0
    assert [line.split()[0] for line in ran] == ["setpriv"]


def test_another_user_stays_that_user(tmp_path: Path) -> None:
    assert run(tmp_path, 1000)[:2] == (0, ["earmark serve --host 0.0.0.0"])


@pytest.mark.parametrize(
    ("name", "value"),
    [("PUID", "0"), ("PGID", "0"), ("PUID", "root"), ("PGID", "-1"), ("PUID", "1;reboot")],
)
def test_root_is_refused_and_so_is_nonsense(tmp_path: Path, name: str, value: str) -> None:
    code, ran, complaint = run(tmp_path, 0, **{name: value})
    assert (code, ran) == (2, [])
    assert complaint.startswith("earmark: ")


def test_the_health_check_tells_up_from_down(server: Server) -> None:
    def check(port: int) -> int:
        return subprocess.run(
            [sys.executable, DOCKER / "health.py"],
            env={**os.environ, "EARMARK_PORT": str(port)},
            capture_output=True,
            check=False,
        ).returncode

    assert check(server.port) == 0
    assert check(1) == 1


def test_what_the_image_takes_is_there() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    root = DOCKER.parent
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for source in sources.split():
            assert (root / source).exists(), source
    ignored = (root / ".dockerignore").read_text().splitlines()
    for source in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "src", "docker"):
        assert f"!{source}" in ignored
    compose = (DOCKER / "compose.yaml").read_text()
    for wanted in ("read_only: true", "cap_drop: [ALL]", "PUID", "/music:ro", "stop_grace_period"):
        assert wanted in compose
