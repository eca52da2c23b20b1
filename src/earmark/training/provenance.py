"""Where a model comes from: what it has learned from, by which request, code and libraries."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from earmark.errors import BundleError
from earmark.events import Epoch
from earmark.models import bundle as bundles
from earmark.models import catalog
from earmark.models.bundle import Bundle
from earmark.models.runtime import Classifier
from earmark.training.request import TrainRequest

_VERSIONS_OF = (
    "earmark",
    "torch",
    "lightning-fabric",
    "scikit-learn",
    "skl2onnx",
    "librosa",
    "numpy",
    "onnxruntime",
    "av",
    "soxr",
)


def short_hash(name: str) -> str:
    """Eight hexadecimal digits of a track's or a group's name."""
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()


def open_backbone(model: str, home: Path) -> Bundle:
    """The model in that folder or of that name, or the shipped one.

    Raises
    ------
    BundleError
        If it cannot be used, or gives no embedding.
    """
    backbone = bundles.load(catalog.choose(model, home))
    if not Classifier(backbone).has_embedding:
        raise BundleError(
            f"{backbone.network} has no output called embedding, so no head can be put on it",
            "choose another backbone, or train it again with this version",
        )
    return backbone


class GroupedRecording(Protocol):
    """A track as far as leaks go."""

    @property
    def audio_id(self) -> str: ...

    @property
    def group(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What a backbone's embedding has learned from.

    Attributes
    ----------
    recorded : mapping or None
        As ``model.json`` has it.
    tracks, groups : set of str
        Short hashes of recordings and artists.
    is_all : bool
        Whether there is nothing else.
    """

    recorded: Mapping[str, Any] | None
    tracks: set[str]
    groups: set[str]
    is_all: bool

    def leak(self, examples: Sequence[GroupedRecording], called: str) -> str:
        """What makes scores on `examples`, `called` so, too good; empty if nothing does."""
        n_leaked = sum(
            short_hash(e.audio_id) in self.tracks or short_hash(e.group) in self.groups
            for e in examples
        )
        if n_leaked:
            return (
                f"the backbone has learned from {n_leaked} of {called} or from others by their"
                " artists: the scores are too good"
            )
        if not self.is_all:
            return (
                "it is not known what the backbone has learned from: if these tracks or artists"
                " were among it, the scores are too good"
            )
        return ""


def known_of(backbone: Bundle) -> Known:
    """What the backbone's embedding has learned from, as its ``model.json`` has it.

    Of one that is itself a head on another, the embedding is that other's: what its own head has
    learned is no leak.
    """
    data = backbone.meta.data
    recorded = data.get("backbone_learned", data.get("learned"))
    tracks, groups = (set(str((recorded or {}).get(k, "")).split()) for k in ("tracks", "groups"))
    is_all = recorded is not None and bool(data.get("backbone_known", True))
    return Known(recorded, tracks, groups, is_all)


def provenance(request: TrainRequest) -> dict[str, Any]:
    """For ``model.json``: recipe as used, hardware, versions, commit."""
    return {
        "recipe": {"name": request.recipe.name, **request.recipe.to_dict()},
        "hardware": request.hardware.to_dict(),
        "target_precision": request.target_precision,
        "environment": environment(),
    }


def course(history: Sequence[Epoch]) -> dict[str, Any]:
    """For ``model.json``: how long training took."""
    return {
        "n_epochs": len(history),
        "seconds": round(sum(e.seconds for e in history), 1),
        "cpu_seconds": round(sum(e.cpu_s for e in history), 1),
    }


def environment() -> dict[str, str]:
    """Versions of what models are made with, and the commit of the source."""
    return {
        **{name: _version(name) for name in _VERSIONS_OF},
        "python": platform.python_version(),
        "commit": _commit(),
    }


def _version(name: str) -> str:
    """Empty where it is not installed: a head is trained without torch."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _commit() -> str:
    """Last commit of the source that Earmark runs from; empty for an installed release."""
    command = ["git", "log", "-1", "--format=%H", "--", "."]
    source = Path(__file__).parents[1]
    try:
        done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
