"""What can be set for a training run, section by section.

Each ``…Config`` is a section of a recipe (see `earmark.training.recipes.recipe`). Bounds stand
beside the defaults, so that a recipe file with a value outside them is refused when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from earmark.values import Recipe, within

OptimiserName = Literal["adamw", "adam", "rmsprop", "sgd"]
EstimatorName = Literal["dummy", "k-nn", "logistic", "svm", "forest", "boosting", "bayes", "mlp"]


@dataclass(frozen=True, slots=True)
class NetworkConfig(Recipe):
    """Which network; `options` are its class's own keyword arguments.

    `name` is an entry of `earmark.models.registry.NETWORKS`.
    """

    name: str = "cnn"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OptimiserConfig(Recipe):
    """How weights are changed, and by what loss.

    Attributes
    ----------
    name : {'adamw', 'adam', 'rmsprop', 'sgd'}
        As in `torch.optim`, ``sgd`` with Nesterov momentum of 0.9.
    lr : float
        Highest learning rate.
    weight_decay : float
    label_smoothing : float
        Share of the target that is spread over all genres.
    max_norm : float
        Longer gradients are cut to this length.
    """

    name: OptimiserName = "adamw"
    lr: float = within(2e-3, 1e-7, 10)
    weight_decay: float = within(0.02, 0)
    label_smoothing: float = within(0.05, 0, 0.9)
    max_norm: float = within(5.0, 1e-3)


@dataclass(frozen=True, slots=True)
class ScheduleConfig(Recipe):
    """How long, and in which steps.

    Attributes
    ----------
    epochs : int
        At most; the learning rate follows one cosine over them.
    patience : int
        Epochs without a better validation loss after which training stops.
    batch_size : int
        Slices a step.
    min_steps : int
        An epoch of fewer steps goes over the slices again until it has as many: a small library
        gets as many changes of the weights as it takes to learn anything.
    warm_up : float
        Share of all steps in which the learning rate rises to its highest.
    cosine : bool
        Whether it falls to a hundredth from there on, along half a cosine, or stays.
    """

    epochs: int = within(40, 1)
    patience: int = within(8, 1)
    batch_size: int = within(32, 2)
    min_steps: int = within(30, 1)
    warm_up: float = within(0.05, 0, 1)
    cosine: bool = True


@dataclass(frozen=True, slots=True)
class AugmentConfig(Recipe):
    """How training slices are changed; 0 (an empty range) leaves a change out.

    Attributes
    ----------
    probability : float
        That a slice is given each of gain, noise, stretch and pitch.
    gain_db : float
        Louder or softer by at most this.
    snr_db : (float, float) or ()
        Noise this far below the slice's mean power is added.
    stretch : float
        Faster or slower by at most this share.
    pitch_semitones : float
        Higher or lower by at most this.
    mask_frames, mask_bins : int
        Longest stretch covered in each slice, along time and along frequency.
    mixup : float
        Parameter of the Beta distribution that mixing weights are drawn from.
    """

    probability: float = within(0.5, 0, 1)
    gain_db: float = within(0.0, 0, 60)
    snr_db: tuple[float, ...] = within((), -20, 100)
    stretch: float = within(0.0, 0, 0.5)
    pitch_semitones: float = within(0.0, 0, 12)
    mask_frames: int = within(0, 0)
    mask_bins: int = within(0, 0)
    mixup: float = within(0.0, 0, 10)


@dataclass(frozen=True, slots=True)
class HeadConfig(Recipe):
    """A head on a frozen backbone (``kind = "head"``).

    Attributes
    ----------
    backbone : str
        Folder of the bundle whose embeddings are learned from; empty: the one that is shipped.
    """

    backbone: str = ""


@dataclass(frozen=True, slots=True)
class DistilConfig(Recipe):
    """A lean backbone made of a larger one, and a head on it (``kind = "distilled"``).

    Attributes
    ----------
    teacher : str
        Name or folder of the larger one; it has to be musicnn.
    n_slices : int
        Of unlabelled music, on which it is looked at.
    clip : float
        Standardised features are cut off at this distance from 0; 0: they are not.
    """

    teacher: str = "musicnn"
    n_slices: int = within(2000, 20, 100_000)
    clip: float = within(2.5, 0, 100)


@dataclass(frozen=True, slots=True)
class ImitationConfig(Recipe):
    """A second teacher's embedding, predicted from a lean backbone's and appended to it.

    Attributes
    ----------
    teacher : str
        Name or folder of any model with an embedding; empty for none.
    n_excerpts : int
        Stretches of each unlabelled track that both listen to.
    n_hidden : int
        Units of each of two hidden layers.
    n_components : int
        Features that are added, at most.
    epochs, batch_size, lr, weight_decay, dropout
        Of the learning, by AdamW along half a cosine.
    """

    teacher: str = ""
    n_excerpts: int = within(15, 1, 1000)
    n_hidden: int = within(512, 1, 4096)
    n_components: int = within(100, 1, 4096)
    epochs: int = within(12, 1, 1000)
    batch_size: int = within(256, 8, 65536)
    lr: float = within(2e-3, 1e-7, 10)
    weight_decay: float = within(0.02, 0)
    dropout: float = within(0.2, 0, 0.9)


@dataclass(frozen=True, slots=True)
class SummaryConfig(Recipe):
    """scikit-learn's classifiers on statistics of excerpts (``kind = "summary"``).

    Attributes
    ----------
    estimator : {'best', 'dummy', 'k-nn', 'logistic', 'svm', 'forest', 'boosting', 'bayes', 'mlp'}
        The one that becomes the model; ``best``: the one with the highest macro-F1 of training
        tracks by artists left out.
    tried : tuple of str
        Those that are searched for their best settings and compared.
    folds : int
        Of the search.
    """

    estimator: Literal["best", EstimatorName] = "best"
    tried: tuple[EstimatorName, ...] = get_args(EstimatorName)
    folds: int = within(3, 2, 20)


@dataclass(frozen=True, slots=True)
class TrackConfig(Recipe):
    """A network over the slices of a track, learned where ``[vote]`` has ``mode = "network"``.

    It learns from the trained model's predictions for the slices of its training tracks.

    Attributes
    ----------
    network : NetworkConfig
        `name` is an entry of `earmark.models.registry.TRACK_NETWORKS`.
    optimiser : OptimiserConfig
    schedule : ScheduleConfig
        A batch is of tracks.
    """

    network: NetworkConfig = field(default_factory=lambda: NetworkConfig("lstm"))
    optimiser: OptimiserConfig = field(
        default_factory=lambda: OptimiserConfig("adam", 3e-3, weight_decay=0.0, label_smoothing=0.0)
    )
    schedule: ScheduleConfig = field(
        default_factory=lambda: ScheduleConfig(60, 10, warm_up=0.0, cosine=False)
    )

    def to_dict(self) -> dict[str, Any]:
        """As a file has it: the network's name and options beside the two tables."""
        return {
            "name": self.network.name,
            **self.network.options,
            "optimiser": self.optimiser.to_dict(),
            "schedule": self.schedule.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Hardware(Recipe):
    """What to train on, as Lightning Fabric names it; no part of a recipe."""

    accelerator: str = "auto"
    devices: int = 1
    precision: str = "32-true"
