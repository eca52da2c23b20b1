"""Networks of others: read right, and answering as they do at home."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("onnx", reason="needs earmark[head]")

from earmark import features
from earmark.errors import BundleError
from earmark.features.listen import slices_of
from earmark.models.foreign import musicnn
from earmark.models.foreign.tensorflow import read_checkpoint
from earmark.types import Excerpt, Signal
from tests import foreign
from tests.audiofiles import Kind, synth

# --- checkpoints -------------------------------------------------------------------------------


def variables() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        f"{layer}/{name}": rng.normal(size=shape).astype(np.float32)
        for layer in ("dense", "dense_1", "dense_10")
        for name, shape in (("bias", (3,)), ("kernel", (70, 3)), ("step", ()))
    }


@pytest.mark.parametrize("per_block", [1, 4, 100])
def test_a_checkpoint_is_read_as_it_was_written(per_block: int) -> None:
    written = variables()
    found = read_checkpoint(*foreign.checkpoint(written, per_block=per_block))
    assert found.keys() == written.keys()  # and without the step, which is no float
    for name, values in written.items():
        np.testing.assert_array_equal(found[name], values)


def test_what_is_no_whole_checkpoint_is_refused() -> None:
    index, data = foreign.checkpoint(variables())
    with pytest.raises(BundleError, match="no LevelDB table"):
        read_checkpoint(index[:-1], data)
    with pytest.raises(BundleError, match="beyond the end"):
        read_checkpoint(index, data[:100])
    compressed, _ = foreign.checkpoint(variables(), kind=1)
    with pytest.raises(BundleError, match="compressed"):
        read_checkpoint(compressed, data)
    with pytest.raises(BundleError):
        read_checkpoint(bytes(200) + index[-48:], data)


# --- musicnn -----------------------------------------------------------------------------------


def heard(kind: Kind) -> np.ndarray:
    """A slice of music, and one of a signal as loud as can be."""
    y = synth(kind, 3.0, 16000, 1)[0]
    return slices_of([Excerpt(0.0, Signal(y, 16000))], musicnn.LISTEN, "").X


def test_musicnn_answers_as_its_description_says() -> None:
    weights = foreign.musicnn_variables()
    session = ort.InferenceSession(musicnn.network(weights), providers=["CPUExecutionProvider"])
    X = np.concatenate([heard("music"), heard("noise")])
    assert X.shape == (2, 96, 187)
    embedding, logits = session.run(["embedding", "logits"], {"slices": X})
    S = features.dequantise(X, musicnn.LISTEN.features).astype(np.float64)
    power = 10 ** (S.transpose(0, 2, 1) / 10)
    expected_embedding, expected_logits = foreign.musicnn(weights, power)
    np.testing.assert_allclose(embedding, expected_embedding, rtol=0, atol=1e-4)
    np.testing.assert_allclose(logits, expected_logits, rtol=0, atol=1e-4)
    assert np.ptp(expected_embedding, axis=0).max() > 0.1  # it does listen


def test_a_wheel_becomes_a_bundles_contents(tmp_path: Path) -> None:
    weights = foreign.musicnn_variables()
    made = musicnn.convert(foreign.musicnn_wheel(tmp_path / "any.whl", weights))
    assert made.meta.labels == musicnn.TAGS
    assert len(set(musicnn.TAGS)) == 50
    assert made.network == musicnn.network(weights)
    assert made.licence.startswith("Copyright")


def test_a_checkpoint_without_a_variable_is_refused() -> None:
    weights = foreign.musicnn_variables()
    del weights["conv2d_3/bias"]
    with pytest.raises(BundleError, match="conv2d_3/bias"):
        musicnn.network(weights)


def test_a_file_that_is_no_such_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "some.whl").write_bytes(b"no zip")
    with pytest.raises(BundleError, match="not the wheel"):
        musicnn.convert(tmp_path / "some.whl")
