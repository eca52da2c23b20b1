"""Models: which there are, which one answers, and the recipes that make new ones."""

from __future__ import annotations

from earmark.web import recipes as known_recipes
from earmark.web.routes import Name, refusals, router
from earmark.web.schemas.models import ModelCard, ModelList, ModelSummary, RecipeList, UseModel
from earmark.web.services import ServicesDep

routes = router("models")


@routes.get("/models")
async def models(services: ServicesDep) -> ModelList:
    """The models at hand."""
    in_use = await services.model(None)
    known = services.models.all()
    return ModelList(models=[services.models.summary(k, in_use) for k in known])


@routes.put("/models/in-use", responses=refusals(404))
async def use(wanted: UseModel, services: ServicesDep) -> ModelSummary:
    """Let a model answer from now on, after a restart too."""
    known = await services.jobs.stored(lambda store: services.models.use(store, wanted.model_id))
    return services.models.summary(known, known.bundle)


@routes.get("/models/{model_id}", responses=refusals(404))
async def card(model_id: Name, services: ServicesDep) -> ModelCard:
    """What a model has learned from, and how good it is."""
    in_use = await services.model(None)
    return services.models.card(services.models.get(model_id), in_use)


@routes.get("/recipes")
def recipes() -> RecipeList:
    """The ways to learn a library's genres."""
    return RecipeList(recipes=known_recipes.summaries())
