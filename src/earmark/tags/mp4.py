"""MP4 (M4A), QuickTime and 3GP: where a genre may stand in them, and how it is written.

Places, the one that most players read first
    ``©gen`` in the item list ``moov.udta.meta.ilst`` that iTunes introduced, and beside it the
    older ``gnre`` (a number) and free-form items named GENRE; lists of keys (``mdta``), as
    QuickTime and FFmpeg write them; texts straight in ``udta``: QuickTime's ``©gen``, 3GP's
    ``gnre``. All of them may stand in a track, too.

What is written
    ``©gen`` in the item list, which is made where there is none; several genres are several
    ``data`` atoms in it. ``gnre`` and free-form genres go, or players would see two. Lists of keys
    and texts in ``udta`` that name a genre are kept in step, several genres joined by "; ".

Everything is edited item by item; the others stay as they are, to the byte. Where the list grows,
a ``free`` atom behind it gives way.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

from earmark.tags import outer
from earmark.tags.atoms import Change, atoms, edits, render
from earmark.tags.edits import Edit, read_at
from earmark.tags.fields import DamagedTagError, Family, Native, Reading, combine
from earmark.tags.mp4places import (
    HANDLER,
    Layout,
    Place,
    duration_s,
    is_genre,
    layout,
    leaves,
    place_sources,
    with_genre,
)

_UTF8 = 1  # type of a data atom
_PADDING = 1024
_UNDEFINED = 0x55C4  # language "und", packed
_JOIN = "; "


class Mp4Family(Family):
    """MP4, M4A and their like."""

    def read(self, f: BinaryIO) -> Reading:
        around = outer.find(f)
        found = layout(f, around.start, around.end)
        sources = [source for place in found.places for source in place_sources(place)]
        return combine([*sources, *outer.sources(around)], duration_s(f, found))

    def get(self, f: BinaryIO) -> Native:
        around = outer.find(f)
        places = layout(f, around.start, around.end).places
        native = {
            place.name: [raw for name, raw in place.items if is_genre(place, name, raw)]
            for place in places
        }
        return native | outer.get(around)

    def encode(self, f: BinaryIO, values: tuple[str, ...]) -> Native:
        around = outer.find(f)
        native = outer.in_step(around, values)
        data = [render(b"data", struct.pack(">II", _UTF8, 0) + v.encode()) for v in values]
        native["ilst"] = [render(b"\xa9gen", b"".join(data))] if values else []
        joined = _JOIN.join(values).encode()
        for place in layout(f, around.start, around.end).places:
            now = [raw for name, raw in place.items if is_genre(place, name, raw)]
            if place.kind != "ilst" and now and values:
                native[place.name] = [_like(place, now[0], joined)]
        return native

    def edits(self, f: BinaryIO, native: Native) -> list[Edit]:
        around = outer.find(f)
        outer.refuse_in_front(around, "MP4")
        found = layout(f, around.start, around.end)
        changes: list[Change] = []
        for place in found.places:
            if place is found.main:
                continue
            new = with_genre(place, native.get(place.name, []))
            if new is not None:
                changes += new
        main = found.main
        if main is not None and (new := with_genre(main, native.get("ilst", []))) is not None:
            changes.append(_absorbed(f, new, sum(change.shift for change in changes)))
        elif main is None and native.get("ilst"):
            changes.append(_new_list(f, found, render(b"ilst", b"".join(native["ilst"]))))
        return edits(f, found.top, changes) + outer.edits(around, native)

    def others(self, f: BinaryIO) -> Any:
        around = outer.find(f)
        return leaves(f, layout(f, around.start, around.end)), outer.others(around)


def _like(place: Place, raw: bytes, text: bytes) -> bytes:
    """The genre's item `raw` with another text."""
    if place.kind == "mdta":
        return render(raw[4:8], render(b"data", struct.pack(">II", _UTF8, 0) + text))
    if raw[4:8] == b"gnre":  # 3GP: version, flags, language, text
        return render(b"gnre", raw[8:14].ljust(6, b"\0") + text + b"\0")
    language = int.from_bytes(raw[10:12], "big")
    if language < 0x400:  # of the Macintosh, with encodings of its own
        language = _UNDEFINED
    return render(raw[4:8], struct.pack(">HH", min(len(text), 0xFFFF), language) + text[:0xFFFF])


def _absorbed(f: BinaryIO, changes: list[Change], grown: int) -> Change:
    """The change of the item list, together with the ``free`` atom behind it.

    That gives way to the list and to what else has grown, so that the sound stays where it is.
    """
    (change,) = changes
    meta = change.parents[-1]
    behind = next(atoms(f, change.end, meta.end), None) if change.end + 8 <= meta.end else None
    end = behind.end if behind is not None and behind.name == b"free" else change.end
    left = end - change.start - len(change.data) - grown
    size = left if left == 0 or left >= 8 else 8 + _PADDING
    padding = render(b"free", bytes(size - 8)) if size else b""
    return Change(change.parents, change.start, end, change.data + padding)


def _new_list(f: BinaryIO, found: Layout, ilst: bytes) -> Change:
    """An item list where there is none, in as many atoms around it as are missing."""
    data = ilst + render(b"free", bytes(_PADDING))
    handler = render(b"hdlr", HANDLER)
    if found.meta is not None:
        return Change(found.meta, found.meta[-1].end, found.meta[-1].end, data)
    meta = render(b"meta", bytes(4) + handler + data)
    if found.udta is None:
        end = found.moov.end
        return Change((found.moov,), end, end, render(b"udta", meta))
    udta = found.udta
    for atom in atoms(f, udta.content, udta.end):
        if atom.name == b"meta":  # of keys: most readers look at the first one alone
            return Change((found.moov, udta), atom.start, atom.start, meta)
    end = udta.end
    # QuickTime ends udta with four zero bytes that are no atom.
    if end - 4 >= udta.content and read_at(f, end - 4, 4) == bytes(4):
        end -= 4 if _ends_open(f, udta.content, end - 4) else 0
    return Change((found.moov, udta), end, end, meta)


def _ends_open(f: BinaryIO, start: int, end: int) -> bool:
    """Whether atoms fill [start, end) exactly, so that the four bytes behind belong to none."""
    try:
        found = list(atoms(f, start, end))
    except DamagedTagError:
        return False
    return (found[-1].end if found else start) == end
