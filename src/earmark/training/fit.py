"""The training loop: seeded, checkpointed every epoch, stopped by the validation loss.

Randomness of an epoch depends on the seed and the epoch's number alone, so that a run that was
killed goes on from its last epoch to the very result it would have had.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from earmark.errors import DataError
from earmark.models import registry
from earmark.training.augment import mask, mixup
from earmark.training.data import Part
from earmark.training.settings import Epoch, Step, TrainConfig
from earmark.types import FloatArray

_LAST = "last.pt"
_BEST = "best.pt"


@dataclass(frozen=True, slots=True)
class Fitted:
    """The network with the best validation loss, on the CPU, and how it came about."""

    network: nn.Module
    history: list[Epoch]
    interrupted: bool


def fit(
    train: Part, valid: Part, n_classes: int, config: TrainConfig, run_dir: Path
) -> Generator[Step | Epoch, None, Fitted]:
    """Train a network; resumes where `run_dir` holds a checkpoint of the same settings and data.

    A KeyboardInterrupt ends training and keeps the best network so far.

    Parameters
    ----------
    train, valid : Part
    n_classes : int
    config : TrainConfig
    run_dir : Path
        For checkpoints; made if absent.

    Raises
    ------
    DataError
        If a part is empty, or the loss stops being finite.
    """
    for name, part in (("training", train), ("validation", valid)):
        if len(part) == 0:
            raise DataError(f"there are no slices for {name}", "label more tracks")
    run_dir.mkdir(parents=True, exist_ok=True)
    state = _TrainState(train, n_classes, config, run_dir)
    interrupted = False
    try:
        while state.epoch < config.epochs and state.epochs_since_best < config.patience:
            yield from state.run_epoch(train, valid)
    except KeyboardInterrupt:
        if not state.history:
            raise
        interrupted = True
    return Fitted(state.best_network(), state.history, interrupted)


class _TrainState:
    """All that changes during training, and its checkpoint."""

    def __init__(self, train: Part, n_classes: int, config: TrainConfig, run_dir: Path) -> None:
        self.config, self.run_dir = config, run_dir
        self.fabric = Fabric(accelerator="auto", devices=1, precision=cast(Any, config.precision))
        torch.manual_seed(config.seed)
        n_bins, n_frames = next(train.batches(1))[0].shape[1:]
        self.shape = (config.network, n_bins, n_frames, n_classes)
        # Convolutions on a CPU run about half as fast again with channels last.
        network = registry.build(*self.shape)
        network = network.to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.lr, weight_decay=config.weight_decay
        )
        self.network, self.optimiser = self.fabric.setup(network, optimiser)
        self.weights = torch.from_numpy(train.class_weights(n_classes)).to(self.fabric.device)
        self.epoch = 0
        self.history: list[Epoch] = []
        self.identity = {
            "config": config.to_dict(),
            "n_classes": n_classes,
            "slices": _fingerprint(train),
        }
        self._resume()

    @property
    def epochs_since_best(self) -> int:
        best = max((e.epoch for e in self.history if e.best), default=0)
        return len(self.history) - best

    def _resume(self) -> None:
        path = self.run_dir / _LAST
        if not path.exists():
            return
        saved = torch.load(path, map_location=self.fabric.device, weights_only=True)
        if saved["identity"] != self.identity:
            return
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.history = [Epoch(**values) for values in saved["history"]]
        self.epoch = len(self.history)

    def _save(self, best: bool) -> None:
        saved = {
            "identity": self.identity,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
        }
        # The best first: a kill in between repeats an epoch instead of losing its network.
        for name in (_BEST, _LAST) if best else (_LAST,):
            temporary = self.run_dir / f"{name}.tmp"
            torch.save(saved, temporary)
            temporary.replace(self.run_dir / name)

    def best_network(self) -> nn.Module:
        saved = torch.load(self.run_dir / _BEST, map_location="cpu", weights_only=True)
        network: nn.Module = registry.build(*self.shape)
        network.load_state_dict(saved["network"])
        return network.eval()

    def run_epoch(self, train: Part, valid: Part) -> Generator[Step | Epoch, None, None]:
        config = self.config
        started = time.monotonic()
        rng = np.random.default_rng((config.seed, self.epoch))
        torch.manual_seed(config.seed * 100_003 + self.epoch)
        n_steps = -(-len(train) // config.batch_size)
        self.network.train()
        total = 0.0
        for step, (X, reference) in enumerate(train.batches(config.batch_size, rng)):
            lr = _cosine(config.lr, (self.epoch + step / n_steps) / config.epochs)
            for group in self.optimiser.param_groups:
                group["lr"] = lr
            total += self._learn(torch.from_numpy(X).float(), torch.from_numpy(reference), rng)
            yield Step(self.epoch + 1, step + 1, n_steps)
        loss, accuracy = self._validate(valid)
        train_loss = total / n_steps
        if not np.isfinite([train_loss, loss]).all():
            raise DataError("the loss is no longer a number", "lower the learning rate")
        best = loss < min((e.valid_loss for e in self.history), default=np.inf)
        self.epoch += 1
        seconds = time.monotonic() - started
        self.history.append(Epoch(self.epoch, train_loss, loss, accuracy, seconds, best))
        self._save(best)
        yield self.history[-1]

    def _learn(self, X: Tensor, reference: Tensor, rng: np.random.Generator) -> float:
        config, device = self.config, self.fabric.device
        X = mask(X, config.max_masked_frames, config.max_masked_bins, rng)
        X, partner, share = mixup(X, config.mixup, rng)
        logits = self.network(X.to(device))
        reference = reference.to(device)
        loss = torch.zeros((), device=device)
        for target, part in ((reference, share), (reference[partner.to(device)], 1.0 - share)):
            if part > 0:
                loss = loss + part * nn.functional.cross_entropy(
                    logits, target, self.weights, label_smoothing=config.label_smoothing
                )
        self.optimiser.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.network, self.optimiser, max_norm=5.0)
        self.optimiser.step()
        return float(loss.detach())

    @torch.inference_mode()
    def _validate(self, valid: Part) -> tuple[float, float]:
        """Loss and accuracy over tracks, by the mean probability of their slices."""
        self.network.eval()
        parts = [
            self.network(torch.from_numpy(X).to(self.fabric.device)).float().softmax(dim=1).cpu()
            for X, _ in valid.batches(64)
        ]
        proba, reference = track_means(torch.cat(parts).numpy(), valid)
        hit = proba[np.arange(len(proba)), reference]
        loss = -np.log(np.maximum(hit, 1e-9)).mean()
        return float(loss), float((proba.argmax(axis=1) == reference).mean())


def track_means(proba: FloatArray, part: Part) -> tuple[FloatArray, np.ndarray[Any, Any]]:
    """Mean probability (n_tracks, n_classes) and genre (n_tracks,) of the tracks with slices."""
    tracks, first, slot = np.unique(part.track, return_index=True, return_inverse=True)
    sums = np.zeros((len(tracks), proba.shape[1]))
    np.add.at(sums, slot, proba)
    means = sums / np.bincount(slot)[:, None]
    return means.astype(np.float32), part.reference[first]


def _cosine(lr: float, progress: float) -> float:
    """One warm-up over the first twentieth, then a half cosine down to a hundredth."""
    if progress < 0.05:
        return float(lr * (0.1 + 0.9 * progress / 0.05))
    return float(lr * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * (progress - 0.05) / 0.95))))


def _fingerprint(part: Part) -> int:
    """A number that differs when other slices or other labels are learned from."""
    return zlib.crc32(part.reference.tobytes(), zlib.crc32(part.numbers.tobytes()))
