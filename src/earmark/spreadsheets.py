"""CSV tables that do no harm in a spreadsheet, and come back exactly.

A spreadsheet takes a cell for a formula that begins with "=", "+", "-" or "@", in full width too
and behind blanks. One that expects other separators than commas also takes for cells what stands
between semicolons or tabs within a text. So an apostrophe is put before a text that begins like a
formula, and within a text before whatever would begin like one after a separator; it says "this
is text". Reading takes these apostrophes off again.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

_BLANKS = r'[\s"\x00-\x1f\x7f-\xa0\u200b-\u200f\u2060\ufeff]*'
_FORMULA = "[-=+@\uff0d\uff1d\uff0b\uff20\ufe63\ufe66\ufe62\ufe6b]"
# What is no formula, and begins with our own mark or with what is lost at a cell's beginning.
_START = re.compile(rf"['\t\r\n]|{_BLANKS}{_FORMULA}")
_WITHIN = re.compile(rf"([,;\t\r\n]{_BLANKS})('*)(?={_FORMULA})")
_GUARDED_WITHIN = re.compile(rf"([,;\t\r\n]{_BLANKS})'('*)(?={_FORMULA})")


class _Output(Protocol):
    def write(self, text: str, /) -> object: ...


class Writer:
    """Writes rows to an open text file; texts are guarded, numbers are no formulas."""

    def __init__(self, file: _Output) -> None:
        self._writer = csv.writer(file)

    def row(self, cells: Iterable[Any]) -> None:
        """One line; whatever is no text is written as `csv` does."""
        self._writer.writerow([guarded(c) if isinstance(c, str) else c for c in cells])


def write_table(file: _Output, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A header, and a line for each of `rows` with its values in the order of `columns`."""
    writer = Writer(file)
    writer.row(columns)
    for row in rows:
        writer.row(row[name] for name in columns)


def read_table(file: Iterable[str]) -> Iterator[dict[str, str]]:
    """Rows of a table that `Writer` has written, by the names in its first line.

    Raises
    ------
    csv.Error
        It is no such table.
    """
    for row in csv.DictReader(file):
        yield {name: unguarded(cell or "") for name, cell in row.items() if name is not None}


def guarded(text: str) -> str:
    """`text` as no spreadsheet takes it for a formula, nor a part of it."""
    inner = _WITHIN.sub(r"\1'\2", text)
    return f"'{inner}" if _START.match(text) else inner


def unguarded(cell: str) -> str:
    """The text that `guarded` made `cell` of."""
    return _GUARDED_WITHIN.sub(r"\1\2", cell.removeprefix("'"))
