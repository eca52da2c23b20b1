"""Fetching a file whose checksum is known."""

from __future__ import annotations

import hashlib
import http.client
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from earmark.errors import BundleError
from earmark.version import __version__

_CHUNK = 1 << 18
_TIMEOUT_S = 30


def fetch(url: str, to: Path, n_bytes: int) -> Iterator[int]:
    """Write what is at `url` to the file `to`; yields the bytes that have come so far.

    Raises
    ------
    BundleError
        If it cannot be had, or is longer than `n_bytes`.
    """
    request = urllib.request.Request(url, headers={"User-Agent": f"earmark/{__version__}"})
    n_done = 0
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer, to.open("wb") as file:
            while chunk := answer.read(_CHUNK):
                n_done += len(chunk)
                if n_done > n_bytes:
                    raise BundleError(f"{url} is longer than the {n_bytes} bytes that it should be")
                file.write(chunk)
                yield n_done
    except (OSError, http.client.HTTPException) as e:  # URLError, too, is an OSError
        raise BundleError(
            f"{url} cannot be fetched: {e}", "fetch it by other means, and name it by --from"
        ) from e


def check_sha256(path: Path, sha256: str) -> None:
    """Refuse (`BundleError`) a file that is not the one it should be."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise BundleError(f"{path} cannot be read: {e.strerror}") from e
    if found != sha256:
        raise BundleError(
            f"{path} is not the file that this version knows (its SHA-256 is {found}, not"
            f" {sha256})",
            "get the file again",
        )
