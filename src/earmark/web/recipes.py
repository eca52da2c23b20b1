"""The recipes that a library can be learned by, as `earmark.training` has them."""

from __future__ import annotations

from functools import cache

from earmark.training import learners, recipes
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.web.schemas.models import RecipeSummary


def summaries() -> list[RecipeSummary]:
    """All that come with Earmark, the default first."""
    names = sorted(recipes.names(), key=lambda name: (name != recipes.DEFAULT, name))
    return [_summary(_load(name)) for name in names]


def check(name: str, epochs: int | None) -> None:
    """Refuse what cannot be learned by, before a job is queued.

    Raises
    ------
    ConfigError
        There is no such recipe, or it does not learn in epochs.
    MissingExtraError
        Something has to be installed first.
    """
    recipe = with_epochs(name, epochs)
    lacking = learners.lacking(recipe)
    if lacking:
        raise lacking


def with_epochs(name: str, epochs: int | None) -> TrainingRecipe:
    """A recipe, with another number of epochs where one is given; raises `ConfigError`."""
    recipe = _load(name)
    return recipe if epochs is None else recipe.replaced({"schedule.epochs": epochs}, "request")


@cache
def _load(name: str) -> TrainingRecipe:
    return recipes.load(name)


def _summary(recipe: TrainingRecipe) -> RecipeSummary:
    lacking = learners.lacking(recipe)
    return RecipeSummary(
        name=recipe.name,
        kind=recipe.kind,
        description=recipe.description,
        takes=learners.find(recipe.kind).takes,
        default=recipe.name == recipes.DEFAULT,
        epochs=recipe.schedule.epochs if recipe.kind == "network" else None,
        missing_extra=lacking.extra if lacking else None,
    )
