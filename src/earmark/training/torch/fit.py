"""The training loop: seeded, checkpointed every epoch, stopped by the validation loss.

Randomness of an epoch depends on the seed and the epoch's number alone, so that a run that was
killed goes on from its last epoch to the very result it would have had.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from earmark.config import usable_cores
from earmark.errors import ConfigError, DataError, LibraryError
from earmark.events import Epoch, Note, Progress, Workflow
from earmark.models import registry
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.recipes.settings import Hardware, ScheduleConfig
from earmark.training.torch import checkpoints
from earmark.training.torch.augment import Augmenter, mixup
from earmark.training.torch.data import IntArray, Part, ahead
from earmark.training.torch.objectives import Genres

# Parts of a recipe that may change without making it another network's.
_NOT_TRAINED_BY = ("description", "vote", "tune", "paper")
# The learning rate at the beginning and at the end, as a share of its highest.
_WARM_UP_FROM, _COSINE_TO = 0.1, 0.01


@dataclass(frozen=True, slots=True)
class Fitted:
    """The network with the best validation loss, on the CPU, and how it came about."""

    network: nn.Module
    history: list[Epoch]
    interrupted: bool


def fit(
    train: Part,
    valid: Part,
    n_classes: int,
    recipe: TrainingRecipe,
    run_dir: Path,
    hardware: Hardware | None = None,
    build: Callable[[], nn.Module] | None = None,
    n_threads: int = 0,
) -> Workflow[Fitted]:
    """Train a network; resumes where `run_dir` holds a checkpoint of the same recipe and data.

    A KeyboardInterrupt ends training and keeps the best network so far.

    Parameters
    ----------
    train, valid : Part
    n_classes : int
        Of the network's answers.
    recipe : TrainingRecipe
    run_dir : Path
        For checkpoints; made if absent.
    hardware : Hardware, optional
    build : callable, optional
        Makes a fresh network; by default the recipe's.
    n_threads : int
        Of the processor; 0: one for each core that the process may run on.

    Raises
    ------
    ConfigError
        If the network cannot be built as the recipe says, or the hardware is not there.
    DataError
        If a part is empty, or the loss stops being finite.
    LibraryError
        If `run_dir` cannot be written to, or holds a damaged checkpoint.
    """
    for name, part in (("training", train), ("validation", valid)):
        if len(part) == 0:
            raise DataError(f"there are no slices for {name}", "label more tracks")
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise LibraryError(f"cannot make the run folder {run_dir}: {e.strerror}") from e
    torch.set_num_threads(n_threads or usable_cores())
    state = _TrainState(train, valid, n_classes, recipe, run_dir, hardware or Hardware(), build)
    schedule = recipe.schedule
    interrupted = False
    try:
        if remark := state.resume():
            yield Note(remark)
        while state.epoch < schedule.epochs and state.epochs_since_best < schedule.patience:
            yield from state.run_epoch(train, valid)
    except KeyboardInterrupt:
        if not state.history:
            raise
        interrupted = True
    if not state.fabric.is_global_zero:
        # One process for each device, all started by the same command: one is enough to go on.
        sys.exit()
    return Fitted(state.best_network(), state.history, interrupted)


class _TrainState:
    """All that changes during training, and its checkpoint."""

    def __init__(
        self,
        train: Part,
        valid: Part,
        n_classes: int,
        recipe: TrainingRecipe,
        run_dir: Path,
        hardware: Hardware,
        build: Callable[[], nn.Module] | None,
    ) -> None:
        self.recipe, self.run_dir = recipe, run_dir
        self.fabric = open_fabric(hardware)
        self.fabric.launch()
        torch.manual_seed(recipe.seed)
        n_bins, n_frames = next(train.batches(1))[0].shape[1:]
        self._fresh_network = build or partial(_build, recipe, n_bins, n_frames, n_classes)
        # Convolutions on a CPU run about half as fast again with channels last.
        network = self._fresh_network()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network, self.optimiser = self.fabric.setup(network, _optimiser(network, recipe))
        self.augment = Augmenter(recipe.augmentation, recipe.features, n_frames)
        weights = torch.from_numpy(train.class_weights(n_classes)).to(self.fabric.device)
        self.objective = Genres(weights, recipe.optimiser.label_smoothing)
        self.epoch = 0
        self.history: list[Epoch] = []
        used = recipe.to_dict()
        self.identity = {
            "recipe": {key: value for key, value in used.items() if key not in _NOT_TRAINED_BY},
            "precision": hardware.precision,
            "n_classes": n_classes,
            "slices": [train.fingerprint(), valid.fingerprint()],
        }

    @property
    def epochs_since_best(self) -> int:
        best = max((e.epoch for e in self.history if e.best), default=0)
        return len(self.history) - best

    def resume(self) -> str:
        """Go on from a checkpoint; what there is to say of it."""
        saved = checkpoints.load_last(self.run_dir, self.fabric.device)
        if saved is None:
            return ""
        if saved["identity"] != self.identity:
            return "the run folder is of other music or settings: training starts afresh"
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.history = [Epoch(**values) for values in saved["history"]]
        self.epoch = len(self.history)
        return f"going on after epoch {self.epoch}"

    def _save(self, best: bool) -> None:
        state = {
            "identity": self.identity,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
        }
        if self.fabric.is_global_zero:
            checkpoints.save(self.run_dir, state, best)
        self.fabric.barrier()

    def best_network(self) -> nn.Module:
        """The one with the best validation loss; nothing can be learned any more."""
        # Of a large network, three times its weights.
        del self.network, self.optimiser
        network = self._fresh_network()
        network.load_state_dict(checkpoints.load_best(self.run_dir)["network"])
        return network.eval()

    def run_epoch(self, train: Part, valid: Part) -> Workflow[None]:
        schedule = self.recipe.schedule
        started, worked = time.monotonic(), time.process_time()
        rng = np.random.default_rng((self.recipe.seed, self.epoch))
        torch.manual_seed(self.recipe.seed * 100_003 + self.epoch)
        order, size = self._mine(train.shuffled(schedule.batch_size, schedule.min_steps, rng))
        n_steps = -(-len(order) // size)
        n_steps_in_all = n_steps * schedule.epochs
        self.network.train()
        total = wait_s = 0.0
        # Closed here rather than by the garbage collector, in whose calls a Ctrl-C gets lost.
        with closing(ahead(train.batches(size, order))) as batches:
            for step in range(n_steps):
                asked = time.monotonic()
                X, wanted = next(batches)
                wait_s += time.monotonic() - asked
                lr = learning_rate(self.recipe.optimiser.lr, schedule, self.epoch + step / n_steps)
                for group in self.optimiser.param_groups:
                    group["lr"] = lr
                total += self._learn(torch.from_numpy(X).float(), torch.from_numpy(wanted), rng)
                done = self.epoch * n_steps + step + 1
                yield Progress("training", done, n_steps_in_all, f"epoch {self.epoch + 1}")
        self.optimiser.zero_grad()  # Gradients are as large as the network.
        loss, accuracy = self.objective.judge(self.network, valid, self.fabric.device)
        train_loss, loss, accuracy = self.fabric.broadcast((total / n_steps, loss, accuracy))
        if not np.isfinite([train_loss, loss]).all():
            raise DataError("the loss is no longer a number", "lower the learning rate")
        best = loss < min((e.valid_loss for e in self.history), default=np.inf)
        self.epoch += 1
        seconds = time.monotonic() - started
        cpu_s = time.process_time() - worked
        self.history.append(
            Epoch(self.epoch, train_loss, loss, accuracy, seconds, wait_s, best, cpu_s)
        )
        self._save(best)
        yield self.history[-1]

    def _mine(self, order: IntArray) -> tuple[IntArray, int]:
        """Of the order, what this process learns from, and how many slices at a time."""
        n, rank = self.fabric.world_size, self.fabric.global_rank
        if n == 1:
            return order, self.recipe.schedule.batch_size
        size = max(2, self.recipe.schedule.batch_size // n)
        # Whole batches only: all processes have to take the same number of steps.
        return order[: len(order) // (n * size) * n * size][rank::n], size

    def _learn(self, X: Tensor, wanted: Tensor, rng: np.random.Generator) -> float:
        optimiser, device = self.recipe.optimiser, self.fabric.device
        X = self.augment(X, rng)
        X, partner, share = mixup(X, self.recipe.augmentation.mixup, rng)
        answers = self.network(X.to(device))
        wanted = wanted.to(device)
        loss = torch.zeros((), device=device)
        for target, part in ((wanted, share), (wanted[partner.to(device)], 1.0 - share)):
            if part > 0:
                loss = loss + part * self.objective.loss(answers, target)
        self.optimiser.zero_grad()
        self.fabric.backward(loss)
        # Half precision has gradients overflow now and then; its scaler leaves such a step out.
        self.fabric.clip_gradients(
            self.network,
            self.optimiser,
            max_norm=optimiser.max_norm,
            error_if_nonfinite=False,
        )
        self.optimiser.step()
        return float(loss.detach())


def open_fabric(hardware: Hardware) -> Fabric:
    """Lightning's way to the hardware; `ConfigError` where it is not there."""
    try:
        return Fabric(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            precision=cast(Any, hardware.precision),
        )
    except (ValueError, TypeError, RuntimeError, ImportError) as e:
        raise ConfigError(
            f"cannot train on accelerator {hardware.accelerator}, {hardware.devices} devices,"
            f" precision {hardware.precision}: {e}",
            "without --accelerator, --devices and --precision the best that is here is taken",
        ) from e


def _build(recipe: TrainingRecipe, n_bins: int, n_frames: int, n_classes: int) -> nn.Module:
    name, options = recipe.network.name, recipe.network.options
    network: nn.Module = registry.build(name, n_bins, n_frames, n_classes, options, recipe.features)
    return network


def _optimiser(network: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    chosen = recipe.optimiser
    options: dict[str, Any] = {"lr": chosen.lr, "weight_decay": chosen.weight_decay}
    match chosen.name:
        case "adamw":
            return torch.optim.AdamW(network.parameters(), **options)
        case "adam":
            return torch.optim.Adam(network.parameters(), **options)
        case "rmsprop":
            return torch.optim.RMSprop(network.parameters(), **options)
        case "sgd":
            return torch.optim.SGD(network.parameters(), momentum=0.9, nesterov=True, **options)


def learning_rate(lr: float, schedule: ScheduleConfig, epoch: float) -> float:
    """After a linear warm-up, half a cosine down, at `epoch` (fractional) of all."""
    progress = epoch / schedule.epochs
    if progress < schedule.warm_up:
        return lr * (_WARM_UP_FROM + (1 - _WARM_UP_FROM) * progress / schedule.warm_up)
    if not schedule.cosine:
        return lr
    fallen = (progress - schedule.warm_up) / (1 - schedule.warm_up)
    return float(lr * (_COSINE_TO + (1 - _COSINE_TO) * 0.5 * (1 + np.cos(np.pi * fallen))))
