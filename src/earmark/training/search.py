"""A search for better values of a recipe, kept in an SQLite file; optuna lives here.

The search proposes, its caller tries. What it proposes depends on its seed and on the trials that
were finished: a search that was killed continues with the trial that was under way, and ends where
it would have ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.trial import FrozenTrial, TrialState

from earmark import jsontext
from earmark.errors import ConfigError, LibraryError
from earmark.training.recipes.recipe import Range, TrainingRecipe

# Trials at random before the search builds on what it has seen, and whole ones before it gives
# any up.
_N_RANDOM = 8
_N_WHOLE = 4
_ASKED = "asked"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True, slots=True)
class Trial:
    """Values to try, by ``section.key``."""

    values: Mapping[str, Any]
    handle: optuna.Trial


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished trial.

    Attributes
    ----------
    number : int
        Counts from 0.
    values : mapping of str to object
        By ``section.key``.
    scores : tuple of float
        After each fold, over all folds so far.
    is_whole : bool
        Whether it went through all folds, or was given up before.
    """

    number: int
    values: Mapping[str, Any]
    scores: tuple[float, ...]
    is_whole: bool


class Search:
    """Trials of one recipe on one set of folds; higher scores are better.

    Parameters
    ----------
    path : Path
        SQLite file, made where it is not there.
    recipe : TrainingRecipe
        Its own values, where they are within its ranges, are the first to be tried.
    asked : mapping
        Plain values that the search depends on; a file with other ones is refused.

    Raises
    ------
    ConfigError
        If the recipe declares nothing to tune, or the file is of another search.
    LibraryError
        If the file cannot be read or written; so do all methods.
    """

    def __init__(self, path: Path, recipe: TrainingRecipe, asked: Mapping[str, Any]) -> None:
        if not recipe.tune:
            raise ConfigError(
                f"recipe {recipe.name} declares nothing to tune", "give it a section [tune]"
            )
        self._path, self._ranges, self._seed = path, recipe.tune, recipe.seed
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with self._guarded():
            url = sqlalchemy.URL.create("sqlite", database=str(path)).render_as_string()
            self._study = optuna.create_study(
                storage=url,
                study_name="tune",
                load_if_exists=True,
                direction="maximize",
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_N_WHOLE),
            )
            text = jsontext.dumps(asked, sort_keys=True)
            if self._study.user_attrs.get(_ASKED, text) != text:
                raise ConfigError(
                    f"{path} holds a search with another recipe, other music or other settings",
                    "choose another --out, or delete it",
                )
            self._study.set_user_attr(_ASKED, text)
            self._requeue()

    def _requeue(self) -> None:
        """Have what was under way when the search was killed tried next."""
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)
            if set(trial.params) == set(self._ranges):
                self._study.enqueue_trial(trial.params)

    @property
    def outcomes(self) -> list[Outcome]:
        """Finished trials in their order."""
        with self._guarded():
            trials = self._study.get_trials(deepcopy=False, states=_FINISHED)
        return [
            Outcome(
                number,
                self._decoded(trial),
                tuple(trial.intermediate_values[i] for i in sorted(trial.intermediate_values)),
                trial.state == TrialState.COMPLETE,
            )
            for number, trial in enumerate(trials)
        ]

    @property
    def best(self) -> Outcome | None:
        """The whole trial with the highest score, the first of equals."""
        whole = [outcome for outcome in self.outcomes if outcome.is_whole]
        return max(whole, key=lambda outcome: outcome.scores[-1], default=None)

    def propose(self, own: Mapping[str, Any]) -> Trial:
        """What to try next; where nothing was tried yet, `own` values as far as they may be."""
        with self._guarded():
            n_finished = len(self._study.get_trials(deepcopy=False, states=_FINISHED))
            if not self._study.trials:
                self._study.enqueue_trial(
                    {
                        path: _encoded(own[path])
                        for path, wanted in self._ranges.items()
                        if path in own and _holds(wanted, own[path])
                    }
                )
            # A sampler's state is not kept in the file; a fresh one for each trial needs none.
            self._study.sampler = optuna.samplers.TPESampler(
                seed=self._seed + n_finished, n_startup_trials=_N_RANDOM
            )
            handle = self._study.ask()
            values = {path: _suggest(handle, path, self._ranges[path]) for path in self._ranges}
        return Trial(values, handle)

    def report(self, trial: Trial, fold: int, score: float) -> bool:
        """Note the score after fold `fold` (from 0); whether the trial is worth going on with."""
        with self._guarded():
            trial.handle.report(score, fold)
            return not trial.handle.should_prune()

    def finish(self, trial: Trial, score: float | None) -> None:
        """End a trial, with its score, or without where it was given up."""
        with self._guarded():
            if score is None:
                self._study.tell(trial.handle, state=TrialState.PRUNED)
            else:
                self._study.tell(trial.handle, score)

    def _decoded(self, trial: FrozenTrial) -> dict[str, Any]:
        return {
            path: _decoded(self._ranges[path], value)
            for path, value in trial.params.items()
            if path in self._ranges
        }

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as e:
            raise LibraryError(
                f"the search {self._path} cannot be read or written: {e.__cause__ or e}",
                "make room, or delete it to start over",
            ) from e


def _suggest(handle: optuna.Trial, path: str, wanted: Range) -> Any:
    if wanted.choices:
        encoded = [_encoded(choice) for choice in wanted.choices]
        return _decoded(wanted, handle.suggest_categorical(path, encoded))
    if isinstance(wanted.low, int) and isinstance(wanted.high, int):
        return handle.suggest_int(path, wanted.low, wanted.high, log=wanted.log)
    return handle.suggest_float(path, wanted.low, wanted.high, log=wanted.log)


def _holds(wanted: Range, value: Any) -> bool:
    if wanted.choices:
        return _encoded(value) in [_encoded(choice) for choice in wanted.choices]
    return isinstance(value, int | float) and wanted.low <= value <= wanted.high


def _encoded(choice: Any) -> Any:
    """Lists as text: a search knows plain values only."""
    return choice if isinstance(choice, bool | int | float | str) else jsontext.dumps(choice)


def _decoded(wanted: Range, value: Any) -> Any:
    return next((choice for choice in wanted.choices if _encoded(choice) == value), value)
