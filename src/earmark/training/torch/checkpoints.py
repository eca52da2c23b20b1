"""Checkpoints: the state of a run after its last epoch, and after its best.

A file is replaced only by a whole one, so that neither a kill nor a full disk costs more than the
epoch that was under way. There are no pickled objects in it but tensors and plain values.
"""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from earmark.errors import LibraryError

_LAST = "last.pt"
_BEST = "best.pt"


def save(run_dir: Path, state: dict[str, Any], best: bool) -> None:
    """Write `state` as the last one, and as the best where it is.

    Raises
    ------
    LibraryError
        If it cannot be written; what was there before is still there.
    """
    content = io.BytesIO()
    torch.save(state, content)
    # The best first: a kill in between repeats an epoch instead of losing its network.
    for name in (_BEST, _LAST) if best else (_LAST,):
        temporary = run_dir / f"{name}.tmp"
        try:
            with temporary.open("wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(run_dir / name)
        except OSError as e:
            temporary.unlink(missing_ok=True)
            raise LibraryError(
                f"cannot write the checkpoint {run_dir / name}: {e.strerror}",
                "make room and run the same command again: it goes on from the epoch before",
            ) from e


def load_last(run_dir: Path, device: torch.device) -> dict[str, Any] | None:
    """The state after the last epoch, None where there is none."""
    return _load(run_dir / _LAST, device) if (run_dir / _LAST).exists() else None


def load_best(run_dir: Path) -> dict[str, Any]:
    """The state after the best epoch, on the CPU."""
    return _load(run_dir / _BEST, torch.device("cpu"))


def _load(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as e:
        raise LibraryError(
            f"the checkpoint {path} cannot be read: {e}",
            f"delete the folder {path.parent} to train from the start",
        ) from e
    return state
