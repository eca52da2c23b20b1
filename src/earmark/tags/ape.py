"""Containers whose own tag is APEv2: Monkey's Audio, WavPack, Musepack, OptimFROG, TAK.

It stands at the end, and is read first; ID3v2 in front and ID3v1 behind are read where it says
nothing, and kept in step where they name a genre.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from mutagen.monkeysaudio import MonkeysAudioInfo
from mutagen.musepack import MusepackInfo
from mutagen.optimfrog import OptimFROGInfo
from mutagen.tak import TAKInfo
from mutagen.wavpack import WavPackInfo

from earmark.tags import apev2, outer
from earmark.tags.edits import Edit
from earmark.tags.fields import Family, Native, Reading, combine

_INFO: dict[str, Any] = {
    "ape": MonkeysAudioInfo,
    "wavpack": WavPackInfo,
    "musepack": MusepackInfo,
    "optimfrog": OptimFROGInfo,
    "tak": TAKInfo,
}
_NAMES = {"ape": "Monkey's Audio", "wavpack": "WavPack", "musepack": "Musepack"}


class ApeFamily(Family):
    """Containers whose own tag is APEv2."""

    def __init__(self, container: str) -> None:
        self.container = container

    def read(self, f: BinaryIO) -> Reading:
        around = self._around(f)
        info = _INFO[self.container](around.inside(f))
        return combine(outer.sources(around), info.length)

    def get(self, f: BinaryIO) -> Native:
        return outer.get(self._around(f))

    def encode(self, f: BinaryIO, values: tuple[str, ...]) -> Native:
        around = self._around(f)
        own = around.first("apev2")
        items = apev2.encode_items(apev2.parse(own.data) if own else None, values)
        return outer.in_step(around, values) | {"apev2": items}

    def edits(self, f: BinaryIO, native: Native) -> list[Edit]:
        around = self._around(f)
        outer.refuse_in_front(around, _NAMES.get(self.container, self.container))
        found = outer.edits(around, native)
        if around.first("apev2") is None and native.get("apev2"):
            found.append(Edit(around.end, around.end, apev2.new(native["apev2"])))
        return found

    def others(self, f: BinaryIO) -> Any:
        around = self._around(f)
        found = outer.others(around)
        if around.first("apev2") is None:
            found.insert(0, ("apev2", apev2.others(apev2.parse(apev2.new([])))))
        return found, around.start

    def _around(self, f: BinaryIO) -> outer.Outer:
        return outer.find(f, best="apev2")
