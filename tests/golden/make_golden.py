"""Computes `mel.npz`, what librosa makes of a few signals: ``python -m tests.golden.make_golden``.

The signals are stored with the result (as 16-bit integers), so that the test needs neither librosa
nor the same random numbers.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import librosa
import numpy as np

from earmark.types import FeatureConfig
from tests.audiofiles import synth
from tests.golden import CONFIGS, GOLDEN


def main() -> None:
    arrays: dict[str, Any] = {}
    for kind in ("tone", "chirp", "noise", "music"):
        sr = FeatureConfig().sr
        y = np.round(synth(kind, 0.75, sr, n_channels=1)[0] * 32768).astype(np.int16)
        arrays[f"y_{kind}"] = y
        for name, c in CONFIGS.items():
            S = librosa.feature.melspectrogram(
                y=y.astype(np.float32) / 32768,
                sr=c.sr,
                n_fft=c.n_fft,
                hop_length=c.hop_length,
                n_mels=c.n_mels,
                fmin=c.fmin,
                fmax=c.fmax,
            )
            S_db = librosa.power_to_db(S, ref=1.0, amin=1e-10, top_db=None)
            arrays[f"S_{kind}_{name}"] = S_db.astype(np.float32)
    arrays["librosa"] = np.array(version("librosa"))
    np.savez_compressed(GOLDEN, **arrays)


if __name__ == "__main__":
    main()
