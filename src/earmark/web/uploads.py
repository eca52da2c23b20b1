"""Files that people send: taken in as they arrive, a folder each, removed when their time is up.

Multipart forms are written to the disk piece by piece; memory is that of one network packet.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from earmark.web.faults import Refused, readable
from earmark.web.limits import in_megabytes
from earmark.web.settings import Bounds

FIELD = "files"
_LONGEST_NAME = 255
# Parts that are no files are passed over, and cost time all the same.
_MOST_OTHER_PARTS = 100
_MOST_HEADERS = 20
_MOST_HEADER_BYTES = 16 << 10
_SUFFIX = re.compile(r"\.[A-Za-z0-9+]{1,5}$")
_SWEEP_S = 10.0


# --- kept ----------------------------------------------------------------------------------------


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


# --- taken in ------------------------------------------------------------------------------------


async def receive(request: Request, uploads: Uploads, bounds: Bounds) -> list[Upload]:
    """Take the files of a request in; all are removed again if it is refused.

    Raises
    ------
    Refused
        No multipart form (415, 400), without a file (422), too many or too large (413), too slow
        (408).
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data":
        raise Refused(415, "that is no multipart form", f"send files as {FIELD}", close=True)
    if not 0 < len(boundary) <= 200:
        raise Refused(400, "the form does not say how its parts are told apart", close=True)
    taker = _Taker(uploads, bounds)
    try:
        parser = MultipartParser(boundary, taker.callbacks(), max_size=math.inf)
        async for chunk in _chunks(request):
            parser.write(chunk)
            await asyncio.sleep(0)  # others have their turn while a form is taken apart
        parser.finalize()
        taker.check_complete()
    except FormParserError as e:
        taker.discard()
        raise Refused(400, "the form is damaged", close=True) from e
    except OSError as e:
        taker.discard()
        raise Refused(507, f"the upload cannot be stored: {e.strerror}", close=True) from e
    except BaseException:
        taker.discard()
        raise
    return taker.files


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientDisconnect as e:
        raise Refused(400, "the upload was broken off", close=True) from e


class _Taker:
    """What the parser calls. Other fields than files are passed over."""

    def __init__(self, uploads: Uploads, bounds: Bounds) -> None:
        self.files: list[Upload] = []
        self._uploads = uploads
        self._bounds = bounds
        self._n_parts = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._n_header_bytes = 0
        self._name = b""
        self._value = b""
        self._out: BinaryIO | None = None
        self._complete = False

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_done,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def check_complete(self) -> None:
        if not self._complete:
            raise Refused(400, "the form breaks off", close=True)
        if not self.files:
            raise Refused(422, "there is no file", f"send files as {FIELD}")

    def discard(self) -> None:
        if self._out is not None:
            with contextlib.suppress(OSError):
                self._out.close()
        for upload in self.files:
            self._uploads.remove(upload)

    def _begin(self) -> None:
        self._n_parts += 1
        if self._n_parts > self._bounds.max_files + _MOST_OTHER_PARTS:
            raise Refused(413, "the form has too many parts", "send the files only", close=True)
        self._headers = []
        self._n_header_bytes = 0

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers.append((self._name.lower(), self._value))
        if len(self._headers) > _MOST_HEADERS:
            raise _long_headers()
        self._name = self._value = b""

    def _count_header(self, n_bytes: int) -> None:
        self._n_header_bytes += n_bytes
        if self._n_header_bytes > _MOST_HEADER_BYTES:
            raise _long_headers()

    def _headers_done(self) -> None:
        disposition = dict(self._headers).get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        if options.get(b"name") != FIELD.encode() or b"filename" not in options:
            return
        if len(self.files) == self._bounds.max_files:
            raise Refused(
                413, f"more than {self._bounds.max_files} files", "send fewer", close=True
            )
        upload = self._uploads.new(_shown_name(options[b"filename"]))
        self.files.append(upload)
        self._out = upload.path.open("xb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._out is None:
            return
        upload = self.files[-1]
        upload.size += end - start
        if upload.size > self._bounds.max_upload_bytes:
            limit = in_megabytes(self._bounds.max_upload_bytes)
            raise Refused(413, f"{upload.name} is larger than {limit}", close=True)
        self._out.write(data[start:end])

    def _end(self) -> None:
        if self._out is not None:
            self._out.close()
            self._out = None

    def _finish(self) -> None:
        self._complete = True


def _long_headers() -> Refused:
    return Refused(400, "a part of the form has too long a head", close=True)


def _shown_name(raw: bytes) -> str:
    """What the client calls its file, without folders: for showing, never for opening."""
    name = readable(raw.decode("utf-8", "replace"))
    name = os.path.basename(name.replace("\\", "/")).replace("\0", "")  # noqa: PTH119
    return name[:_LONGEST_NAME] or "unnamed"
