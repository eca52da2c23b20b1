"""Networks of others: read right, and answering as they do at home."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs earmark[head]")

import onnx
import onnxruntime as ort
from onnx.utils import Extractor

from earmark import features
from earmark.errors import BundleError
from earmark.features.listen import slices_of
from earmark.models.foreign import efficientat, musicnn
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


# --- EfficientAT -------------------------------------------------------------------------------


def without_rounding(network: bytes) -> ort.InferenceSession:
    """The network from where it has turned levels back into samples; its input is ``samples``."""
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(network))
    taken = next(node for node in model.graph.node if node.op_type == "Conv").input[0]
    model = Extractor(model).extract_model([taken], ["embedding", "logits"])
    model.graph.input[0].name = "samples"
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            if name == taken:
                node.input[i] = "samples"
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def test_mn04_answers_as_its_description_says() -> None:
    pytest.importorskip("torch", reason="needs earmark[train]")
    weights = foreign.mn04_weights()
    network = efficientat.network(weights)
    y = np.stack([synth("music", 10.0, 32000, 1)[0], synth("noise", 10.0, 32000, 1)[0]])
    X = features.quantise(y[:, None], efficientat.LISTEN.features)
    exact = features.dequantise(X, efficientat.LISTEN.features)[:, 0]
    expected_embedding, expected_logits = foreign.mn04(weights, exact)
    session = ort.InferenceSession(network, providers=["CPUExecutionProvider"])
    embedding, logits = session.run(["embedding", "logits"], {"slices": X})
    scale = np.abs(expected_logits).max()
    np.testing.assert_allclose(embedding, expected_embedding, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(logits, expected_logits, rtol=0, atol=1e-3 * scale)
    assert np.abs(expected_embedding[0] - expected_embedding[1]).max() > 0.1  # it does listen


SHARED = Path(__file__).parents[2] / "shared/data/teachers"


@pytest.mark.skipif(not SHARED.exists(), reason=f"needs {SHARED}")
def test_mn04_answers_as_the_original_did() -> None:
    pytest.importorskip("torch", reason="needs earmark[train]")
    made = efficientat.convert(SHARED / "mn04_as_mAP_432.pt")
    example = np.load(SHARED / "mn04_example.npz")
    y = example["y"][None, None]
    found = without_rounding(made.network).run(["embedding", "logits"], {"samples": y})
    np.testing.assert_allclose(found[0][0], example["embedding"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found[1][0], example["logits"], rtol=0, atol=1e-3)
    session = ort.InferenceSession(made.network, providers=["CPUExecutionProvider"])
    X = features.quantise(y, efficientat.LISTEN.features)
    # Sixteen bits put noise where the example has nothing at all, above 14 kHz.
    found = session.run(["embedding", "logits"], {"slices": X})
    np.testing.assert_allclose(found[0][0], example["embedding"], rtol=0, atol=0.01)
    np.testing.assert_allclose(found[1][0], example["logits"], rtol=0, atol=0.1)
    assert made.meta.labels[0] == "Speech"


def test_classes_are_looked_for_beside_the_weights(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs earmark[train]")
    weights = {name: torch.from_numpy(v) for name, v in foreign.mn04_weights().items()}
    torch.save(weights, tmp_path / "mn04_as_mAP_432.pt")
    with pytest.raises(BundleError, match=r"lacks AudioSet's list.*class_labels_indices\.csv"):
        efficientat.convert(tmp_path / "mn04_as_mAP_432.pt")
    lines = ["index,mid,display_name", *(f'{i},/m/{i},"Sound {i}, heard"' for i in range(527))]
    (tmp_path / "class_labels_indices.csv").write_text("\n".join(lines))
    made = efficientat.convert(tmp_path / "mn04_as_mAP_432.pt")
    assert made.meta.labels[7] == "Sound 7, heard"
    del weights["features.3.block.1.1.bias"]
    torch.save(weights, tmp_path / "mn04_as_mAP_432.pt")
    with pytest.raises(BundleError, match=r"lacks 'features\.3\.block\.1\.1\.bias'"):
        efficientat.convert(tmp_path / "mn04_as_mAP_432.pt")
    (tmp_path / "mn04_as_mAP_432.pt").write_bytes(b"no weights")
    with pytest.raises(BundleError, match="holds no weights"):
        efficientat.convert(tmp_path / "mn04_as_mAP_432.pt")
