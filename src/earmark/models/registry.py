"""Networks by name. Names are resolved when asked for, so that listing them costs no torch."""

from __future__ import annotations

import importlib
from typing import Any

from earmark.errors import ConfigError, MissingExtraError

NETWORKS = {"cnn": "earmark.models.nets.cnn:SliceCNN"}


def build(name: str, n_bins: int, n_frames: int, n_classes: int) -> Any:
    """A fresh network, a `torch.nn.Module`, for slices of shape (n_bins, n_frames).

    Raises
    ------
    ConfigError
        If no network has that name.
    MissingExtraError
        If torch is not installed.
    """
    if name not in NETWORKS:
        raise ConfigError(f"there is no network {name!r}", f"known: {', '.join(sorted(NETWORKS))}")
    module, _, attribute = NETWORKS[name].partition(":")
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as e:
        raise MissingExtraError(e.name or "torch", "train") from e
    return cls(n_bins, n_frames, n_classes)
