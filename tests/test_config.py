"""Settings: precedence, and complaints that name file and key."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from earmark import config
from earmark.config import Settings, load
from earmark.errors import ConfigError


@pytest.fixture(autouse=True)
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own settings file, which does not exist yet."""
    path = tmp_path / "settings" / "config.toml"
    monkeypatch.setattr(config, "config_path", lambda: path)
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_defaults() -> None:
    assert load() == Settings()
    if sys.platform == "linux":
        assert load().n_workers == len(os.sched_getaffinity(0))
    else:
        assert load().n_workers == os.cpu_count()


def test_later_ones_win(tmp_path: Path, user_file: Path) -> None:
    write(user_file, 'workers = 1\nmodel = "mine"\nmin_confidence = 0.3\n')
    file = write(tmp_path / "other.toml", "workers = 2\nmin_agreement = 1\n")
    assert load(file, {"workers": 3}) == Settings(
        workers=3, model="mine", min_confidence=0.3, min_agreement=1
    )
    assert load(file).n_workers == 2
    assert load().n_workers == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker = 2", "unknown setting worker .did you mean workers"),
        ("xyzzy = 2", "unknown setting xyzzy .there are workers, "),
        ("workers = -1", "workers is -1, but should be a whole number"),
        ("workers = 1.5", "workers is 1.5"),
        ("workers = true", "workers is True"),
        ('workers = "2"', "workers is '2'"),
        ("time_limit_s = 0", "above 0"),
        ("time_limit_s = inf", "above 0"),
        ("time_limit_s = nan", "above 0"),
        ("model = 3", "a text"),
        ('vote = "loudest"', "one of mean, majority, confident"),
        ("vote = ['mean']", "one of mean"),
        ("min_confidence = 70", "from 0 to 1"),
        ("min_agreement = '0.7'", "from 0 to 1"),
        ("[scan]\nworkers = 2", "unknown setting scan"),
        ("workers = ", "no valid TOML"),
    ],
)
def test_complaints_name_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path / "bad.toml", text)
    with pytest.raises(ConfigError, match=said) as caught:
        load(file)
    assert str(file) in str(caught.value)


def test_the_users_own_file_is_checked_too(user_file: Path) -> None:
    write(user_file, "speed = 9")
    with pytest.raises(ConfigError, match=r"config\.toml: unknown setting speed"):
        load()


def test_flags_are_checked_too() -> None:
    with pytest.raises(ConfigError, match="command line: min_confidence is 2"):
        load(flags={"min_confidence": 2})


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_unreadable_files(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "settings.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"settings\.toml"):
        load(file)


def test_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARMARK_HOME", str(tmp_path))
    assert config.data_dir() == tmp_path
    monkeypatch.setenv("EARMARK_HOME", "")
    assert config.data_dir().name == "earmark"
