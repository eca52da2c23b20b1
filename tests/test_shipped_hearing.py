"""What the model that ships makes of one song, however it reaches it."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from earmark.decision.voting import decide
from earmark.features.listen import listen
from earmark.models import bundle
from earmark.models.catalog import shipped_model
from earmark.models.runtime import Classifier
from earmark.types import Decision
from tests.audiofiles import FloatArray, write

SHARED = Path(__file__).parents[2] / "shared" / "cases"
SONGS = Path(__file__).parents[1] / "examples" / "music"
DB = (0.0, -6.0, -10.0, -15.0, -20.0)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(bundle.load(shipped_model()))


def decision(path: Path, classifier: Classifier) -> Decision:
    meta = classifier.bundle.meta
    probs = classifier.slice_probs(listen(path, meta.listen))
    return decide(probs.proba, meta.labels, meta.vote)


def samples(path: Path) -> tuple[FloatArray, int]:
    """Shape (n_channels, n_samples), and the rate."""
    with av.open(str(path)) as opened:
        stream = opened.streams.audio[0]
        resampler = av.AudioResampler("flt", "stereo", stream.rate)
        frames = [part for f in opened.decode(stream) for part in resampler.resample(f)]
        y = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        return y.reshape(-1, 2).T, stream.rate


def songs() -> list[Path]:
    return [*sorted(SONGS.rglob("*.mp3"))[:4], SHARED / "level-changes-genre" / "valley.mp3"]


@pytest.mark.parametrize("song", songs(), ids=lambda path: path.name)
def test_one_answer_at_every_level(song: Path, classifier: Classifier, tmp_path: Path) -> None:
    if not song.exists():
        pytest.skip("needs ../shared/cases")
    y, sr = samples(song)
    y, found = y[:, : 60 * sr], []
    for db in DB:
        copy = write(tmp_path / f"{db}.wav", y * np.float32(10 ** (db / 20)), sr, "wav")
        found.append(decision(copy, classifier))
    assert len({each.genre for each in found}) == 1
    assert np.ptp([each.confidence for each in found]) < 0.05
