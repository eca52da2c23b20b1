"""What is said of one recording, wherever it is said: library, command line, API and page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from earmark.types import Decision


@dataclass(frozen=True, slots=True)
class Result:
    """A model's answer about one recording, or in `error` why there is none.

    Attributes
    ----------
    path : str
        Empty where samples were given rather than a file.
    genre : str or None
        None is "I don't know", and `rejected` says why.
    confidence : float or None
        How likely the likeliest genre is, from 0 to 1.
    agreement : float or None
        Share of the slices that say the same.
    proba : mapping of str to float
        Of every genre that the model knows, the likeliest first; empty where nothing was heard.
    n_slices : int
        Slices that voted.
    rejected : str
        Why there is no genre although the sound could be heard; else empty.
    error : str
        Why the file cannot be used; else empty.

    Examples
    --------
    >>> result = Result("song.mp3", error="no such file")
    >>> result.to_dict()["error"], result.to_dict()["genre"]
    ('no such file', None)
    """

    path: str
    genre: str | None = None
    confidence: float | None = None
    agreement: float | None = None
    proba: Mapping[str, float] = field(default_factory=dict)
    n_slices: int = 0
    rejected: str = ""
    error: str = ""

    @classmethod
    def of(cls, path: str, decision: Decision) -> Self:
        """The result that a decision about the file's slices makes."""
        return cls(
            path,
            decision.genre,
            decision.confidence,
            decision.agreement,
            decision.proba,
            decision.n_slices,
            decision.rejected,
        )

    def to_dict(self) -> dict[str, Any]:
        """The one JSON shape of results: what ``earmark classify --json`` gives for a track."""
        return {
            "path": self.path,
            "genre": self.genre,
            "confidence": self.confidence,
            "agreement": self.agreement,
            "proba": dict(self.proba),
            "slices": self.n_slices,
            "rejected": self.rejected or None,
            "error": self.error or None,
        }
