"""Models: which there are, what they say of themselves, which one answers."""

from __future__ import annotations

from earmark.web.routes import Name, refusals, router
from earmark.web.schemas.models import ModelCard, ModelList, ModelSummary, UseModel
from earmark.web.services import At

routes = router("models")


@routes.get("/models")
async def models(hub: At) -> ModelList:
    """The models at hand."""
    in_use = await hub.model(None)
    known = hub.models.all()
    return ModelList(models=[hub.models.summary(k, in_use) for k in known])


@routes.put("/models/in-use", responses=refusals(404))
async def use(wanted: UseModel, hub: At) -> ModelSummary:
    """Let a model answer from now on, after a restart too."""
    known = await hub.jobs.stored(lambda store: hub.models.use(store, wanted.model_id))
    return hub.models.summary(known, known.bundle)


@routes.get("/models/{model_id}", responses=refusals(404))
async def card(model_id: Name, hub: At) -> ModelCard:
    """What a model has learned from, and how good it is."""
    in_use = await hub.model(None)
    return hub.models.card(hub.models.get(model_id), in_use)
