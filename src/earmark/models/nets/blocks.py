"""Attention over the blocks of a long slice: the network says which seconds count."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from earmark.models.nets.cnn import SliceCNN
from earmark.models.nets.parts import Attention, check_shape, check_shares


class BlockAttention(SliceCNN):
    """A slice of many seconds, cut into blocks; each through the same CNN, and pooled.

    The embedding is the mean of the blocks' embeddings, weighted by gated attention: multiple
    instance learning after Ilse, Tomczak and Welling (ICML 2018). Only the whole has a genre: an
    intro or a solo that says nothing of it need not be taken for it.

    Parameters
    ----------
    n_bins, n_frames, n_classes : int
        `n_frames` is a multiple of `block`.
    block : int
        Frames of a block.
    widths, dropout
        As of `earmark.models.nets.cnn.SliceCNN`.
    """

    def __init__(
        self,
        n_bins: int,
        n_frames: int,
        n_classes: int,
        *,
        block: int = 128,
        widths: Sequence[int] = (24, 48, 96, 128),
        dropout: float = 0.4,
    ) -> None:
        check_shares(dropout=dropout)
        if block < 1 or n_frames % block:
            raise ValueError(f"slices of {n_frames} frames cannot be cut into blocks of {block}")
        super().__init__(n_bins, block, n_classes, widths, dropout)
        self.whole, self.block = (n_bins, n_frames), block
        self.attention = Attention(self.n_features)

    def embed(self, slices: Tensor) -> Tensor:
        """What is left of slices (n, n_bins, n_frames) before the last layer."""
        check_shape(slices, self.whole)
        n_bins, n_frames = self.whole
        n_blocks = n_frames // self.block
        blocks = slices.reshape(-1, n_bins, n_blocks, self.block).transpose(1, 2)
        each = super().embed(blocks.reshape(-1, n_bins, self.block))
        each = each.reshape(-1, n_blocks, self.n_features)
        weights = self.attention(each.transpose(1, 2))
        pooled: Tensor = (each * weights.unsqueeze(2)).sum(dim=1)
        return pooled
