"""Measure all that the model card says of the shipped model, and of those it is held against.

    python -m benchmarks.model_card --data DIR --out OUT [--model MODEL] [--backbone MODEL]
        [--teachers musicnn,mn04] [--not-music DIR ...] [--seeds 3] [--training-cpu-s SECONDS]

DIR holds ``manifest.csv`` (path, genre, artist, seconds) and a folder for each source of labelled
music. Every step is a command that a person could type, and what it has written to OUT is not
measured again: after an interruption, or with another model, only what is missing is. At the end
all is put into ``OUT/model-card.json``, of which ``python docs/make_model_card.py OUT`` makes the
page.

Heads are judged on the backbone, which has never seen a label, so that all artists can be tested in
turn; the model's own head has learned from most of them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import _card_numbers as numbers
from earmark import config
from earmark.models import bundle as bundles
from earmark.models import catalog
from earmark.models.bundle import Bundle
from earmark.models.catalog import shipped_model
from earmark.version import __version__

OURS = "ear"
POOLED = "pooled"
N_FOLDS, N_SHOTS = 5, 5
SKIPPED_SOME = 3

_LENGTHS = {"under 5 s": (0.0, 5.0), "5 to 20 s": (5.0, 20.0), "20 s and more": (20.0, 1e9)}

# Scores for strangeness, best first: the last is what every model has.
_UNKNOWN = ("entropy", "max_probability")
_NON_MUSIC = ("not_music", "max_probability")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, on what.

    Attributes
    ----------
    out : Path
    model : Bundle
        The one that ships.
    backbones : dict of str to Bundle
        `OURS` first, then the teachers.
    sets : dict of str to Path
        Tables of labelled tracks: the sources, and all of them `POOLED`.
    data : Path
    not_music : list of Path
    seeds : range
    training_cpu_s : float or None
        What making the model took; None where that is not known.
    """

    out: Path
    model: Bundle
    backbones: dict[str, Bundle]
    sets: dict[str, Path]
    data: Path
    not_music: list[Path]
    seeds: range
    training_cpu_s: float | None = None

    @property
    def sources(self) -> list[str]:
        return [name for name in self.sets if name != POOLED]

    def folds(self, alias: str, data: str) -> list[Path]:
        return [self._report(alias, f"{data}-folds-{seed}") for seed in self.seeds]

    def shots(self, alias: str, data: str) -> Path:
        return self._report(alias, f"{data}-shots")

    def left_out(self, alias: str) -> list[Path]:
        return [self._report(alias, f"{POOLED}-left-out-{seed}") for seed in self.seeds]

    @property
    def whole(self) -> Path:
        """The model as it is, on what its own head has not learned from."""
        return self.out / f"model-{self.model.model_id}" / "whole"

    @property
    def speed(self) -> Path:
        return self.out / f"model-{self.model.model_id}" / "speed.json"

    @property
    def learning(self) -> Path:
        return self.out / f"model-{self.model.model_id}" / "learning.json"

    def _report(self, alias: str, name: str) -> Path:
        backbone = self.backbones[alias]
        return self.out / f"backbone-{backbone.model_id}" / name


def main() -> None:
    plan = read_plan(sys.argv[1:])
    measure(plan)
    to = plan.out / "model-card.json"
    text = json.dumps(collect(plan), indent=1, ensure_ascii=False)
    to.write_text(text + "\n", encoding="utf-8")
    print(f"done: python docs/make_model_card.py {shlex.quote(str(plan.out))}")


def read_plan(words: list[str]) -> Plan:
    """The plan that a command line asks for; its tables are written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder for all reports")
    parser.add_argument("--model", default="", help="a model's folder or name; the shipped one")
    parser.add_argument("--backbone", default="", help="what its head is on; itself")
    parser.add_argument("--teachers", default="musicnn", help="models by name, parted by commas")
    parser.add_argument("--sources", default="gtzan,emotify", help="folders of DIR")
    parser.add_argument("--not-music", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--seeds", type=int, default=3, help="cross-validations with other folds")
    parser.add_argument("--training-cpu-s", type=float, help="what making the model took")
    chosen = parser.parse_args(words)
    home, data = config.data_dir(), Path(os.path.normpath(chosen.data.absolute()))
    model = bundles.load(catalog.find(chosen.model, home) if chosen.model else shipped_model())
    names = [name for name in chosen.teachers.split(",") if name]
    backbone = bundles.load(catalog.find(chosen.backbone, home)) if chosen.backbone else model
    backbones = {OURS: backbone, **{name: bundles.load(catalog.find(name, home)) for name in names}}
    sources = chosen.sources.split(",")
    sets = {name: chosen.out / f"{name}.csv" for name in (*sources, POOLED)}
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name, table in sets.items():
        _write_table(data, sources if name == POOLED else [name], table)
    return Plan(
        out=chosen.out,
        model=model,
        backbones=backbones,
        sets=sets,
        data=data,
        not_music=chosen.not_music,
        seeds=range(chosen.seeds),
        training_cpu_s=chosen.training_cpu_s,
    )


def _write_table(data: Path, sources: list[str], table: Path) -> None:
    """The manifest's tracks in some of the folders."""
    with (data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if Path(row["path"]).parts[0] in sources]
    if not rows:
        sys.exit(f"{data / 'manifest.csv'} lists no tracks in {', '.join(sources)}")
    with table.open("w", newline="", encoding="utf-8") as file:
        written = csv.DictWriter(file, rows[0])
        written.writeheader()
        written.writerows({**row, "path": str(data / row["path"])} for row in rows)


def measure(plan: Plan) -> None:
    """Everything that has not been measured yet."""
    for alias, backbone in plan.backbones.items():
        for data in plan.sets:
            for seed, report in zip(plan.seeds, plan.folds(alias, data), strict=True):
                how = ("--cv", str(N_FOLDS), "--protocol", "artist", "--seed", str(seed))
                _evaluate(plan, "head", data, report, "--backbone", str(backbone.path), *how)
            if data != POOLED:
                shots = ("--backbone", str(backbone.path), "--shots", str(N_SHOTS))
                _evaluate(plan, "head", data, plan.shots(alias, data), *shots)
        for seed, report in zip(plan.seeds, plan.left_out(alias), strict=True):
            without = ("--backbone", str(backbone.path), "--leave-genre-out", "--seed", str(seed))
            _evaluate(plan, "head", POOLED, report, *without)
    sounds = [word for folder in plan.not_music for word in ("--not-music", str(folder))]
    _evaluate(plan, str(plan.model.path), POOLED, plan.whole, *sounds)
    path = ("--model", str(plan.model.path), "--music", str(plan.data / plan.sources[0]))
    _benchmark("backbone", plan.speed, *path)
    _benchmark("head", plan.learning, "--backbone", str(plan.model.path))


def _evaluate(plan: Plan, model: str, data: str, report: Path, *how: str) -> None:
    words = ["evaluate", model, str(plan.data), "--labels", str(plan.sets[data]), *how]
    words += ["--out", str(report), "--quiet"]
    command = [sys.executable, "-c", "from earmark.cli import main; main()", *words]
    _unless_done(report / "metrics.json", command)


def _benchmark(name: str, to: Path, *how: str) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    _unless_done(to, [sys.executable, "-m", f"benchmarks.{name}", *how, "--json", str(to)])


def _unless_done(result: Path, command: list[str]) -> None:
    if result.exists():
        return
    print(f"--- {result}", flush=True)
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(command, env=os.environ | threads, check=False)
    if done.returncode not in (0, SKIPPED_SOME) or not result.exists():
        sys.exit(f"failed with {done.returncode}: {shlex.join(command)}")


def collect(plan: Plan) -> dict[str, Any]:
    """All that was measured, as the page needs it."""
    ours = plan.folds(OURS, POOLED)
    found: dict[str, Any] = {
        "model": {"name": plan.model.meta.name, "model_id": plan.model.model_id},
        "backbone": _made(plan.backbones[OURS]),
        "earmark": __version__,
        "n_seeds": len(plan.seeds),
        "training_cpu_s": plan.training_cpu_s,
        "folds": {data: _folds(plan, data) for data in plan.sources},
        "pooled": {data: _folds(plan, POOLED, plan.data / data) for data in plan.sources},
        "shots": {data: _shots(plan, data) for data in plan.sources},
        "lengths": _by_length(plan),
        "genres": numbers.by_genre(ours[0]),
        "confused": numbers.confused(ours),
        "calibration": numbers.calibration(ours[0]),
        "unknown": _detected(
            ((alias, plan.left_out(alias)) for alias in plan.backbones), "unknown", _UNKNOWN
        ),
        "nonmusic": _detected([(OURS, [plan.whole])], "nonmusic", _NON_MUSIC),
        "speed": json.loads(plan.speed.read_text(encoding="utf-8")),
        "learning": json.loads(plan.learning.read_text(encoding="utf-8")),
    }
    return found


def _made(backbone: Bundle) -> dict[str, Any]:
    """What the backbone says of how it was made."""
    data, training = backbone.meta.data, backbone.meta.training
    known = ("distilled", "imitation")
    return {
        "model_id": backbone.model_id,
        "n_tracks": data.get("n_tracks"),
        "second_teacher": data.get("second_teacher"),
        **{name: training[name] for name in known if name in training},
    }


def _folds(plan: Plan, data: str, below: Path | None = None) -> dict[str, Any]:
    """All backbones in the same folds; of all tracks, or of those in one folder."""

    def keep(path: str) -> bool:
        return below is None or Path(path).is_relative_to(below)

    return numbers.compared({alias: plan.folds(alias, data) for alias in plan.backbones}, keep)


def _by_length(plan: Plan) -> dict[str, Any]:
    """Of our head for all genres, by the clips' lengths as the manifest has them."""
    with plan.sets[POOLED].open(newline="", encoding="utf-8") as file:
        seconds = {row["path"]: float(row["seconds"]) for row in csv.DictReader(file)}
    found = numbers.marks(plan.folds(OURS, POOLED))
    shares = {}
    for what, (low, high) in _LENGTHS.items():
        part = found.only([key for key in found.n if low <= seconds[key[0]] < high])
        if part.n:
            shares[what] = numbers.share_right(part)
    return shares


def _shots(plan: Plan, data: str) -> dict[str, Any]:
    reports = {alias: plan.shots(alias, data) for alias in plan.backbones}
    found = numbers.compared({a: [report] for a, report in reports.items()}, lambda _: True)
    return {**found, "draws": {a: numbers.spread_of_draws(r) for a, r in reports.items()}}


def _detected(
    reports: Iterable[tuple[str, list[Path]]], key: str, methods: tuple[str, ...]
) -> dict[str, Any]:
    found = {alias: numbers.detected(each, key, methods) for alias, each in reports}
    return {alias: each for alias, each in found.items() if each is not None}


if __name__ == "__main__":
    main()
