"""``earmark look``: what a model hears in one file, as a picture."""

from __future__ import annotations

from pathlib import Path

from earmark.errors import ConfigError, MissingExtraError
from earmark.features import axis, dequantise
from earmark.features.listen import listen
from earmark.models.bundle import Bundle
from earmark.models.runtime import Classifier
from earmark.types import Decision, VoteConfig
from earmark.voting import decide

_PNG = b"\x89PNG\r\n\x1a\n"


def look(path: str, bundle: Bundle, vote: VoteConfig, picture: Path) -> Decision:
    """Draw the slices that a model hears of a file, each with its own vote, as PNG.

    Raises
    ------
    AudioError
        The file cannot be used.
    ConfigError
        `picture` is no name for a PNG, is something else already, or cannot be written.
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        from earmark.evaluation import slice_plot
    except ModuleNotFoundError as e:
        raise MissingExtraError(e.name or "matplotlib", "report") from e
    _check_target(picture)
    meta = bundle.meta
    slices = listen(path, meta.listen)
    proba = Classifier(bundle).slice_probs(slices).proba
    decision = decide(proba, meta.labels, vote)
    features = meta.listen.features
    try:
        slice_plot.slices(
            picture,
            dequantise(slices.X, features),
            slices.start_s,
            meta.listen.slices.n_frames * features.hop_length / features.sr,
            [meta.labels[i] for i in proba.argmax(axis=1)],
            proba.max(axis=1),
            axis(features),
            title=_title(path, decision),
        )
    except OSError as e:
        raise ConfigError(
            f"{picture} cannot be written: {e.strerror}", "choose another --out"
        ) from e
    return decision


def _check_target(picture: Path) -> None:
    if picture.suffix.lower() != ".png":
        raise ConfigError(f"{picture} does not end in .png", "the picture is a PNG")
    try:
        with picture.open("rb") as file:
            is_png = file.read(len(_PNG)) == _PNG
    except FileNotFoundError:
        return
    except OSError as e:
        raise ConfigError(
            f"{picture} cannot be written: {e.strerror}", "choose another --out"
        ) from e
    if not is_png:
        raise ConfigError(f"{picture} exists and is no PNG", "choose another --out")


def _title(path: str, decision: Decision) -> str:
    name = Path(path).name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if decision.genre is None:
        return f"{name}: ? ({decision.rejected})"
    return f"{name}: {decision.genre}, {decision.confidence:.0%}"
