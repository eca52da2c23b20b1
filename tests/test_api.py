"""``import earmark``: single recordings, as files and as samples, in the caller's own process."""

from __future__ import annotations

import doctest
import importlib
import inspect
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earmark
from earmark.errors import AudioError, BundleError, ConfigError
from tests.audiofiles import synth, write
from tests.cli import earmark as command_line
from tests.test_imports import loaded_by

ROOT = Path(__file__).parents[1]
SONG = ROOT / "examples" / "music" / "Beating That Thing.mp3"


@pytest.fixture(scope="module")
def model() -> earmark.Model:
    return earmark.load_model("ear")


def decoded(path: Path) -> tuple[np.ndarray[Any, Any], int]:
    """All samples of a file, (n_channels, n_samples)."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        # Frames of packed samples are one row: a sample of each channel, and again.
        n = stream.channels
        rows = [frame.to_ndarray() for frame in container.decode(stream)]
        frames = [row if len(row) == n else row.reshape(-1, n).T for row in rows]
        return np.concatenate(frames, axis=1), stream.rate


# --- the door -------------------------------------------------------------------------------------


def test_importing_loads_neither_numpy_nor_anything_else_that_is_heavy() -> None:
    assert not loaded_by("import earmark") & {"numpy", "av", "onnxruntime", "rich", "typer"}


def test_public_names_are_complete_and_lazy() -> None:
    code = "import earmark; print(*[n for n in earmark.__all__ if n in vars(earmark)])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["__version__"]
    for name in earmark.__all__:
        assert getattr(earmark, name) is not None
    assert set(earmark.__all__) <= set(dir(earmark))
    with pytest.raises(AttributeError, match="has no attribute 'no_such'"):
        earmark.no_such  # type: ignore[attr-defined]  # noqa: B018


def test_type_checkers_see_the_names_that_there_are() -> None:
    source = Path(str(earmark.__file__)).read_text()
    block = source.partition("if TYPE_CHECKING:")[2].partition("_HOMES")[0]
    seen = {word.strip(" ,()") for word in block.replace("import", "\n").split()}
    assert set(earmark.__all__) - {"__version__"} <= seen


@pytest.mark.parametrize("name", sorted(set(earmark.__all__) - {"__version__", "errors", "events"}))
def test_public_names_say_what_they_do(name: str) -> None:
    found = getattr(earmark, name)
    assert found.__doc__
    if inspect.isclass(found):
        for attribute, value in vars(found).items():
            if inspect.isfunction(value) and not attribute.startswith("_"):
                assert value.__doc__, f"{name}.{attribute}"


@pytest.mark.parametrize(
    "module",
    [
        "earmark.api.embedder",
        "earmark.api.model",
        "earmark.api.session",
        "earmark.decision.result",
    ],
)
def test_examples_in_docstrings_run(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if module.endswith("embedder"):
        pytest.importorskip("sklearn", reason="needs earmark[head]")
    monkeypatch.chdir(ROOT)
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert (failed, tried > 0) == (0, True)


# --- files ----------------------------------------------------------------------------------------


def test_a_file_gets_what_the_command_line_gives_it(model: earmark.Model) -> None:
    given = json.loads(command_line("classify", "--json", "--no-cache", SONG).out)["tracks"][0]
    assert earmark.classify(SONG).to_dict() == given
    assert model.classify(str(SONG)).to_dict() == given
    assert list(given) == [
        *("path", "genre", "confidence", "agreement", "proba", "slices", "rejected", "error"),
    ]


def test_doubt_can_be_set(model: earmark.Model) -> None:
    result = model.classify(SONG, min_confidence=1.0)
    assert result.genre is None
    assert "100% asked for" in result.rejected
    sure = model.classify(SONG, min_confidence=0.0)
    assert sure.genre == max(result.proba, key=lambda label: result.proba[label])
    assert sure.rejected == ""
    with pytest.raises(ConfigError, match="should be a number from 0 to 1"):
        model.classify(SONG, min_confidence=2)
    with pytest.raises(ConfigError, match="there is no vote 'loudest'"):
        model.classify(SONG, vote="loudest")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="has no network over tracks"):
        model.classify(SONG, vote="network")


def test_probabilities_are_in_the_order_of_the_labels(model: earmark.Model) -> None:
    proba, result = model.predict_proba(SONG), model.classify(SONG)
    assert proba.shape == (len(model.labels),)
    assert proba == pytest.approx([result.proba[label] for label in model.labels])
    rows = model.predict_proba([SONG, str(SONG)])
    assert rows.shape == (2, len(model.labels))
    assert np.array_equal(rows[0], proba)
    assert model.predict_proba([]).shape == (0, len(model.labels))


def test_embeddings_are_rows_or_their_mean(model: earmark.Model) -> None:
    rows = model.embed(SONG, pool=None)
    assert rows.shape[0] == model.classify(SONG).n_slices
    assert model.embed(SONG) == pytest.approx(rows.mean(axis=0), abs=1e-6)
    assert model.embed(SONG, pool="max") == pytest.approx(rows.max(axis=0))
    with pytest.raises(ConfigError, match="no pooling 'sum'"):
        model.embed(SONG, pool="sum")  # type: ignore[arg-type]


def test_a_spectrogram_says_where_and_at_which_pitch(tmp_path: Path) -> None:
    y = synth("tone", 20.0, 22050, 1)  # its pitch is found again below
    path = write(tmp_path / "tone.wav", y, 22050, "wav")
    heard = earmark.spectrogram(path)
    assert heard.label == "Hz"
    assert heard.S.shape == (len(heard.frequencies), len(heard.times))
    assert (np.diff(heard.times) > 0).all()
    assert 0 <= heard.times[0] < heard.times[-1] < 20
    spectrum = np.abs(np.fft.rfft(y[0]))
    pitch = np.argmax(spectrum) * 22050 / y.shape[1]
    loudest = heard.frequencies[heard.S.mean(axis=1).argmax()]
    assert loudest == pytest.approx(pitch, abs=60)


def test_errors_name_the_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"this is no music" * 100)
    for path in (broken, tmp_path / "gone.mp3"):
        with pytest.raises(earmark.errors.AudioError) as caught:
            earmark.classify(path)
        assert caught.value.path == str(path)
    with pytest.raises(BundleError, match="is not a model"):
        earmark.load_model(tmp_path)
    with pytest.raises(ConfigError, match="a file says its rate itself"):
        earmark.classify(SONG, 44100)


def test_models_have_names(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs earmark[head]")
    from tests import backbones

    backbones.write(tmp_path / "models" / "polka")
    assert earmark.list_models(tmp_path) == ["ear", "polka"]
    found = earmark.load_model("polka", tmp_path)
    assert found.labels == ("Polka", "Waltz")
    assert found.card["licence"] == "CC0"
    assert repr(found) == "<earmark.Model bins: Polka, Waltz>"
    assert earmark.list_models(tmp_path / "nothing") == ["ear"]


# --- samples --------------------------------------------------------------------------------------


def test_samples_get_what_their_file_gets(model: earmark.Model, tmp_path: Path) -> None:
    # Of a WAV, places are exact to the sample: the same excerpts come out.
    y, sr = decoded(SONG)
    path = write(tmp_path / "song.wav", y[:, : 30 * sr], sr, "wav")
    whole, rate = decoded(path)
    by_file = model.predict_proba(path)
    as_read = whole.astype(np.float32) / 2**15
    for samples in (as_read, as_read.T, whole):
        assert model.predict_proba(samples, sr=rate) == pytest.approx(by_file, abs=1e-3)
    result = earmark.classify(as_read, sr=rate)
    assert (result.path, result.error) == ("", "")
    assert model.embed(as_read, rate) == pytest.approx(model.embed(path), abs=0.05)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8, np.float64])
def test_whole_numbers_are_scaled_by_their_type(model: earmark.Model, dtype: Any) -> None:
    y = synth("music", 8.0, 22050, 1)[0] * 0.9
    wanted = model.predict_proba(y, 22050)
    if dtype is np.float64:
        given = y.astype(dtype)
    elif dtype is np.uint8:
        given = np.round(y * 127 + 128).astype(dtype)
    else:
        given = np.round(y * (2.0 ** (8 * np.dtype(dtype).itemsize - 1) - 1)).astype(dtype)
    # Eight bits are coarse: their noise is heard, and the answer is about the same.
    tolerance = 0.3 if dtype is np.uint8 else 5e-3
    assert model.predict_proba(given, 22050) == pytest.approx(wanted, abs=tolerance)


def test_one_channel_is_the_mean_of_two(model: earmark.Model) -> None:
    y = synth("music", 8.0, 22050, 1)[0]
    stereo = np.stack([1.2 * y, 0.8 * y])
    assert model.predict_proba(stereo, 22050) == pytest.approx(
        model.predict_proba(y, 22050), abs=2e-3
    )


BAD = {
    "nan": (np.full(44100, np.nan), 44100, "not finite numbers"),
    "infinite": (np.full(44100, np.inf), 44100, "not finite numbers"),
    "empty": (np.zeros(0), 44100, "there are none"),
    "three axes": (np.zeros((2, 2, 44100)), 44100, r"of shape \(2, 2, 44100\)"),
    "a number": (np.float32(0.5), 44100, r"of shape \(\)"),
    "complex": (np.zeros(44100, np.complex64), 44100, "of type complex64"),
    "booleans": (np.zeros(44100, bool), 44100, "of type bool"),
    "short": (np.ones(100) * 0.5, 44100, "too short"),
    "silent": (np.zeros(10 * 44100), 44100, "silent"),
    "no rate": (np.ones(44100) * 0.5, 0, "a rate of 0 hertz"),
    "half a rate": (np.ones(44100) * 0.5, 0.4, "a rate of 0.4 hertz"),
    "a word for a rate": (np.ones(44100) * 0.5, "fast", "a rate of 'fast'"),
    "true for a rate": (np.ones(44100) * 0.5, True, "a rate of True"),
    "endless rate": (np.ones(44100) * 0.5, 10**30, "a rate of 1000000"),
    "complex rate": (np.ones(44100) * 0.5, 1j, "a rate of 1j"),
    "huge": (np.full(44100, 1e300), 44100, "damaged samples"),
    "square": (np.ones((3000, 3000)), 44100, "channels by their shape"),
    "absurd": (np.full(44100, 1e9), 44100, "damaged samples"),
}


@pytest.mark.parametrize("what", BAD)
def test_samples_that_are_no_sound_are_refused(what: str) -> None:
    y, sr, why = BAD[what]
    with pytest.raises(AudioError, match=why) as caught:
        earmark.classify(np.asarray(y), sr)  # type: ignore[arg-type]
    assert caught.value.path == "samples"


def test_masked_samples_are_refused() -> None:
    y = np.ma.masked_greater(synth("music", 4.0, 22050, 1)[0], 0.2)
    with pytest.raises(AudioError, match="some are masked"):
        earmark.classify(y, 22050)


def test_lists_and_arrays_of_files_and_lists_of_samples(model: earmark.Model) -> None:
    y = synth("music", 6.0, 22050, 1)[0]
    assert model.classify(y.tolist(), 22050).proba == model.classify(y, 22050).proba
    assert model.predict_proba([y, y], 22050).shape == (2, len(model.labels))
    assert model.predict_proba(np.array([str(SONG)])).shape == (1, len(model.labels))
    assert model.classify(os.fsencode(SONG)) == model.classify(SONG)


def test_what_is_neither_file_nor_samples_is_said_to_be_so() -> None:
    with pytest.raises(ConfigError, match="NoneType is neither a file nor samples"):
        earmark.classify(None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="list is neither a file nor samples"):
        earmark.classify([str(SONG)])  # type: ignore[list-item]
    with pytest.raises(AudioError, match="zero byte"):
        earmark.classify("a\0b.mp3")


def test_a_model_can_be_sent_to_another_process(model: earmark.Model) -> None:
    again = pickle.loads(pickle.dumps(model))
    assert again.classify(SONG) == model.classify(SONG)


def test_samples_need_a_rate() -> None:
    with pytest.raises(ConfigError, match="samples do not say their rate"):
        earmark.classify(np.zeros(44100))


# --- scikit-learn ---------------------------------------------------------------------------------


@pytest.fixture
def songs(tmp_path: Path) -> tuple[list[str], list[str]]:
    """Eight songs of two kinds that are easily told apart."""
    pytest.importorskip("onnx", reason="needs earmark[head]")
    from tests import backbones

    backbones.write(tmp_path / "home" / "models" / "bins")
    paths, genres = [], []
    for i in range(4):
        for kind in ("tone", "noise"):
            y = synth(kind, 4.0, 22050, 1, seed=i)
            paths.append(str(write(tmp_path / f"{kind}{i}.flac", y, 22050, "flac")))
            genres.append(kind)
    return paths, genres


def test_paths_go_in_and_numbers_come_out(
    songs: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline

    paths, genres = songs
    embedder = earmark.Embedder("bins", home=tmp_path / "home")
    pipeline = make_pipeline(clone(embedder), LogisticRegression(C=100.0))
    assert cross_val_score(pipeline, paths, genres, cv=2).tolist() == [1.0, 1.0]
    assert cross_val_score(pipeline, np.array(paths), genres, cv=2).tolist() == [1.0, 1.0]
    grid = GridSearchCV(pipeline, {"embedder__pool": ["mean", "max"]}, cv=2).fit(paths, genres)
    assert grid.best_score_ == 1.0
    assert pipeline.fit(paths, genres).predict(paths[:2]).tolist() == genres[:2]
    model = earmark.load_model("bins", tmp_path / "home")
    X = embedder.fit_transform(paths)
    assert pytest.approx(np.stack([model.embed(path) for path in paths]), abs=1e-6) == X
    assert list(embedder.get_feature_names_out()[:2]) == ["bins_0", "bins_1"]
    assert embedder.n_features_out_ == X.shape[1]


def test_what_was_embedded_once_is_not_decoded_again(
    songs: tuple[list[str], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import earmark.api.embedder as module

    paths, _ = songs
    first = earmark.Embedder("bins", home=tmp_path / "home").fit_transform(paths)
    monkeypatch.setattr(module, "listen", None)
    again = earmark.Embedder("bins", home=tmp_path / "home").fit_transform(paths)
    assert np.array_equal(first, again)


def test_what_is_no_list_of_files_is_refused(songs: tuple[list[str], list[str]]) -> None:
    with pytest.raises(ConfigError, match="is one file, not a list"):
        earmark.Embedder().transform(songs[0][0])
    with pytest.raises(ConfigError, match="2 columns"):
        earmark.Embedder().transform(np.array([songs[0][:2]]))
    with pytest.raises(ConfigError, match="no pooling 'sum'"):
        earmark.Embedder(pool="sum").transform([])  # type: ignore[arg-type]


def test_a_file_that_cannot_be_used_ends_a_transform(
    songs: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    embedder = earmark.Embedder("bins", home=tmp_path / "home")
    with pytest.raises(AudioError, match=r"gone\.mp3"):
        embedder.fit_transform([songs[0][0], str(tmp_path / "gone.mp3")])
