"""A mel filter bank within the network: frozen, or learned on from where mel begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from earmark.features.mel import filter_bank
from earmark.models import registry
from earmark.models.nets.parts import check_shape, check_widths
from earmark.types import FeatureConfig

_LEVELS = 255.0
# Share of a filter's peak at which the rest of it begins: below what 8 bits tell apart, but not
# nothing, so that a filter can grow to wherever it helps.
_FLOOR = 1e-8
_POWER_MIN = 1e-10


class MelBankNet(nn.Module):
    """Power in learned filters over a linear frequency axis, in decibels, into another network.

    The filters begin as the mel front end's. Their weights are learned as logarithms, so that none
    is negative and each can change by orders of magnitude; all over the axis, not within their
    triangle only. What comes out has the levels that stored mel slices have, so that any network
    for these can follow, and with `trainable` switched off the two hear nearly the same.

    Parameters
    ----------
    n_bins, n_frames, n_classes : int
    features : FeatureConfig
        Of the slices: of front end ``linear``.
    n_mels : int
        Number of filters.
    trainable : bool
        Whether the filters are learned, or stay mel.
    body : mapping
        Network that follows: its ``name`` in `earmark.models.registry.NETWORKS`, and options.
    """

    def __init__(
        self,
        n_bins: int,
        n_frames: int,
        n_classes: int,
        *,
        features: FeatureConfig | None = None,
        n_mels: int = 64,
        trainable: bool = True,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_widths("n_mels", (n_mels,))
        if features is None or features.frontend != "linear":
            raise ValueError('it takes slices of [features] frontend = "linear"')
        mel = dataclasses.replace(features, frontend="mel", n_mels=n_mels)
        weights = filter_bank(mel)
        if weights.shape[1] != n_bins:
            raise ValueError(f"{n_bins} bins are not those of n_fft = {features.n_fft}")
        if not weights.any(axis=1).all():
            raise ValueError(f"{n_mels} filters are too many for {n_bins} bins: some are empty")
        self.shape = (n_bins, n_frames)
        self.db_min, self.db_range = features.db_min, features.db_max - features.db_min
        floor = _FLOOR * weights.max(axis=1, keepdims=True)
        log_weights = torch.from_numpy(np.log(np.maximum(weights, floor)))
        if trainable:
            self.log_weights = nn.Parameter(log_weights)
        else:
            self.register_buffer("log_weights", log_weights)
        chosen = dict(body or {"name": "cnn"})
        name = str(chosen.pop("name", "cnn"))
        self.body = registry.build(name, n_mels, n_frames, n_classes, chosen, mel)

    @property
    def head(self) -> nn.Module:
        """The last layer: the body's."""
        head: nn.Module = self.body.head
        return head

    def filtered(self, slices: Tensor) -> Tensor:
        """Levels (n, n_mels, n_frames), float, of slices (n, n_bins, n_frames)."""
        check_shape(slices, self.shape)
        db = slices.to(torch.float32) * (self.db_range / _LEVELS) + self.db_min
        power = torch.exp(self.log_weights) @ torch.pow(10.0, db / 10)
        filtered_db = 10 * torch.log10(power.clamp_min(_POWER_MIN))
        return (filtered_db - self.db_min) * (_LEVELS / self.db_range)

    def embed(self, slices: Tensor) -> Tensor:
        """What the body leaves of slices (n, n_bins, n_frames) before its last layer."""
        embedding: Tensor = self.body.embed(self.filtered(slices))
        return embedding

    def forward(self, slices: Tensor) -> Tensor:
        """Logits (n, n_classes) of slices (n, n_bins, n_frames)."""
        logits: Tensor = self.head(self.embed(slices))
        return logits
