"""A quick search on slices whose genres are patterns; as a program, one that kills itself.

``python -m tests.tunings FOLDER N`` searches in FOLDER until the N-th batch is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

from earmark.events import Event, run
from earmark.features.store import FeatureStore
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.request import LabelRequest
from earmark.workflows.tune import Fold, TuneReport, TuneRequest, search
from tests.trainings import QUICK, fill, kill_at

LABELS = ("low", "high", "pulse")
RECIPE = TrainingRecipe.from_dict(
    {
        **QUICK.to_dict(),
        "schedule": {"epochs": 3, "patience": 3, "batch_size": 8, "min_steps": 8},
        "tune": {
            "optimiser.lr": {"low": 1e-4, "high": 1e-2, "log": True},
            "network.widths": {"choices": [[8, 8, 16, 16], [4, 4, 8, 8]]},
            "augmentation.mask_frames": {"low": 0, "high": 6},
            "augmentation.mixup": {"low": 0, "high": 1},
        },
    },
    "quick",
    "quick",
)


def folds(store: FeatureStore) -> list[Fold]:
    """Two, each of which holds out what the other learns from."""
    one, other = fill(store)
    genres = [tuple(part.reference[::3].tolist()) for part in (one, other)]
    return [Fold(one, other, genres[1]), Fold(other, one, genres[0])]


def request(out: Path, n_trials: int, recipe: TrainingRecipe = RECIPE) -> TuneRequest:
    return TuneRequest(LabelRequest(root=""), out, recipe, n_trials=n_trials, n_folds=2)


def tuned(
    folder: Path, n_trials: int, recipe: TrainingRecipe = RECIPE, events: list[Event] | None = None
) -> TuneReport:
    kept: list[Event] = [] if events is None else events
    (folder / "run").mkdir(parents=True, exist_ok=True)
    with FeatureStore(folder / "store", recipe.listen) as store:
        flow = search(request(folder / "run", n_trials, recipe), folds(store), LABELS)
        return run(flow, kept.append)


if __name__ == "__main__":
    FeatureStore.read = kill_at(int(sys.argv[2]), FeatureStore.read)  # type: ignore[method-assign]
    tuned(Path(sys.argv[1]), 3)
