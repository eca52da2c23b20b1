"""What a training run leaves behind: settings, versions, split, history, scores, pictures."""

from __future__ import annotations

import csv
import dataclasses
import json
import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.evaluation.scores import Scores
from earmark.training.settings import Epoch
from earmark.workflows.learning_set import LearningSet

if TYPE_CHECKING:
    from earmark.workflows.train import TrainRequest

_VERSIONS_OF = ("earmark", "torch", "lightning-fabric", "numpy", "onnxruntime", "av", "soxr")


def write_settings(run_dir: Path, request: TrainRequest, learning_set: LearningSet) -> None:
    """Write ``settings.json`` and ``split.csv`` before training starts."""
    run_dir.mkdir(parents=True, exist_ok=True)
    settings = {
        "request": dataclasses.asdict(request),
        "data": learning_set.describe(),
        "environment": _environment(),
    }
    text = json.dumps(settings, indent=2, default=str)
    (run_dir / "settings.json").write_text(text + "\n", encoding="utf-8")
    with (run_dir / "split.csv").open(
        "w", newline="", encoding="utf-8", errors="surrogateescape"
    ) as file:
        table = csv.writer(file)
        table.writerow(("path", "genre", "group", "part", "audio_id"))
        table.writerows(
            (e.path, learning_set.labels[e.genre], e.group, e.part, e.audio_id)
            for e in learning_set.examples
        )


def write_results(
    run_dir: Path, history: Sequence[Epoch], scores: Scores, labels: Sequence[str]
) -> None:
    """Write ``history.csv``, ``scores.json``, ``loss.png`` and ``confusion.png``."""
    from earmark.evaluation import plots

    with (run_dir / "history.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [f.name for f in dataclasses.fields(Epoch)])
        table.writeheader()
        table.writerows(dataclasses.asdict(epoch) for epoch in history)
    text = json.dumps(scores.summary, indent=2)
    (run_dir / "scores.json").write_text(text + "\n", encoding="utf-8")
    plots.loss_curves(
        run_dir / "loss.png",
        [e.train_loss for e in history],
        [e.valid_loss for e in history],
        best=max(e.epoch for e in history if e.best),
    )
    title = f"{scores.summary['n_tracks']} test tracks, by artists not trained on"
    plots.confusion_matrix(run_dir / "confusion.png", scores.counts, labels, title)


def provenance(request: TrainRequest, history: Sequence[Epoch]) -> dict[str, Any]:
    """For ``model.json``: settings, versions, commit, and how long it took."""
    return {
        "settings": request.settings.to_dict(),
        "target_precision": request.target_precision,
        "n_epochs": len(history),
        "seconds": round(sum(e.seconds for e in history), 1),
        "environment": _environment(),
    }


def _environment() -> dict[str, str]:
    versions = {name: metadata.version(name) for name in _VERSIONS_OF}
    return {**versions, "python": platform.python_version(), "commit": _commit()}


def _commit() -> str:
    """Last commit of the source that Earmark runs from; empty for an installed release."""
    command = ["git", "log", "-1", "--format=%H", "--", "."]
    source = Path(__file__).parents[1]
    try:
        done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
