"""A server hears a file once, hashes it once at most, and says where a model is another by now."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from earmark import audio
from earmark.errors import AudioError, BundleError
from earmark.events import run
from earmark.features import listen as listening
from earmark.inference import batch, prediction
from earmark.inference.prediction import remember_prediction
from earmark.inference.serving import Served, serve_prediction, warm_up
from earmark.library import Catalogue
from earmark.library.scan import scan
from tests.audiofiles import synth, write
from tests.sessions import resources

pytest.importorskip("onnx", reason="needs onnx")
from tests import backbones


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each file that is hashed, as often as it is."""
    found: list[str] = []

    def note(path: str) -> str:
        found.append(str(path))
        return audio.audio_id(path)

    for module in (prediction, listening):
        monkeypatch.setattr(module, "audio_id", note)
    return found


def test_a_file_is_hashed_once_and_an_upload_never(tmp_path: Path, hashed: list[str]) -> None:
    model = backbones.write(tmp_path / "model")
    (tmp_path / "music").mkdir()
    song = str(write(tmp_path / "music" / "song.wav", synth("music", 6.0)))
    database = tmp_path / "catalogue.sqlite"
    with Catalogue.open(database) as catalogue:
        run(scan(str(tmp_path / "music"), catalogue))
        assert warm_up("", model.path) == model.model_id

        def serve(catalogue_path: Path | None) -> Served:
            return serve_prediction(song, model.path, model.model_id, catalogue_path, 60.0)

        sent = serve(None)
        assert (sent.prediction.audio_id, hashed) == ("", [])
        heard = serve(database)
        assert hashed == [song]
        assert heard.prediction.is_news
        assert heard.duration_s == pytest.approx(6.0, abs=0.1)
        np.testing.assert_array_equal(heard.prediction.probs.proba, sent.prediction.probs.proba)
        remember_prediction(catalogue, song, heard.prediction, model.model_id)
        again = serve(database)
        assert hashed == [song, song]
        assert not again.prediction.is_news
        np.testing.assert_array_equal(again.prediction.probs.proba, heard.prediction.probs.proba)


def test_batches_predict_alike(tmp_path: Path) -> None:
    model = backbones.write(tmp_path / "model")
    song = str(write(tmp_path / "song.wav", synth("music", 6.0)))
    served = serve_prediction(song, model.path, model.model_id, None, 60.0).prediction
    with resources(tmp_path / "home") as session:
        ((path, found),) = batch.predictions([song], model, session, remember=False)
    assert path == song
    assert isinstance(found, prediction.Prediction)
    np.testing.assert_array_equal(found.probs.proba, served.probs.proba)


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    model = backbones.write(tmp_path / "model")
    song = str(write(tmp_path / "song.wav", synth("music", 6.0)))
    with pytest.raises(AudioError, match="too long"):
        serve_prediction(song, model.path, model.model_id, None, 3.0)
    other = Path(shutil.copytree(model.path, tmp_path / "other"))
    with pytest.raises(BundleError, match="has been replaced"):
        serve_prediction(song, other, "another", None, 60.0)
