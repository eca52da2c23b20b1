"""The plan as a table for a spreadsheet, and back.

Written as CSV in UTF-8 with a byte order mark, without which Excel takes it for another encoding.
Read with whatever Excel and LibreOffice make of it: other delimiters and encodings, columns moved,
added or removed. Paths are exact, but for bytes that are no text, which are written as ``\\xNN``;
other texts are brought to one line. Nothing in it is a formula, see `earmark.spreadsheets`.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import dataclasses
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from earmark.errors import ConfigError, LibraryError
from earmark.genres import fold, is_missing, split_at
from earmark.library.plan import WRITING, Plan, PlanItem, TagMode, blank_item, in_albums, proposal
from earmark.spreadsheets import Writer, unguarded
from earmark.types import Tags, Track

COLUMNS = (
    *("path", "artist", "album", "title", "before", "proposed", "genre"),
    *("confidence", "agreement", "action", "track_id", "audio_id"),
)
_SEPARATOR = "; "
_AUDIO = "audio:"  # before an audio_id, as a spreadsheet takes digits with an e for a number
_SEPARATOR_NOTE = re.compile(r'"?sep=.?"?[,;\t]*\r?\n', re.IGNORECASE)  # first line, for Excel
_SURROGATE = re.compile("[\ud800-\udfff]")


def export_csv(plan: Plan, path: Path) -> None:
    """Write a plan for editing: all but the tracks that are to stay as they are.

    In it, ``genre``, at first as ``proposed``, is there to be edited (several: ``Rock; Pop``).
    Emptied, or with its row deleted, the track stays as it is; filled in where the model did not
    know, it is applied.

    Raises
    ------
    ConfigError
        The file exists: it may be an edited plan, or a song.
    LibraryError
        The file cannot be written.
    """
    check_new(path)
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temp.open("w", encoding="utf-8-sig", newline="") as file:
            writer = Writer(file)
            writer.row(COLUMNS)
            for item in plan.items:
                if item.action != "keep":
                    writer.row(_cells(item))
        temp.replace(path)
    except OSError as e:
        raise LibraryError(f"{path} cannot be written: {e.strerror}") from e
    finally:
        with contextlib.suppress(OSError):
            temp.unlink(missing_ok=True)


def check_new(path: Path) -> None:
    """Refuse to export over a file.

    Raises
    ------
    ConfigError
        There is something at `path`.
    """
    if os.path.lexists(path):
        raise ConfigError(f"{path} exists", "delete it, or choose another name")


@dataclass(frozen=True, slots=True)
class _Row:
    """What matters of a line; cells are without what guarded them."""

    line: int
    path: str
    track_id: int
    before: str
    proposed: tuple[str, ...] | None  # None: no such column
    genres: tuple[str, ...]
    action: str
    confidence: float
    agreement: float
    audio_id: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A plan that a person has edited, as `read_sheet` has read it."""

    name: str
    rows: tuple[_Row, ...]

    def plan(self, tracks: Iterable[Track], join: str | None = None) -> Plan:
        """What the table asks for.

        Parameters
        ----------
        tracks : iterable of Track
            The library as it is now. Rows are matched by ``track_id`` as long as the path agrees,
            else by path.
        join : str, optional
            See `PlanItem`.

        Returns
        -------
        Plan
            An item for each row, its ``audio_id`` that of the recording which the row was made
            for, where the table tells: it is for the caller to compare. Rows that fit no track, or
            the same one twice, are errors that name the line.
        """
        find = _finder(self.rows, tracks)
        lines: dict[int, int] = {}
        items = []
        for row in self.rows:
            track = find(row)
            if track is None:
                problem = "no such file in the library, or more than one"
            elif track.track_id in lines:
                problem = f"the same file is on line {lines[track.track_id]} already"
            else:
                lines[track.track_id] = row.line
                items.append(_item(row, track, join))
                continue
            stranger = track or Track(row.path, 0, 0, Tags())
            reason = f"line {row.line} of {self.name}: {problem}"
            items.append(blank_item(stranger, "error", reason))
        return in_albums(items)


def read_sheet(path: Path) -> Sheet:
    """Read what `export_csv` wrote and a person edited.

    Raises
    ------
    ConfigError
        The file cannot be read, or has no ``genre`` column, or neither ``track_id`` nor ``path``.
    """
    return Sheet(path.name, tuple(_read(path)))


def _cells(item: PlanItem) -> tuple[str, ...]:
    proposed = _SEPARATOR.join(item.genres)
    before = _SEPARATOR.join(item.before)
    texts = map(_one_line, (item.artist, item.album, item.title, before, proposed, proposed))
    numbers = (f"{item.confidence:.3f}", f"{item.agreement:.3f}")
    audio_id = f"{_AUDIO}{item.audio_id}" if item.audio_id else ""
    return (_shown(item.path), *texts, *numbers, item.action, str(item.track_id), audio_id)


def _item(row: _Row, track: Track, join: str | None) -> PlanItem:
    if track.error:
        return blank_item(track, "error", track.error)
    if not row.genres:
        return blank_item(track, "keep", "no genre in the table")
    if row.action in WRITING:
        mode = cast(TagMode, row.action)
    else:  # typed in where the model had nothing to say
        mode = "fill" if is_missing([row.before]) else "overwrite"
    if mode == "fill" and not is_missing(track.tags.genres):
        return blank_item(track, "keep", "has a genre by now")
    track = dataclasses.replace(track, audio_id=row.audio_id or track.audio_id)
    item = proposal(track, row.genres, mode, join)
    if row.proposed not in (None, row.genres):  # the numbers are the model's, the genre is not
        return item
    return dataclasses.replace(item, confidence=row.confidence, agreement=row.agreement)


def _finder(rows: Iterable[_Row], tracks: Iterable[Track]) -> Callable[[_Row], Track | None]:
    """What finds a row's track; of `tracks`, only those are kept that rows may mean."""
    ids = {row.track_id for row in rows}
    paths = {_one_line(row.path) for row in rows}
    by_id: dict[int, Track] = {}
    by_path: dict[str, list[Track]] = {}
    for track in tracks:
        if track.track_id in ids:
            by_id[track.track_id] = track
        if _one_line(track.path) in paths:
            by_path.setdefault(_one_line(track.path), []).append(track)

    def find(row: _Row) -> Track | None:
        track = by_id.get(row.track_id)
        # Numbers of another catalogue mean other files, so the path has to agree; but a
        # spreadsheet without Unicode has put "?" for some letters of it.
        if track is not None and _letters(row.path) in ("", _letters(_shown(track.path))):
            return track
        # Nor do all spreadsheets keep line breaks and spaces as they were.
        alike = by_path.get(_one_line(row.path), [])
        namesakes = [track for track in alike if _shown(track.path) == row.path] or alike
        return namesakes[0] if len(namesakes) == 1 else None

    return find


def _read(path: Path) -> Iterator[_Row]:
    text = _text(path)
    n_before = 0
    if note := _SEPARATOR_NOTE.match(text):
        text, n_before = text[note.end() :], 1
    delimiter, columns = _header(path, text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if reader.line_num == 1 or not any(cells):
                continue
            row = {name: cells[i] for name, i in columns.items() if i < len(cells)}
            row |= {name: cell.strip() for name, cell in row.items() if name != "path"}
            line = n_before + reader.line_num
            yield _row(line, {name: unguarded(cell) for name, cell in row.items()})
    except csv.Error as e:
        raise _no_plan(path, n_before + reader.line_num, e) from e


def _row(line: int, row: dict[str, str]) -> _Row:
    track_id = row.get("track_id", "")
    return _Row(
        line,
        path=row.get("path", ""),
        track_id=int(track_id) if re.fullmatch("[0-9]{1,18}", track_id) else 0,
        before=row.get("before", ""),
        proposed=_genres(row["proposed"]) if "proposed" in row else None,
        genres=_genres(row.get("genre", "")),
        action=row.get("action", "").lower(),
        confidence=_number(row.get("confidence", "")),
        agreement=_number(row.get("agreement", "")),
        audio_id=row.get("audio_id", "").lower().removeprefix(_AUDIO),
    )


def _genres(cell: str) -> tuple[str, ...]:
    genres: dict[str, str] = {}
    for part in split_at(_SEPARATOR.strip(), cell):
        if value := _one_line(part):
            genres.setdefault(fold(value), value)
    return tuple(genres.values())


def _number(cell: str) -> float:
    """A share, with the decimal comma of half the world; 0 where the cell holds no such thing."""
    match = re.fullmatch(r"[01](?:[.,][0-9]*)?", cell)
    return float(cell.replace(",", ".")) if match else 0.0


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as e:
        raise ConfigError(f"{path} cannot be read: {e.strerror}") from e
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # Excel's plain "CSV" is in the code page of the machine
        return content.decode("cp1252", "replace")


def _header(path: Path, text: str) -> tuple[str, dict[str, int]]:
    """Delimiter, and the place of each column that is there."""
    first = text.splitlines()[:1]
    delimiter, columns = ",", dict[str, int]()
    for candidate in ",;\t":
        try:
            cells = next(csv.reader(first, delimiter=candidate), [])
        except csv.Error as e:
            raise _no_plan(path, 1, e) from e
        names = [name.strip().lower() for name in cells]
        found = {name: names.index(name) for name in COLUMNS if name in names}
        if len(found) > len(columns):
            delimiter, columns = candidate, found
    lacking = [name for name in ("genre", "track_id") if name not in columns]
    if "path" in columns:
        lacking = [name for name in lacking if name != "track_id"]
    if lacking:
        raise ConfigError(
            f"{path}, line 1: no column named {' or '.join(lacking)}",
            f"a plan has the columns {', '.join(COLUMNS)}",
        )
    return delimiter, columns


def _no_plan(path: Path, line: int, error: csv.Error) -> ConfigError:
    return ConfigError(f"{path}, line {line}: {error}", "is this a plan that Earmark has exported?")


def _shown(text: str) -> str:
    """Text as any program can read it: undecodable bytes as ``\\xNN``, no NUL."""
    readable = _SURROGATE.sub(lambda c: f"\\x{ord(c[0]) & 0xFF:02x}", text)
    return readable.replace("\0", " ")


def _one_line(text: str) -> str:
    return " ".join(_shown(text).split())


def _letters(shown: str) -> str:
    return "".join(c for c in shown if c.isascii() and c.isalnum())
