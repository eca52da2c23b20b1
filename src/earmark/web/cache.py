"""What is taken from a file once and shown often: overview, spectrogram, preview, cover.

Each lies in a folder: an upload's own, which goes with it, or, for a library's file as it is now
(path, size, time of change), one of the cache. The cache is kept within bounds by dropping what
has not been looked at for longest.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from earmark.web.media import Palette, TrackOverview, png
from earmark.web.schemas.listening import Overview
from earmark.web.workers import ServerWorkers

_MOST_BYTES = 500 << 20


class Cache:
    """Makes and finds what belongs to a file. To be used in one event loop."""

    def __init__(self, folder: Path, workers: ServerWorkers) -> None:
        self._folder = folder
        self._workers = workers
        # Two who ask for the same at once wait for one computation.
        self._locks: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()

    def folder_of(self, path: str) -> Path:
        """Where to keep what belongs to a file of a library, as it is now."""
        status = os.stat(path)  # noqa: PTH116 - surrogate-safe text
        name = f"{path}\0{status.st_size}\0{status.st_mtime_ns}"
        key = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        return self._folder / key

    async def overview(self, path: str, folder: Path, url: str) -> Overview:
        """Raises as `ServerWorkers.predict`; so do the others."""
        await self._pictured(path, folder)
        text = (folder / "overview.json").read_text("utf-8")
        return Overview.model_validate_json(text).model_copy(update={"spectrogram_url": url})

    async def spectrogram(self, path: str, folder: Path, palette: Palette) -> Path:
        await self._pictured(path, folder)
        return folder / f"{palette}.png"

    async def preview(self, path: str, folder: Path) -> Path:
        target = folder / "preview.opus"

        async def make() -> None:
            await self._workers.write_preview(path, target)

        await self._once(target, make)
        return target

    async def cover(self, path: str, folder: Path) -> Path:
        """An empty file where there is no picture, or one that is too large."""
        target = folder / "cover"

        async def make() -> None:
            await self._workers.write_cover(path, target)

        await self._once(target, make)
        return target

    async def _pictured(self, path: str, folder: Path) -> None:
        async def make() -> None:
            seen = await self._workers.overview(path)
            await asyncio.to_thread(_write, folder, seen)

        await self._once(folder / "overview.json", make)

    async def _once(self, target: Path, make: Callable[[], object]) -> None:
        lock = self._locks.setdefault(target, asyncio.Lock())
        async with lock:
            if target.exists():
                os.utime(target.parent)
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            await make()  # type: ignore[misc]
            await asyncio.to_thread(self._make_room)

    def _make_room(self) -> None:
        if not self._folder.is_dir():
            return
        folders = sorted(
            (folder for folder in self._folder.iterdir() if folder.is_dir()),
            key=lambda folder: folder.stat().st_mtime,
            reverse=True,
        )
        n_bytes = 0
        for folder in folders:
            n_bytes += sum(file.stat().st_size for file in folder.iterdir())
            if n_bytes > _MOST_BYTES:
                shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, seen: TrackOverview) -> None:
    """Pictures first: where the text is there, all is."""
    for palette in ("magma", "grey"):
        (folder / f"{palette}.png").write_bytes(png(seen.S, palette))
    shown = Overview(
        duration_s=round(seen.duration_s, 3),
        truncated=seen.truncated,
        column_s=seen.column_s,
        peaks=[round(float(peak), 3) for peak in seen.peaks],
        n_bins=len(seen.bins_hz),
        bins_hz=[round(float(hz), 1) for hz in seen.bins_hz],
        spectrogram_url="",
    )
    part = folder / ".overview.json.part"
    part.write_text(shown.model_dump_json(), "utf-8")
    part.replace(folder / "overview.json")
