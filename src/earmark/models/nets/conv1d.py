"""1-D convolutions over time, the bins of a spectrogram (or the one of a waveform) as channels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from earmark.models.nets import parts
from earmark.types import FeatureConfig


class Conv1dNet(nn.Module):
    """Stages of one convolution over time each, pooled; then pooled over what time is left.

    Parameters
    ----------
    n_bins, n_frames, n_classes : int
    features : FeatureConfig, optional
        Of the slices.
    channels : sequence of int
        Of each stage.
    kernel, pool : int
        In frames.
    first_kernel, first_stride : int
        Of the first stage: a waveform takes long filters in large steps to begin with.
    activation : {'relu', 'elu'}
    batch_norm : bool
    pooling : {'mean', 'max', 'mean-max', 'last', 'attention'}
        Of the time that is left.
    dense : int
        Width of the layer before the last; 0 for none.
    dropout : float
        Share of that layer that is left out in training.
    normalise : {'none', 'slice', 'bins'}
        Of the input, see `earmark.models.nets.parts.Normalise`.
    initial : {'torch', 'xavier', 'he'}
        How weights begin.
    """

    def __init__(
        self,
        n_bins: int,
        n_frames: int,
        n_classes: int,
        *,
        features: FeatureConfig | None = None,
        channels: Sequence[int] = (64, 128, 256),
        kernel: int = 3,
        pool: int = 2,
        first_kernel: int = 3,
        first_stride: int = 1,
        activation: parts.Activation = "relu",
        batch_norm: bool = True,
        pooling: parts.Pooling = "mean-max",
        dense: int = 128,
        dropout: float = 0.5,
        normalise: parts.Normalisation = "bins",
        initial: parts.Initial = "torch",
    ) -> None:
        super().__init__()
        parts.check_widths("channels", channels)
        sizes = (kernel, pool, first_kernel, first_stride)
        parts.check_widths("kernel, pool, first_kernel, first_stride", sizes)
        parts.check_shares(dropout=dropout)
        n_steps = parts.pooled(n_frames, first_stride)
        parts.check_pooling(
            {"frames" if first_stride == 1 else "steps": n_steps}, len(channels), pool
        )
        self.pool = pool
        self.normalise = parts.Normalise(n_bins, n_frames, features, normalise)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(
                    n_in,
                    n_out,
                    first_kernel if i == 0 else kernel,
                    stride=first_stride if i == 0 else 1,
                    padding=(first_kernel if i == 0 else kernel) // 2,
                    bias=not batch_norm,
                ),
                nn.BatchNorm1d(n_out) if batch_norm else nn.Identity(),
            )
            for i, (n_in, n_out) in enumerate(pairwise((n_bins, *channels)))
        )
        self.activations = nn.ModuleList(parts.activation(activation) for _ in channels)
        self.time = parts.PoolTime(channels[-1], pooling)
        self.dense = parts.dense(self.time.n_out, dense, activation)
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(dense or self.time.n_out, n_classes)
        )
        parts.initialise(self, initial)

    def embed(self, slices: Tensor) -> Tensor:
        """What is left of slices (n, n_bins, n_frames) before the last layer: (n, dense)."""
        x = self.normalise(slices)
        for stage, rise in zip(self.stages, self.activations, strict=True):
            x = rise(parts.max_pool(stage(x), self.pool))
        embedding: Tensor = self.dense(self.time(x))
        return embedding

    def forward(self, slices: Tensor) -> Tensor:
        """Logits (n, n_classes) of slices (n, n_bins, n_frames)."""
        logits: Tensor = self.head(self.embed(slices))
        return logits
