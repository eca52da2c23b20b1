"""The model's card: the numbers in it, and that it is of the model that ships."""

import csv
import dataclasses
import json
import runpy
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import _card_numbers as numbers
from benchmarks import model_card

from earmark.models import bundle
from earmark.models.catalog import shipped_model
from tests import backbones
from tests.cli import earmark

ROOT = Path(__file__).parents[1]
COLUMNS = ("protocol", "path", "group", "reference", "estimate", "confidence", "answered")


def generator() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "make_model_card.py"))


def write_report(
    folder: Path, estimates: Mapping[str, str], metrics: Mapping[str, Any] | None = None
) -> Path:
    """A report on tracks called ``source/artist/genre``, of which `estimates` has the answers."""
    folder.mkdir(parents=True)
    with (folder / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for path, estimate in estimates.items():
            _, artist, genre = path.split("/")[:3]
            table.writerow(("artist", path, artist, genre, estimate, "0.5", "True"))
    text = json.dumps({"evaluations": [dict(metrics or {})]})
    (folder / "metrics.json").write_text(text, encoding="utf-8")
    return folder


def score(value: float, n: int = 40) -> dict[str, Any]:
    return {"value": value, "interval_95": [value - 0.05, value + 0.05], "n": n, "n_groups": 10}


# --- the committed card -------------------------------------------------------------------------


def test_the_card_is_of_the_model_that_ships_and_lies_beside_it() -> None:
    page = generator()["text"]()
    assert (ROOT / "docs" / "model-card.md").read_text(encoding="utf-8") == page
    assert bundle.texts(shipped_model())[bundle.CARD_NAME] == page


def test_numbers_of_another_model_are_refused() -> None:
    with pytest.raises(ValueError, match="is of another model than the one that ships"):
        generator()["card"](bundle.load(shipped_model()), {"model": {"model_id": "another"}})


def test_the_card_goes_into_the_model_without_changing_it(tmp_path: Path) -> None:
    source = bundle.load(shipped_model())
    texts = {**bundle.texts(source.path), bundle.LICENCE_NAME: "Do as you like."}
    model = bundle.write(tmp_path / "model", source.meta, source.network.read_bytes(), texts)
    generator()["put_into"](model, "# A card\n")
    again = bundle.load(model.path)
    assert (again.model_id, again.meta) == (model.model_id, model.meta)
    written = {bundle.LICENCE_NAME: "Do as you like.", bundle.CARD_NAME: "# A card\n"}
    assert bundle.texts(model.path) == written


# --- the numbers --------------------------------------------------------------------------------


def estimates(right: int, n: int = 10, source: str = "a") -> dict[str, str]:
    """`n` tracks of jazz by as many artists, `right` of them recognised."""
    return {f"{source}/artist {i}/jazz": "jazz" if i < right else "rock" for i in range(n)}


def test_shares_of_right_answers_over_several_reports(tmp_path: Path) -> None:
    reports = [
        write_report(tmp_path / "0", estimates(6)),
        write_report(tmp_path / "1", estimates(8)),
    ]
    found = numbers.share_right(numbers.marks(reports))
    assert (found["value"], found["n"], found["n_groups"]) == (0.7, 10, 10)
    low, high = found["interval_95"]
    # Six artists always right, two never, two in turns: much as of ten tosses.
    assert 0.35 <= low < 0.7 < high <= 0.95


def test_tracks_of_one_source_alone(tmp_path: Path) -> None:
    both = {**estimates(9, source="a"), **estimates(2, source="b")}
    report = write_report(tmp_path / "0", both)
    for source, value in (("a", 0.9), ("b", 0.2)):
        part = numbers.marks([report]).where(lambda path, source=source: path.startswith(source))  # type: ignore[misc]
        assert numbers.share_right(part)["value"] == value


def test_a_difference_is_paired_by_track(tmp_path: Path) -> None:
    """Both are wrong about the same half, so that what sets them apart is surer than either."""
    ours = write_report(tmp_path / "ours", estimates(60, 100))
    theirs = write_report(tmp_path / "theirs", estimates(50, 100))
    found = numbers.compared({"ours": [ours], "theirs": [theirs]}, lambda _: True)
    assert found["right"]["ours"]["value"] == 0.6
    ahead = found["ahead"]["theirs"]
    assert (ahead["value"], ahead["n"]) == (0.1, 100)
    low, high = ahead["interval_95"]
    assert 0.03 <= low < 0.1 < high <= 0.17  # ± 1.96 √(0.1 · 0.9 / 100)


def test_what_only_one_has_judged_does_not_count_for_the_difference(tmp_path: Path) -> None:
    ours = write_report(tmp_path / "ours", {**estimates(10), **estimates(0, 30, "b")})
    theirs = write_report(tmp_path / "theirs", estimates(5))
    ahead = numbers.difference(numbers.marks([ours]), numbers.marks([theirs]))
    assert (ahead["value"], ahead["n"]) == (0.5, 10)


def test_what_is_taken_for_what(tmp_path: Path) -> None:
    counts = [[8, 2, 0], [5, 5, 0], [0, 0, 10]]
    metrics = {"labels": ["Blues", "Jazz", "Rock"], "confusion": counts}
    report = write_report(tmp_path / "0", {}, metrics)
    assert numbers.confused([report, report]) == [
        {"genre": "Jazz", "taken_for": "Blues", "share": 0.5},
        {"genre": "Blues", "taken_for": "Jazz", "share": 0.2},
    ]


def test_the_first_score_that_there_is(tmp_path: Path) -> None:
    detections = [
        {"method": method, "mean": {"auroc": score(value)}, "kinds": {"Polka": {"auroc": score(0)}}}
        for method, value in (("entropy", 0.6), ("max_probability", 0.7))
    ]
    report = write_report(tmp_path / "0", {}, {"unknown": detections, "nonmusic": []})
    found = numbers.detected([report], "unknown", ("not_music", "max_probability"))
    assert found is not None
    assert (found["method"], found["mean"]["value"]) == ("max_probability", 0.7)
    assert numbers.detected([report], "nonmusic", ("entropy",)) is None


def test_the_mean_of_several_splits(tmp_path: Path) -> None:
    reports = []
    for seed, value in enumerate((0.6, 0.8)):
        auroc = {"auroc": score(value)}
        found = {"method": "entropy", "mean": auroc, "kinds": {"Polka": auroc, str(seed): auroc}}
        reports.append(write_report(tmp_path / str(seed), {}, {"unknown": [found]}))
    mean = numbers.detected(reports, "unknown", ("entropy",))
    assert mean is not None
    assert mean["mean"]["value"] == pytest.approx(0.7)
    low, high = np.mean([score(value)["interval_95"] for value in (0.6, 0.8)], axis=0)
    assert mean["mean"]["interval_95"] == pytest.approx([low, high])
    assert set(mean["kinds"]) == {"Polka"}


# --- the page -----------------------------------------------------------------------------------


def compared(ours: float, theirs: float) -> dict[str, Any]:
    gain = {"value": ours - theirs, "interval_95": [ours - theirs - 0.03, ours - theirs + 0.03]}
    right = {"ear": score(ours, 418), "musicnn": score(theirs, 418), "mn04": score(0.5, 418)}
    return {"right": right, "ahead": {"musicnn": {**gain, "n": 418}}, "draws": {"ear": [0.6, 0.7]}}


def measured(model_id: str) -> dict[str, Any]:
    network = {
        "bytes": 1_500_000,
        "n_numbers": 450_000,
        "ms_a_slice": {"1": 2.0, "64": 1.0},
        "batch_difference": 1e-5,
    }
    auroc = {"method": "m", "mean": score(0.8), "kinds": {"Polka": score(0.81)}}
    return {
        "model": {"name": "ear", "model_id": model_id},
        "n_seeds": 3,
        "training_cpu_s": 7200.0,
        "folds": {"gtzan": compared(0.76, 0.70), "emotify": compared(0.729, 0.736)},
        "pooled": {"gtzan": compared(0.74, 0.70), "emotify": compared(0.73, 0.70)},
        "shots": {"gtzan": compared(0.66, 0.65), "emotify": compared(0.65, 0.66)},
        "lengths": {"under 5 s": score(0.6)},
        "genres": {"Jazz": {"precision": score(0.5), "recall": score(0.25, 35)}},
        "confused": [{"genre": "Jazz", "taken_for": "Blues", "share": 0.31}],
        "calibration": {
            "expected_calibration_error": score(0.061),
            "answered": score(0.8),
            "precision_when_answered": score(0.83),
            "error_if_calibrated": 0.02,
            "coverage_at_precision": [{"precision": 0.9, "coverage": 0.55}],
        },
        "unknown": {"ear": auroc, "musicnn": auroc},
        "nonmusic": {"ear": {**auroc, "mean": score(0.97)}},
        "speed": _speed(network),
        "learning": {"n_tracks": 2000, "new_s": 90.0, "known_s": 6.5, "learning_s": 0.8},
    }


def _speed(network: dict[str, Any]) -> dict[str, Any]:
    ms = {"shipped": 20.0, "int8": 18.0, "teacher": 100.0, "librosa": 400.0}
    return {
        "file_to_decision_ms": ms,
        "networks": {"shipped": network, "int8": network, "teacher": network},
        "int8": {"n_tracks": 12, "same_tracks": 1.0, "same_slices": 0.9},
    }


def test_the_page_says_what_is_reached_and_what_is_missed() -> None:
    model = bundle.load(shipped_model())
    page = generator()["card"](model, measured(model.model_id))
    rows = [line for line in page.splitlines() if line.startswith("|")]

    def row(start: str) -> str:
        (found,) = (line for line in rows if line.startswith(f"| {start}"))
        return str(found)

    gtzan = row("GTZAN clips, 5 folds (418 tracks, 10 artists)")
    assert "76.0 % (71.0–81.0) | 70.0 % (65.0–75.0) | ≥ 75 % | reached |" in gtzan
    assert "missed by 3.1 points" in row("Emotify clips, 5 folds")
    assert [line.split(" | ")[1] for line in rows if "ahead of" in line] == [
        "+6.0 points (+3.0 to +9.0)",
        "-0.7 points (-3.7 to +2.3)",
        "+1.0 points (-2.0 to +4.0)",
        "-1.0 points (-4.0 to +2.0)",
    ]
    assert row("Emotify clips, one head").endswith("≥ 73 % | reached |")
    assert row("unknown genre").endswith("≥ 0.75 | reached |")
    assert row("not music").endswith("≥ 0.98 | missed by 0.010 |")
    assert row("four-minute MP3").endswith("| 20 ms | 100 ms | ≤ 30 ms | reached |")
    assert row("less than the teacher").endswith("| 5.0 times |  | ≥ 4 times | reached |")
    assert row("learning 2,000").endswith("| 6.5 s |  | ≤ 5 s | missed by 1.5 s |")
    assert row("Jazz | 35 | 10").endswith("| 50.0 % (45.0–55.0) | 25.0 % (20.0–30.0) |")
    assert "Jazz for Blues: 31 % of its tracks" in page
    assert "`mn04` gets 50.0 %" in page
    assert "7,200 s of processor time, with all listening: about 30 Wh" in page
    assert "has not been run" not in page
    assert max(map(len, (line for line in page.splitlines() if not line.startswith("|")))) <= 100


def test_the_page_says_how_a_distilled_model_was_made() -> None:
    """With what `earmark train --recipe ear --not-music` notes in ``model.json``."""
    shipped = bundle.load(shipped_model())
    second = {"teacher": "mn04", "n_components": 100}
    recipe = {"name": "ear", "kind": "distilled", "imitation": second}
    sounds = {"n_music": 700, "n_sounds": 900, "folders": {"speech": 300, "fx": 600}, "c": 0.1}
    shares = {"auroc": 0.991, "music_refused": 0.004, "sounds_passed": 0.03}
    intervals = {f"{name}_interval_95": [0.0, 1.0] for name in shares}
    own = {"n_tracks": 100, "n_sounds": 200, "n_groups": 20, **shares, **intervals}
    meta = dataclasses.replace(
        shipped.meta,
        training={**shipped.meta.training, "recipe": recipe},
        data={**shipped.meta.data, "about": "Labelled by hand.", "not_music": sounds},
        scores={**shipped.meta.scores, "not_music": own},
    )
    distilled = {
        "n_features": 412,
        "n_channels_left": [23, 14],
        "n_tracks": 717,
        "n_slices": 2000,
        "n_imitated": 200,
        "r2": 0.993,
        "r2_lowest": 0.9,
        "n_compared_tracks": 103,
        "n_compared_slices": 250,
    }
    imitation = {"teacher": "mn04", "n_components": 100, "n_slices": 9, "n_tracks": 8, "r2": 0.7}
    made = {"distilled": distilled, "imitation": imitation}
    found = {**measured(shipped.model_id), "training_cpu_s": None, "backbone": made}
    page = " ".join(generator()["card"](dataclasses.replace(shipped, meta=meta), found).split())
    assert "distillation of `MSD_musicnn`" in page
    assert "layer by layer: 23, 14. Of 2000 slices" in page
    assert "99.3 % of the variance" in page
    assert "a second teacher, `mn04` (EfficientAT mn04_as" in page
    assert "out of 8 with 9 slices, it tells 70.0 % of the variance" in page
    assert "900 other sounds." in page
    assert "AUROC of 0.991 (0.000–1.000, n = 200); 0.4 % (0.0–100.0) of 100 tracks" in page
    assert "Data: Labelled by hand. Tracks:" in page
    assert "Time and energy" not in page  # the head's seconds are not the backbone's


# --- what is run --------------------------------------------------------------------------------


def test_everything_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    rows = [f"{source}/{n}.flac,Jazz,somebody,30" for source in ("gtzan", "emotify") for n in "ab"]
    text = "\n".join(["path,genre,artist,seconds", *rows, "tagged/c.mp3,Rock,another,200"])
    (data / "manifest.csv").write_text(text, encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "200")  # so that no option is cut short
    known = earmark("evaluate", "--help-all").out
    asked = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        """As if it had been measured."""
        option = "--json" if "--json" in command else "--out"
        to = Path(command[command.index(option) + 1])
        result = to if option == "--json" else to / "metrics.json"
        result.parent.mkdir(parents=True, exist_ok=True)
        result.write_text("{}", encoding="utf-8")
        asked.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    teacher = backbones.write(tmp_path / "teacher").path
    words = ["--data", str(data), "--out", str(tmp_path / "out"), "--teachers", str(teacher)]
    plan = model_card.read_plan([*words, "--seeds", "2", "--not-music", str(tmp_path)])
    model_card.measure(plan)
    # Of two backbones: folds of three sets under two seeds, few tracks of two, one without genres.
    assert len(asked) == 2 * (3 * 2 + 2 + 2) + 3
    assert [len(path.read_text().splitlines()) for path in plan.sets.values()] == [3, 3, 5]
    model_card.measure(plan)
    assert len(asked) == 2 * (3 * 2 + 2 + 2) + 3
    options = {word for c in asked if "evaluate" in c for word in c if word.startswith("--")}
    assert {"--cv", "--shots", "--leave-genre-out", "--not-music"} <= options
    assert all(option in known for option in options)
