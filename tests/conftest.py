"""Every test gets an Earmark home of its own, so that none touches the user's."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def earmark_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("EARMARK_HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    return home
