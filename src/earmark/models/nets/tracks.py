"""Networks over a whole track: slice probabilities in, the track's genre out.

Both take proba (n, n_classes, n_slices), each column a slice in the order of the track. Columns of
zeros at the end are padding, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from earmark.models.nets.parts import Attention, LSTMStack, check_shares, check_widths

# Below this a probability says no more than "none"; as `earmark.decision.stacking` has it.
_P_MIN = 1e-3


class TrackLSTM(nn.Module):
    """LSTM layers over the slices' scores; the last slice's output decides.

    Parameters
    ----------
    n_classes : int
    units : sequence of int
        Of each LSTM layer.
    dropout : float
        Share of each layer's output that is left out in training.
    """

    def __init__(
        self, n_classes: int, *, units: Sequence[int] = (16, 32), dropout: float = 0.0
    ) -> None:
        super().__init__()
        check_shares(dropout=dropout)
        self.lstm = LSTMStack(n_classes, units, dropout)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.lstm.n_out, n_classes))

    def forward(self, proba: Tensor) -> Tensor:
        """Logits (n, n_classes) of slice probabilities (n, n_classes, n_slices)."""
        outputs = self.lstm(_log(proba))
        last = (_is_slice(proba).sum(dim=1) - 1).clamp_min(0)
        at = last[:, None, None].expand(-1, outputs.shape[1], 1)
        logits: Tensor = self.head(outputs.gather(2, at).squeeze(2))
        return logits


class TrackAttention(nn.Module):
    """The mean of the slices' probabilities, weighted by what slices count.

    Weights come from gated attention (Ilse, Tomczak and Welling, ICML 2018) to each slice's scores;
    before anything has been learned, it is all but the vote by mean.

    Parameters
    ----------
    n_classes : int
    n_hidden : int
        Width of the attention.
    """

    def __init__(self, n_classes: int, *, n_hidden: int = 32) -> None:
        super().__init__()
        check_widths("n_hidden", (n_hidden,))
        self.attention = Attention(n_classes, n_hidden)
        self.scale = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(n_classes))

    def forward(self, proba: Tensor) -> Tensor:
        """Logits (n, n_classes) of slice probabilities (n, n_classes, n_slices)."""
        weights = self.attention(_log(proba), _is_slice(proba))
        mean: Tensor = (proba * weights.unsqueeze(1)).sum(dim=2)
        return self.scale * mean.clamp_min(_P_MIN).log() + self.bias


def _log(proba: Tensor) -> Tensor:
    """Logarithms, about 0 in the middle: likely slices up, unlikely ones down."""
    return proba.clamp_min(_P_MIN).log() / 3.0 + 1.0


def _is_slice(proba: Tensor) -> Tensor:
    return proba.sum(dim=1) > 0.0
