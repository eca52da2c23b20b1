"""Ways to learn, one for each kind of recipe; none imports what chooses among them.

A learner is a module that offers ``learn(request, resources)``, a workflow that gives a
`TrainReport`, and ``check(request)``, which fails before hours of listening rather than after. A
new one is a module and a line in `LEARNERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from earmark.errors import ConfigError

if TYPE_CHECKING:
    from earmark.events import Workflow
    from earmark.session import Resources
    from earmark.training.request import TrainReport, TrainRequest


@dataclass(frozen=True, slots=True)
class Learner:
    """Where a way to learn is, and what else than labelled music it can learn from.

    Attributes
    ----------
    module : str
    unlabelled : bool
        Music without labels.
    not_music : bool
        Sounds that are no music.
    """

    module: str
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


LEARNERS = {
    "distilled": Learner("earmark.training.learners.distil", unlabelled=True, not_music=True),
    "head": Learner("earmark.training.learners.head", not_music=True),
    "network": Learner("earmark.training.learners.network"),
    "summary": Learner("earmark.training.learners.summary"),
}
"""By kind of recipe."""


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
