"""One file at a time, as a server is asked: for workers that stay, with a model each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earmark.audio import probe
from earmark.errors import AudioError
from earmark.inference.prediction import Prediction, load_classifier, predict
from earmark.library import Catalogue
from earmark.models import bundle as bundles
from earmark.models.runtime import Classifier
from earmark.types import FloatArray

# A slice that is less sure of its first choice says nothing of a track's styles; a style of a
# smaller share of the slices is an accident.
_SURE = 0.5
_STYLE_SHARE = 0.25

# Of models asked for in turns; each takes some tens of megabytes.
_N_KEPT = 2
_classifiers: OrderedDict[tuple[Path, str], Classifier] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Served:
    """A prediction with what else a server tells of the file.

    Attributes
    ----------
    prediction : Prediction
    duration_s : float or None
        As the file claims; None where it does not.
    """

    prediction: Prediction
    duration_s: float | None


def serve_prediction(
    path: str,
    bundle_path: Path,
    model_id: str,
    catalogue_path: Path | None,
    max_duration_s: float,
) -> Served:
    """A model's prediction for a file, remembered by the catalogue or heard now.

    Parameters
    ----------
    path : str
    bundle_path : Path
    model_id : str
    catalogue_path : Path or None
        None: nothing is remembered, and the file is not hashed for it.
    max_duration_s : float

    Raises
    ------
    AudioError
        The file cannot be used, or claims to last longer than `max_duration_s`.
    BundleError
        The model cannot be used, or is another by now.
    """
    duration_s = probe(path).duration_s
    if duration_s is not None and duration_s > max_duration_s:
        raise AudioError(
            path,
            f"too long: {duration_s / 60:.0f} minutes, at most {max_duration_s / 60:.0f} are taken",
            "cut it, or use the command line",
        )
    classifier = _classifier(bundle_path, model_id)
    if catalogue_path is None:
        return Served(predict(path, classifier, name=""), duration_s)
    with Catalogue.open(catalogue_path, read_only=True) as catalogue:
        return Served(predict(path, classifier, catalogue), duration_s)


def warm_up(_: str, bundle_path: Path) -> str:
    """Import what listening takes, and load a model, before the first file comes; its model_id."""
    model_id = bundles.load(bundle_path).model_id
    _classifier(bundle_path, model_id)
    return model_id


def mixture(proba: FloatArray, labels: Sequence[str]) -> dict[str, float]:
    """Shares of a track's styles, largest first, where it has several; empty where it has one.

    A style counts where at least a quarter of the slices that are sure of anything say it. Shares
    are of those slices, and add up to 1.

    Parameters
    ----------
    proba : ndarray, shape (n_slices, n_classes)
    labels : sequence of str, length n_classes
    """
    sure = proba.max(axis=1) >= _SURE
    counts = np.bincount(proba[sure].argmax(axis=1), minlength=len(labels))
    kept = np.flatnonzero((counts >= 2) & (counts >= _STYLE_SHARE * counts.sum()))
    if len(kept) < 2:
        return {}
    total = int(counts[kept].sum())
    ranked = sorted(kept.tolist(), key=lambda i: -counts[i])
    return {labels[i]: int(counts[i]) / total for i in ranked}


def _classifier(bundle_path: Path, model_id: str) -> Classifier:
    key = (bundle_path, model_id)
    if key not in _classifiers:
        _classifiers[key] = load_classifier(bundle_path, model_id)
        if len(_classifiers) > _N_KEPT:
            _classifiers.popitem(last=False)
    _classifiers.move_to_end(key)
    return _classifiers[key]
