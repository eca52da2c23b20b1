"""Recipes by name: the TOML files in this folder, and anybody's own."""

from __future__ import annotations

import difflib
import tomllib
from importlib import resources
from pathlib import Path

from earmark.errors import ConfigError
from earmark.training.recipes.recipe import TrainingRecipe

DEFAULT = "head"
"""Needs no torch, and does well with few tracks."""


def names() -> list[str]:
    """Recipes that come with Earmark."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load(name_or_path: str) -> TrainingRecipe:
    """A recipe that comes with Earmark, or a file (anything that ends in ``.toml``).

    Raises
    ------
    ConfigError
        If there is none of that name, or the file cannot be read or makes no sense.
    """
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        return _parse(_read(path), path.stem, str(path))
    if name_or_path not in names():
        close = difflib.get_close_matches(name_or_path, names(), n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names())}"
        raise ConfigError(
            f"there is no recipe {name_or_path!r}", f"{hint}; a file of your own ends in .toml"
        )
    file = resources.files(__package__) / f"{name_or_path}.toml"
    return _parse(file.read_bytes(), name_or_path, f"recipe {name_or_path}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise ConfigError(f"the recipe {path} cannot be read: {e.strerror}") from e


def _parse(content: bytes, name: str, where: str) -> TrainingRecipe:
    try:
        values = tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"{where} is no valid TOML: {e}") from e
    return TrainingRecipe.from_dict(values, name, where)
