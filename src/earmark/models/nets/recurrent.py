"""Recurrent networks over the columns of a spectrogram."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from earmark.models.nets import parts
from earmark.types import FeatureConfig


class RecurrentNet(nn.Module):
    """LSTM layers that read one column after the other; with convolutions before them, a CRNN.

    Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997; with
    convolutions: Choi, Fazekas, Sandler, Cho, "Convolutional recurrent neural networks for music
    classification", ICASSP 2017.

    Parameters
    ----------
    n_bins, n_frames, n_classes : int
    features : FeatureConfig, optional
        Of the slices.
    units : sequence of int
        Of each LSTM layer, in each direction.
    bidirectional : bool
    channels : sequence of int
        Of 2-D convolutions (3 × 3, batch normalisation, ELU, 2 × 2 max-pooling) before the LSTM;
        each halves its number of columns. Empty: none.
    pooling : {'mean', 'max', 'mean-max', 'last', 'attention'}
        Of the LSTM's outputs over time.
    dropout : float
        Share of each layer's output that is left out in training.
    normalise : {'none', 'slice', 'bins'}
        Of the input, see `earmark.models.nets.parts.Normalise`.
    """

    def __init__(
        self,
        n_bins: int,
        n_frames: int,
        n_classes: int,
        *,
        features: FeatureConfig | None = None,
        units: Sequence[int] = (128,),
        bidirectional: bool = False,
        channels: Sequence[int] = (),
        pooling: parts.Pooling = "last",
        dropout: float = 0.5,
        normalise: parts.Normalisation = "bins",
    ) -> None:
        super().__init__()
        parts.check_shares(dropout=dropout)
        self.normalise = parts.Normalise(n_bins, n_frames, features, normalise)
        self.stages = nn.ModuleList()
        n_in = n_bins
        if channels:
            parts.check_widths("channels", channels)
            parts.check_pooling({"bins": n_bins, "frames": n_frames}, len(channels), 2)
            for narrow, wide in pairwise((1, *channels)):
                conv = nn.Conv2d(narrow, wide, 3, padding=1, bias=False)
                self.stages.append(nn.Sequential(conv, nn.BatchNorm2d(wide)))
                n_bins = parts.pooled(n_bins, 2)
            n_in = channels[-1] * n_bins
        self.rise = parts.activation("elu")
        self.lstm = parts.LSTMStack(n_in, units, dropout, bidirectional)
        self.time = parts.PoolTime(self.lstm.n_out, pooling)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.time.n_out, n_classes))

    def embed(self, slices: Tensor) -> Tensor:
        """What is left of slices (n, n_bins, n_frames) before the last layer."""
        x = self.normalise(slices)
        if self.stages:
            x = x.unsqueeze(1)
            for stage in self.stages:
                x = self.rise(parts.max_pool(stage(x), 2))
            x = x.flatten(1, 2)
        embedding: Tensor = self.time(self.lstm(x))
        return embedding

    def forward(self, slices: Tensor) -> Tensor:
        """Logits (n, n_classes) of slices (n, n_bins, n_frames)."""
        logits: Tensor = self.head(self.embed(slices))
        return logits
