"""A quick training on slices whose genres are patterns; as a program, one that can be killed.

``python -m tests.trainings FOLDER OPERATION N`` trains in FOLDER and SIGKILLs itself at the N-th
call of OPERATION: ``read`` (a batch of slices) or ``replace`` (a checkpoint). With ``devices`` for
OPERATION, it trains on N processors.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from earmark.features.store import FeatureStore
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.recipes.settings import Hardware
from earmark.training.torch.data import Part
from earmark.training.torch.fit import Fitted, fit
from earmark.types import Slices
from tests.systems import SIGKILL

T = TypeVar("T")

N = 16
QUICK = TrainingRecipe.from_dict(
    {
        "features": {"n_mels": N, "n_fft": 512, "hop_length": 512},
        "slices": {"n_frames": N, "hop_frames": N},
        "network": {"name": "cnn", "widths": [8, 8, 16, 16]},
        "schedule": {"epochs": 4, "patience": 4, "batch_size": 8, "min_steps": 10},
        "augmentation": {"gain_db": 3, "snr_db": [20, 40], "stretch": 0.1, "mixup": 0.3},
    },
    "quick",
    "quick",
)


def track(genre: int, seed: int) -> Slices:
    """Three slices: genre 0 has its energy in the low bins, 1 in the high, 2 in a pulse."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 60, (3, N, N), dtype=np.uint8)
    where = (slice(0, 5), slice(11, 16), slice(None))[genre]
    X[:, where, :: (4 if genre == 2 else 1)] += 120
    return Slices(X, np.arange(3, dtype=np.float32), f"{genre}-{seed}")


def fill(store: FeatureStore) -> tuple[Part, Part]:
    """Eight tracks of each genre to learn from and four to validate on."""
    tracks = [(track(genre, seed), genre) for seed in range(12) for genre in range(3)]
    for slices, _ in tracks:
        store.add(slices)
    store.flush()
    spans, genres = store.locate([s.audio_id for s, _ in tracks]), [genre for _, genre in tracks]
    return Part.of(store, spans[:24], genres[:24]), Part.of(store, spans[24:], genres[24:])


@contextmanager
def on_one_core() -> Iterator[None]:
    """Small networks are no faster on two, and far slower where others want the second one too."""
    if sys.platform != "linux":
        yield
        return
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(usable)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)


def drain(flow: Generator[Any, None, T]) -> T:
    while True:
        try:
            next(flow)
        except StopIteration as stop:
            result: T = stop.value
            return result


def train(folder: Path, hardware: Hardware | None = None) -> Fitted:
    with FeatureStore(folder / "store", QUICK.listen) as store:
        return drain(fit(*fill(store), 3, QUICK, folder / "run", hardware))


def kill_at(n: int, operation: Callable[..., T]) -> Callable[..., T]:
    """`operation`, but the process is gone when it is called for the n-th time."""
    calls = 0

    def counted(*args: Any) -> T:
        nonlocal calls
        calls += 1
        if calls == n:
            os.kill(os.getpid(), SIGKILL)
        return operation(*args)

    return counted


if __name__ == "__main__":
    if sys.argv[2] == "devices":
        fitted = train(Path(sys.argv[1]), Hardware("cpu", int(sys.argv[3])))
        print([epoch.valid_accuracy for epoch in fitted.history])  # noqa: T201
        sys.exit()
    owner = {"read": FeatureStore, "replace": type(Path())}[sys.argv[2]]
    setattr(owner, sys.argv[2], kill_at(int(sys.argv[3]), getattr(owner, sys.argv[2])))
    train(Path(sys.argv[1]))
