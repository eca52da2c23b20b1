"""Networks by name. Names are resolved when asked for, so that listing them costs no torch."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from earmark import extras
from earmark.errors import ConfigError
from earmark.types import FeatureConfig

NETWORKS = {
    "cnn": "earmark.models.nets.cnn:SliceCNN",
    "conv1d": "earmark.models.nets.conv1d:Conv1dNet",
    "conv2d": "earmark.models.nets.conv2d:Conv2dNet",
    "block-attention": "earmark.models.nets.blocks:BlockAttention",
    "mel-bank": "earmark.models.nets.mel_bank:MelBankNet",
    "recurrent": "earmark.models.nets.recurrent:RecurrentNet",
    "tcn": "earmark.models.nets.tcn:TCN",
}
"""Networks over slices."""

TRACK_NETWORKS = {
    "attention": "earmark.models.nets.tracks:TrackAttention",
    "lstm": "earmark.models.nets.tracks:TrackLSTM",
}
"""Networks over the slice probabilities of a track, see `earmark.decision.track_network`."""

# What networks are told beside their options.
_GIVEN = ("n_bins", "n_frames", "n_classes", "features")


def build(
    name: str,
    n_bins: int,
    n_frames: int,
    n_classes: int,
    options: Mapping[str, Any] | None = None,
    features: FeatureConfig | None = None,
) -> Any:
    """A fresh network, a `torch.nn.Module`, for slices of shape (n_bins, n_frames).

    Parameters
    ----------
    name : str
    n_bins, n_frames, n_classes : int
    options : mapping, optional
        Keyword arguments of the network's own.
    features : FeatureConfig, optional
        Of the slices, for networks that have to know more than their shape; None: the default.

    Raises
    ------
    ConfigError
        If no network has that name, or it has no such option, or the values make no sense to it.
    MissingExtraError
        If torch is not installed.
    """
    chosen = dict(options or {})
    cls = _resolve(name, NETWORKS)
    _check_options(name, cls, chosen)
    if "features" in inspect.signature(cls).parameters:
        chosen["features"] = features
    return _built(name, cls, n_bins, n_frames, n_classes, **chosen)


def build_track_network(name: str, n_classes: int, options: Mapping[str, Any] | None = None) -> Any:
    """A fresh network over the slice probabilities of tracks.

    Raises
    ------
    ConfigError, MissingExtraError
        As `build`.
    """
    chosen = dict(options or {})
    cls = _resolve(name, TRACK_NETWORKS)
    _check_options(name, cls, chosen)
    return _built(name, cls, n_classes, **chosen)


def _built(name: str, cls: Any, *shape: int, **options: Any) -> Any:
    try:
        return cls(*shape, **options)
    except (TypeError, ValueError) as e:
        raise ConfigError(f"the network {name} cannot be built: {e}") from e


def _check_options(name: str, cls: Any, options: Mapping[str, Any]) -> None:
    known = [option for option in inspect.signature(cls).parameters if option not in _GIVEN]
    for option in options:
        if option not in known:
            close = difflib.get_close_matches(option, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise ConfigError(f"the network {name} has no option {option}", hint)


def _resolve(name: str, networks: Mapping[str, str]) -> Any:
    if name not in networks:
        raise ConfigError(f"there is no network {name!r}", f"known: {', '.join(sorted(networks))}")
    module, _, attribute = networks[name].partition(":")
    extras.require("train", module)
    return getattr(importlib.import_module(module), attribute)
