"""A plan that a person has edited meets the library as it is by now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from earmark.errors import ConfigError
from earmark.library import Catalogue
from earmark.workflows.events import run
from earmark.workflows.plan import import_plan
from tests.tagmakers import bare_mp3


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(tmp_path / "catalogue.sqlite") as opened:
        yield opened


def test_a_table_that_cannot_be_read_is_told_before_the_scan(
    tmp_path: Path, music: Path, catalogue: Catalogue
) -> None:
    bare_mp3(music / "a.mp3")
    with pytest.raises(ConfigError, match="cannot be read"):
        run(import_plan(str(music), tmp_path / "none.csv", catalogue))
    assert list(catalogue.tracks(music)) == []
