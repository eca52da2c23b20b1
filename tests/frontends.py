"""Every front end as a recipe may ask for it: small, at 22,050 Hz."""

from earmark.types import FeatureConfig

EXAMPLES = {
    "mel": FeatureConfig(),
    "mfcc": FeatureConfig("mfcc", n_fft=512, hop_length=512, n_mels=40),
    "summary": FeatureConfig("summary"),
    "wave": FeatureConfig("wave", hop_length=1),
}
