"""Earmark listens to music and says its genre.

::

    import earmark

    earmark.classify("song.mp3").genre           # None is "I don't know"

The names in `__all__` are all that is public; docs/python.md shows them at work. They are imported
when they are first used, so that ``import earmark`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module

from earmark.version import __version__

# Type checkers know the name; importing `typing` for it would be most of what importing costs.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from earmark import errors, events
    from earmark.api.embedder import Embedder
    from earmark.api.model import (
        Model,
        Spectrogram,
        classify,
        list_models,
        load_model,
        spectrogram,
    )
    from earmark.api.results import Embeddings, Plan, Training
    from earmark.api.session import Session
    from earmark.decision.result import Result
    from earmark.evaluation.results import Evaluation
    from earmark.library import PlanItem
    from earmark.library.scan import ScanReport
    from earmark.tags import Run
    from earmark.workflows.apply import ApplyReport

_HOMES = {
    "ApplyReport": "earmark.workflows.apply",
    "Embedder": "earmark.api.embedder",
    "Embeddings": "earmark.api.results",
    "Evaluation": "earmark.evaluation.results",
    "Model": "earmark.api.model",
    "Plan": "earmark.api.results",
    "PlanItem": "earmark.library",
    "Result": "earmark.decision.result",
    "Run": "earmark.tags",
    "ScanReport": "earmark.library.scan",
    "Session": "earmark.api.session",
    "Spectrogram": "earmark.api.model",
    "Training": "earmark.api.results",
    "classify": "earmark.api.model",
    "errors": "",
    "events": "",
    "list_models": "earmark.api.model",
    "load_model": "earmark.api.model",
    "spectrogram": "earmark.api.model",
}

__all__ = [
    "ApplyReport",
    "Embedder",
    "Embeddings",
    "Evaluation",
    "Model",
    "Plan",
    "PlanItem",
    "Result",
    "Run",
    "ScanReport",
    "Session",
    "Spectrogram",
    "Training",
    "__version__",
    "classify",
    "errors",
    "events",
    "list_models",
    "load_model",
    "spectrogram",
]


if not TYPE_CHECKING:  # for which there are the names above, and no others

    def __getattr__(name):
        """Import a public name when it is first asked for (:pep:`562`)."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = _HOMES[name]
        value = getattr(import_module(home), name) if home else import_module(f"earmark.{name}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
