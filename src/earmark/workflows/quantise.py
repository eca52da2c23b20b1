"""``earmark models quantise``: a model in eight bits, and how it compares."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earmark import extras
from earmark.errors import ConfigError, DataError
from earmark.events import Note, Workflow
from earmark.inference.batch import fill
from earmark.library import Found, walk
from earmark.models import bundle as bundles
from earmark.models.bundle import Bundle
from earmark.models.runtime import Classifier
from earmark.session import Resources
from earmark.types import FloatArray, LevelArray

MAX_TRACKS = 400
"""Heard at most: half to calibrate by, half to compare on."""

_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """What a network takes, and how it answers.

    Attributes
    ----------
    n_bytes : int
    ms_a_slice : float
        CPU time of one thread.
    proba : ndarray of float32, shape (n_slices, n_classes)
    """

    n_bytes: int
    ms_a_slice: float
    proba: FloatArray


@dataclass(frozen=True, slots=True)
class Comparison:
    """A model before and after, on tracks that it was not calibrated by.

    Attributes
    ----------
    bundle : Bundle
        In eight bits.
    before, after : Measured
    same_slices, same_tracks : float
        Share with the same first choice; of tracks by the mean of their slices' probabilities.
    proba_difference : float
        Mean over slices of the largest difference of a genre's probability.
    n_tracks : int
    """

    bundle: Bundle
    before: Measured
    after: Measured
    same_slices: float
    same_tracks: float
    proba_difference: float
    n_tracks: int


def quantise(bundle: Bundle, root: str, out: Path, resources: Resources) -> Workflow[Comparison]:
    """Write the model in eight bits to `out`, calibrated on music below `root`.

    Raises
    ------
    ConfigError
        If the network hears samples: a spectrum computed in eight bits is none.
    DataError
        If there are fewer than two tracks.
    MissingExtraError
        If onnx is not installed.
    """
    if bundle.meta.listen.features.frontend == "wave":
        raise ConfigError(
            f"{bundle.meta.name} computes its spectrum itself, which eight bits are too few for"
        )
    to_int8 = _quantiser()
    bundles.check_target(out)
    paths = [found.path for found in walk(root) if isinstance(found, Found)]
    if len(paths) > MAX_TRACKS:
        chosen = np.random.default_rng(0).choice(len(paths), MAX_TRACKS, replace=False)
        paths = [paths[i] for i in sorted(chosen)]
        yield Note(f"{MAX_TRACKS} tracks are enough, chosen at random")
    with resources.features(bundle.meta.listen) as store:
        heard = yield from fill(store, paths, resources.workers)
        names = list(dict.fromkeys(heard[path] for path in paths if path in heard))
        if len(names) < 2:
            raise DataError(f"{root} holds {len(names)} usable tracks, two are needed")
        tracks = [store.read(span) for span in store.locate(names)]
    # Every other one: neighbours in a library are of one album.
    network = to_int8(bundle, np.concatenate(tracks[0::2]))
    meta = dataclasses.replace(
        bundle.meta,
        name=f"{bundle.meta.name}-int8",
        training={**bundle.meta.training, "quantised_from": bundle.model_id},
    )
    made = bundles.write(out, meta, network, bundles.texts(bundle.path))
    return _compared(bundle, made, tracks[1::2])


def _quantiser() -> Callable[[Bundle, LevelArray], bytes]:
    extras.require("head", "earmark.models.quantise")
    from earmark.models.quantise import to_int8

    return to_int8


def _compared(bundle: Bundle, made: Bundle, tracks: Sequence[LevelArray]) -> Comparison:
    before, after = (_measured(each, tracks) for each in (bundle, made))
    proba = [before.proba, after.proba]
    first = np.cumsum([0, *(len(track) for track in tracks[:-1])])
    by_track = [np.add.reduceat(p, first).argmax(axis=1) for p in proba]
    return Comparison(
        bundle=made,
        before=before,
        after=after,
        same_slices=float((proba[0].argmax(axis=1) == proba[1].argmax(axis=1)).mean()),
        same_tracks=float((by_track[0] == by_track[1]).mean()),
        proba_difference=float(np.abs(proba[0] - proba[1]).max(axis=1).mean()),
        n_tracks=len(tracks),
    )


def _measured(bundle: Bundle, tracks: Sequence[LevelArray]) -> Measured:
    """Answers track by track, as in use, and the fastest of several passes."""
    classifier = Classifier(bundle)
    seconds, proba = [], []
    for _ in range(_REPEATS):
        start = time.process_time()
        proba = [classifier.proba(track) for track in tracks]
        seconds.append(time.process_time() - start)
    found = np.concatenate(proba)
    return Measured(bundle.network.stat().st_size, 1e3 * min(seconds) / len(found), found)
