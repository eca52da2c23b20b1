"""Results of other programs that ours are held against."""

from pathlib import Path

from earmark.types import FeatureConfig

GOLDEN = Path(__file__).parent / "mel.npz"
CONFIGS = {
    "default": FeatureConfig(),
    "small": FeatureConfig(n_fft=1024, hop_length=300, n_mels=40, fmin=50.0, fmax=8000.0),
}
