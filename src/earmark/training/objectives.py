"""What a network is to say of slices: the loss to learn by, and how well it does on others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from earmark.training.data import Examples, Part
from earmark.training.lessons import Lessons
from earmark.types import FloatArray

_BATCH = 64
_LEVELS = 2**19


class Objective(Protocol):
    """What is learned."""

    def loss(self, answers: Tensor, wanted: Tensor) -> Tensor:
        """Of a batch: the network's answers and what the examples say."""

    def judge(
        self, network: nn.Module, valid: Examples, device: torch.device
    ) -> tuple[float, float]:
        """Loss, and a score of which more is better, on validation examples."""


@dataclass(frozen=True, slots=True)
class Genres:
    """The genre of each slice's track, by cross-entropy.

    Attributes
    ----------
    weights : Tensor, shape (n_classes,)
    label_smoothing : float
    """

    weights: Tensor
    label_smoothing: float

    def loss(self, answers: Tensor, wanted: Tensor) -> Tensor:
        """Of logits (n, n_classes) and genres (n,)."""
        weights = self.weights.to(answers.device)
        return nn.functional.cross_entropy(
            answers, wanted, weights, label_smoothing=self.label_smoothing
        )

    def judge(
        self, network: nn.Module, valid: Examples, device: torch.device
    ) -> tuple[float, float]:
        """Loss and accuracy over tracks, by the mean probability of their slices."""
        part = cast(Part, valid)
        proba, reference = track_means(predict(network, part, device), part)
        hit = proba[np.arange(len(proba)), reference]
        loss = -np.log(np.maximum(hit, 1e-9)).mean()
        return float(loss), float((proba.argmax(axis=1) == reference).mean())


@dataclass(frozen=True, slots=True)
class Imitation:
    """The teachers' standardised embeddings, by squared error, each teacher counting alike."""

    n_answers: tuple[int, ...]

    def loss(self, answers: Tensor, wanted: Tensor) -> Tensor:
        """Of answers and embeddings (n, n_answers): the mean over the teachers."""
        mine, theirs = (torch.split(every, list(self.n_answers), 1) for every in (answers, wanted))
        losses = [nn.functional.mse_loss(*pair) for pair in zip(mine, theirs, strict=True)]
        return torch.stack(losses).mean()

    @torch.inference_mode()
    def judge(
        self, network: nn.Module, valid: Examples, device: torch.device
    ) -> tuple[float, float]:
        """Loss, and the share of the embeddings' variance that is explained."""
        network.eval()
        losses, spreads, sizes = [], [], []
        for X, wanted in cast(Lessons, valid).batches(_BATCH):
            own = torch.from_numpy(wanted).to(device)
            losses.append(float(self.loss(network(torch.from_numpy(X).to(device)).float(), own)))
            # Answers are standardised: their mean is near 0.
            spreads.append(float(self.loss(torch.zeros_like(own), own)))
            sizes.append(len(X))
        loss, spread = np.average(losses, weights=sizes), np.average(spreads, weights=sizes)
        return float(loss), float(1 - loss / spread)


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
