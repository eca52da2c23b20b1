"""``earmark look``: the slices of one file and a model's predictions for them, as a picture."""

from __future__ import annotations

from pathlib import Path

from earmark.decision.voting import decide
from earmark.errors import ConfigError
from earmark.evaluation.report.files import require_plots
from earmark.features import axis, dequantise, summary
from earmark.inference.batch import hear
from earmark.models.bundle import Bundle
from earmark.models.runtime import Classifier
from earmark.models.saliency import Method, saliency
from earmark.pool import Workers
from earmark.types import Decision, FloatArray, Slices, VoteConfig

_PNG = b"\x89PNG\r\n\x1a\n"


def look(
    path: str,
    bundle: Bundle,
    vote: VoteConfig,
    picture: Path,
    workers: Workers,
    *,
    method: Method | None = None,
    genre: str | None = None,
) -> Decision:
    """Draw the slices of a file, each with its own prediction, as PNG.

    For a model of statistics, those that speak most for and against the genre are drawn.

    Parameters
    ----------
    path : str
    bundle : Bundle
    vote : VoteConfig
    picture : Path
    workers : Workers
        One of them hears the file.
    method : {'occlusion', 'rise'}, optional
        Draw over the slices what in them speaks for the genre, and what against it; see
        `earmark.models.saliency`.
    genre : str, optional
        The genre to explain; by default the likeliest.

    Raises
    ------
    AudioError
        The file cannot be used.
    ConfigError
        `picture` is no name for a PNG, is something else already, or cannot be written; the model
        does not know `genre`.
    MissingExtraError
        If matplotlib is not installed.
    """
    require_plots()
    check_target(picture)
    if genre is not None and genre not in bundle.meta.labels:
        raise ConfigError(
            f"the model knows no {genre}", f"its genres are: {', '.join(bundle.meta.labels)}"
        )
    classifier = Classifier(bundle)
    slices = hear(path, bundle.meta.listen, workers)
    proba = classifier.slice_probs(slices).proba
    decision = decide(proba, bundle.meta.labels, vote)
    shown = genre or decision.genre or next(iter(decision.proba))
    title = _title(path, decision)
    if method is not None or bundle.meta.listen.features.frontend == "summary":
        title = f"{title}; what speaks for {shown}"
    try:
        draw(picture, slices, classifier, proba, shown, method, title)
    except OSError as e:
        raise ConfigError(
            f"{picture} cannot be written: {e.strerror}", "choose another --out"
        ) from e
    return decision


def draw(
    picture: Path,
    slices: Slices,
    classifier: Classifier,
    proba: FloatArray,
    genre: str,
    method: Method | None,
    title: str,
) -> None:
    """Draw slices with their votes `proba` (n_slices, n_classes), as `look` does."""
    from earmark.evaluation.plots.slices import draw_slices, draw_statistics

    meta = classifier.bundle.meta
    config, target = meta.listen.features, meta.labels.index(genre)
    if config.frontend == "summary":
        spoken = saliency(slices.X, classifier, target).mean(axis=0)[:, 0]
        draw_statistics(picture, summary.names(config), spoken, title)
        return
    fixed = meta.listen.slices.kind == "fixed"
    draw_slices(
        picture,
        dequantise(slices.X, config),
        slices.start_s,
        meta.listen.slices.n_frames * config.hop_length / config.sr if fixed else None,
        [meta.labels[i] for i in proba.argmax(axis=1)],
        proba.max(axis=1),
        axis(config),
        title=title,
        saliency=None if method is None else saliency(slices.X, classifier, target, method),
    )


def check_target(picture: Path) -> None:
    """Refuse (`ConfigError`) a name for a picture that is none, or is something else's."""
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
