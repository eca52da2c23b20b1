"""Models and their cards."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from earmark.web.schemas.common import Key, Share, Wire

ModelSource = Literal["shipped", "given", "trained"]


class ModelSummary(Wire):
    model_id: Key
    name: str
    labels: list[str]
    created: str
    licence: str
    source: ModelSource = Field(description="trained: here; given: by --model.")
    in_use: bool
    accuracy: Share | None = Field(
        description="On test tracks, of artists not trained on where these are known."
    )
    accuracy_interval_95: list[float | None] | None


class ModelList(Wire):
    models: list[ModelSummary]


class ModelCard(ModelSummary):
    """All that `model.json` says of where the model comes from and how good it is."""

    data: dict[str, Any]
    scores: dict[str, Any]
    training: dict[str, Any]
    listen: dict[str, Any]
    vote: dict[str, Any]
    temperature: float
    confusion: list[list[int]] | None = Field(
        description="Test tracks by genre (row, as `labels`) and answer (column, as `labels`; the"
        ' last is "I don\'t know"). Null where the run folder is gone.'
    )


class UseModel(Wire):
    model_id: Key


class RecipeSummary(Wire):
    """A way to learn."""

    name: str
    kind: str = Field(description="head, network, distilled or summary.")
    description: str
    takes: str = Field(description="How long, and how much music, in words.")
    default: bool
    epochs: int | None = Field(description="At most; null where it does not learn in epochs.")
    missing_extra: str | None = Field(
        description="What has to be installed before it can be used; null: nothing."
    )


class RecipeList(Wire):
    recipes: list[RecipeSummary] = Field(description="The default first.")
