"""What a training run leaves behind: recipe, settings, split, history, scores, pictures."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from earmark import jsontext
from earmark.errors import BundleError, LibraryError
from earmark.evaluation.scores import Scores
from earmark.events import Epoch
from earmark.locking import try_lock
from earmark.models import bundle as bundles
from earmark.spreadsheets import Writer, read_table, write_table
from earmark.training.learning_set import Example, LearningSet
from earmark.training.provenance import environment
from earmark.training.request import TrainRequest

SETTINGS = "settings.json"
"""File with the request of a run."""

REMARKS = ("description", "paper", "tune")
"""Parts of a recipe that make no difference to the model."""


# Parts of a request that make no difference to the model.
_OF_NO_EFFECT = ("run_dir", "hardware", "about", "licence")

_SPLIT_COLUMNS = ("path", "genre", "group", "part", "audio_id", "slices")


@contextmanager
def writing_to(run_dir: Path) -> Iterator[None]:
    """Turn a full disk or a forbidden folder into an error that says what to do."""
    try:
        yield
    except OSError as e:
        raise LibraryError(
            f"cannot write to the run folder {run_dir}: {e.strerror}",
            "make room or choose another folder, and run the same command again",
        ) from e


def key_of(settings: Mapping[str, Any]) -> str:
    """A name for what these settings make: the same for the same settings."""
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
        lock = try_lock(run_dir / ".lock")
    if lock is None:
        raise LibraryError(
            f"another training is writing to {run_dir}",
            "wait until it has finished, or choose another folder",
        )
    try:
        yield
    finally:
        # A run that came to nothing leaves no folder behind.
        if came_to_nothing := [path.name for path in run_dir.iterdir()] == [".lock"]:
            with suppress(PermissionError):  # Windows removes it with the lock
                (run_dir / ".lock").unlink()
        lock.release()
        if came_to_nothing:
            with suppress(OSError):  # another one has begun in it just now
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
        "environment": environment(),
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
            table = Writer(file)
            table.row(_SPLIT_COLUMNS)
            for e in learning_set.examples:
                slices = "all" if e.slices is None else " ".join(map(str, e.slices))
                genre = learning_set.labels[e.genre]
                table.row((e.path, genre, e.group, e.part, e.audio_id, slices))


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
            for row in read_table(file)
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
        from earmark.evaluation.plots.scores import draw_confusion_matrix

        # Only what was kept whole: a picture has no room for the details that follow.
        kept_whole = re.split(r" \(|,", learning_set.split_by)[0]
        title = f"{scores.summary['n_tracks']} test tracks, split by {kept_whole}"
        n_unknown = scores.summary["n_artist_unknown"]
        if n_unknown and kept_whole == "artist":
            title += f", {n_unknown} of unknown artist"
        picture = run_dir / "confusion.png"
        draw_confusion_matrix(picture, scores.counts, learning_set.labels, title)
        if history:
            _write_history(run_dir, history)


def _write_history(run_dir: Path, history: Sequence[Epoch]) -> None:
    from earmark.evaluation.plots.scores import draw_loss_curves

    with (run_dir / "history.csv").open("w", newline="", encoding="utf-8") as file:
        columns = [f.name for f in dataclasses.fields(Epoch)]
        write_table(file, map(dataclasses.asdict, history), columns)
    draw_loss_curves(
        run_dir / "loss.png",
        [e.train_loss for e in history],
        [e.valid_loss for e in history],
        best=max(e.epoch for e in history if e.best),
    )


def check_replaced(request: TrainRequest) -> None:
    """Refuse to put a model in the place of one made from other data, labels or recipe.

    What a model was made from is noted in its run folder. One whose run folder is gone counts as
    another.

    Raises
    ------
    BundleError
    """
    if not (request.out / bundles.META_NAME).is_file():
        return
    noted = _noted(request.run_folder)
    asked = json.loads(jsontext.dumps(dataclasses.asdict(request), default=str))
    wanted = _made_from(asked, str(Path.cwd()))
    if noted is None or noted["out"] != wanted["out"]:
        what = ""
    elif noted == wanted:
        return
    else:
        what = f" (made from {noted['labels']['root']} by recipe {noted['recipe']['name']})"
    raise BundleError(
        f"{request.out} holds another model{what}, which would be lost",
        "choose another --out, or add --force to replace it",
    )


def _noted(run_dir: Path) -> dict[str, Any] | None:
    """What the run in that folder makes its model from, if that can be read."""
    try:
        settings = json.loads((run_dir / SETTINGS).read_text(encoding="utf-8"))
        return _made_from(settings["request"], settings["folder"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _made_from(request: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """A request as JSON has it, without what has no effect; `folder` is what paths start from."""

    def whole(path: str | None) -> str | None:
        return path and os.path.normpath(os.path.join(folder, path))  # noqa: PTH118 - as it is written

    made = {name: value for name, value in request.items() if name not in _OF_NO_EFFECT}
    labels = made["labels"]
    is_table = labels["source"].lower().endswith(".csv")
    made["labels"] = {
        **labels,
        "root": whole(labels["root"]),
        "source": whole(labels["source"]) if is_table else labels["source"],
        "meta": whole(labels["meta"]),
    }
    made["out"] = whole(made["out"])
    for name in ("unlabelled", "not_music"):
        made[name] = [whole(path) for path in made[name]]
    # What a recipe leaves open, earlier versions did not know.
    given = {k: v for k, v in made["recipe"].items() if v is not None}
    made["recipe"] = {k: v for k, v in given.items() if k not in REMARKS}
    return made
