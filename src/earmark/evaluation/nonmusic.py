"""Sounds that are no music, made by formula, to see whether a model says "I don't know" to them.

Conventions: every kind is a function of (sr, duration_s, rng) that gives its variants by name,
each float32 (n_samples,) within ±1. The same seed gives the same signals.

The speech is *speech-like*, not speech: harmonics of a gliding voice under moving formants, with
hisses for consonants and pauses. It shares pitch range, formants, syllable rate and spectrum with
speech and says nothing; a model that knows it is no music may still fall for real speech.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.evaluation.bootstrap import Floats
from earmark.types import Signal

Variants = dict[str, Floats]

# Mean formants in hertz of American English vowels, men: Peterson & Barney, "Control Methods Used
# in a Study of the Vowels", J. Acoust. Soc. Am. 24, 1952, table II (i, ɪ, ɛ, æ, ɑ, ɔ, ʊ, u, ʌ).
_FORMANTS_HZ = np.array(
    [
        (270, 2290, 3010),
        (390, 1990, 2550),
        (530, 1840, 2480),
        (660, 1720, 2410),
        (730, 1090, 2440),
        (570, 840, 2410),
        (440, 1020, 2240),
        (300, 870, 2240),
        (640, 1190, 2390),
    ],
    dtype=np.float64,
)
_BANDWIDTHS_HZ = np.array([80.0, 100.0, 150.0])


@dataclass(frozen=True, slots=True)
class NonMusic:
    """A test signal: its kind, which variant of it, and what it sounds like."""

    kind: str
    variant: str
    signal: Signal


def signals(sr: int, duration_s: float = 20.0, seed: int = 0) -> list[NonMusic]:
    """All variants of all kinds.

    Parameters
    ----------
    sr : int
        Sampling rate in hertz, at least 8000.
    duration_s : float
        Of each signal.
    seed : int
    """
    if sr < 8000 or duration_s <= 0:
        raise ValueError(f"no such signals of {duration_s} s at {sr} Hz")
    return [
        NonMusic(kind, variant, Signal(y.astype(np.float32), sr))
        for i, (kind, make) in enumerate(KINDS.items())
        for variant, y in make(sr, duration_s, np.random.default_rng((seed, i))).items()
    ]


def _time(sr: int, duration_s: float) -> Floats:
    return np.arange(round(sr * duration_s)) / sr


def _levelled(y: Floats, rms_dbfs: float) -> Floats:
    """Brought to this level, or as near to it as peaks within ±1 allow."""
    gain = 10 ** (rms_dbfs / 20) / np.sqrt(np.mean(y**2))
    return np.asarray(y * min(gain, 0.999 / np.abs(y).max()))


def _coloured(n: int, exponent: float, rng: np.random.Generator) -> Floats:
    """Gaussian noise whose power falls as frequency to the `exponent`."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    bins = np.maximum(np.arange(len(spectrum)), 1.0)
    spectrum *= bins ** (-exponent / 2)
    spectrum[0] = 0
    return np.fft.irfft(spectrum, n)


# --- speech-like --------------------------------------------------------------------------------


def _speech(sr: int, duration_s: float, rng: np.random.Generator) -> Variants:
    low = _talk(sr, duration_s, rng, pitch_hz=110, tract=1.0)
    high = _talk(sr, duration_s, rng, pitch_hz=205, tract=1.17)
    child = _talk(sr, duration_s, rng, pitch_hz=290, tract=1.35)
    others = [
        _talk(sr, duration_s, rng, pitch_hz=hz, tract=tract)
        for hz, tract in ((125, 1.03), (180, 1.12))
    ]
    return {
        "low voice": _levelled(low, -22),
        "high voice": _levelled(high, -22),
        "child's voice": _levelled(child, -22),
        "two voices": _levelled(low + high, -20),
        "babble of five": _levelled(low + high + child + sum(others), -18),
    }


def _talk(
    sr: int, duration_s: float, rng: np.random.Generator, *, pitch_hz: float, tract: float
) -> Floats:
    """One voice; `tract` scales its formants (shorter vocal tract, higher formants)."""
    y = np.zeros(round(sr * duration_s))
    at = 0
    while at < len(y):
        # A phrase of a few syllables on a falling pitch, then a breath.
        n_syllables = int(rng.integers(4, 10))
        for fall in np.linspace(1.15, 0.85, n_syllables):
            parts = [_syllable(sr, rng, pitch_hz * fall * rng.uniform(0.93, 1.07), tract)]
            if rng.random() < 0.6:
                parts.insert(0, _consonant(sr, rng))
            sound = np.concatenate(parts)[: max(0, len(y) - at)]
            y[at : at + len(sound)] += sound
            at += len(sound)
        at += round(sr * rng.uniform(0.25, 0.7))
    return y


def _syllable(sr: int, rng: np.random.Generator, pitch_hz: float, tract: float) -> Floats:
    """A vowel that turns into another: 120 to 280 ms of harmonics under gliding formants."""
    n = round(sr * rng.uniform(0.12, 0.28))
    glide = np.linspace(0, 1, n)
    # Some vibrato and drift: a voice is never a steady tone.
    wobble = 1 + 0.02 * np.sin(2 * np.pi * 5 * np.arange(n) / sr + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch_hz * wobble * (1.05 - 0.1 * glide)) / sr
    n_harmonics = int(min(4500.0, 0.45 * sr) / (1.1 * pitch_hz))
    harmonic = np.arange(1.0, n_harmonics + 1)[:, None]
    start, end = _FORMANTS_HZ[rng.choice(len(_FORMANTS_HZ), 2, replace=False)] * tract
    before, after = (_voiced(harmonic * pitch_hz, formants) for formants in (start, end))
    level = before * (1 - glide) + after * glide
    envelope = np.sin(np.pi * np.minimum(1, np.arange(n) / n + 0.02)) ** 0.6
    return np.asarray((level * np.sin(harmonic * phase)).sum(axis=0) * np.maximum(envelope, 0))


def _voiced(hz: NDArray[Any], formants_hz: Floats) -> Floats:
    """Level of a voice at frequencies `hz`: glottis and lips (−6 dB an octave) times resonances.

    The cascade of second-order resonances of Klatt, "Software for a cascade/parallel formant
    synthesizer", J. Acoust. Soc. Am. 67, 1980.
    """
    level = 100.0 / hz
    for centre, width in zip(formants_hz, _BANDWIDTHS_HZ, strict=True):
        level = level * centre**2 / np.hypot(centre**2 - hz**2, width * hz)
    return np.asarray(level)


def _consonant(sr: int, rng: np.random.Generator) -> Floats:
    """40 to 110 ms of noise in a band, as of s, sh, f or a burst."""
    n = round(sr * rng.uniform(0.04, 0.11))
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hz = np.fft.rfftfreq(n, 1 / sr)
    centre = rng.uniform(0.15, 0.35) * min(sr, 22050)
    spectrum *= np.exp(-(((hz - centre) / (0.3 * centre)) ** 2))
    return np.asarray(0.25 * np.fft.irfft(spectrum, n) * np.hanning(n))


# --- noises, tones, clicks ----------------------------------------------------------------------


def _noise(exponent: float) -> Callable[[int, float, np.random.Generator], Variants]:
    def make(sr: int, duration_s: float, rng: np.random.Generator) -> Variants:
        n = round(sr * duration_s)
        return {
            f"{dbfs} dBFS": _levelled(_coloured(n, exponent, rng), dbfs)
            for dbfs in (-40, -32, -24, -16)
        }

    return make


def _silence(sr: int, duration_s: float, rng: np.random.Generator) -> Variants:
    """A recording of nothing: only its hiss. Digital silence is refused before any model."""
    n = round(sr * duration_s)
    hisses = {
        f"hiss at {dbfs} dBFS": _levelled(_coloured(n, 0, rng), dbfs) for dbfs in (-70, -60, -50)
    }
    return {**hisses, "tape hiss at -45 dBFS": _levelled(_coloured(n, -1, rng), -45)}


def _tones(sr: int, duration_s: float, _rng: np.random.Generator) -> Variants:
    t = _time(sr, duration_s)
    return {f"{hz} Hz": _levelled(np.sin(2 * np.pi * hz * t), -15) for hz in (110, 440, 1000, 3150)}


def _sweeps(sr: int, duration_s: float, _rng: np.random.Generator) -> Variants:
    t = _time(sr, duration_s)
    low, high = 50.0, 0.45 * sr
    octaves = np.log(high / low)
    rising = 2 * np.pi * low * duration_s / octaves * (np.exp(t / duration_s * octaves) - 1)
    falling = 2 * np.pi * (high * t - (high - low) * t**2 / (2 * duration_s))
    siren = 2 * np.pi * (900 * t - 300 / (2 * np.pi * 0.5) * np.cos(2 * np.pi * 0.5 * t))
    phases = {"logarithmic, rising": rising, "linear, falling": falling, "siren": siren}
    return {name: _levelled(np.sin(phase), -15) for name, phase in phases.items()}


def _hum(sr: int, duration_s: float, rng: np.random.Generator) -> Variants:
    t = _time(sr, duration_s)
    variants = {}
    for mains_hz in (50, 60):
        hum = np.zeros(len(t))
        for harmonic, level in ((1, 1.0), (2, 0.7), (3, 0.4), (5, 0.2), (7, 0.1)):
            phase = 2 * np.pi * mains_hz * harmonic * t + rng.uniform(0, 2 * np.pi)
            hum += level * np.sin(phase)
        quiet = _levelled(hum, -35) + _levelled(_coloured(len(t), 0, rng), -65)
        variants[f"{mains_hz} Hz"] = _levelled(hum, -20)
        variants[f"{mains_hz} Hz, faint, with hiss"] = quiet
    return variants


def _clicks(sr: int, duration_s: float, rng: np.random.Generator) -> Variants:
    n = round(sr * duration_s)

    def struck(at: Floats, decay_s: float) -> Floats:
        """Noise bursts that die away, one at each sample number."""
        y = np.zeros(n)
        burst = np.exp(-np.arange(round(8 * decay_s * sr)) / (decay_s * sr))
        for start in at.astype(np.intp):
            piece = burst[: n - start]
            y[start : start + len(piece)] += piece * rng.standard_normal(len(piece))
        return y

    ticks = np.arange(0.0, n, sr / 2)
    scattered = {
        name: np.sort(rng.uniform(0, n, max(1, round(rate * duration_s))))
        for name, rate in (("Geiger counter", 8), ("vinyl crackle", 60))
    }
    return {
        "metronome": _levelled(struck(ticks, 0.004), -37),
        "Geiger counter": _levelled(struck(scattered["Geiger counter"], 0.001), -35),
        "vinyl crackle": _levelled(struck(scattered["vinyl crackle"], 0.0005), -40),
    }


KINDS: dict[str, Callable[[int, float, np.random.Generator], Variants]] = {
    "speech-like (synthetic)": _speech,
    "white noise": _noise(0),
    "pink noise": _noise(1),
    "brown noise": _noise(2),
    "silence with hiss": _silence,
    "single tone": _tones,
    "sweep": _sweeps,
    "mains hum": _hum,
    "clicks": _clicks,
}
