"""Wrong labels planted among real ones: how many does `earmark audit` list, and how far up?

    python -m benchmarks.audit [MANIFEST.csv] [--root DIR] [--backbone MODEL] [--share 0.05]
                               [--seeds 5]

The manifest has the columns path, genre and artist; paths are relative to DIR (by default its
folder). For each seed, a share of the tracks gets another of the manifest's genres. Labels that
were wrong before count as mistakes of the audit. Without a manifest, and without the music that
the developers measure on, there is nothing to do.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import tempfile
from collections import Counter
from pathlib import Path

from earmark import config
from earmark.events import run
from earmark.genres.names import canonical
from earmark.session import Resources
from earmark.training.request import LabelRequest
from earmark.workflows.audit import AuditReport, AuditRequest, audit

MIN_TRACKS = 20

_USUAL = Path("../shared/data/manifest.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, nargs="?", default=_USUAL)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--backbone", default="", help="default: the model that is shipped")
    parser.add_argument("--share", type=float, default=0.05, help="of wrong labels")
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args()
    if not chosen.manifest.exists():
        print(f"skipped: there is no {chosen.manifest}")
        return
    rows = _rows(chosen.manifest, chosen.root or chosen.manifest.parent)
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for seed in range(chosen.seeds):
            labels, planted = _planted(rows, chosen.share, seed)
            table = Path(name) / f"{seed}.csv"
            with table.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(("path", "genre", "artist"))
                writer.writerows(
                    (path, label, artist)
                    for (path, _, artist), label in zip(rows, labels, strict=True)
                )
            report = _audit(table, chosen.backbone, Path(name) / "home")
            for figure, value in _figures(report, planted).items():
                figures.setdefault(figure, []).append(value)
    print(f"{len(rows)} tracks, {len(planted)} labels planted wrong, {chosen.seeds} seeds,")
    print(f"judged by {report.judge}: mean (lowest to highest)")
    for figure, values in figures.items():
        mean, low, high = statistics.mean(values), min(values), max(values)
        print(f"{figure:>45}  {mean:.3f}  ({low:.3f} to {high:.3f})")


def _rows(manifest: Path, root: Path) -> list[tuple[str, str, str]]:
    """Path, genre and artist of the tracks whose genre is not rare."""
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = [
            (str((root / row["path"]).resolve()), canonical(row["genre"]), row["artist"])
            for row in csv.DictReader(file)
        ]
    counts = Counter(genre for _, genre, _ in rows)
    return [row for row in rows if counts[row[1]] >= MIN_TRACKS]


def _planted(
    rows: list[tuple[str, str, str]], share: float, seed: int
) -> tuple[list[str], set[str]]:
    """Labels, and the paths of those that were made wrong."""
    rng = random.Random(seed)
    genres = sorted({genre for _, genre, _ in rows})
    wrong = set(rng.sample(range(len(rows)), round(share * len(rows))))
    labels = [
        rng.choice([g for g in genres if g != genre]) if i in wrong else genre
        for i, (_, genre, _) in enumerate(rows)
    ]
    return labels, {rows[i][0] for i in wrong}


def _audit(table: Path, backbone: str, home: Path) -> AuditReport:
    home.mkdir(exist_ok=True)
    request = AuditRequest(
        LabelRequest(root="/", source=str(table), min_tracks=5), backbone=backbone
    )
    with Resources(home, n_workers=config.usable_cores(), time_limit_s=60) as resources:
        return run(audit(request, resources))


def _figures(report: AuditReport, planted: set[str]) -> dict[str, float]:
    hits = [f.path in planted for f in report.findings if f.margin is not None]
    k = len(planted)
    by_chance = k / report.n_judged
    return {
        "precision of the first k (k = planted)": sum(hits[:k]) / k,
        "the same by chance": by_chance,
        "recall in the first 2 k": sum(hits[: 2 * k]) / k,
        "recall in the first 10 % of all tracks": sum(hits[: report.n_judged // 10]) / k,
        "recall in the whole list": sum(hits) / k,
        "length of the list, as a share of all tracks": len(hits) / report.n_judged,
    }


if __name__ == "__main__":
    main()
