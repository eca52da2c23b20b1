"""A model and what it says of one recording at a time, in the process that calls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args, overload

import numpy as np
from numpy.typing import NDArray

from earmark import config
from earmark.audio import excerpts_of
from earmark.decision.result import Result
from earmark.decision.voting import adjusted, decide
from earmark.errors import BundleError, ConfigError
from earmark.features import axis, dequantise
from earmark.features.listen import listen, slices_of
from earmark.models import bundle as bundles
from earmark.models import catalog
from earmark.models.bundle import Bundle
from earmark.models.runtime import Classifier
from earmark.types import FloatArray, Slices, VoteMode

PathLike: TypeAlias = str | bytes | os.PathLike[str]
Audio: TypeAlias = PathLike | NDArray[Any] | Sequence[float]
"""A file, or samples: (n_samples,), or with several channels along either axis."""

Pool = Literal["mean", "max"]


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """What a model hears of a recording: its excerpts, one after the other.

    Attributes
    ----------
    S : ndarray of float32, shape (n_bins, n_frames)
        In decibels, or in what else the model's front end gives.
    times : ndarray of float64, shape (n_frames,)
        Where each frame is in the recording, in seconds. They jump from excerpt to excerpt.
    frequencies : ndarray of float64, shape (n_bins,)
        What each bin stands for, in units of `label`.
    label : str
        ``Hz``, unless the front end has no frequencies.
    """

    S: FloatArray
    times: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    label: str


class Model:
    """A model ready to listen; `load_model` opens one.

    Attributes
    ----------
    name : str
    labels : tuple of str, length n_classes
        The genres that it knows.
    card : dict
        All that is said of the model: data, scores, licence, how it listens and decides.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.classifier = Classifier(bundle)
        self.bundle = bundle
        self.name = bundle.meta.name
        self.labels = bundle.meta.labels
        self.card = bundle.meta.to_dict()

    def __reduce__(self) -> tuple[Any, ...]:
        # What runs the network cannot be copied: it is opened again.
        return load_model, (str(self.bundle.path),)

    def __repr__(self) -> str:
        return f"<earmark.Model {self.name}: {', '.join(self.labels)}>"

    @property
    def embedding_size(self) -> int:
        """Numbers in an embedding; raises `BundleError` where the model gives none."""
        return self.classifier.embedding_size

    def classify(
        self,
        audio: Audio,
        sr: float | None = None,
        *,
        vote: VoteMode | None = None,
        min_confidence: float | None = None,
        min_agreement: float | None = None,
        slice_confidence: float | None = None,
    ) -> Result:
        """The genre of one recording, or "I don't know".

        Parameters
        ----------
        audio : str, path-like or ndarray
            A file, or samples of shape (n_samples,), (n_channels, n_samples) as librosa gives them
            or (n_samples, n_channels) as soundfile does: floats within ±1, or whole numbers of any
            type.
        sr : float, optional
            Rate of samples in hertz.
        vote, min_confidence, min_agreement, slice_confidence
            How slices decide, as ``earmark classify`` has it; by default as the model says. Votes
            are mean, majority, confident, and stacker or network where the model has learned one.

        Returns
        -------
        Result

        Raises
        ------
        AudioError
            The file or the samples cannot be used, and why.
        ConfigError
            Samples without `sr`, or a way to vote that the model has not.

        Examples
        --------
        >>> import earmark
        >>> model = earmark.load_model("ear")
        >>> result = model.classify("examples/music/Beating That Thing.mp3")
        >>> sorted(result.proba) == sorted(model.labels)
        True
        """
        decided_by = adjusted(
            self.bundle.meta.vote,
            mode=vote,
            min_confidence=min_confidence,
            min_agreement=min_agreement,
            slice_confidence=slice_confidence,
        )
        probs = self.classifier.slice_probs(self._slices(audio, sr))
        return Result.of(_path_of(audio), decide(probs.proba, self.labels, decided_by))

    @overload
    def predict_proba(self, audio: Audio, sr: float | None = None) -> FloatArray: ...
    @overload
    def predict_proba(self, audio: Sequence[Audio], sr: float | None = None) -> FloatArray: ...
    def predict_proba(self, audio: Audio | Sequence[Audio], sr: float | None = None) -> FloatArray:
        """How likely each genre is, in the order of `labels`.

        Parameters
        ----------
        audio : str, path-like or ndarray, or a list or array of files, or a list of arrays
        sr : float, optional
            Rate of samples in hertz.

        Returns
        -------
        ndarray of float32, shape (n_classes,), or (n_songs, n_classes) of a list
            A row sums to 1, or, of a model that can tell, to the probability that it is music.

        Raises
        ------
        AudioError, ConfigError
            As `classify` does.
        """
        if _are_several(audio):
            several: Any = audio
            rows = [self.predict_proba(each, sr) for each in several]
            return np.array(rows, np.float32).reshape(len(rows), len(self.labels))
        proba = self.classify(audio, sr).proba  # type: ignore[arg-type]
        return np.array([proba[label] for label in self.labels], np.float32)

    def embed(
        self, audio: Audio, sr: float | None = None, *, pool: Pool | None = "mean"
    ) -> FloatArray:
        """The numbers from which the model's last layer tells genres: an embedding.

        Parameters
        ----------
        audio, sr
            As in `classify`.
        pool : {'mean', 'max'} or None
            How slices become one row; None: a row for each slice.

        Returns
        -------
        ndarray of float32, shape (n_features,), or (n_slices, n_features) with ``pool=None``

        Raises
        ------
        AudioError, ConfigError
            As `classify` does.
        BundleError
            The model gives no embedding.
        """
        check_pool(pool, none=True)
        if not self.classifier.has_embedding:
            raise BundleError(f"the model {self.name} gives no embedding", "choose another one")
        return pooled(self.classifier.embeddings(self._slices(audio, sr).X), pool)

    def spectrogram(self, audio: Audio, sr: float | None = None) -> Spectrogram:
        """What the model hears; `audio` and `sr` as in `classify`, which raises the same."""
        listening = self.bundle.meta.listen
        slices = self._slices(audio, sr)
        found = axis(listening.features)
        S = dequantise(slices.X, listening.features)
        step_s = listening.features.hop_length / listening.features.sr
        # Of slices by bars, frames are as far apart as the tempo has them: nearly so.
        times = slices.start_s[:, None].astype(np.float64) + np.arange(S.shape[2]) * step_s
        return Spectrogram(
            np.concatenate(list(S), axis=1), times.ravel(), found.values, found.label
        )

    def _slices(self, audio: Audio, sr: float | None) -> Slices:
        listening = self.bundle.meta.listen
        if isinstance(audio, (str, bytes, os.PathLike)):
            if sr is not None:
                raise ConfigError("a file says its rate itself", "leave sr out")
            return listen(text_of(audio), listening)
        if audio is None or _are_several(audio):
            raise ConfigError(f"{type(audio).__name__} is neither a file nor samples", "give one")
        if sr is None:
            raise ConfigError("samples do not say their rate", "give sr, in hertz")
        excerpts = excerpts_of(audio, sr, listening.excerpts, listening.features.sr)
        return slices_of(excerpts, listening, "")


def list_models(home: PathLike | None = None) -> list[str]:
    """Names of the models at hand: the one that ships, and those that were added.

    Parameters
    ----------
    home : path-like, optional
        Earmark's data folder; by default the user's.

    Examples
    --------
    >>> import earmark
    >>> "ear" in earmark.list_models()
    True
    """
    return sorted({catalog.SHIPPED, *catalog.names(home_of(home))})


def load_model(model: PathLike = catalog.SHIPPED, home: PathLike | None = None) -> Model:
    """Open a model.

    Parameters
    ----------
    model : str or path-like
        A name (see `list_models`) or the folder that ``earmark train`` wrote.
    home : path-like, optional
        Earmark's data folder, where named models are; by default the user's.

    Raises
    ------
    BundleError
        There is no such model, or it cannot be used.

    Examples
    --------
    >>> import earmark
    >>> earmark.load_model("ear").name
    'ear'
    """
    name = text_of(model)
    return Model(bundles.load(catalog.find(name, home_of(home)))) if name else _shipped()


@lru_cache(maxsize=1)
def _shipped() -> Model:
    return Model(bundles.load(catalog.shipped_model()))


def classify(audio: Audio, sr: float | None = None, *, model: Model | PathLike = "") -> Result:
    """The genre of one recording, or "I don't know".

    Parameters
    ----------
    audio : str, path-like or ndarray
        A file, or samples of shape (n_samples,) or (n_channels, n_samples).
    sr : float, optional
        Rate of samples in hertz.
    model : Model, str or path-like, optional
        By default the one that ships.

    Raises
    ------
    AudioError
        The file or the samples cannot be used, and why.
    BundleError
        The model cannot be used.
    ConfigError
        Samples without `sr`.

    Examples
    --------
    >>> import earmark
    >>> result = earmark.classify("examples/music/Beating That Thing.mp3")
    >>> result.genre is None or result.genre in result.proba
    True
    """
    return _opened(model).classify(audio, sr)


def spectrogram(
    audio: Audio, sr: float | None = None, *, model: Model | PathLike = ""
) -> Spectrogram:
    """What the model hears of one recording, ready to plot; parameters as in `classify`.

    Examples
    --------
    >>> import earmark
    >>> heard = earmark.spectrogram("examples/music/Beating That Thing.mp3")
    >>> heard.S.shape == (len(heard.frequencies), len(heard.times))
    True
    """
    return _opened(model).spectrogram(audio, sr)


def _opened(model: Model | PathLike) -> Model:
    return model if isinstance(model, Model) else load_model(model)


def home_of(home: PathLike | None) -> Path:
    """The folder given, or the user's."""
    return Path(text_of(home)).absolute() if home else config.data_dir()


def text_of(path: PathLike) -> str:
    """A path as the operating system has it, ``~`` written out."""
    return os.path.expanduser(os.fsdecode(path))  # noqa: PTH111 - surrogate-safe text


def check_pool(pool: object, *, none: bool = False) -> None:
    """Refuse (`ConfigError`) a way to pool that there is not, before anything is heard."""
    known = get_args(Pool)
    if pool not in known and not (none and pool is None):
        choices = ", ".join(known) + (" or None" if none else "")
        raise ConfigError(f"there is no pooling {pool!r}", f"choose {choices}")


def pooled(rows: FloatArray, pool: Pool | None) -> FloatArray:
    """Rows (n_slices, n_features) as one; as they are with None."""
    if pool is None:
        return rows
    return np.asarray(rows.mean(axis=0) if pool == "mean" else rows.max(axis=0), np.float32)


def _path_of(audio: Audio) -> str:
    return text_of(audio) if isinstance(audio, (str, bytes, os.PathLike)) else ""


def _are_several(audio: Any) -> bool:
    """Whether these are files, or arrays of samples, rather than one of them."""
    if isinstance(audio, np.ndarray):
        return audio.dtype.kind in "USO"
    if not isinstance(audio, (list, tuple)):
        return False
    return not audio or isinstance(audio[0], (str, bytes, os.PathLike, np.ndarray))
