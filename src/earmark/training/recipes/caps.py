"""Recipes made cheaper than they are: for comparisons that have to end, and for smoke runs."""

from __future__ import annotations

from typing import Any

from earmark.training.recipes.recipe import TrainingRecipe

QUICK_TRACKS = 18
"""Tracks that a smoke run draws unless told otherwise."""

_QUICK_S = 7.0
_WHERE = "command line"


def capped(
    recipe: TrainingRecipe, epochs: int | None = None, patience: int | None = None
) -> TrainingRecipe:
    """The recipe, trained for so long at most; one that has no schedule as it is."""
    if recipe.kind != "network":
        return recipe
    caps = {"epochs": epochs, "patience": patience}
    changes = {
        f"schedule.{name}": min(cap, getattr(recipe.schedule, name))
        for name, cap in caps.items()
        if cap is not None
    }
    return recipe.replaced(changes, _WHERE) if changes else recipe


def quick(recipe: TrainingRecipe) -> TrainingRecipe:
    """The recipe, made to run rather than to learn: a few steps on a few seconds a track."""
    changes: dict[str, Any] = {}
    if recipe.kind not in ("head", "distilled"):
        excerpts = recipe.excerpts
        n_excerpts = min(excerpts.n_excerpts, 2)
        changes["excerpts.n_excerpts"] = n_excerpts
        # Two slices at least: by the slice, so few tracks could not be split otherwise.
        changes["excerpts.excerpt_s"] = min(excerpts.excerpt_s, _QUICK_S / n_excerpts)
    if recipe.kind == "network":
        changes["schedule.epochs"] = 1
        changes["schedule.batch_size"] = min(recipe.schedule.batch_size, 8)
        changes["schedule.min_steps"] = 1
    if recipe.kind == "distilled":
        changes["distil.n_slices"] = min(recipe.distil.n_slices, 40)
        changes["imitation.n_excerpts"] = min(recipe.imitation.n_excerpts, 2)
        changes["imitation.epochs"] = 1
    if recipe.vote.mode == "network":
        changes["track.schedule"] = {"epochs": 2, "batch_size": 8, "min_steps": 1}
    if recipe.kind == "summary":
        changes["summary.folds"] = 2
        if recipe.summary.estimator == "best":
            changes["summary.tried"] = ["dummy", "logistic"]
    return recipe.replaced(changes, _WHERE) if changes else recipe
