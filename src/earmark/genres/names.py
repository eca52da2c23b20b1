"""Genre names out of raw tag values.

Conventions
-----------
*Raw* is what a file says: ``"(17)Rock"``, ``"hip hop/rap"``, ``"(255)"``. *Canonical* is the one
spelling that Earmark uses. A name's *key* (`fold`) is what is left of it without case, accents,
spaces and punctuation; names with the same key are one genre. A string that the data does not
know is a genre all the same, with its spelling tidied.
"""

from __future__ import annotations

import functools
import itertools
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

from earmark.genres.splitting import split

_VALUES = re.compile(r"[\0\n\r]")  # as tags part several values
_ALWAYS_SPLIT = re.compile(r"[;|]|\\\\")
_USUALLY_SPLIT = re.compile(r"[/,、\\]\s*(?:&\s|and\s|und\s|et\s|y\s)?", re.IGNORECASE)
# These join words of one name as often as two genres: "Drum & Bass", "Rock and Roll".
_RARELY_SPLIT = re.compile(r"\s*[&+>:]\s*|\s+(?:and|und|et|y|e|o|-{1,2}|[–—])\s+", re.IGNORECASE)
_NUMBER = re.compile(r"[\s(\[{<\"']*([0-9]+)[\s)\]}>\"']*")
_ID3_REFERENCE = re.compile(r"\(([0-9]+|RX|CR)\)")
_BETWEEN_WORDS_N = re.compile(r"(?<=\w)[\s'’`´]+n[\s'’`´]+(?=\w)|(?<=\w)'n'(?=\w)", re.IGNORECASE)
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_BRACKETS = dict(zip("([{<\"'“«「『【〈《", ")]}>\"'”»」』】〉》", strict=True))
_LONGEST_ACRONYM = 4
_LONGEST = 1000  # beyond it, no name; a text of any length must be read in no time
_MOST_PASSES = 9


def parse(values: Iterable[str]) -> tuple[str, ...]:
    """Canonical genres that raw tag values name.

    Understood are ID3 numbers (``"17"``, ``"(17)"``, ``"(17)(4)Foo"``, ``"(RX)"``), several genres
    in one value (``;``, ``/``, ``|``, ``,``, NUL), and what `canonical` understands. A known name
    wins over a split: ``"Folk/Rock"`` is Folk Rock, ``"Rock/Pop"`` is Rock and Pop. ``"A & B"`` is
    split only where both are known. Nothing is split inside brackets: ``"Techno (Raw / Deep)"`` is
    one. A number beside names is none of ID3's: ``"140 / Grime"`` is Grime. ``"(255)"``,
    ``"Other"``, ``"Unknown"`` and their like in many languages name none. UTF-16 that was read
    with its bytes swapped is put right, where that is beyond doubt.

    Parameters
    ----------
    values : iterable of str
        As written in the file.

    Returns
    -------
    tuple of str
        Without duplicates, in the order of `values`. Parsing it again changes nothing.
    """
    names = _parse(values)
    # What stood behind a separator, as the reference in "Pop, (17)Rock", is understood on its own.
    for _ in range(_MOST_PASSES):
        again = _parse(names) if any(name.startswith("(") for name in names) else names
        if again == names:
            break
        names = again
    return names


def _parse(values: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for value in values:
        text = unicodedata.normalize("NFKC", _unswapped(value))
        for single in _VALUES.split(text):
            for name in _parse_parts(split(_ALWAYS_SPLIT, single)):
                found.setdefault(fold(name), name)
    return tuple(found.values())


def canonical(name: str) -> str:
    """The one spelling of a single genre; empty where `name` names none.

    Case, hyphens, spaces and accents do not matter, nor does "&" against "and"; aliases,
    misspellings and names in other languages are looked up, without a trailing "music" or plural
    "s" if need be. Unknown names are stripped, and capitalised where they were all of one case.
    """
    text = _strip(unicodedata.normalize("NFKC", name))
    known = _look_up(text)
    return _tidy(text) if known is None else known


def is_missing(values: Iterable[str]) -> bool:
    """Whether raw tag values name no genre: there are none, or ``"(255)"``, ``"Other"``, …"""
    return not parse(values)


def same(a: str, b: str) -> bool:
    """Whether two names, as written, are one genre."""
    return fold(canonical(a)) == fold(canonical(b))


@functools.lru_cache(maxsize=65536)
def fold(name: str) -> str:
    """The key of a name: what it has in common with its other spellings.

    "/" and "," stay, as "Folk/Rock" may be two genres where "Folk Rock" is one.
    """
    text = _BETWEEN_WORDS_N.sub(" and ", unicodedata.normalize("NFKD", name))
    text = unicodedata.normalize("NFKD", text.casefold()).replace("&", "and").replace("+", "and")
    text = text.replace("ı", "i")  # in capitals, Turkish has two letters where others have one
    return "".join(c for c in text if c in "/," or not _is_trimming(c))


def one_spelling(counts: Mapping[str, int]) -> dict[str, str]:
    """Map names to the most frequent of those with the same key (ties: the first by alphabet).

    Genres that the data does not know keep their files' spellings, so a library may hold several.
    """
    best: dict[str, str] = {}
    for name in sorted(counts, key=lambda n: (-counts[n], n)):
        best.setdefault(fold(name), name)
    return {name: best[fold(name)] for name in counts}


def _parse_parts(parts: Sequence[str]) -> Iterator[str]:
    """Names in what a separator has parted; numbers mean genres only among themselves."""
    numbers_count = all(_NUMBER.fullmatch(part) for part in parts if part.strip())
    for part in parts:
        yield from _parse_chunk(part[:_LONGEST], numbers_count)


def _parse_chunk(chunk: str, numbers_count: bool) -> Iterator[str]:
    """Names in a chunk without hard separators."""
    rest = _unswapped(chunk).lstrip()
    while reference := _ID3_REFERENCE.match(rest):
        yield from _by_reference(reference[1])
        rest, numbers_count = rest[reference.end() :].lstrip(), False
    text = _unswapped(_strip(rest))
    if fold(text).isdecimal():
        number = _NUMBER.fullmatch(rest)
        if number and numbers_count:
            yield from _by_reference(number[1])
    elif (known := _look_up(text)) is not None:
        yield from filter(None, [known])
    elif len(parts := split(_USUALLY_SPLIT, text)) > 1:
        yield from _parse_parts(parts)
    else:
        found = [_look_up(_strip(part)) for part in split(_RARELY_SPLIT, text)]
        all_known = len(found) > 1 and None not in found
        yield from filter(None, found if all_known else [_tidy(text)])


def _unswapped(text: str) -> str:
    """Text that was written as big-endian UTF-16 without saying so, and read as little-endian.

    "Rock" has become "刀漀挀欀" then: each letter of Latin, Greek or Cyrillic a character whose
    number ends in a zero and the alphabet's. No words of any language look so.
    """
    if len(text) < 2 or any(ord(c) < 0x2000 or ord(c) & 0xFF > 0x05 for c in text):
        return text
    swapped = "".join(chr((ord(c) & 0xFF) << 8 | ord(c) >> 8) for c in text if ord(c) < 0x10000)
    n_letters = sum(c.isalpha() for c in swapped)
    by_chance = n_letters < (2 if swapped.isascii() else 3)
    is_text = len(swapped) == len(text) and swapped.isprintable() and not by_chance
    return swapped if is_text else text


def _by_reference(reference: str) -> Iterator[str]:
    """The genre of an ID3v1 number, RX or CR; none for numbers outside the table."""
    if not reference.isdecimal():
        yield canonical(reference)
        return
    numbered: list[str] = load("id3v1")["names"]
    # int() of a number of thousands of digits is refused.
    if len(reference) < 10 and int(reference) < len(numbered) and numbered[int(reference)]:
        yield numbered[int(reference)]


def _look_up(text: str) -> str | None:
    """Known name of `text`, "" where it says "no genre", None where it is unknown."""
    key = fold(text)
    index = _index()
    if not key or key in index:
        return index.get(key, "")
    for suffix in ("music", "musik", "s"):
        shorter = key.removesuffix(suffix)
        if shorter != key and index.get(shorter):
            return index[shorter]
    return None


@functools.cache
def _index() -> dict[str, str]:
    """Keys of all names and aliases -> canonical name; "" for words that name no genre."""
    tree, aliases = load("tree"), load("aliases")
    names = [*tree["top"], *(child for children in tree["children"].values() for child in children)]
    index = dict.fromkeys(map(fold, _saying_nothing()), "")
    index |= {fold(alias): name for name, others in aliases["aliases"].items() for alias in others}
    return index | {fold(name): name for name in names}


def _saying_nothing() -> Iterator[str]:
    """Whatever tags say where they name no genre."""
    for words in load("missing").values():
        none, genre = words["none"], words.get("genre", ())
        yield from (*none, *genre)
        for a, b in itertools.product(none, genre):
            yield from (f"{a} {b}", f"{b} {a}")


@functools.cache
def load(name: str) -> dict[str, Any]:
    """One of this package's TOML files, as a dict."""
    text = resources.files("earmark.genres").joinpath(f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def _is_trimming(char: str) -> bool:
    """Whether a character of a decomposed string carries no sound: accents, spaces, punctuation."""
    return "\u0300" <= char <= "\u036f" or unicodedata.category(char)[0] in "PSZC"


def _strip(text: str) -> str:
    """Without surrounding space, stray punctuation and brackets around the whole."""
    while True:
        before = text
        text = text.strip().strip("-_*~.,:/\\").strip()
        if text and text[0] in _BRACKETS:
            inner, closing = text[1:], _BRACKETS[text[0]]
            if closing not in inner:
                text = inner
            elif inner.find(closing) == len(inner) - 1:
                text = inner[:-1]
        if text == before:
            return text


def _tidy(text: str) -> str:
    """An unknown genre's spelling: spaces for underscores, capitals where all is of one case."""
    text = " ".join(unicodedata.normalize("NFKC", text).replace("_", " ").split())
    acronym = text.isupper() and len(text) <= _LONGEST_ACRONYM
    if (text.islower() or text.isupper()) and not acronym:
        text = _WORD.sub(lambda word: word[0].capitalize(), text)
    return text
