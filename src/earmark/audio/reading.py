"""Reading the excerpts of a track as mono at the rate that features want."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import av
import numpy as np
import soxr

from earmark.audio.excerpts import Place, further, plan
from earmark.audio.mono import Mixer, repair
from earmark.audio.silence import ENOUGH, SILENCE_DBFS, Blocks, blocks, floor
from earmark.audio.source import Source
from earmark.errors import AudioError
from earmark.types import Excerpt, ExcerptConfig, FloatArray, Signal

if TYPE_CHECKING:
    from earmark.audio.source import AudioPacket

WARM_UP_S = 0.15
"""Decoded and thrown away after a seek: MP3 needs up to 511 bytes of earlier frames (0.13 s at
32 kbit/s), Opus 80 ms, AAC and Vorbis one frame, before what comes out is what should."""

MIN_LENGTH_S = 0.5
"""In less sound than this, no genre can be heard."""

MOST_FURTHER = 2
"""Of a track with silent excerpts, at most so many times as many others are read."""

# An excerpt that lacks less than this is put down to rounding in the claimed duration.
_SLACK_S = 0.25


def read_excerpts(path: str | os.PathLike[str], config: ExcerptConfig, sr: int) -> list[Excerpt]:
    """Read the excerpts that `plan` chooses, mixed to mono, resampled to `sr`.

    Only the excerpts are decoded, found by seeking: exact to the sample in most containers, to a
    fraction of a second in MP3 of variable bit rate and in WMA. Where a file does not claim a
    duration, cannot seek, or turns out to be shorter than it claims, its packets are counted from
    the first to the last, and those of the excerpts decoded on a second pass. Memory is that of
    the excerpts in any case.

    Of an excerpt that is silent for the most part (see `earmark.audio.silence`) another is read
    instead, as `further` chooses it, and another again where that is silent too, up to a bound;
    what is silent is left out. A track that sounds costs no more by it.

    Returns
    -------
    list of Excerpt
        In order, at least one, together at least `MIN_LENGTH_S` long.

    Raises
    ------
    AudioError
        The file cannot be decoded, or what it holds is too short, silent or damaged.
    ConfigError
        `config` makes no sense.
    """
    # Damaged samples may add up to what float32 cannot hold; `repair` deals with them.
    with np.errstate(over="ignore", invalid="ignore"):
        excerpts = _read_by_seeking(path, config, sr)
        return _read_by_counting(path, config, sr) if excerpts is None else excerpts


@dataclass(frozen=True, slots=True)
class Read:
    """An excerpt at the rate that was asked for, and where it sounds."""

    excerpt: Excerpt
    blocks: Blocks

    @classmethod
    def of(cls, start_s: float, mono: FloatArray, own_sr: int, sr: int, path: str) -> Self:
        """Of mono at its own rate; raises `AudioError` where the samples are damaged."""
        own = Signal(repair(mono, path), own_sr)
        # Mixed to mono before: resampling all channels costs 6 times as much.
        y = soxr.resample(own.y, own.sr, sr, quality="HQ")
        return cls(Excerpt(start_s, Signal(y, sr)), blocks(own))

    @property
    def length_s(self) -> float:
        return self.excerpt.signal.y.size / self.excerpt.signal.sr


def _read_by_seeking(
    path: str | os.PathLike[str], config: ExcerptConfig, sr: int
) -> list[Excerpt] | None:
    """The excerpts, or None if the file is not what it claims to be."""
    with Source(path) as source:
        duration_s = source.info.duration_s
        if duration_s is None:
            return None

        def read(places: Sequence[Place]) -> list[Read] | None:
            heard = []
            for start_s, length_s in places:
                if start_s > 0 and not source.seek(start_s - WARM_UP_S):
                    return None
                collector = _Collector(start_s, length_s)
                _fill(collector, source)
                if not collector.length_s or collector.length_s < length_s - _SLACK_S:
                    return None
                heard.append(collector.read(source.path, sr))
            return heard

        return where_it_sounds(source.path, read, duration_s, config)


def _read_by_counting(
    path: str | os.PathLike[str], config: ExcerptConfig, sr: int
) -> list[Excerpt]:
    """The excerpts, trusting neither the claimed duration nor time stamps."""
    with Source(path) as source:
        duration_s = _count(source, [])

    def read(places: Sequence[Place]) -> list[Read]:
        with Source(path) as source:
            collectors = [_Collector(*place) for place in places]
            _count(source, collectors)
            heard = [c.read(source.path, sr) for c in collectors if c.length_s]
            if not heard:
                raise source.failure()
            return heard

    excerpts = where_it_sounds(os.fspath(path), read, duration_s, config)
    assert excerpts is not None
    return excerpts


def where_it_sounds(
    path: str,
    read: Callable[[Sequence[Place]], list[Read] | None],
    duration_s: float,
    config: ExcerptConfig,
) -> list[Excerpt] | None:
    """Excerpts at the planned places, and at others in place of silent ones; None as of `read`."""
    heard = read(plan(duration_s, config))
    if heard is None:
        return None
    _require_length(path, heard)
    n_wanted, n_left = len(heard), MOST_FURTHER * len(heard)
    shares = _sounding(heard)
    while missing := n_wanted - sum(share >= ENOUGH for share in shares):
        tried = [
            (each.excerpt.start_s, each.length_s, share >= ENOUGH)
            for each, share in zip(heard, shares, strict=True)
        ]
        places = further(duration_s, tried, min(missing, n_left))
        if not places:
            break
        more = read(places)
        if more is None:
            return None
        n_left -= len(places)
        heard = sorted((*heard, *more), key=lambda each: each.excerpt.start_s)
        shares = _sounding(heard)
    # Of music with pauses everywhere, what there is.
    least = ENOUGH if missing < n_wanted else min(filter(None, shares), default=ENOUGH)
    kept = [each.excerpt for each, share in zip(heard, shares, strict=True) if share >= least]
    if not kept:
        where = "" if n_wanted == 1 else f" at the {len(heard)} places listened to"
        raise AudioError(path, f"silent: nothing above {SILENCE_DBFS:g} dBFS{where}")
    return kept


def _sounding(heard: Sequence[Read]) -> list[float]:
    """Share of each that sounds."""
    lowest = floor(each.blocks for each in heard)
    return [each.blocks.sounding(lowest) for each in heard]


def _require_length(path: str, heard: Sequence[Read]) -> None:
    length_s = sum(each.length_s for each in heard)
    if length_s < MIN_LENGTH_S:
        raise AudioError(
            path, f"too short to judge: {length_s:.2g} s, at least {MIN_LENGTH_S} s are needed"
        )


def _fill(collector: _Collector, source: Source) -> None:
    for packet in source.packets():
        if not collector.begun and _ends_before(source, packet, collector.start_s - WARM_UP_S):
            # Some containers can only be entered long before the place that was asked for.
            continue
        for frame in source.decode(packet):
            collector.add(frame, None if collector.begun else source.start_s(frame))
        if collector.full:
            return


def _ends_before(source: Source, packet: AudioPacket, time_s: float) -> bool:
    start_s, length_s = source.start_s(packet), source.length_s(packet)
    return start_s is not None and length_s > 0 and start_s + length_s < time_s


def _count(source: Source, collectors: list[_Collector]) -> float:
    """Go through all packets, decoding only what `collectors` want; returns seconds.

    Time is what the packets add up to, or, where they do not say how long they are, the samples
    decoded from them.
    """
    now_s = 0.0
    waiting = iter(collectors)
    current = next(waiting, None)
    for packet in source.packets():
        length_s = source.length_s(packet)
        if length_s and (current is None or now_s + length_s < current.start_s - WARM_UP_S):
            now_s += length_s
            continue
        at_s = now_s
        for frame in source.decode(packet):
            if current is not None:
                current.add(frame, at_s)
                if current.full:
                    current = next(waiting, None)
            at_s += frame.samples / frame.sample_rate
        now_s = now_s + length_s if length_s else at_s
    return now_s


class _Collector:
    """Puts one excerpt together from frames that come in order.

    Attributes
    ----------
    start_s : float
        Where the excerpt starts in the track: as planned, or where the first frame was found.
    full : bool
        Whether further frames are of no use.
    """

    def __init__(self, start_s: float, length_s: float) -> None:
        self.start_s = start_s
        self.full = False
        self._end_s = start_s + length_s
        self._sr = 1
        self._mixer: Mixer | None = None

    @property
    def begun(self) -> bool:
        return self._mixer is not None

    def add(self, frame: av.AudioFrame, at_s: float | None) -> None:
        """Take what belongs here of a frame that starts `at_s` (None: where it should)."""
        if self.full:
            return
        ahead = 0
        if self._mixer is None:
            sr = frame.sample_rate
            ahead = 0 if at_s is None else round((self.start_s - at_s) * sr)
            if ahead >= frame.samples:
                return
            self.start_s += max(0, -ahead) / sr
            self._sr = sr
            self._mixer = Mixer(frame, max(0, round((self._end_s - self.start_s) * sr)))
        if self._mixer.accepts(frame):
            self._mixer.add(frame, max(0, ahead))
            self.full = self._mixer.full
        else:
            # Another recording was glued on.
            self.full = True

    @property
    def length_s(self) -> float:
        return self._mixer.n_samples / self._sr if self._mixer else 0.0

    def read(self, path: str, sr: int) -> Read:
        """What was collected, as mono at `sr`; there has to be something.

        Raises
        ------
        AudioError
            The samples are damaged.
        """
        assert self._mixer is not None
        return Read.of(self.start_s, self._mixer.mono(), self._sr, sr, path)
