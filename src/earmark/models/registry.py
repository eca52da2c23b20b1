"""Networks by name. Names are resolved when asked for, so that listing them costs no torch."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from earmark.errors import ConfigError, MissingExtraError

NETWORKS = {"cnn": "earmark.models.nets.cnn:SliceCNN"}

# What every network is told beside its options.
_SHAPE = ("n_bins", "n_frames", "n_classes")


def build(
    name: str,
    n_bins: int,
    n_frames: int,
    n_classes: int,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """A fresh network, a `torch.nn.Module`, for slices of shape (n_bins, n_frames).

    Parameters
    ----------
    name : str
    n_bins, n_frames, n_classes : int
    options : mapping, optional
        Keyword arguments of the network's own.

    Raises
    ------
    ConfigError
        If no network has that name, or it has no such option, or the values make no sense to it.
    MissingExtraError
        If torch is not installed.
    """
    chosen = dict(options or {})
    cls = _resolve(name)
    _check_options(name, cls, chosen)
    try:
        return cls(n_bins, n_frames, n_classes, **chosen)
    except (TypeError, ValueError) as e:
        raise ConfigError(f"the network {name} cannot be built: {e}") from e


def _check_options(name: str, cls: Any, options: Mapping[str, Any]) -> None:
    known = [option for option in inspect.signature(cls).parameters if option not in _SHAPE]
    for option in options:
        if option not in known:
            close = difflib.get_close_matches(option, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise ConfigError(f"the network {name} has no option {option}", hint)


def _resolve(name: str) -> Any:
    if name not in NETWORKS:
        raise ConfigError(f"there is no network {name!r}", f"known: {', '.join(sorted(NETWORKS))}")
    module, _, attribute = NETWORKS[name].partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as e:
        raise MissingExtraError(e.name or "torch", "train") from e
