"""``earmark train``: labelled tracks in, a model bundle out; what chooses the learner."""

from __future__ import annotations

from earmark.errors import ConfigError
from earmark.events import Workflow
from earmark.models import bundle as bundles
from earmark.session import Resources
from earmark.training import learners, run_folder
from earmark.training.request import TrainReport, TrainRequest
from earmark.training.sounds import check_sounds

FORMAT = 2
"""To be raised when a training makes another model of the same request: reports then train anew."""


def train(
    request: TrainRequest, resources: Resources, *, replace: bool = False
) -> Workflow[TrainReport]:
    """Learn genres from labelled tracks as the request's recipe says, and write a bundle.

    Split is by artist (album, folder), never by slice. What was listened to is kept in the data
    folder, and the next run does not listen to it again; a run that was cut short continues from
    its last epoch. A KeyboardInterrupt during training keeps the best network so far.

    Parameters
    ----------
    request : TrainRequest
    resources : Resources
    replace : bool
        Whether a model that was made from other data, labels or recipe may be overwritten.

    Raises
    ------
    BundleError
        If the model cannot be written where it is to be, or another one is there.
    ConfigError
        If the recipe asks for a network, or options of it, that there are not, or has no use for
        unlabelled music or other sounds that were given, or the run folder lies within the
        model's.
    DataError
        If the labels cannot be learned from, or sounds that are no music are too few, with what to
        do about it.
    LibraryError
        If the run folder cannot be written to, or a folder of sounds not be read.
    MissingExtraError
        If an optional dependency is not installed.
    """
    bundles.check_target(request.out)
    if request.run_folder.resolve().is_relative_to(request.out.resolve()):
        raise ConfigError(
            f"the run folder {request.run_folder} lies within the model's, {request.out}",
            "choose another --run-dir",
        )
    if not replace and not run_folder.is_helper():
        run_folder.check_replaced(request)
    recipe = request.recipe
    learner = learners.find(recipe.kind)
    takes_unlabelled = learner.unlabelled or (learner.not_music and request.not_music)
    if request.unlabelled and not takes_unlabelled:
        raise ConfigError(
            f"recipe {recipe.name} learns nothing from unlabelled music",
            "leave --unlabelled out, or choose --recipe ear; with --not-music, a head takes it",
        )
    if request.not_music and not learner.not_music:
        raise ConfigError(
            f"recipe {recipe.name} does not learn what is no music",
            "leave --not-music out, or choose --recipe head",
        )
    check_sounds(request.not_music)
    learner.check(request)
    with run_folder.claimed(request.run_folder):
        return (yield from learner.learn(request, resources))
