"""What the author of an approach reported, and how it was measured: a recipe's ``[paper]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from earmark.datasets.splitting import PROTOCOLS
from earmark.errors import ConfigError
from earmark.values import Recipe


@dataclass(frozen=True, slots=True)
class PaperConfig(Recipe):
    """The author's own figure and split, for ``earmark compare --protocol paper``.

    Attributes
    ----------
    figure : str
        As the author put it; empty where there is no known author.
    accuracy : float
        The same as a share, for pictures; 0 where there is no such number.
    counts : {'tracks', 'slices'}
        What the figure is a share of.
    data : str
        What it was measured on, in words.
    split : str
        How the author split: one of `earmark.datasets.PROTOCOLS`.
    shares : tuple of float
        The author's train, valid and test.
    merges : mapping of str to str
        Genres that the author counted as others.
    source : str
        Where it can be read.
    """

    figure: str = ""
    accuracy: float = field(default=0.0, metadata={"bounds": (0, 1)})
    counts: Literal["tracks", "slices"] = "tracks"
    data: str = ""
    split: str = "track-random"
    shares: tuple[float, ...] = field(default=(0.7, 0.15, 0.15), metadata={"bounds": (0, 1)})
    merges: Mapping[str, str] = field(default_factory=dict)
    source: str = ""


def check_paper(config: PaperConfig, where: str) -> None:
    """Refuse (`ConfigError`) a figure without its data, an unknown split, impossible shares."""
    if config.split not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise ConfigError(f"{where} split is {config.split!r}, but should be one of {known}")
    if config != PaperConfig() and not (config.figure and config.data):
        raise ConfigError(f"{where} should say figure, and on what data it was measured")
    shares = config.shares
    if len(shares) != 3 or abs(sum(shares) - 1) > 1e-6 or not all(shares):
        raise ConfigError(
            f"{where} shares should be three numbers above 0 that sum to 1:"
            " of what is trained on, validated on, tested on"
        )
