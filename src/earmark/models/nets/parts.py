"""What networks share: reading levels, activations, pooling over time, how weights begin."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from earmark import features as frontends
from earmark.types import FeatureConfig

Activation = Literal["relu", "elu"]
Initial = Literal["torch", "xavier", "he"]
Normalisation = Literal["none", "slice", "bins"]
Pooling = Literal["mean", "max", "mean-max", "last", "attention"]


def n_levels(features: FeatureConfig | None) -> int:
    """Highest level that slices of these features hold; of `None`: of 8 bits."""
    dtype = np.dtype(np.uint8) if features is None else frontends.dtype(features)
    return int(np.iinfo(dtype).max)


class Normalise(nn.Module):
    """Stored levels as floats, and what is not to matter taken away.

    Parameters
    ----------
    n_bins, n_frames : int
        Of the slices that are taken; others are refused with a ValueError.
    features : FeatureConfig or None
        Of the slices; says how many levels there are.
    how : {'none', 'slice', 'bins'}
        ``none``: levels as 0 to 1. ``slice``: each slice with mean 0 and standard deviation 1.
        ``bins``: each bin by its mean and deviation over the training set (batch normalisation).
    """

    def __init__(
        self, n_bins: int, n_frames: int, features: FeatureConfig | None, how: Normalisation
    ) -> None:
        super().__init__()
        check_choice("normalise", how, Normalisation)
        self.shape, self.how = (n_bins, n_frames), how
        self.top = float(n_levels(features))
        self.bins = nn.BatchNorm1d(n_bins) if how == "bins" else nn.Identity()

    def forward(self, slices: Tensor) -> Tensor:
        """Float (n, n_bins, n_frames) of slices uint8, uint16 or float of that shape."""
        check_shape(slices, self.shape)
        x = slices.to(torch.float32) / self.top
        if self.how == "slice":
            x = x - x.mean(dim=(1, 2), keepdim=True)
            # Silence is not to be blown up to noise.
            x = x / (x.square().mean(dim=(1, 2), keepdim=True).sqrt() + 1e-3)
        y: Tensor = self.bins(x)
        return y


class PoolTime(nn.Module):
    """A sequence (n, n_in, n_steps) as one vector (n, n_out).

    Parameters
    ----------
    n_in : int
    how : {'mean', 'max', 'mean-max', 'last', 'attention'}
        ``last``: the last step; ``attention``: a mean with learned weights, see `Attention`.
    """

    def __init__(self, n_in: int, how: Pooling) -> None:
        super().__init__()
        check_choice("pooling", how, Pooling)
        self.how, self.n_out = how, 2 * n_in if how == "mean-max" else n_in
        self.attention = Attention(n_in) if how == "attention" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        match self.how:
            case "mean":
                return x.mean(dim=2)
            case "max":
                return x.amax(dim=2)
            case "mean-max":
                return torch.cat((x.mean(dim=2), x.amax(dim=2)), dim=1)
            case "last":
                return x[:, :, -1]
            case _:
                weighted: Tensor = x * self.attention(x).unsqueeze(1)
                return weighted.sum(dim=2)


class Attention(nn.Module):
    """How much each step of a sequence counts: gated attention.

    Ilse, Tomczak, Welling, "Attention-based deep multiple instance learning", ICML 2018, eq. 9.

    Parameters
    ----------
    n_in : int
    n_hidden : int
    """

    def __init__(self, n_in: int, n_hidden: int = 64) -> None:
        super().__init__()
        self.content, self.gate = nn.Linear(n_in, n_hidden), nn.Linear(n_in, n_hidden)
        self.weight = nn.Linear(n_hidden, 1, bias=False)
        # Hardly more for one step than for another until something has been learned.
        nn.init.normal_(self.weight.weight, std=0.01)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Weights (n, n_steps) that sum to 1, of x (n, n_in, n_steps).

        `mask` (n, n_steps) is False where a step is only padding.
        """
        steps = x.transpose(1, 2)
        weight = self.weight(torch.tanh(self.content(steps)) * torch.sigmoid(self.gate(steps)))
        weight = weight.squeeze(2)
        if mask is not None:
            weight = weight.masked_fill(~mask, -1e9)
        return torch.softmax(weight, dim=1)


class LSTMStack(nn.Module):
    """LSTM layers one upon the other, each of its own width.

    Parameters
    ----------
    n_in : int
    units : sequence of int
        Of each layer, in each direction.
    dropout : float
        Share of each layer's output that is left out in training, but for the last one's.
    bidirectional : bool
    """

    def __init__(
        self, n_in: int, units: Sequence[int], dropout: float, bidirectional: bool = False
    ) -> None:
        super().__init__()
        check_widths("units", units)
        n_ways = 2 if bidirectional else 1
        widths = (n_in, *(n_ways * n for n in units))
        self.n_out = widths[-1]
        self.layers = nn.ModuleList(
            nn.LSTM(wide, out // n_ways, batch_first=True, bidirectional=bidirectional)
            for wide, out in pairwise(widths)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (n, n_out, n_steps) of a sequence (n, n_in, n_steps)."""
        x = x.transpose(1, 2)
        for i, layer in enumerate(self.layers):
            x, _ = layer(self.dropout(x) if i else x)
        return x.transpose(1, 2)


def activation(name: Activation) -> nn.Module:
    """A fresh layer; it writes over its input, of which no backward pass needs more."""
    check_choice("activation", name, Activation)
    return nn.ELU(inplace=True) if name == "elu" else nn.ReLU(inplace=True)


def initialise(network: nn.Module, how: Initial) -> None:
    """Begin with the weights of `how`: torch's own, Xavier's or He's (uniform), biases of zero.

    Glorot and Bengio, AISTATS 2010; He et al., ICCV 2015. Recurrent layers stay as they are.
    """
    check_choice("initial", how, Initial)
    if how == "torch":
        return
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            if how == "xavier":
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def dense(n_in: int, n_out: int, name: Activation) -> nn.Module:
    """A dense layer with its activation; nothing where `n_out` is 0."""
    if n_out == 0:
        return nn.Identity()
    return nn.Sequential(nn.Linear(n_in, n_out), activation(name))


def pooled(n: int, pool: int) -> int:
    """Length of `n` steps after pooling by `pool`; what is left over at the end counts as one."""
    return -(-n // pool)


def max_pool(x: Tensor, pool: int) -> Tensor:
    """Maxima of `pool` neighbours along the axis or both axes behind the channels."""
    if x.dim() == 3:
        return nn.functional.max_pool1d(x, pool, ceil_mode=True)
    return nn.functional.max_pool2d(x, pool, ceil_mode=True)


def check_shape(slices: Tensor, shape: tuple[int, int]) -> None:
    """Refuse (ValueError) slices that a network for slices of `shape` cannot take."""
    if slices.dim() != 3 or tuple(slices.shape[1:]) != shape:
        found, wanted = (" × ".join(map(str, s)) for s in (slices.shape[1:], shape))
        raise ValueError(f"slices of {found} in a network for slices of {wanted}")


def check_choice(name: str, value: object, choices: object) -> None:
    """Refuse (ValueError) a value that is none of a Literal's."""
    known = get_args(choices)
    if value not in known:
        raise ValueError(f"{name} is {value!r}, but should be one of {', '.join(known)}")


def check_widths(name: str, widths: Sequence[int]) -> None:
    """Refuse (ValueError) what is no list of sizes."""
    if not widths or not all(isinstance(n, int) and n >= 1 for n in widths):
        raise ValueError(f"{name} is {list(widths)}, but should be whole numbers above 0")


def check_shares(**shares: float) -> None:
    """Refuse (ValueError) what is no share below 1."""
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise ValueError(f"{name} is {share}, but should be from 0 to below 1")


def check_pooling(sizes: dict[str, int], n_pools: int, pool: int) -> None:
    """Refuse (ValueError) slices of which nothing is left to pool before the last time."""
    if pool == 1:
        return
    for name, n in sizes.items():
        if n <= pool ** (n_pools - 1):
            least = pool ** (n_pools - 1) + 1
            raise ValueError(
                f"slices of {n} {name} are too small to be pooled {n_pools} times by {pool},"
                f" {least} at least"
            )
