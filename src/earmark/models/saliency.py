"""Which parts of a slice speak for a genre, and which against it, found out by covering them.

Bundles hold networks as ONNX, which gives outputs but no gradients. Both methods need no more: they
cover parts of the slice and see how the output changes.

- `occlusion` covers one patch after the other: M. Zeiler and R. Fergus, "Visualizing and
  understanding convolutional networks" (ECCV 2014), section 4.2.
- `rise` covers a random half of the slice, many times, and takes for every place how the outputs
  with and without it differ: V. Petsiuk, A. Das and K. Saenko, "RISE: randomized input sampling for
  explanation of black-box models" (BMVC 2018). Finer, where several places carry the same; some
  four times as slow.

The output is taken as the logarithm of the odds for the genre, in nats: it does not saturate where
a network is sure, as a probability does. Its differences show how much a part speaks for (above 0)
or against the genre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias, cast, get_args

import numpy as np
from numpy.typing import NDArray

from earmark import features
from earmark.errors import ConfigError
from earmark.models.runtime import Classifier
from earmark.types import FloatArray, LevelArray

Method = Literal["occlusion", "rise"]
OddsOf: TypeAlias = Callable[[LevelArray], NDArray[np.float64]]
"""Log-odds (n,) of one genre, of slices (n, n_bins, n_frames)."""

CELLS = (8, 8)
"""Patches that a spectrogram is divided into, along frequency and time."""

N_MASKS = 1000
"""Random masks that `rise` takes."""

_SHOWN = 0.5
# Bounds the memory that covered copies of a slice take.
_BATCH = 64


def parse_method(name: str) -> Method:
    """A method by its name.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    for method in get_args(Method):
        if method == name:
            return cast(Method, method)
    raise ConfigError(
        f"there is no saliency by {name!r}", f"choose one of {', '.join(get_args(Method))}"
    )


def saliency(
    X: LevelArray, classifier: Classifier, target: int, method: Method = "occlusion"
) -> FloatArray:
    """How much each place of each slice speaks for a genre.

    Parameters
    ----------
    X : ndarray of uint8 or uint16, shape (n_slices, n_bins, n_frames)
        Slices of one track.
    classifier : Classifier
    target : int
        Number of the genre among the bundle's labels.
    method : {'occlusion', 'rise'}
        Statistics, which have no neighbours, are always covered one by one.

    Returns
    -------
    ndarray of float32, shape (n_slices, n_bins, n_frames)
        Nats.
    """
    odds_of, cells = log_odds(classifier, target), cells_of(X)
    find = rise if method == "rise" and X.shape[2] > 1 else occlusion
    covers = cover(X, classifier)
    return np.stack([find(x, odds_of, under, cells) for x, under in zip(X, covers, strict=True)])


def log_odds(classifier: Classifier, target: int) -> OddsOf:
    """What asks a bundle how likely a genre is to any other, at the bundle's temperature."""

    def odds_of(X: LevelArray) -> NDArray[np.float64]:
        logits = classifier.logits(X).astype(np.float64) / classifier.bundle.meta.temperature
        others = np.logaddexp.reduce(np.delete(logits, target, axis=1), axis=1)
        return np.asarray(logits[:, target] - others)

    return odds_of


def cells_of(X: LevelArray) -> tuple[int, int]:
    """Patches along each axis: a spectrogram's; stretches of a signal; statistics one by one."""
    _, n_bins, n_frames = X.shape
    if n_bins == 1:
        return 1, min(n_frames, CELLS[0] * CELLS[1])
    if n_frames == 1:
        return n_bins, 1
    return min(CELLS[0], n_bins), min(CELLS[1], n_frames)


def cover(X: LevelArray, classifier: Classifier) -> NDArray[np.float64]:
    """Levels that covered places get: as uninformative as possible.

    Of decibels it is each slice's mean level; of a signal, silence; of statistics, what they were
    on average in training, where the embedding says so; of all else, each bin's mean over the
    track.
    """
    config = classifier.bundle.meta.listen.features
    if features.in_decibels(config):
        levels = X.mean(axis=(1, 2), keepdims=True)
    elif X.shape[1] == 1:
        levels = features.quantise(np.zeros((1, 1), np.float32), config)[None]
    elif X.shape[2] == 1 and classifier.has_embedding:
        levels = _training_mean(X, classifier)
    else:
        levels = X.mean(axis=(0, 2), keepdims=True)
    return np.broadcast_to(levels.astype(np.float64), X.shape)


def _training_mean(X: LevelArray, classifier: Classifier) -> NDArray[np.float64]:
    """Levels (1, n_bins, 1) at which standardised statistics are 0; the track's where they never
    are, as of statistics that never changed in training."""
    top = np.iinfo(X.dtype).max
    ends = np.stack([np.zeros_like(X[0]), np.full_like(X[0], top)])
    embedded = classifier.embeddings(ends).astype(np.float64)
    own = X.mean(axis=0)[None]
    if embedded.shape[1] != X.shape[1]:
        return np.asarray(own, dtype=np.float64)
    rise_by = embedded[1] - embedded[0]
    alive = rise_by > 0
    zero = np.where(alive, -embedded[0] / np.where(alive, rise_by, 1) * top, 0)[None, :, None]
    return np.where(alive[None, :, None], zero.clip(0, top), own)


def occlusion(
    x: LevelArray, odds_of: OddsOf, under: NDArray[np.float64], cells: tuple[int, int] = CELLS
) -> FloatArray:
    """Cover patches that overlap by half, one at a time.

    Parameters
    ----------
    x : ndarray of uint8 or uint16, shape (n_bins, n_frames)
    odds_of : callable
    under : ndarray, shape (n_bins, n_frames)
        Levels that covered places get.
    cells : (int, int)
        Patches along either axis, if they did not overlap.

    Returns
    -------
    ndarray of float32, shape (n_bins, n_frames)
        By how much the log-odds fall when a place is covered, mean over the patches that cover it.
    """
    patches = [
        (rows, columns)
        for rows in _stretches(x.shape[0], cells[0])
        for columns in _stretches(x.shape[1], cells[1])
    ]
    blank = np.rint(under).astype(x.dtype)
    whole = odds_of(x[None])[0]
    fall, covered = np.zeros(x.shape), np.zeros(x.shape)
    for begin in range(0, len(patches), _BATCH):
        chosen = patches[begin : begin + _BATCH]
        copies = np.repeat(x[None], len(chosen), axis=0)
        for copy, patch in zip(copies, chosen, strict=True):
            copy[patch] = blank[patch]
        for patch, odds in zip(chosen, odds_of(copies), strict=True):
            fall[patch] += whole - odds
            covered[patch] += 1
    return (fall / covered).astype(np.float32)


def _stretches(n: int, cells: int) -> list[slice]:
    """Stretches of length ``n / cells`` that cover 0 to n, one every half of their length."""
    size = max(1, round(n / cells))
    starts = range(0, n - size + 1, max(1, size // 2))
    last = n - size
    return [slice(start, start + size) for start in sorted({*starts, last})]


def rise(
    x: LevelArray,
    odds_of: OddsOf,
    under: NDArray[np.float64],
    cells: tuple[int, int] = CELLS,
    n_masks: int = N_MASKS,
    seed: int = 0,
) -> FloatArray:
    """Cover random halves.

    Parameters
    ----------
    x, odds_of, under, cells
        As for `occlusion`.
    n_masks : int
    seed : int

    Returns
    -------
    ndarray of float32, shape (n_bins, n_frames)
        Mean log-odds when a place is shown less those when it is covered. The published map is the
        former alone, which ranks places alike but does not tell for from against.
    """
    rng = np.random.default_rng(seed)
    shown, hidden = np.zeros(x.shape), np.zeros(x.shape)
    weight = np.zeros(x.shape)
    for masks in _masks(x.shape, cells, n_masks, rng):
        mixed = under + masks * (x - under)
        odds = odds_of(np.rint(mixed).astype(x.dtype))
        shown += np.tensordot(odds, masks, axes=1)
        hidden += odds.sum()
        weight += masks.sum(axis=0)
    hidden -= shown
    few = 1e-9
    found = shown / np.maximum(weight, few) - hidden / np.maximum(n_masks - weight, few)
    return found.astype(np.float32)


def _masks(
    shape: tuple[int, ...], cells: tuple[int, int], n_masks: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """Smooth masks (≤ _BATCH, n_bins, n_frames) within [0, 1], half of each shown on average."""
    for begin in range(0, n_masks, _BATCH):
        n = min(_BATCH, n_masks - begin)
        corners = (rng.random((n, cells[0] + 2, cells[1] + 2)) < _SHOWN).astype(np.float64)
        yield _stretched(_stretched(corners, shape[0], 1, rng), shape[1], 2, rng)


def _stretched(
    corners: NDArray[np.float64], n: int, axis: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Interpolate linearly to `n` along an axis, each mask shifted by a random part of a cell."""
    cells = corners.shape[axis] - 2
    at = np.arange(n) * (cells / n) + rng.random((len(corners), 1))
    before = at.astype(np.intp)
    share, before = (np.expand_dims(each, 3 - axis) for each in (at - before, before))
    left, right = (np.take_along_axis(corners, before + i, axis) for i in (0, 1))
    return np.asarray(left * (1 - share) + right * share)
