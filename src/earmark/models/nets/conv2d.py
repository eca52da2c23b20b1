"""2-D convolutions over a spectrogram as over a picture, in the manner of VGG."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from earmark.models.nets import parts
from earmark.types import FeatureConfig


class Conv2dNet(nn.Module):
    """Stages of convolutions, each pooled; then all that is left, through a dense layer.

    After Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015. Each stage is `depth` times a convolution, `batch_norm` where asked
    for, and the activation; then the maxima of `pool` × `pool` neighbours. Convolutions keep the
    size; where it cannot be divided by `pool`, what is left over is pooled too.

    Parameters
    ----------
    n_bins, n_frames, n_classes : int
    features : FeatureConfig, optional
        Of the slices.
    channels : sequence of int
        Of each stage.
    depth : int
        Convolutions a stage.
    kernel, pool : int
    activation : {'relu', 'elu'}
    batch_norm : bool
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
        channels: Sequence[int] = (32, 64, 128, 256),
        depth: int = 2,
        kernel: int = 3,
        pool: int = 2,
        activation: parts.Activation = "relu",
        batch_norm: bool = True,
        dense: int = 512,
        dropout: float = 0.5,
        normalise: parts.Normalisation = "none",
        initial: parts.Initial = "torch",
    ) -> None:
        super().__init__()
        parts.check_widths("channels", channels)
        parts.check_widths("depth, kernel, pool", (depth, kernel, pool))
        parts.check_shares(dropout=dropout)
        parts.check_pooling({"bins": n_bins, "frames": n_frames}, len(channels), pool)
        self.pool = pool
        self.normalise = parts.Normalise(n_bins, n_frames, features, normalise)

        def stage(n_in: int, n_out: int) -> nn.Sequential:
            # Pooled before the activation, which is the same and takes less memory: both
            # activations rise.
            last = _conv(n_in if depth == 1 else n_out, n_out, kernel, batch_norm)
            layers: list[nn.Module] = []
            for i in range(depth - 1):
                layers.append(_conv(n_out if i else n_in, n_out, kernel, batch_norm))
                layers.append(parts.activation(activation))
            return nn.Sequential(*layers, last)

        self.stages = nn.ModuleList(stage(*pair) for pair in pairwise((1, *channels)))
        self.activations = nn.ModuleList(parts.activation(activation) for _ in channels)
        for _ in channels:
            n_bins, n_frames = parts.pooled(n_bins, pool), parts.pooled(n_frames, pool)
        n_left = channels[-1] * n_bins * n_frames
        self.dense = parts.dense(n_left, dense, activation)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(dense or n_left, n_classes))
        parts.initialise(self, initial)

    def embed(self, slices: Tensor) -> Tensor:
        """What is left of slices (n, n_bins, n_frames) before the last layer: (n, dense)."""
        x = self.normalise(slices).unsqueeze(1)
        for stage, rise in zip(self.stages, self.activations, strict=True):
            x = rise(parts.max_pool(stage(x), self.pool))
        embedding: Tensor = self.dense(x.flatten(1))
        return embedding

    def forward(self, slices: Tensor) -> Tensor:
        """Logits (n, n_classes) of slices (n, n_bins, n_frames)."""
        logits: Tensor = self.head(self.embed(slices))
        return logits


def _conv(n_in: int, n_out: int, kernel: int, batch_norm: bool) -> nn.Sequential:
    # An even kernel has its extra zero at the end, as TensorFlow has it.
    before, after = (kernel - 1) // 2, kernel // 2
    padded = before != after
    return nn.Sequential(
        nn.ZeroPad2d((before, after, before, after)) if padded else nn.Identity(),
        nn.Conv2d(n_in, n_out, kernel, padding=0 if padded else before, bias=not batch_norm),
        nn.BatchNorm2d(n_out) if batch_norm else nn.Identity(),
    )
