"""What a training run can be told, and what it tells while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from earmark.types import Recipe


@dataclass(frozen=True, slots=True)
class TrainConfig(Recipe):
    """Settings of a training run.

    Attributes
    ----------
    network : str
        An entry of `earmark.models.registry.NETWORKS`.
    epochs : int
        At most; the learning rate follows one cosine over them.
    patience : int
        Epochs without a better validation loss after which training stops.
    batch_size : int
        Slices a step.
    lr, weight_decay : float
        Of AdamW.
    label_smoothing : float
    mixup : float
        Parameter of the Beta distribution that mixing weights are drawn from; 0 mixes nothing.
    max_masked_frames, max_masked_bins : int
        Longest stretch masked in each slice, along time and along frequency.
    seed : int
    precision : str
        As Lightning Fabric names it, e.g. ``32-true`` or ``bf16-mixed``.
    """

    network: str = "cnn"
    epochs: int = 40
    patience: int = 8
    batch_size: int = 32
    lr: float = 2e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    mixup: float = 0.3
    max_masked_frames: int = 24
    max_masked_bins: int = 16
    seed: int = 0
    precision: str = "32-true"


@dataclass(frozen=True, slots=True)
class Step:
    """A batch has been learned from."""

    epoch: int
    step: int
    n_steps: int


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch is over. Losses are mean negative log-likelihoods; `valid_*` are per track."""

    epoch: int
    train_loss: float
    valid_loss: float
    valid_accuracy: float
    seconds: float
    best: bool
