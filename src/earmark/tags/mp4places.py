"""The places of an MP4 file where texts stand, taken apart into raw items."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from earmark.tags.atoms import Atom, Change, atoms, children, content, render, whole
from earmark.tags.edits import read_at
from earmark.tags.fields import MAX_TEXT, DamagedTagError, Keys, Source, numbered, pick, too_long
from earmark.tags.id3v1 import GENRES

KEYS: Keys = {
    "genres": ("\xa9gen",),
    "artist": ("\xa9ART",),
    "album_artist": ("aART",),
    "album": ("\xa9alb",),
    "title": ("\xa9nam",),
    "moods": ("----:mood",),
    "groupings": ("\xa9grp",),
}
_FREE_FORM_KEYS: Keys = {"genres": ("----:genre",)}
_NAMED_KEYS: Keys = {
    "genres": ("genre",),
    "artist": ("artist",),
    "album_artist": ("album_artist", "albumartist"),
    "album": ("album",),
    "title": ("title",),
}
_UDTA_KEYS: Keys = {
    "genres": ("\xa9gen", "gnre"),
    "artist": ("\xa9ART", "perf"),
    "album": ("\xa9alb", "albm"),
    "title": ("\xa9nam", "titl"),
}
HANDLER = bytes(8) + b"mdirappl" + bytes(9)
_DIALECTS = {"ilst": "MP4 ilst", "mdta": "MP4 keys", "udta": "MP4 udta"}
_UDTA_TEXTS = {name.encode("latin-1") for names in _UDTA_KEYS.values() for name in names}
_GENRE_NAMES = (b"\xa9gen", b"gnre")
_TREE = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"meta", b"ilst")
_OFFSETS = (b"stco", b"co64", b"saio")
_MAX_ITEMS = 20_000


@dataclass(frozen=True, slots=True)
class Place:
    """A list of items: an ``ilst`` ("ilst", or "mdta" for one of keys), or a "udta" itself.

    `name` is the place's in `earmark.tags.fields.Native`; `path` leads from moov to the list.
    `items` are names and bytes: for lists of keys, names are those of the keys.
    """

    kind: str
    name: str
    path: tuple[Atom, ...]
    items: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The file's own atoms, the places in them, and what a new list would be put into.

    `main` is the item list that players read; `udta` and the path `meta` end where it is missing.
    """

    top: list[Atom]
    moov: Atom
    places: list[Place]
    main: Place | None
    udta: Atom | None
    meta: tuple[Atom, ...] | None


def layout(f: BinaryIO, start: int, end: int) -> Layout:
    """What the MP4 file in bytes [start, end) consists of.

    Raises
    ------
    DamagedTagError
    """
    top = list(atoms(f, start, end))
    moov = next((atom for atom in top if atom.name == b"moov"), None)
    if moov is None:
        raise DamagedTagError("MP4 file has no moov atom")
    lists: list[tuple[tuple[Atom, ...], str, tuple[tuple[bytes, bytes], ...]]] = []
    udtas: list[tuple[Atom, ...]] = []
    empty_meta: tuple[Atom, ...] | None = None
    tracks = [(moov, atom) for atom in children(f, moov) if atom.name == b"trak"]
    for holder in ((moov,), *tracks):
        udtas += [(*holder, a) for a in children(f, holder[-1]) if a.name == b"udta"]
    metas = [
        (*holder, child)
        for holder in [*udtas, (moov,), *tracks]
        for child in children(f, holder[-1])
        if child.name == b"meta"
    ]
    for meta in metas:
        found = _lists(f, meta)
        lists += found
        plain = _handler(f, meta[-1]) != b"mdta"
        if not found and plain and _in_moov(meta) and empty_meta is None:
            empty_meta = meta
    places = _places(f, lists, udtas)
    main = next((p for p in places if p.name == "ilst"), None)
    own = next((path[-1] for path in udtas if len(path) == 2), None)
    return Layout(top, moov, places, main, own, empty_meta)


def place_sources(place: Place) -> list[Source]:
    """What a place says; the genre of free-form items comes behind."""
    found: dict[str, dict[str, None]] = {}
    for name, raw in place.items:
        key = _key(place, name, raw)
        if key and not too_long("genre" if is_genre(place, name, raw) else key, len(raw)):
            # gnre and ©gen may say the same twice.
            found.setdefault(key, {}).update(dict.fromkeys(_texts(place, name, raw)))
    dialect = _DIALECTS[place.kind]
    if place.kind == "ilst":
        sources: list[Source] = [(dialect, pick(KEYS, lambda key: found.get(key, ())))]
        free_form = pick(_FREE_FORM_KEYS, lambda key: found.get(key, ()))
        return [*sources, (dialect, free_form)] if free_form else sources
    keys = _NAMED_KEYS if place.kind == "mdta" else _UDTA_KEYS
    values = pick(keys, lambda key: found.get(key, ()))
    return [(dialect, values)] if values else []


def is_genre(place: Place, name: bytes, raw: bytes) -> bool:
    if place.kind == "mdta":
        return _key(place, name, raw) == "genre"
    return name in _GENRE_NAMES or (place.kind == "ilst" and _key(place, name, raw) == "----:genre")


def with_genre(place: Place, genre: list[bytes]) -> list[Change] | None:
    """What gives the place these items for the genre; None where it has them."""
    flags = [is_genre(place, name, raw) for name, raw in place.items]
    raws = [raw for _, raw in place.items]
    if [raw for raw, flag in zip(raws, flags, strict=True) if flag] == genre:
        return None
    at = flags.index(True) if True in flags else len(flags)
    kept = [raw for raw, flag in zip(raws, flags, strict=True) if not flag]
    before = flags[:at].count(False)
    data = b"".join([*kept[:before], *genre, *kept[before:]])
    atom = place.path[-1]
    if place.kind == "udta":
        return _udta_changes(place, flags, b"".join(genre))
    return [Change(place.path[:-1], atom.start, atom.end, render(atom.name, data))]


def _udta_changes(place: Place, flags: list[bool], genre: bytes) -> list[Change]:
    """Item by item, as an item list beside them may change, too."""
    changes = []
    at = place.path[-1].content
    for (_, raw), flag in zip(place.items, flags, strict=True):
        if flag:
            new, genre = genre, b""
            changes.append(Change(place.path, at, at + len(raw), new))
        at += len(raw)
    start = place.path[-1].content
    return [*changes, Change(place.path, start, start, genre)] if genre else changes


def duration_s(f: BinaryIO, found: Layout) -> float | None:
    """Of the first track of sound, or else of the whole, as claimed."""
    inside = children(f, found.moov)
    for track in (atom for atom in inside if atom.name == b"trak"):
        media = [a for a in children(f, track) if a.name == b"mdia"]
        parts = {a.name: a for a in (children(f, media[0]) if media else ())}
        handler = read_at(f, parts[b"hdlr"].content + 8, 4) if b"hdlr" in parts else b""
        if handler == b"soun" and b"mdhd" in parts:
            return _claimed(content(f, parts[b"mdhd"]))
    header = next((atom for atom in inside if atom.name == b"mvhd"), None)
    return _claimed(content(f, header)) if header else None


def leaves(f: BinaryIO, found: Layout) -> list[tuple[bytes, bytes]]:
    """All that the file holds beside sound, genre and padding: names and contents of atoms."""
    genres = {
        raw for place in found.places for name, raw in place.items if is_genre(place, name, raw)
    }
    kept: list[tuple[bytes, bytes]] = []
    pending = [atom for atom in reversed(found.top) if atom.name not in (b"mdat", b"free")]
    while pending:
        atom = pending.pop()
        if atom.name in _TREE:
            skip = _meta_skip(f, atom) if atom.name == b"meta" else 0
            pending += reversed(children(f, atom, skip))
        elif atom.name not in (*_OFFSETS, b"free", b"moof", b"mfra", b"hdlr"):
            raw = whole(f, atom)
            if raw not in genres:
                kept.append((atom.name, raw[atom.content - atom.start :]))
    return kept


def _claimed(data: bytes) -> float | None:
    """The duration in a header of a track's medium (mdhd) or of the film (mvhd)."""
    form = struct.Struct(">16xIQ" if data[:1] == b"\1" else ">8xII")
    unit, length = form.unpack_from(data, 4)
    return length / unit if unit else None


def _in_moov(path: tuple[Atom, ...]) -> bool:
    return [atom.name for atom in path] == [b"moov", b"udta", b"meta"]


def _lists(
    f: BinaryIO, meta: tuple[Atom, ...]
) -> list[tuple[tuple[Atom, ...], str, tuple[tuple[bytes, bytes], ...]]]:
    """The item lists in `meta`: path, kind, items."""
    inside = children(f, meta[-1], _meta_skip(f, meta[-1]))
    keyed = _handler(f, meta[-1]) == b"mdta"
    keys = next((_key_names(content(f, a)) for a in inside if a.name == b"keys"), [])
    found = []
    for atom in inside:
        if atom.name == b"ilst":
            items = []
            for item in children(f, atom):
                index = int.from_bytes(item.name, "big")
                known = keys[index - 1] if 0 < index <= len(keys) else b""
                items.append((known if keyed else item.name, whole(f, item)))
                if len(items) > _MAX_ITEMS:
                    raise DamagedTagError(f"it has more than {_MAX_ITEMS} items of text")
            found.append(((*meta, atom), "mdta" if keyed else "ilst", tuple(items)))
    return found


def _places(
    f: BinaryIO,
    lists: list[tuple[tuple[Atom, ...], str, tuple[tuple[bytes, bytes], ...]]],
    udtas: list[tuple[Atom, ...]],
) -> list[Place]:
    """Item lists, then lists of keys, then texts in udta; those of tracks last of each."""
    main = next((path for path, kind, _ in lists if kind == "ilst" and _in_moov(path[:-1])), None)
    numbers = {"ilst": 0 if main else 1, "mdta": 0, "udta": 0}
    places = []
    all_lists = [
        *lists,
        *((path, "udta", _udta_items(f, path[-1])) for path in udtas),
    ]
    order = ("ilst", "mdta", "udta")
    for path, kind, items in sorted(
        all_lists, key=lambda found: (found[0] != main, order.index(found[1]))
    ):
        if kind == "udta" and not any(name in _UDTA_TEXTS for name, _ in items):
            continue
        places.append(Place(kind, numbered(kind, numbers[kind]), path, items))
        numbers[kind] += 1
    return places


def _udta_items(f: BinaryIO, udta: Atom) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((atom.name, whole(f, atom)) for atom in children(f, udta))


def _meta_skip(f: BinaryIO, meta: Atom) -> int:
    """4 bytes of version and flags precede the content of `meta`, save in QuickTime files."""
    return 0 if read_at(f, meta.content + 4, 4) == b"hdlr" else 4


def _handler(f: BinaryIO, meta: Atom) -> bytes:
    for atom in children(f, meta, _meta_skip(f, meta)):
        if atom.name == b"hdlr":
            return read_at(f, atom.content + 8, 4)
    return b""


def _key_names(data: bytes) -> list[bytes]:
    """What a ``keys`` atom calls the items of its list, by their numbers."""
    names: list[bytes] = []
    at = 8
    while at + 8 <= len(data) and len(names) < _MAX_ITEMS:
        size = int.from_bytes(data[at : at + 4], "big")
        if size < 8:
            break
        names.append(data[at + 8 : at + size])
        at += size
    return names


def _key(place: Place, name: bytes, raw: bytes) -> str:
    """What an item is called in the tables above; empty where it is none of theirs."""
    if place.kind == "mdta":
        return name.decode("latin-1").lower().rpartition(".")[2]
    if name == b"----" and place.kind == "ilst":
        parts = _children_of(raw[:MAX_TEXT])
        named = next((data[4:] for kind, data in parts if kind == b"name"), b"")
        return f"----:{named.decode('latin-1').lower()}"
    return "\xa9gen" if name == b"gnre" and place.kind == "ilst" else name.decode("latin-1")


def _texts(place: Place, name: bytes, raw: bytes) -> list[str]:
    if place.kind == "udta":
        return [_udta_text(name, raw)] if name in _UDTA_TEXTS else []
    found = []
    for kind, data in _children_of(raw):
        if kind != b"data" or len(data) < 8:
            continue
        value = data[8:]
        if name == b"gnre" and place.kind == "ilst":
            number = int.from_bytes(value, "big") if len(value) == 2 else 0
            found += GENRES[number - 1 : number] if number else []
        elif data[3] in (0, 1):
            found.append(value.decode("utf-8", "replace"))
        elif data[3] == 2:
            found.append(value.decode("utf-16-be", "replace"))
    return found


def _udta_text(name: bytes, raw: bytes) -> str:
    """QuickTime: size, language, text. 3GP: version and flags, language, text with a NUL behind."""
    if name[:1] != b"\xa9":
        text = raw[14:]
        if text[:2] == b"\xfe\xff":
            return text[2:].decode("utf-16-be", "replace")
        return text.split(b"\0")[0].decode("utf-8", "replace")
    size, language = struct.unpack(">HH", raw[8:12].ljust(4, b"\0"))
    encoding = "mac-roman" if language < 0x400 else "utf-8"
    return raw[12 : 12 + size].decode(encoding, "replace")


def _children_of(raw: bytes) -> list[tuple[bytes, bytes]]:
    """Names and contents of the atoms in the atom `raw`."""
    found: list[tuple[bytes, bytes]] = []
    at = 8
    while at + 8 <= len(raw) and len(found) < _MAX_ITEMS:
        size = int.from_bytes(raw[at : at + 4], "big")
        if size < 8 or at + size > len(raw):
            break
        found.append((raw[at + 4 : at + 8], raw[at + 8 : at + size]))
        at += size
    return found
