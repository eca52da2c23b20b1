"""What a training run leaves behind: recipe, settings, split, history, scores, pictures."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark import jsontext
from earmark.errors import LibraryError
from earmark.evaluation.scores import Scores
from earmark.locking import lock
from earmark.training.settings import Epoch
from earmark.workflows.learning_set import Example, LearningSet

if TYPE_CHECKING:
    from earmark.workflows.train import TrainRequest

SETTINGS = "settings.json"
"""File with what was asked of a run."""

REMARKS = ("description", "paper", "tune")
"""What a recipe says without making another model."""

_VERSIONS_OF = (
    "earmark",
    "torch",
    "lightning-fabric",
    "scikit-learn",
    "skl2onnx",
    "librosa",
    "numpy",
    "onnxruntime",
    "av",
    "soxr",
)

_SPLIT_COLUMNS = ("path", "genre", "group", "part", "audio_id", "slices")


@contextmanager
def writing_to(run_dir: Path) -> Iterator[None]:
    """Say of a full disk or a forbidden folder what to do."""
    try:
        yield
    except OSError as e:
        raise LibraryError(
            f"cannot write to the run folder {run_dir}: {e.strerror}",
            "make room or choose another folder, and run the same command again",
        ) from e


def key_of(settings: Mapping[str, Any]) -> str:
    """Names what is made by these settings, the same for the same ones."""
    text = jsontext.dumps(settings, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def is_helper() -> bool:
    """Whether this is one of the processes that Lightning has started for further devices."""
    return os.environ.get("LOCAL_RANK", "0") != "0"


@contextmanager
def claimed(run_dir: Path) -> Iterator[None]:
    """Make the folder and keep other runs out of it meanwhile.

    Raises
    ------
    LibraryError
        If it cannot be made, or another run is writing to it: before hours of listening rather
        than after.
    """
    if is_helper():
        yield
        return
    with writing_to(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
        file = (run_dir / ".lock").open("ab")
    with file:
        if not lock(file.fileno(), wait=False):
            raise LibraryError(
                f"another training is writing to {run_dir}",
                "wait until it has finished, or choose another folder",
            )
        try:
            yield
        finally:
            # A run that came to nothing leaves no folder behind.
            if [path.name for path in run_dir.iterdir()] == [".lock"]:
                (run_dir / ".lock").unlink()
                run_dir.rmdir()


def write_settings(run_dir: Path, request: TrainRequest, learning_set: LearningSet) -> None:
    """Write ``recipe.toml``, ``settings.json`` and ``split.csv`` before training starts.

    Raises
    ------
    LibraryError
        If they cannot be written; so does `write_results`.
    """
    settings = {
        "request": dataclasses.asdict(request),
        "data": learning_set.describe(),
        "environment": _environment(),
        # Where its relative paths start from.
        "folder": str(Path.cwd()),
    }
    text = jsontext.dumps(settings, indent=2, default=str)
    with writing_to(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
        (run_dir / "recipe.toml").write_text(request.recipe.to_toml(), encoding="utf-8")
        (run_dir / SETTINGS).write_text(text + "\n", encoding="utf-8")
        with (run_dir / "split.csv").open(
            "w", newline="", encoding="utf-8", errors="surrogateescape"
        ) as file:
            table = csv.writer(file)
            table.writerow(_SPLIT_COLUMNS)
            for e in learning_set.examples:
                slices = "all" if e.slices is None else " ".join(map(str, e.slices))
                genre = learning_set.labels[e.genre]
                table.writerow((e.path, genre, e.group, e.part, e.audio_id, slices))


def read_split(run_dir: Path, labels: Sequence[str]) -> list[Example]:
    """The examples that `write_settings` has noted; `labels` gives their genres' numbers."""
    with (run_dir / "split.csv").open(
        newline="", encoding="utf-8", errors="surrogateescape"
    ) as file:
        return [
            Example(
                path=row["path"],
                group=row["group"],
                genre=labels.index(row["genre"]),
                audio_id=row["audio_id"],
                part=row["part"],
                slices=None if row["slices"] == "all" else tuple(map(int, row["slices"].split())),
            )
            for row in csv.DictReader(file)
        ]


def write_results(
    run_dir: Path, scores: Scores, learning_set: LearningSet, history: Sequence[Epoch] = ()
) -> None:
    """Write ``scores.json`` with the confusion counts in it, ``confusion.png``, and of a history
    ``history.csv``, ``loss.png``.

    Without pictures where matplotlib is not installed: a head is learned without it.
    """
    with writing_to(run_dir):
        summary = {**scores.summary, "confusion": scores.counts.tolist()}
        text = jsontext.dumps(summary, indent=2)
        (run_dir / "scores.json").write_text(text + "\n", encoding="utf-8")
        if find_spec("matplotlib") is None:
            return
        from earmark.evaluation import plots

        # Only what was kept whole: a picture has no room for the details that follow.
        kept_whole = re.split(r" \(|,", learning_set.split_by)[0]
        title = f"{scores.summary['n_tracks']} test tracks, split by {kept_whole}"
        n_unknown = scores.summary["n_artist_unknown"]
        if n_unknown and kept_whole == "artist":
            title += f", {n_unknown} of unknown artist"
        picture = run_dir / "confusion.png"
        plots.confusion_matrix(picture, scores.counts, learning_set.labels, title)
        if history:
            _write_history(run_dir, history)


def _write_history(run_dir: Path, history: Sequence[Epoch]) -> None:
    from earmark.evaluation import plots

    with (run_dir / "history.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [f.name for f in dataclasses.fields(Epoch)])
        table.writeheader()
        table.writerows(dataclasses.asdict(epoch) for epoch in history)
    plots.loss_curves(
        run_dir / "loss.png",
        [e.train_loss for e in history],
        [e.valid_loss for e in history],
        best=max(e.epoch for e in history if e.best),
    )


def provenance(request: TrainRequest) -> dict[str, Any]:
    """For ``model.json``: recipe as used, hardware, versions, commit."""
    return {
        "recipe": {"name": request.recipe.name, **request.recipe.to_dict()},
        "hardware": request.hardware.to_dict(),
        "target_precision": request.target_precision,
        "environment": _environment(),
    }


def course(history: Sequence[Epoch]) -> dict[str, Any]:
    """For ``model.json``: how long training took."""
    return {
        "n_epochs": len(history),
        "seconds": round(sum(e.seconds for e in history), 1),
        "cpu_seconds": round(sum(e.cpu_s for e in history), 1),
    }


def _environment() -> dict[str, str]:
    return {
        **{name: _version(name) for name in _VERSIONS_OF},
        "python": platform.python_version(),
        "commit": _commit(),
    }


def _version(name: str) -> str:
    """Empty where it is not installed: a head is trained without torch."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _commit() -> str:
    """Last commit of the source that Earmark runs from; empty for an installed release."""
    command = ["git", "log", "-1", "--format=%H", "--", "."]
    source = Path(__file__).parents[1]
    try:
        done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
