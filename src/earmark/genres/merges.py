"""Merges: genres that a person wants to count as another, ``"Concertos=Classical"``."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from earmark.errors import ConfigError
from earmark.genres.names import canonical, fold, parse


def parse_merges(items: Iterable[str]) -> dict[str, str]:
    """Read merges written as ``"raw=canonical"``.

    Returns
    -------
    dict of str to str
        Raw genre -> canonical target, as `resolve_merges` and `choose_labels` take it.

    Raises
    ------
    ConfigError
        An item has no "=", nothing before it, or not exactly one genre after it.
    """
    merges: dict[str, str] = {}
    for item in items:
        raw, equals, target = item.partition("=")
        if not equals:
            raise ConfigError(f"{item!r} is not a merge", 'write "Concertos=Classical"')
        merges[raw.strip()] = _target(raw, target, repr(item))
    return merges


def read_merges(path: Path) -> dict[str, str]:
    """Read merges from a file: a TOML table of ``raw = "canonical"``, or a CSV of two columns.

    Raises
    ------
    ConfigError
        The file cannot be read, or an entry makes no sense (see `parse_merges`).
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"the mapping file {path} cannot be read: {e}") from e
    if path.suffix.lower() == ".toml":
        return _from_toml(path, text)
    return _from_csv(path, text)


def resolve_merges(merges: Mapping[str, str]) -> dict[str, str]:
    """Follow chains ("A=B", "B=C") to their ends.

    Returns
    -------
    dict of str to str
        Key of a raw or canonical name (`earmark.genres.fold`) -> canonical name. What was written
        wins over what it is an alias of.

    Raises
    ------
    ConfigError
        The merges go round in a circle.
    """
    direct: dict[str, str] = {}
    for raw, target in merges.items():
        if canonical(raw) != target:
            direct[fold(raw)] = target
    for raw, target in merges.items():
        if (known := canonical(raw)) and known != target:
            direct.setdefault(fold(known), target)
    return {key: _end_of(key, direct) for key in direct}


def _end_of(key: str, direct: Mapping[str, str]) -> str:
    passed = [direct[key]]
    while fold(passed[-1]) in direct:
        following = direct[fold(passed[-1])]
        if following in passed:
            circle = " = ".join([*passed, following])
            raise ConfigError(f"the merges go round in a circle: {circle}", "leave one of them out")
        passed.append(following)
    return passed[-1]


def _target(raw: str, target: str, where: str) -> str:
    genres = parse([target])
    if not fold(raw) or len(genres) != 1:
        raise ConfigError(
            f"{where}: {raw.strip()!r} cannot be merged into {target.strip()!r}",
            "name one genre on each side",
        )
    return genres[0]


def _from_toml(path: Path, text: str) -> dict[str, str]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"the mapping file {path} is no valid TOML: {e}") from e
    for raw, target in table.items():
        if not isinstance(target, str):
            raise ConfigError(f"{path}: {raw!r} is not mapped to a text", 'write raw = "canonical"')
    return {raw: _target(raw, target, str(path)) for raw, target in table.items()}


def _rows(path: Path, reader: Any) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as e:
        raise ConfigError(f"{path}, line {reader.line_num}: {e}", "write raw,canonical") from e


def _from_csv(path: Path, text: str) -> dict[str, str]:
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    merges: dict[str, str] = {}
    reader = csv.reader(text.splitlines(), delimiter=delimiter)
    for row in _rows(path, reader):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (reader.line_num == 1 and cells == ["raw", "canonical"]):
            continue
        where = f"{path}, line {reader.line_num}"
        if len(cells) != 2:
            raise ConfigError(f"{where}: {len(cells)} columns, not two", "write raw,canonical")
        merges[cells[0]] = _target(cells[0], cells[1], where)
    return merges
