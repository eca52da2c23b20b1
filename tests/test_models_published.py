"""musicnn as it is published: fetched, and heard on real music."""

import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("onnx", reason="needs earmark[head]")

from earmark import features
from earmark.events import run
from earmark.features.listen import listen
from earmark.models.foreign.sources import SOURCES
from earmark.models.foreign.tensorflow import read_checkpoint
from earmark.workflows import models
from tests import foreign

pytestmark = pytest.mark.slow

GTZAN = Path(__file__).parents[2] / "shared/data/gtzan"


@pytest.mark.skipif(not GTZAN.exists(), reason=f"needs {GTZAN}")
def test_musicnn_knows_what_it_hears(tmp_path: Path) -> None:
    source = SOURCES["musicnn"]
    try:
        with urllib.request.urlopen(source.url, timeout=60) as answer:
            wheel = tmp_path / source.file
            wheel.write_bytes(answer.read())
    except urllib.error.URLError as e:
        pytest.skip(f"{source.file} cannot be fetched: {e}")
    bundle = run(models.add("musicnn", tmp_path, wheel))
    session = ort.InferenceSession(bundle.network, providers=["CPUExecutionProvider"])
    variables = read_checkpoint(*foreign.held_by(wheel))
    for song, tag in (("metal/metal.00000", "metal"), ("hiphop/hiphop.00001", "Hip-Hop")):
        X = listen(GTZAN / f"{song}.ogg", bundle.meta.listen).X
        embedding, logits = session.run(["embedding", "logits"], {"slices": X})
        assert bundle.meta.labels[logits.mean(axis=0).argmax()] == tag
        S = features.dequantise(X, bundle.meta.listen.features).astype(np.float64)
        expected, _ = foreign.musicnn(variables, 10 ** (S.transpose(0, 2, 1) / 10))
        np.testing.assert_allclose(embedding, expected, rtol=0, atol=1e-4)
