"""Dilated 1-D convolutions over time: a long view at little cost."""

from __future__ import annotations

from torch import Tensor, nn

from earmark.models.nets import parts
from earmark.types import FeatureConfig


class TCN(nn.Module):
    """Residual blocks of dilated convolutions over the columns of a spectrogram.

    After Bai, Kolter and Koltun, "An empirical evaluation of generic convolutional and recurrent
    networks for sequence modeling" (2018), which called it a temporal convolutional network: block
    i has convolutions over every 2^i-th column, so that n blocks see 1 + 2 (kernel - 1) (2^n - 1)
    columns at once. Unlike theirs it looks both ways, as all of a slice is known, and it has
    batch in place of weight normalisation.

    Parameters
    ----------
    n_bins, n_frames, n_classes : int
    features : FeatureConfig, optional
        Of the slices.
    channels, n_blocks, kernel : int
        `kernel` is odd.
    dropout : float
        Share of channels left out within blocks, and of the embedding, in training.
    pooling : {'mean', 'max', 'mean-max', 'last', 'attention'}
        Of time, at the end.
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
        channels: int = 96,
        n_blocks: int = 6,
        kernel: int = 3,
        dropout: float = 0.2,
        pooling: parts.Pooling = "mean-max",
        normalise: parts.Normalisation = "bins",
    ) -> None:
        super().__init__()
        parts.check_widths("channels, n_blocks, kernel", (channels, n_blocks, kernel))
        parts.check_shares(dropout=dropout)
        if kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}, but should be odd")
        self.normalise = parts.Normalise(n_bins, n_frames, features, normalise)
        self.narrow = nn.Conv1d(n_bins, channels, 1)
        self.blocks = nn.Sequential(
            *(_Block(channels, kernel, 2**i, dropout) for i in range(n_blocks))
        )
        self.time = parts.PoolTime(channels, pooling)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.time.n_out, n_classes))

    def embed(self, slices: Tensor) -> Tensor:
        """What is left of slices (n, n_bins, n_frames) before the last layer."""
        embedding: Tensor = self.time(self.blocks(self.narrow(self.normalise(slices))))
        return embedding

    def forward(self, slices: Tensor) -> Tensor:
        """Logits (n, n_classes) of slices (n, n_bins, n_frames)."""
        logits: Tensor = self.head(self.embed(slices))
        return logits


class _Block(nn.Module):
    def __init__(self, channels: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()

        def conv() -> nn.Sequential:
            padding = dilation * (kernel - 1) // 2
            return nn.Sequential(
                nn.Conv1d(
                    channels, channels, kernel, padding=padding, dilation=dilation, bias=False
                ),
                nn.BatchNorm1d(channels),
            )

        self.first, self.second = conv(), conv()
        self.relu, self.dropout = nn.ReLU(), nn.Dropout1d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.dropout(self.relu(self.first(x))))
        rest: Tensor = self.relu(x + self.dropout(y))
        return rest
