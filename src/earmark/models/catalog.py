"""Models that have a name: bundles in the folder ``models`` of Earmark's home."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from earmark.errors import BundleError, ConfigError
from earmark.models.bundle import META_NAME, check_target
from earmark.models.foreign.sources import SOURCES

SHIPPED = "ear"
"""Name of the model that comes with the package."""

_NAME = re.compile(r"\w[\w.-]*")


def folder_of(name: str, home: Path) -> Path:
    """Where the model of that name is, or would be.

    Raises
    ------
    ConfigError
        If `name` cannot be the name of a model.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name for a model",
            "use letters, digits, dots and dashes, and begin with a letter or a digit",
        )
    return home / "models" / name


def names(home: Path) -> list[str]:
    """Names of all models that were added."""
    found = (path.parent.name for path in (home / "models").glob(f"[!.]*/{META_NAME}"))
    return sorted(name for name in found if _NAME.fullmatch(name))


def find(model: str, home: Path) -> Path:
    """Folder of a model that is given by its own folder or by its name.

    A folder that holds a model comes before a model of that name, and one that was added before
    the one that comes with the package. Where there is none of these, the path is returned as it
    is; opening it then fails with the reason.

    Raises
    ------
    BundleError
        If it is one of the `SOURCES` and was not added yet.
    """
    given = Path(model).expanduser()
    if (given / META_NAME).is_file() or not _NAME.fullmatch(model):
        return given
    folder = folder_of(model, home)
    if (folder / META_NAME).is_file():
        return folder
    if model in SOURCES:
        raise BundleError(
            f"the model {model} is not here yet", f"add it first: `earmark models add {model}`"
        )
    return shipped_model() if model == SHIPPED else given


def choose(model: str, home: Path) -> Path:
    """What `find` finds, or, where none is named, the folder of the model that ships."""
    return find(model, home) if model else shipped_model()


def shipped_model() -> Path:
    """The bundle that comes with the package."""
    return Path(__file__).with_name("shipped")


def remove(name: str, home: Path) -> Path:
    """Delete the model of that name; where it was.

    Raises
    ------
    BundleError
        If the folder holds other things too, or cannot be deleted.
    ConfigError
        If there is no model of that name, or none but the one that comes with the package.
    """
    folder = folder_of(name, home)
    if name not in names(home):
        if name == SHIPPED:
            raise ConfigError(f"{name} comes with Earmark and cannot be removed")
        known = ", ".join(names(home)) or "none"
        raise ConfigError(f"there is no model called {name}", f"there are: {known}")
    check_target(folder, f"move what else is there away, or delete {folder} yourself")
    # Away under its name at once; a cut-off deletion leaves nothing that looks like a model.
    doomed = folder.with_name(f".{name}-removed-{os.getpid()}")
    try:
        folder.replace(doomed)
        shutil.rmtree(doomed)
    except OSError as e:
        raise BundleError(f"{folder} cannot be deleted: {e.strerror}") from e
    return folder
