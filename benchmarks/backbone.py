"""What listening with the model that ships costs, against musicnn and against librosa.

    python -m benchmarks.backbone [--model MODEL] [--teacher musicnn] [--music DIR] [--json FILE]

File to decision: a four-minute MP3, CPU milliseconds of one thread, the ways taking turns. musicnn
is a model that `earmark models add musicnn` fetches; it hears 5 × 3 s, as the shipped model does.
What librosa computes for the whole file goes through the shipped model's network.

Slices: the network alone, so many at a time, and how far its answers hang on that; the shipped
model as it is and in eight bits, and whether the two answer alike on music below DIR (synthetic
where none is given).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.classify import ONE_THREAD, SECONDS, cpu_ms, decide_by_excerpts
from benchmarks.classify import decide_by_whole_file as whole_file

if TYPE_CHECKING:
    from earmark.models.bundle import Bundle

BOUND_MS, BOUND_RATIO = 30.0, 4.0
BATCHES = (1, 5, 64)
N_SYNTHETIC = 24

# A pass of one slice is too short to be timed by itself.
_SLICES_A_TIMING = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", default="", help="a model's folder or name in the shipped's place"
    )
    parser.add_argument("--teacher", default="musicnn", help="a model's folder or name")
    parser.add_argument("--music", type=Path, help="folder to compare answers in eight bits on")
    parser.add_argument("--json", type=Path, help="file to write the numbers to as well")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        _measure(chosen)
        return
    # How many threads numpy may use is settled when it is imported.
    command = [sys.executable, "-m", "benchmarks.backbone", "--child", *sys.argv[1:]]
    subprocess.run(command, env=os.environ | ONE_THREAD, check=True)


def _measure(chosen: argparse.Namespace) -> None:
    from tests.audiofiles import synth, write

    models = _models(chosen.model, chosen.teacher)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        song = write(folder / "song.mp3", synth("music", SECONDS), 44100, "mp3")
        models["int8"], agreement = _in_eight_bits(models["shipped"], chosen.music, folder)
        found = {
            "file_to_decision_ms": _whole_way(str(song), models),
            "networks": {name: _network(model, str(song)) for name, model in models.items()},
            "int8": agreement,
        }
    _print(found)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _models(model: str, teacher: str) -> dict[str, Bundle]:
    from earmark import config
    from earmark.errors import BundleError
    from earmark.models import bundle, catalog
    from earmark.models.catalog import shipped_model

    home = config.data_dir()
    models = {"shipped": bundle.load(catalog.find(model, home) if model else shipped_model())}
    try:
        models["teacher"] = bundle.load(catalog.find(teacher, home))
    except BundleError as e:
        print(f"left out: {e}; see `earmark models add`")
    return models


def _whole_way(song: str, models: Mapping[str, Bundle]) -> dict[str, float]:
    from earmark.models.runtime import Classifier

    ears = {name: Classifier(model) for name, model in models.items()}
    ways = {name: partial(decide_by_excerpts, song, ear) for name, ear in ears.items()}
    return cpu_ms({**ways, "librosa": partial(whole_file, song, ears["shipped"])})


def _network(model: Bundle, song: str) -> dict[str, Any]:
    """Size, CPU milliseconds a slice of so many at a time, and what that changes of logits."""
    import numpy as np
    import onnx

    from earmark.features.listen import listen
    from earmark.models.runtime import Classifier

    ear = Classifier(model)
    heard = listen(song, model.meta.listen).X
    ms = {}
    for n in BATCHES:
        X = np.resize(heard, (n, *heard.shape[1:]))
        times = max(1, _SLICES_A_TIMING // n)

        def run(X: Any = X, times: int = times) -> None:
            for _ in range(times):
                ear.logits(X)

        ms[str(n)] = cpu_ms({"": run})[""] / (n * times)
    many = np.resize(heard, (max(BATCHES), *heard.shape[1:]))
    by_one = np.concatenate([ear.logits(many[i : i + 1]) for i in range(len(many))])
    return {
        "bytes": model.network.stat().st_size,
        "n_numbers": sum(math.prod(t.dims) for t in onnx.load(model.network).graph.initializer),
        "ms_a_slice": ms,
        "batch_difference": float(np.abs(ear.logits(many) - by_one).max()),
    }


def _in_eight_bits(
    model: Bundle, music: Path | None, folder: Path
) -> tuple[Bundle, dict[str, float]]:
    from earmark.events import run
    from earmark.session import Resources
    from earmark.workflows.quantise import quantise

    with (
        _some_music(music, folder) as root,
        Resources(folder, n_workers=1, time_limit_s=60) as resources,
    ):
        flow = quantise(model, str(root), folder / "int8", resources)
        found = run(flow)
    return found.bundle, {
        "n_tracks": found.n_tracks,
        "same_tracks": found.same_tracks,
        "same_slices": found.same_slices,
        "proba_difference": found.proba_difference,
    }


@contextmanager
def _some_music(music: Path | None, folder: Path) -> Iterator[Path]:
    from tests.audiofiles import synth, write

    if music is not None:
        yield music
        return
    made = folder / "music"
    made.mkdir()
    for i in range(N_SYNTHETIC):
        kind = ("music", "tone", "noise")[i % 3]
        write(made / f"{i}.flac", synth(kind, 20.0, 22050, 1, seed=i), 22050, "flac")  # type: ignore[arg-type]
    yield made


def _print(found: Mapping[str, Any]) -> None:
    ms, networks = found["file_to_decision_ms"], found["networks"]
    print(f"{'':28}{''.join(f'{name:>12}' for name in ms)}")
    _row("file to decision, ms of CPU", [f"{value:.1f}" for value in ms.values()])
    _row("  × shipped", [f"{value / ms['shipped']:.2f}" for value in ms.values()])
    _row("network, MB", [f"{part['bytes'] / 1e6:.2f}" for part in networks.values()])
    _row("  numbers, thousands", [f"{part['n_numbers'] / 1e3:.0f}" for part in networks.values()])
    for n in BATCHES:
        values = [part["ms_a_slice"][str(n)] for part in networks.values()]
        _row(f"  ms a slice, {n} at a time", [f"{value:.2f}" for value in values])
    differences = [f"{part['batch_difference']:.0e}" for part in networks.values()]
    _row("  logits, 64 at once or by one", differences)
    int8 = found["int8"]
    print(
        f"in eight bits: the same answer for {int8['same_tracks']:.1%} of {int8['n_tracks']}"
        f" tracks, {int8['same_slices']:.1%} of their slices"
    )
    if "teacher" in ms:
        met = ms["teacher"] / ms["shipped"] >= BOUND_RATIO and ms["shipped"] <= BOUND_MS
        print(
            f"bounds: {BOUND_MS:g} ms, and {BOUND_RATIO:g} times less than the teacher:"
            f" {'met' if met else 'MISSED'}"
        )


def _row(title: str, cells: list[str]) -> None:
    print(f"{title:28}{''.join(f'{cell:>12}' for cell in cells)}")


if __name__ == "__main__":
    main()
