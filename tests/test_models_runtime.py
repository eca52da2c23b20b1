"""Answers that depend on nothing but the slice, from a thread that is the only one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from earmark import features
from earmark.models import bundle as bundles
from earmark.models import runtime
from earmark.models.catalog import shipped_model
from earmark.models.runtime import Classifier
from earmark.types import LevelArray

N = 64


def slices(classifier: Classifier) -> LevelArray:
    config = classifier.bundle.meta.listen
    shape = (N, features.n_bins(config.features), config.slices.n_frames)
    dtype = features.dtype(config.features)
    drawn = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    drawn[N // 2 :] //= 3  # some of them quiet
    return drawn


def test_slices_are_answered_alike_alone_and_in_company(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Classifier(bundles.load(shipped_model()))
    X = slices(classifier)
    answers = []
    for batch in (1, N):
        monkeypatch.setattr(runtime, "BATCH", batch)
        answers.append((classifier.logits(X), classifier.embeddings(X)))
    for alone, together in zip(*answers, strict=True):
        assert np.ptp(alone, axis=0).max() > 0.01
        np.testing.assert_allclose(together, alone, rtol=0, atol=1e-4)


def test_no_slices_get_no_answers() -> None:
    classifier = Classifier(bundles.load(shipped_model()))
    X = slices(classifier)
    assert classifier.logits(X[:0]).shape == (0, len(classifier.bundle.meta.labels))
    assert classifier.embeddings(X[:0]).shape == (0, classifier.embeddings(X[:1]).shape[1])
    assert classifier.proba(X[:0]).shape == (0, len(classifier.bundle.meta.labels))


def test_a_network_may_take_slices_of_any_size(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs earmark[head]")
    from tests import backbones

    fixed = backbones.write(tmp_path / "fixed")
    network = onnx.load_from_string(fixed.network.read_bytes())
    axes = network.graph.input[0].type.tensor_type.shape.dim
    axes[1].dim_param = "bins"
    axes[2].Clear()  # neither a length nor a name
    bundle = bundles.write(tmp_path / "any", fixed.meta, network.SerializeToString())
    classifier = Classifier(bundle)
    X = np.random.default_rng(0).integers(0, 256, (3, 32, 64), np.uint8)
    np.testing.assert_array_equal(classifier.logits(X), Classifier(fixed).logits(X))
    with pytest.raises(ValueError, match=r"slices uint8 \(32, 64\) for a network that takes uint8"):
        classifier.logits(X[0])


def test_slices_that_the_recipe_does_not_make_are_refused() -> None:
    classifier = Classifier(bundles.load(shipped_model()))
    X = slices(classifier)
    complaint = r"slices {} for a network that takes uint8 \(n_slices, 96, 187\)"
    with pytest.raises(ValueError, match=complaint.format(r"uint8 \(64, 96, 186\)")):
        classifier.logits(X[:, :, :-1])
    with pytest.raises(ValueError, match=complaint.format(r"uint8 \(96, 187\)")):
        classifier.proba(X[0])
    with pytest.raises(ValueError, match=complaint.format(r"float32 \(64, 96, 187\)")):
        classifier.embeddings(X.astype(np.float32))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux does")
def test_a_classifier_works_on_the_thread_that_asks() -> None:
    program = (
        "import os, sys, numpy as np\n"
        "from earmark.models import bundle\n"
        "from earmark.models.runtime import Classifier\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "c = Classifier(bundle.load(sys.argv[1]))\n"
        "c.logits(np.zeros((8, *c._session.get_inputs()[0].shape[1:]), np.uint8))\n"
        "print(len(os.listdir('/proc/self/task')) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(shipped_model())],
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "0"
