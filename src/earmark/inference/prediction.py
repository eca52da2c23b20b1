"""What a model says of one file: heard now, or remembered by the catalogue."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from earmark.audio import audio_id
from earmark.errors import BundleError
from earmark.features.listen import listen
from earmark.library import Catalogue
from earmark.models import bundle as bundles
from earmark.models.runtime import Classifier
from earmark.types import SliceProbs


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of the slices of a recording.

    Attributes
    ----------
    audio_id : str
        Empty where nothing is remembered of a recording, so that nobody needs its name.
    probs : SliceProbs
    is_news : bool
        Whether the catalogue does not know it yet; see `remember_prediction`.
    """

    audio_id: str
    probs: SliceProbs
    is_news: bool = False


def load_classifier(bundle_path: Path, model_id: str) -> Classifier:
    """The model in a folder, if it is the one that was chosen.

    Raises
    ------
    BundleError
        It cannot be used, or is another by now.
    """
    bundle = bundles.load(bundle_path)
    if bundle.model_id != model_id:
        raise BundleError(
            f"the model in {bundle_path} has been replaced", "choose it again, or run it again"
        )
    return Classifier(bundle)


def predict(
    path: str | os.PathLike[str],
    classifier: Classifier,
    catalogue: Catalogue | None = None,
    *,
    name: str | None = None,
) -> Prediction:
    """Slice probabilities of a file. It is hashed once, or not at all where its name is given.

    Parameters
    ----------
    path : str or path-like
    classifier : Classifier
    catalogue : Catalogue, optional
        Asked whether this model has heard the recording before; may be open for reading only.
    name : str, optional
        The file's `audio_id`, where that is known already; may be empty without a catalogue.

    Raises
    ------
    AudioError
        The file cannot be used.
    """
    if name is None:
        name = audio_id(path)
    model_id = classifier.bundle.model_id
    known = catalogue.slice_probs(name, model_id) if catalogue else None
    if known is not None:
        return Prediction(name, known)
    slices = listen(path, classifier.bundle.meta.listen, name)
    return Prediction(name, classifier.slice_probs(slices), is_news=True)


def remember_prediction(
    catalogue: Catalogue, path: str, prediction: Prediction, model_id: str
) -> None:
    """Tell the catalogue what a model has said of a file, and which recording that is."""
    if prediction.is_news:
        catalogue.put_slice_probs(prediction.audio_id, model_id, prediction.probs)
    catalogue.set_audio_id(path, prediction.audio_id)
