"""Files that people send: a folder each, removed when the answer is out or their time is up."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from earmark.web.settings import Bounds

_SUFFIX = re.compile(r"\.[A-Za-z0-9+]{1,5}$")
_SWEEP_S = 10.0


@dataclass(slots=True)
class Upload:
    """One file; `name` is what the client called it, and never part of a path."""

    upload_id: str
    folder: Path
    name: str
    size: int = 0
    expires_at: float | None = None

    @property
    def path(self) -> Path:
        # FFmpeg looks at what is inside; the ending is for those who look at the folder.
        found = _SUFFIX.search(self.name)
        return self.folder / f"audio{found[0].lower() if found else ''}"


class Uploads:
    """All uploads there are, below one folder that holds nothing else.

    What an earlier server left is removed at the start. To be used in one event loop.
    """

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        self._folder = folder
        self._bounds = bounds
        self._kept: dict[str, Upload] = {}
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, mode=0o700)
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        if self._sweeper:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        shutil.rmtree(self._folder, ignore_errors=True)

    def new(self, name: str) -> Upload:
        """A folder for a file that is about to arrive."""
        upload_id = secrets.token_urlsafe(18)
        folder = self._folder / upload_id
        folder.mkdir(mode=0o700)
        return Upload(upload_id, folder, name)

    def keep(self, upload: Upload) -> None:
        """Let it be played for a while; the oldest make room where there are too many."""
        upload.expires_at = time.time() + self._bounds.kept_s
        self._kept[upload.upload_id] = upload
        while sum(u.size for u in self._kept.values()) > self._bounds.max_kept_bytes:
            oldest = next(iter(self._kept.values()))
            self.remove(oldest)
            if oldest is upload:
                break

    def is_kept(self, upload: Upload) -> bool:
        """Whether it may be played by now."""
        return upload.upload_id in self._kept

    def get(self, upload_id: str) -> Upload | None:
        found = self._kept.get(upload_id)
        return found if found and not self._is_over(found) else None

    def remove(self, upload: Upload) -> None:
        self._kept.pop(upload.upload_id, None)
        shutil.rmtree(upload.folder, ignore_errors=True)

    @property
    def n_bytes(self) -> int:
        """Of those kept."""
        return sum(upload.size for upload in self._kept.values())

    def _is_over(self, upload: Upload) -> bool:
        return upload.expires_at is not None and upload.expires_at < time.time()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            for upload in [u for u in self._kept.values() if self._is_over(u)]:
                self.remove(upload)
