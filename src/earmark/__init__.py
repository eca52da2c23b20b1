"""Earmark listens to music and says its genre.

::

    import earmark

    earmark.classify("song.mp3").genre           # None is "I don't know"

The names in `__all__` are all that is public; docs/python.md shows them at work. They are imported
when they are first used, so that ``import earmark`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from earmark.version import __version__

if TYPE_CHECKING:
    from earmark import errors
    from earmark.api.embedder import Embedder
    from earmark.api.model import (
        Model,
        Spectrogram,
        classify,
        list_models,
        load_model,
        spectrogram,
    )
    from earmark.api.session import Embeddings, Plan, Session, Training
    from earmark.decision.result import Result

_HOMES = {
    "Embedder": "earmark.api.embedder",
    "Embeddings": "earmark.api.session",
    "Model": "earmark.api.model",
    "Plan": "earmark.api.session",
    "Result": "earmark.decision.result",
    "Session": "earmark.api.session",
    "Spectrogram": "earmark.api.model",
    "Training": "earmark.api.session",
    "classify": "earmark.api.model",
    "errors": "",
    "list_models": "earmark.api.model",
    "load_model": "earmark.api.model",
    "spectrogram": "earmark.api.model",
}

__all__ = [
    "Embedder",
    "Embeddings",
    "Model",
    "Plan",
    "Result",
    "Session",
    "Spectrogram",
    "Training",
    "__version__",
    "classify",
    "errors",
    "list_models",
    "load_model",
    "spectrogram",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (:pep:`562`)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES[name]
    value = getattr(import_module(home), name) if home else import_module(f"earmark.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
