"""What a network is to say of slices: the loss to learn by, and how well it does on others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from earmark.training.torch.data import Part
from earmark.types import FloatArray

_BATCH = 64
_LEVELS = 2**19


@dataclass(frozen=True, slots=True)
class Genres:
    """The genre of each slice's track, by cross-entropy.

    Attributes
    ----------
    weights : Tensor, shape (n_classes,)
        On the device that learns.
    label_smoothing : float
    """

    weights: Tensor
    label_smoothing: float

    def loss(self, answers: Tensor, wanted: Tensor) -> Tensor:
        """Of logits (n, n_classes) and genres (n,)."""
        return nn.functional.cross_entropy(
            answers, wanted, self.weights, label_smoothing=self.label_smoothing
        )

    def judge(self, network: nn.Module, valid: Part, device: torch.device) -> tuple[float, float]:
        """Loss and accuracy over tracks, by the mean probability of their slices."""
        proba, reference = track_means(predict(network, valid, device), valid)
        hit = proba[np.arange(len(proba)), reference]
        loss = -np.log(np.maximum(hit, 1e-9)).mean()
        return float(loss), float((proba.argmax(axis=1) == reference).mean())


@torch.inference_mode()
def predict(network: nn.Module, part: Part, device: torch.device | None = None) -> FloatArray:
    """Probabilities (n_slices, n_classes) of the part's slices, in their order."""
    network.eval()
    # Long slices in smaller batches: judging is not to take more memory than learning.
    size = max(1, min(_BATCH, _LEVELS // next(part.batches(1))[0].size))
    logits = [network(torch.from_numpy(X).to(device)) for X, _ in part.batches(size)]
    proba: FloatArray = torch.cat(logits).float().softmax(dim=1).cpu().numpy()
    return proba


def track_means(proba: FloatArray, part: Part) -> tuple[FloatArray, np.ndarray[Any, Any]]:
    """Mean probability (n_tracks, n_classes) and genre (n_tracks,) of the tracks with slices."""
    tracks, first, slot = np.unique(part.track, return_index=True, return_inverse=True)
    sums = np.zeros((len(tracks), proba.shape[1]))
    np.add.at(sums, slot, proba)
    means = sums / np.bincount(slot)[:, None]
    return means.astype(np.float32), part.reference[first]
