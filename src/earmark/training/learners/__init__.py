"""Ways to learn, one for each kind of recipe; none imports what chooses among them.

A learner is a module that offers ``learn(request, resources)``, a workflow that gives a
`TrainReport`, and ``check(request)``, which fails before hours of listening rather than after. A
new one is a module and a line in `LEARNERS`. Beside them are the steps that several learners take:
`music`, `second_teacher` and `track_network`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from earmark.errors import ConfigError, MissingExtraError
from earmark.events import Workflow
from earmark.session import Resources
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.training.request import TrainReport, TrainRequest


@dataclass(frozen=True, slots=True)
class Learner:
    """Where a learner is, what it needs, and what it can learn from besides labelled music.

    Attributes
    ----------
    module : str
    extra : str
        What has to be installed for it.
    libraries : tuple of str
        What of that it needs, to be asked for without importing it.
    takes : str
        How long, and how much music, in words.
    unlabelled : bool
        Music without labels.
    not_music : bool
        Sounds that are no music.
    """

    module: str
    extra: str
    libraries: tuple[str, ...]
    takes: str
    unlabelled: bool = False
    not_music: bool = False

    @property
    def check(self) -> Callable[[TrainRequest], None]:
        """Raises `ConfigError` or `MissingExtraError` where it could not learn."""
        check: Callable[[TrainRequest], None] = import_module(self.module).check
        return check

    @property
    def learn(self) -> Callable[[TrainRequest, Resources], Workflow[TrainReport]]:
        """The workflow that learns and writes the bundle."""
        learn: Callable[[TrainRequest, Resources], Workflow[TrainReport]]
        learn = import_module(self.module).learn
        return learn


_HEAD = ("sklearn", "onnx")
_NETWORK = (*_HEAD, "torch", "lightning_fabric", "matplotlib", "onnxscript")

LEARNERS = {
    "distilled": Learner(
        "earmark.training.learners.distil",
        "head",
        _HEAD,
        "minutes to hours, and thousands of tracks, with genres or without",
        unlabelled=True,
        not_music=True,
    ),
    "head": Learner(
        "earmark.training.learners.head",
        "head",
        _HEAD,
        "seconds, good with few tracks",
        not_music=True,
    ),
    "network": Learner(
        "earmark.training.learners.network",
        "train",
        _NETWORK,
        "minutes to hours, some hundred tracks of each genre",
    ),
    "summary": Learner(
        "earmark.training.learners.summary",
        "head",
        (*_HEAD, "skl2onnx", "librosa"),
        "minutes, some hundred tracks of each genre",
    ),
}
"""By kind of recipe."""


# What is in another extra than the rest of what a learner needs.
_OWN_EXTRA = {"librosa": "analysis"}


def find(kind: str) -> Learner:
    """The learner for a kind of recipe.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if kind not in LEARNERS:
        raise ConfigError(
            f"there is no recipe of kind {kind!r}", f"kinds are: {', '.join(LEARNERS)}"
        )
    return LEARNERS[kind]


def lacking(recipe: TrainingRecipe) -> MissingExtraError | None:
    """What has to be installed before anything is learned by a recipe; nothing heavy is imported.

    Raises
    ------
    ConfigError
        If there is no learner for it.
    """
    learner = find(recipe.kind)
    second_teacher = recipe.kind == "distilled" and recipe.imitation.teacher
    extra, libraries = learner.extra, learner.libraries
    if second_teacher or recipe.vote.mode == "network":
        extra, libraries = "train", (*libraries, "torch")
    for library in libraries:
        if find_spec(library) is None:
            return MissingExtraError(library, _OWN_EXTRA.get(library, extra))
    return None
