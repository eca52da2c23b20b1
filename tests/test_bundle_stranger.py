"""A bundle from a stranger loads or is refused in plain words, whatever is in it, and soon."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs earmark[head]")

import onnx
from onnx import TensorProto, helper, numpy_helper

from earmark.errors import BundleError
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle
from earmark.models.external import has_external_data
from earmark.models.runtime import Classifier
from earmark.workflows.models import named_models
from tests import backbones
from tests.cli import earmark
from tests.systems import make_pipe

N_MUTANTS = 400
SECONDS = 10


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return backbones.write(tmp_path / "models" / "bins", {"tracks": "00ff", "groups": "aa"})


def reseal(folder: Path) -> None:
    """Make the checksums fit what is there."""
    names = [
        name for name in ("model.json", "model.onnx", "vote.onnx") if (folder / name).is_file()
    ]
    (folder / "SHA256SUMS").write_text(
        "".join(f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names)
    )


@contextmanager
def in_time(what: str) -> Iterator[None]:
    """Fail what takes longer than `SECONDS`, even where it waits for ever."""

    def give_up(*_: object) -> None:
        raise AssertionError(f"{what} takes too long")

    if sys.platform == "win32":
        pytest.skip("there is no alarm on Windows")
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def opened(folder: Path, what: str) -> Classifier | None:
    """The model, None where it is refused in words that name its folder."""
    with in_time(what):
        try:
            found = bundles.load(folder)
            classifier = Classifier(found)
        except BundleError as e:
            if str(folder) not in e.reason or len(e.reason) > 2000:
                pytest.fail(f"{what} is refused without its folder, or at length: {e.reason}")
            return None
        # What is made of all that is written of a model.
        found.listening(level="rms")
        json.dumps(found.meta.listen.to_dict())
        bundles.texts(folder)
        return classifier


# --- mutants --------------------------------------------------------------------------------------

ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 0.5, -0.0, 2**31, 2**63, 10**400, 1e308, 1e-320),
    *(float("nan"), float("inf"), float("-inf")),
    *("", " ", "x" * 5000, "NaN", "1", "\x00", "\ud800", "../../etc/passwd", "beat", "rms", "mfcc"),
    *([], [[]], [None], ["a", "a"], [1e400], list(range(300)), {}, {"a": 1}, {"": {}}, [{}] * 3),
]


def places(values: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to all that is held, at any depth."""
    held: Sequence[tuple[Any, Any]] = []
    if isinstance(values, dict):
        held = list(values.items())
    elif isinstance(values, list):
        held = list(enumerate(values))
    return [*([path] if path else []), *(p for k, v in held for p in places(v, (*path, k)))]


def mutated(values: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Another value, another name, one thing less or more, at one to three places."""
    made = copy.deepcopy(values)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        *way, last = rng.choice(places(made) or [("format",)])
        parent: Any = made
        for step in way:
            parent = parent[step]
        how = rng.choice(("odd", "odd", "odd", "remove", "rename", "scaled", "wrapped"))
        value = parent.get(last) if isinstance(parent, dict) else parent[last]
        if how == "remove":
            del parent[last]
        elif how == "rename" and isinstance(parent, dict):
            parent[f"{last}x"] = parent.pop(last)
        elif how == "scaled" and isinstance(value, int | float) and abs(value) < 1e300:
            parent[last] = value * rng.choice((-1, 0.001, 1000, 10**9))
        elif how == "wrapped":
            parent[last] = rng.choice(([value], {"value": value}, str(value)))
        else:
            parent[last] = copy.deepcopy(rng.choice(ODD))
    return made


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, cut off, or put in."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data)) if data else 0
        match rng.randrange(4):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.randint(1, 40)]
            case 2:
                data[at:at] = rng.randbytes(rng.randint(1, 8))
            case _:
                data[at : at + 1] = bytes([(data[at] if data else 0) ^ 1 << rng.randrange(8)])
    return bytes(data)


def test_every_mutant_loads_or_is_refused(bundle: Bundle) -> None:
    rng, folder = random.Random(20), bundle.path
    network, text = bundle.network.read_bytes(), (folder / "model.json").read_bytes()
    values = json.loads(text)
    values["vote"]["stacker"] = {"weights": [0.0] * 10, "bias": [0.0, 0.0]}
    values["training"] = {"recipe": {"name": "x"}, "backbone": {"name": "y"}}
    values["scores"] = {"accuracy": 0.5, "accuracy_interval_95": [0.4, 0.6]}
    (folder / "model.json").write_text(json.dumps(values))
    reseal(folder)
    assert opened(folder, "what they are made of") is not None
    n_loaded = 0
    for i in range(N_MUTANTS):
        meta: bytes = json.dumps(mutated(values, rng)).encode()
        made = network
        if i % 4 == 1:
            meta = flipped(text, rng)
        elif i % 4 == 2:
            meta, made = text, flipped(network, rng)
        (folder / "model.json").write_bytes(meta)
        (folder / "model.onnx").write_bytes(made)
        reseal(folder)
        if i % 20 == 19:
            sums = (folder / "SHA256SUMS").read_bytes()
            (folder / "SHA256SUMS").write_bytes(flipped(sums, rng))
        n_loaded += opened(folder, f"mutant {i}") is not None
    # Some changes mean nothing, and most of them do.
    assert N_MUTANTS // 50 < n_loaded < N_MUTANTS // 2


@pytest.mark.parametrize(
    "text",
    [
        b'{"format": 1, "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"format": 1, "data": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
        b'{"format": ' + b"9" * 5000 + b"}",
        b"\xff\xfe{}",
        b"",
        b"[" * 200,
    ],
)
def test_text_that_no_model_has_is_refused(bundle: Bundle, text: bytes) -> None:
    (bundle.path / "model.json").write_bytes(text)
    reseal(bundle.path)
    assert opened(bundle.path, "odd text") is None


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("labels", ["a", "a"], "each with a name of its own"),
        ("labels", [], "1 to 10000 genres"),
        ("labels", "ab", "the labels is 'ab', which is no list"),
        ("labels", [1, 2], "the labels is 1, but should be a text"),
        ("name", "\ud800", "the name is .*, but should be a text"),
        ("listen.features.n_mels", 10**6, "the features' n_mels is 1000000, which is no whole num"),
        ("listen.features.sr", "22050", "the features' sr is '22050', which is no whole number"),
        ("listen.slices.n_frames", 64.0, "the slices' n_frames is 64.0, which is no whole number"),
        ("listen.slices.n_frames", 65, "takes slices of 32 × 64, but its recipe makes such of 32"),
        ("listen.excerpts.margin", 0.45, "the excerpts' margin is 0.45, which is no number from 0"),
        ("vote.stacker", {"weights": 3, "bias": []}, "stacker's weights is 3, which is no list"),
        ("vote.network", "eA==", "the vote's network is 'eA==', but should be bytes"),
        ("data", 3, "the data is 3, which is no table"),
        ("data.learned", "all", "data: learned in model.json is 'all', which says nothing"),
        ("scores.accuracy", "good", "scores: accuracy in model.json is 'good'"),
    ],
)
def test_a_value_of_another_kind_is_refused(
    bundle: Bundle, place: str, value: object, reason: str
) -> None:
    values = json.loads((bundle.path / "model.json").read_text())
    *way, last = place.split(".")
    parent = values
    for step in way:
        parent = parent[step]
    parent[last] = value
    (bundle.path / "model.json").write_text(json.dumps(values))
    reseal(bundle.path)
    with pytest.raises(BundleError, match=reason):
        Classifier(bundles.load(bundle.path))


# --- files ----------------------------------------------------------------------------------------


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    make_pipe(path)


def device(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def link(path: Path) -> None:
    aside = path.parent.parent / f"aside-{path.name}"
    aside.write_bytes(path.read_bytes() if path.is_file() else b"secret")
    path.unlink(missing_ok=True)
    path.symlink_to(aside)


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def huge(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(3 * 2**30)  # which takes no room on the disk


@pytest.mark.parametrize("become", [pipe, device, link, folder, huge])
@pytest.mark.parametrize(
    "name", ["model.json", "model.onnx", "vote.onnx", "SHA256SUMS", "LICENSE", "README.md"]
)
def test_only_regular_files_of_a_bound_are_opened(
    bundle: Bundle, name: str, become: Callable[[Path], None]
) -> None:
    become(bundle.path / name)
    assert opened(bundle.path, name) is None


def test_a_licence_in_an_older_encoding_is_read(bundle: Bundle) -> None:
    (bundle.path / "LICENSE").write_bytes("© Müller".encode("latin-1"))
    assert opened(bundle.path, "licence") is not None
    assert bundles.texts(bundle.path) == {"LICENSE": "© Müller"}


def test_a_model_that_cannot_be_used_is_listed_beside_others(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = bundle.path.parent
    for name in ("deep", "piped", "my model"):
        shutil.copytree(bundle.path, models / name)
    (models / "deep/model.json").write_bytes(b"[" * 100_000)
    reseal(models / "deep")
    pipe(models / "piped/model.onnx")
    found = {model.name: model.error for model in named_models(tmp_path)}
    assert not found["bins"]
    assert "is nested too deeply" in found["deep"]
    assert "piped/model.onnx is not a regular file" in found["piped"]
    monkeypatch.setenv("EARMARK_HOME", str(tmp_path))
    ran = earmark("models", "list")
    assert ran.code == 0, ran.err
    assert "bins" in ran.out


# --- networks -------------------------------------------------------------------------------------


def test_weights_in_other_files_are_refused(bundle: Bundle) -> None:
    weights = bundle.path / "weights.bin"
    onnx.save_model(
        onnx.load(bundle.network),
        bundle.network,
        save_as_external_data=True,
        location=weights.name,
        size_threshold=0,
    )
    assert weights.stat().st_size > 0
    reseal(bundle.path)
    with pytest.raises(BundleError, match="keeps weights in other files"):
        bundles.load(bundle.path)


def external(name: str = "w") -> Any:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    return tensor


def with_tensor(where: str, tensor: Any) -> bytes:
    inner = helper.make_graph([], "inner", [], [], [tensor] if where == "subgraph" else [])
    node = helper.make_node("Op", ["x"], ["y"])
    if where == "attribute":
        node.attribute.append(helper.make_attribute("value", tensor))
    if where == "subgraph":
        node.attribute.append(helper.make_attribute("body", inner))
    if where == "attribute of many":
        node.attribute.append(helper.make_attribute("values", [tensor]))
    graph = helper.make_graph([node], "g", [], [], [tensor] if where == "initializer" else [])
    if where == "sparse":
        sparse = graph.sparse_initializer.add()
        sparse.values.CopyFrom(tensor)
    model = helper.make_model(graph)
    if where == "function":
        inside = helper.make_node("Constant", [], ["y"])
        inside.attribute.append(helper.make_attribute("value", tensor))
        opsets = [helper.make_opsetid("", 18)]
        model.functions.append(helper.make_function("d", "f", [], ["y"], [inside], opsets))
    if where == "training":
        model.training_info.add().algorithm.CopyFrom(helper.make_graph([], "t", [], [], [tensor]))
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize(
    "where",
    [
        *("initializer", "attribute", "attribute of many", "subgraph", "sparse"),
        *("function", "training"),
    ],
)
def test_other_files_are_found_wherever_they_are_named(where: str) -> None:
    inside = numpy_helper.from_array(np.zeros(4, np.float32), "location")
    assert has_external_data(with_tensor(where, external()))
    assert not has_external_data(with_tensor(where, inside))


@pytest.mark.parametrize("content", [b"\x0b", b"\x3a\xff", b"\x80" * 20, b"\x3d\x00"])
def test_what_is_no_onnx_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"field|number"):
        has_external_data(content)


@pytest.mark.parametrize("how", ["scalar", "rank 3", "no logits", "embedding", "music", "whole"])
def test_outputs_of_another_shape_are_refused(bundle: Bundle, how: str) -> None:
    model = onnx.load(bundle.network)
    graph = model.graph
    del graph.output[:]
    axis = numpy_helper.from_array(np.array([0], np.int64), "axis0")
    graph.initializer.append(axis)
    float_ = TensorProto.FLOAT
    shapes: dict[str, list[Any]] = {"logits": ["n", 2], "embedding": ["n", 64]}

    def replaced(name: str, op: str, shape: list[Any], inputs: list[str], **options: Any) -> None:
        for node in graph.node:
            if name in node.output:
                node.output[0] = "before"
            node.input[:] = ["before" if i == name else i for i in node.input]
        graph.node.append(helper.make_node(op, ["before", *inputs], [name], **options))
        shapes[name] = shape

    if how == "scalar":
        replaced("logits", "ReduceSum", [], [], keepdims=0)
    elif how == "rank 3":
        replaced("logits", "Unsqueeze", [1, "n", 2], ["axis0"])
    elif how == "embedding":
        replaced("embedding", "Unsqueeze", [1, "n", 64], ["axis0"])
    elif how == "music":
        graph.node.append(helper.make_node("ReduceSum", ["logits"], ["music"], keepdims=0))
        shapes["music"] = []
    elif how == "no logits":
        del shapes["logits"]
    elif how == "whole":
        replaced("logits", "Cast", ["n", 2], [], to=TensorProto.INT32)
    for name, shape in shapes.items():
        kind = TensorProto.INT32 if (how, name) == ("whole", "logits") else float_
        graph.output.append(helper.make_tensor_value_info(name, kind, shape))
    bundle.network.write_bytes(model.SerializeToString())
    reseal(bundle.path)
    with pytest.raises(BundleError, match=r"does not take slices|does not give a row|does not say"):
        Classifier(bundles.load(bundle.path))


# --- paths ----------------------------------------------------------------------------------------


def test_a_model_may_lie_below_a_path_that_is_no_text(tmp_path: Path) -> None:
    home = tmp_path / os.fsdecode(b"caf\xe9")
    home.mkdir()
    found = backbones.write(home / "bins")
    X = np.random.default_rng(0).integers(0, 256, (2, 32, 64), dtype=np.uint8)
    np.testing.assert_allclose(
        Classifier(bundles.load(found.path)).embeddings(X), backbones.expected(X), atol=1e-5
    )
