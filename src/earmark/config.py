"""Settings, from TOML files and flags, and where Earmark keeps its data.

Later ones win: defaults, the user's ``config.toml`` (in the system's folder for settings), the file
given by ``--config``, flags.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import platformdirs

from earmark.errors import ConfigError
from earmark.types import VoteMode


@dataclass(frozen=True, slots=True)
class Settings:
    """All that can be set.

    Attributes
    ----------
    workers : int
        Worker processes; 0: one for each core that the process may use.
    time_limit_s : float
        Seconds that one file may take before it is given up.
    model : str
        Folder of a model bundle; empty: the one that comes with Earmark.
    vote, min_confidence, min_agreement, slice_confidence
        How slices decide about a track (see `earmark.types.VoteConfig`); None: as the model says.
    """

    workers: int = 0
    time_limit_s: float = 60.0
    model: str = ""
    vote: VoteMode | None = None
    min_confidence: float | None = None
    min_agreement: float | None = None
    slice_confidence: float | None = None

    @property
    def n_workers(self) -> int:
        """Worker processes to start: at least one."""
        return self.workers or usable_cores()


def load(file: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Settings out of the user's file, `file` and `flags`.

    Raises
    ------
    ConfigError
        `file` is missing, a file is no TOML, or a setting is unknown or makes no sense.
    """
    values = _read(config_path(), may_be_missing=True)
    if file is not None:
        values |= _read(file)
    return Settings(**(values | _checked(flags or {}, "command line")))


def config_path() -> Path:
    """The user's own settings, which need not exist."""
    return Path(platformdirs.user_config_dir("earmark", appauthor=False)) / "config.toml"


def data_dir() -> Path:
    """Home of catalogue, journal and features: ``$EARMARK_HOME``, or the user's data folder."""
    home = os.environ.get("EARMARK_HOME")
    if home:
        return Path(home).expanduser().absolute()
    return Path(platformdirs.user_data_dir("earmark", appauthor=False))


def usable_cores() -> int:
    """Cores that this process may run on, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read(path: Path, *, may_be_missing: bool = False) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as e:
        if may_be_missing and isinstance(e, FileNotFoundError):
            return {}
        raise ConfigError(f"the settings in {path} cannot be read: {e.strerror}") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"the settings in {path} are no valid TOML: {e}") from e
    return _checked(values, str(path))


def _checked(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    known = [f.name for f in dataclasses.fields(Settings)]
    for name, value in values.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise ConfigError(f"{where}: unknown setting {name}", hint)
        if wanted := _complaint(name, value):
            raise ConfigError(f"{where}: {name} is {value!r}, but should be {wanted}")
    return dict(values)


def _complaint(name: str, value: object) -> str:
    """What `value` should be, empty where it is."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match name:
        case "workers":
            right = isinstance(value, int) and is_number and value >= 0
            return "" if right else "a whole number, 0 or more"
        case "time_limit_s":
            right = isinstance(value, (int, float)) and is_number and 0 < value < float("inf")
            return "" if right else "a number of seconds above 0"
        case "model":
            return "" if isinstance(value, str) else "a text"
        case "vote":
            return "" if value in get_args(VoteMode) else f"one of {', '.join(get_args(VoteMode))}"
        case _:
            right = isinstance(value, (int, float)) and is_number and 0 <= value <= 1
            return "" if right else "a number from 0 to 1"
