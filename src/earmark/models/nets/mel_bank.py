"""A mel filter bank within the network: frozen, or learned on from where mel begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earmark import features as frontends
from earmark.features.mel import filter_bank
from earmark.features.stft import hann
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

    The filters begin as the mel front end's. What is learned is by what each weight is multiplied,
    as a logarithm, so that none is negative and each can change by orders of magnitude; all over
    the axis, not within their triangle only. What comes out has the levels that stored mel slices
    have, so that any network for these can follow, and with `trainable` switched off it hears
    nearly the same as from the mel front end.

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
        if n_bins != frontends.n_bins(features):
            raise ValueError(f"{n_bins} bins are not those of its [features]")
        mel = FeatureConfig(
            sr=features.sr,
            n_fft=features.n_fft,
            hop_length=features.hop_length,
            n_mels=n_mels,
            fmin=features.fmin,
            fmax=features.fmax,
        )
        weights = _mel_weights(mel, features)
        if not weights.any(axis=1).all():
            raise ValueError(f"{n_mels} filters are too many for {n_bins} bins: some are empty")
        self.shape, self.config, self.given = (n_bins, n_frames), features, mel
        floor = _FLOOR * weights.max(axis=1, keepdims=True)
        log_weights = torch.from_numpy(np.log(np.maximum(weights, floor)).astype(np.float32))
        self.register_buffer("mel", log_weights)
        self.change = nn.Parameter(torch.zeros_like(log_weights)) if trainable else None
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
        step = (self.config.db_max - self.config.db_min) / _LEVELS
        db = slices.to(torch.float32) * step + self.config.db_min
        power: Tensor = self.filters() @ torch.pow(10.0, db / 10)
        filtered_db = 10 * torch.log10(power.clamp_min(_POWER_MIN))
        span = self.given.db_max - self.given.db_min
        return (filtered_db - self.given.db_min) * (_LEVELS / span)

    def filters(self) -> Tensor:
        """Weights (n_mels, n_bins) of the filters as they are now, of power."""
        mel = self.get_buffer("mel")
        return torch.exp(mel if self.change is None else mel + self.change)

    def embed(self, slices: Tensor) -> Tensor:
        """What the body leaves of slices (n, n_bins, n_frames) before its last layer."""
        embedding: Tensor = self.body.embed(self.filtered(slices))
        return embedding

    def forward(self, slices: Tensor) -> Tensor:
        """Logits (n, n_classes) of slices (n, n_bins, n_frames)."""
        logits: Tensor = self.head(self.embed(slices))
        return logits


def _mel_weights(mel: FeatureConfig, linear: FeatureConfig) -> NDArray[np.float64]:
    """Mel filters over the bins of a linear front end, which scales power otherwise."""
    bins = np.rint(frontends.axis(linear).values * (linear.n_fft / linear.sr)).astype(np.int64)
    # A sine of full scale is at 0 dB there, and here at the square of half the window's sum.
    scale = float((hann(linear.n_fft).sum() / 2) ** 2)
    weights: NDArray[np.float64] = filter_bank(mel)[:, bins].astype(np.float64) * scale
    return weights
