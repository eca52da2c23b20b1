"""Frozen dataclasses that cross layers, and the recipe that a model bundle carries.

Names follow the field's own: `y, sr` for a signal and its rate, `S` for a spectrogram (bins,
frames), *frame* for one of its columns, *slice* for the fixed block of frames that a network
sees, *excerpt* for a stretch of audio read from a file.

Paths are ``str`` as the operating system gives them, with undecodable bytes as surrogate escapes
(:pep:`383`), so that a file of any name survives the way through.
"""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from earmark.errors import BundleError
from earmark.values import Recipe, within

FloatArray = NDArray[np.float32]
LevelArray = NDArray[np.uint8 | np.uint16]
"""Slices as they are stored and as networks take them, see `earmark.features.quantise`."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What a file's tags say. Values are as written in the file, not normalised.

    Attributes
    ----------
    genres, moods, groupings : tuple of str
        A file may hold several values of each; empty where it holds none.
    artist, album_artist, album, title : str
        Empty where the file does not say.
    duration_s : float or None
        As the container claims; None where it does not say.
    container : str
        Lower-case family: ``mp3``, ``flac``, ``ogg``, ``opus``, ``mp4``, ``wav``, ``aiff``,
        ``asf``, ``ape``, ``wavpack``, ``musepack``, or another that mutagen names.
    dialect : str
        Kind of tag that holds the genre, e.g. ``ID3v2.3``; empty where there is no tag.
    """

    genres: tuple[str, ...] = ()
    artist: str = ""
    album_artist: str = ""
    album: str = ""
    title: str = ""
    moods: tuple[str, ...] = ()
    groupings: tuple[str, ...] = ()
    duration_s: float | None = None
    container: str = ""
    dialect: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """A music file that the catalogue knows.

    Attributes
    ----------
    path : str
        Absolute path, surrogate-escaped where its bytes are not UTF-8.
    size, mtime_ns : int
        Bytes and modification time when its tags were read.
    tags : Tags
    track_id : int
        Number in the catalogue; stable while the file stays under its path.
    audio_id : str
        Hash of the encoded audio; empty until the track has been listened to once.
    error : str
        Why the file cannot be used; empty where all is well.
    """

    path: str
    size: int
    mtime_ns: int
    tags: Tags
    track_id: int = 0
    audio_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """Mono audio: `y` float32 (n_samples,), nominally within ±1, at `sr` hertz."""

    y: FloatArray
    sr: int


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of audio read from a file, `start_s` seconds into it."""

    start_s: float
    signal: Signal


@dataclass(frozen=True, slots=True)
class Axis:
    """What the bins of a spectrogram are: `values` (n_bins,), ascending, in units of `label`.

    Of front ends with a frequency axis the label is ``Hz``, and the values are the frequencies to
    which bins listen most.
    """

    label: str
    values: NDArray[np.float64]


# --- the recipe: what a bundle carries so that training and inference hear the same ------------


@dataclass(frozen=True, slots=True)
class ExcerptConfig(Recipe):
    """Which seconds of a track are listened to.

    `n_excerpts` stretches of `excerpt_s` seconds, spread evenly over the track without its first
    and last `margin` (a share of the duration: intros and outros say little about genre). Tracks
    hardly longer than the excerpts together are taken whole, see `earmark.audio.excerpts`.
    """

    called: ClassVar[str] = "the excerpts'"

    n_excerpts: int = within(5, 1, 100_000)
    excerpt_s: float = within(3.0, 0.001, 86_400)
    margin: float = within(0.1, 0, 0.4)


@dataclass(frozen=True, slots=True)
class FeatureConfig(Recipe):
    """How a signal becomes a spectrogram, as in librosa's parameters of the same names.

    `frontend` names an entry of `earmark.features.FRONTENDS`, which takes those of the parameters
    that `uses` tells. The result of most is in decibels, clipped to [`db_min`, `db_max`] and
    quantised to uint8 over that range.
    """

    called: ClassVar[str] = "the features'"

    frontend: str = "mel"
    sr: int = within(22050, 1, 1_000_000)
    n_fft: int = within(2048, 1, 100_000)
    hop_length: int = within(512, 1, 1_000_000)
    n_mels: int = within(128, 1, 4096)
    fmin: float = within(0.0, 0, 500_000)
    fmax: float = within(11025.0, 0, 500_000)
    db_min: float = within(-60.0, -1000, 1000)
    db_max: float = within(45.0, -1000, 1000)
    n_mfcc: int = within(20, 1, 4096)
    n_bins: int = within(84, 1, 1000)
    bins_per_octave: int = within(12, 1, 1000)

    @property
    def uses(self) -> tuple[str, ...]:
        """Names of the parameters that the front end takes, `frontend` among them."""
        return ("frontend", *FRONTEND_PARAMETERS.get(self.frontend, _EVERY_PARAMETER))

    def to_dict(self) -> dict[str, Any]:
        """Without what the front end does not take, unless it was set all the same."""
        written = [
            f.name
            for f in dataclasses.fields(self)
            if f.name in self.uses or getattr(self, f.name) != f.default
        ]
        return {name: getattr(self, name) for name in written}


_FRAMES = ("sr", "n_fft", "hop_length")
_BAND = ("fmin", "fmax")
_OCTAVES = ("n_bins", "bins_per_octave")
_RANGE = ("db_min", "db_max")
FRONTEND_PARAMETERS: dict[str, tuple[str, ...]] = {
    "cochlear": ("sr", "hop_length", *_BAND, *_RANGE),
    "linear": (*_FRAMES, *_BAND, *_RANGE),
    "log-frequency": ("sr", "hop_length", "fmin", *_OCTAVES, *_RANGE),
    "mel": (*_FRAMES, "n_mels", *_BAND, *_RANGE),
    "mfcc": (*_FRAMES, "n_mels", *_BAND, "n_mfcc"),
    "summary": (*_FRAMES, "n_mels", *_BAND, "n_mfcc"),
    "wave": ("sr", "hop_length"),
    "wavelet": ("sr", "hop_length", "fmin", *_OCTAVES, *_RANGE),
}
"""What each of `earmark.features.FRONTENDS` takes of a `FeatureConfig`."""
_EVERY_PARAMETER = tuple(f.name for f in dataclasses.fields(FeatureConfig))[1:]


SliceKind = Literal["fixed", "beat"]


@dataclass(frozen=True, slots=True)
class SliceConfig(Recipe):
    """Which blocks of a spectrogram a network is given.

    Attributes
    ----------
    n_frames : int
        Of a block.
    hop_frames : int
        From the beginning of one block to that of the next.
    kind : {'fixed', 'beat'}
        ``beat``: blocks begin on beats and are a bar long at the track's own tempo, one after the
        other, each brought to `n_frames`; where no bar is found they are as without it. See
        `earmark.features.beats`.
    beats_per_bar : int
        Used by ``beat`` only.
    """

    called: ClassVar[str] = "the slices'"

    n_frames: int = within(128, 1, 10_000_000)
    hop_frames: int = within(128, 1, 10_000_000)
    kind: SliceKind = "fixed"
    beats_per_bar: int = within(4, 1, 64)

    def to_dict(self) -> dict[str, Any]:
        values = super(SliceConfig, self).to_dict()
        if self.kind == "fixed":
            del values["kind"], values["beats_per_bar"]
        return values


VoteMode = Literal["mean", "majority", "confident", "stacker", "network"]


@dataclass(frozen=True, slots=True)
class Stacker(Recipe):
    """A learned decision, see `earmark.decision.stacking`.

    Attributes
    ----------
    weights : tuple of float
        Of each of `earmark.decision.stacking.FEATURES`, the same for every genre.
    bias : tuple of float, length n_classes
    """

    called: ClassVar[str] = "a number in the stacker's"

    weights: tuple[float, ...]
    bias: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class VoteConfig(Recipe):
    """How slices decide about a track.

    Attributes
    ----------
    mode : {'mean', 'majority', 'confident', 'stacker', 'network'}
        Mean of the slices' probabilities; one slice one vote; one vote for each slice that is at
        least `slice_confidence` sure; the learned decision of `stacker`; that of `network`.
    min_confidence : float
        A winner whose mean probability is lower is rejected.
    min_agreement : float
        A winner with a smaller share of the slices' votes is rejected.
    min_music : float
        A track that is less likely to be music is rejected, by models that can tell. At 0.5, what
        is as likely another sound.
    slice_confidence : float
        Used by ``confident`` only.
    stacker : Stacker or None
        Used by ``stacker`` only; None where none was learned.
    network : bytes
        Used by ``network`` only: ONNX, see `earmark.decision.track_network`; empty where none was
        learned. A bundle keeps it in a file of its own.
    """

    called: ClassVar[str] = "the vote's"

    mode: VoteMode = "mean"
    min_confidence: float = within(0.0, 0, 1)
    min_agreement: float = within(0.0, 0, 1)
    min_music: float = within(0.5, 0, 1)
    slice_confidence: float = within(0.5, 0, 1)
    stacker: Stacker | None = None
    network: bytes = field(default=b"", repr=False)

    def to_dict(self) -> dict[str, Any]:
        values = super(VoteConfig, self).to_dict()
        if self.min_music == 0.5:  # earlier versions do not know it
            del values["min_music"]
        return {k: v for k, v in values.items() if v is not None and v != b""}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        config = super(VoteConfig, cls).from_dict(values)
        if config.mode not in get_args(VoteMode):
            raise BundleError(
                f"slices cannot vote by {reprlib.repr(config.mode)}",
                "upgrade earmark, or train the model again",
            )
        return config


LevelMode = Literal["none", "rms"]


@dataclass(frozen=True, slots=True)
class ListenConfig(Recipe):
    """From file to slices: everything that has to be the same in training and inference.

    Attributes
    ----------
    excerpts, features, slices
    level : {'none', 'rms'}
        Whether all tracks are brought to one loudness before their spectrograms are computed, see
        `earmark.audio.level`.
    """

    excerpts: ExcerptConfig = field(default_factory=ExcerptConfig)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    slices: SliceConfig = field(default_factory=SliceConfig)
    level: LevelMode = "none"

    def to_dict(self) -> dict[str, Any]:
        parts = ("excerpts", "features", "slices")
        values: dict[str, Any] = {name: getattr(self, name).to_dict() for name in parts}
        if self.level != "none":  # earlier versions do not know it
            values["level"] = self.level
        return values


# --- what flows ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slices:
    """What was heard of one track.

    Attributes
    ----------
    X : ndarray of uint8 or uint16, shape (n_slices, n_bins, n_frames)
        As `earmark.features.quantise` makes them.
    start_s : ndarray of float32, shape (n_slices,)
        Where each slice starts in the track.
    audio_id : str
    """

    X: LevelArray
    start_s: FloatArray
    audio_id: str


@dataclass(frozen=True, slots=True)
class SliceProbs:
    """A network's opinion on each slice.

    Attributes
    ----------
    proba : ndarray of float32, shape (n_slices, n_classes)
        Rows sum to 1, or, of a network that can tell, to the probability that the slice is music.
    start_s : ndarray of float32, shape (n_slices,)
    """

    proba: FloatArray
    start_s: FloatArray


@dataclass(frozen=True, slots=True)
class Decision:
    """A track's genre, or None for "I don't know".

    Attributes
    ----------
    genre : str or None
    confidence : float
        Mean probability of the winner over the voting slices (of a stacker, its own probability),
        whether or not it was rejected.
    agreement : float
        Share of all slices whose own first choice is the winner.
    proba : dict of str to float
        Mean probability of every genre (of a stacker, its own), most likely first. They sum to 1,
        or, of a model that can tell, to the probability that the track is music.
    n_slices : int
    rejected : str
        Why there is no genre; empty where there is one.
    """

    genre: str | None
    confidence: float
    agreement: float
    proba: dict[str, float]
    n_slices: int
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class TagChange:
    """One intended write: `field` of the file at `path` goes from `before` to `after`.

    `size` and `mtime_ns` are the file's when `before` was read; a file that differs from them
    when the write is due has changed since, and is left alone.
    """

    path: str
    field: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    size: int
    mtime_ns: int
