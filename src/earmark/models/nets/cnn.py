"""A small 2-D CNN over log-mel slices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from earmark.models.nets.parts import check_shape


class SliceCNN(nn.Module):
    """Slices in, genre logits out.

    Four stages of 3×3 convolutions, each halving both axes. Time is pooled away at the end (mean
    and maximum), frequency is not: that a sound is low or high matters to genre, when it sounds
    within three seconds does not.

    Parameters
    ----------
    n_bins, n_frames : int
        Shape of a slice; each at least 16.
    n_classes : int
    widths : sequence of int
        Channels of the four stages.
    dropout : float
        Share of the embedding that is left out in training.
    """

    def __init__(
        self,
        n_bins: int,
        n_frames: int,
        n_classes: int,
        widths: Sequence[int] = (24, 48, 96, 128),
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        if min(n_bins, n_frames) < 16:
            raise ValueError(f"slices of {n_bins} × {n_frames} are too small, 16 × 16 at least")
        if len(widths) != 4 or min(widths) < 1:
            raise ValueError(f"widths are {widths}, but should be four numbers above 0")
        self.shape = (n_bins, n_frames)
        self.bins = nn.BatchNorm1d(n_bins)
        self.stages = nn.Sequential(
            _conv(1, widths[0], stride=2),
            *(
                layer
                for narrow, wide in pairwise(widths)
                for layer in (_conv(narrow, wide, stride=2), _conv(wide, wide))
            ),
        )
        self.n_features = 2 * widths[-1] * -(-n_bins // 16)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.n_features, n_classes))

    def embed(self, slices: Tensor) -> Tensor:
        """What is left of slices uint8 or float (n, n_bins, n_frames) before the last layer."""
        check_shape(slices, self.shape)
        x = slices.to(torch.float32) / 255.0
        # How loud a record was cut says nothing about its genre.
        x = x - x.mean(dim=(1, 2), keepdim=True)
        x = self.bins(x).unsqueeze(1)
        x = self.stages(x)
        return torch.cat((x.mean(dim=3), x.amax(dim=3)), dim=1).flatten(1)

    def forward(self, slices: Tensor) -> Tensor:
        """Logits (n, n_classes) of slices uint8 or float (n, n_bins, n_frames)."""
        logits: Tensor = self.head(self.embed(slices))
        return logits


def _conv(n_in: int, n_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )
