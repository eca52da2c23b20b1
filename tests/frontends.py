"""Every front end as a recipe may ask for it: small, at 22,050 Hz; and signals to try them on."""

import numpy as np

from earmark.types import FeatureConfig, FloatArray

EXAMPLES = {
    "cochlear": FeatureConfig("cochlear", fmin=50.0, fmax=9000.0, db_min=-60.0, db_max=6.0),
    "linear": FeatureConfig("linear", n_fft=1024, hop_length=512, db_min=-100.0, db_max=0.0),
    "log-frequency": FeatureConfig("log-frequency", fmin=65.4, n_bins=72, db_min=-90.0, db_max=0.0),
    "mel": FeatureConfig(),
    "mfcc": FeatureConfig("mfcc", n_fft=512, hop_length=512, n_mels=40),
    "summary": FeatureConfig("summary"),
    "wave": FeatureConfig("wave", hop_length=1),
    "wavelet": FeatureConfig("wavelet", fmin=65.4, n_bins=84, db_min=-90.0, db_max=0.0),
}


def sine(hz: float, sr: int, length_s: float = 2.0, amplitude: float = 1.0) -> FloatArray:
    t = np.arange(round(length_s * sr)) / sr
    return (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def click(at: int, n_samples: int) -> FloatArray:
    y = np.zeros(n_samples, dtype=np.float32)
    y[at] = 1.0
    return y
