"""``earmark explain``: what a model listens to, as a page with pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from earmark import extras, features
from earmark.errors import ConfigError, EarmarkError, FileError
from earmark.evaluation.decisions import TrackDecisions
from earmark.evaluation.examples import Mistaken, Pick, mistaken, picks
from earmark.evaluation.report.document import (
    Block,
    Heading,
    Image,
    Paragraph,
    Table,
    to_html,
    to_markdown,
)
from earmark.evaluation.report.files import require_plots
from earmark.events import FileSkipped, Progress, Workflow
from earmark.inference.batch import hear
from earmark.models.bundle import Bundle
from earmark.models.runtime import Classifier
from earmark.models.saliency import Method
from earmark.pool import Workers
from earmark.session import Resources
from earmark.spreadsheets import write_table
from earmark.training.request import LabelRequest
from earmark.types import Slices, VoteConfig
from earmark.workflows.evaluate import Predictions, decide_all, predict_unseen
from earmark.workflows.look import draw

if TYPE_CHECKING:
    from earmark.models.filters import Layer

PAGE = "explain.html"
_FILTERS = "filters.png"
_TABLE = "examples.csv"
_MOST_SLICES = 6
_MOST_MISTAKES = 12


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """What to show.

    Attributes
    ----------
    out : Path
        Folder of the page; made where missing, files of the same names in it are replaced.
    method : {'occlusion', 'rise'}
        See `earmark.models.saliency`.
    layer : int
        Whose filters are drawn, from 1.
    n_examples : int
        Right and wrong tracks of each genre.
    """

    out: Path
    method: Method = "occlusion"
    layer: int = 1
    n_examples: int = 2


def explain_filters(bundle: Bundle, request: ExplainRequest) -> Path:
    """Draw what the network's first layers have learned; no music is needed.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ConfigError
        If the network has no such layer.
    MissingExtraError
        If matplotlib or onnx is not installed.
    EarmarkError
        If the folder cannot be written to.
    """
    return _write(bundle, request, _filters(bundle, request))


def explain(
    bundle: Bundle,
    vote: VoteConfig,
    request: ExplainRequest,
    labels: LabelRequest,
    resources: Resources,
) -> Workflow[Path]:
    """As `explain_filters`, with tracks that the model is surest of, and those that it gets wrong.

    Tracks that it has learned from, or by artists that it has learned from, are left out.

    Raises
    ------
    DataError
        If no track is left.
    """
    blocks = _filters(bundle, request)
    predictions = yield from predict_unseen(bundle, labels, resources)
    known = predictions.known
    found = decide_all(known, bundle.meta.labels, vote)
    blocks += _mistakes(mistaken(found, bundle.meta.labels, _MOST_MISTAKES), bundle)
    blocks += yield from _examples(bundle, request, known, found, resources.workers)
    return _write(bundle, request, blocks)


def _filters(bundle: Bundle, request: ExplainRequest) -> list[Block]:
    """Picture and list of layers."""
    require_plots()
    extras.require("head", "earmark.models.filters")
    from earmark.models.filters import layers

    found = layers(bundle)
    blocks: list[Block] = [Heading(2, "What the layers have learned")]
    if not found:
        return [*blocks, Paragraph("This model has no layers with weights that could be drawn.")]
    if not 1 <= request.layer <= len(found):
        raise ConfigError(
            f"the model has no layer {request.layer}", f"choose one from 1 to {len(found)}"
        )
    chosen = found[request.layer - 1]
    _draw_filters(bundle, request.out, chosen)
    rows = tuple(
        (str(i), layer.name, layer.kind, " × ".join(map(str, layer.weights.shape)))
        for i, layer in enumerate(found, start=1)
    )
    return [
        *blocks,
        Paragraph(f"Layer {request.layer}. Orange weights are above 0, purple ones below."),
        Image(_FILTERS, f"weights of {chosen}"),
        Table(("Layer", "Name", "Kind", "Shape"), rows),
    ]


def _draw_filters(bundle: Bundle, folder: Path, layer: Layer) -> None:
    from earmark.evaluation.plots.filters import draw_filters

    config = bundle.meta.listen.features
    with _writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        draw_filters(
            folder / _FILTERS,
            layer.weights,
            features.axis(config),
            config.sr,
            bundle.meta.labels,
            str(layer),
        )


def _mistakes(found: list[Mistaken], bundle: Bundle) -> list[Block]:
    blocks: list[Block] = [Heading(2, "What it takes for something else")]
    if not found:
        return [*blocks, Paragraph("No track was taken for another genre.")]
    names = bundle.meta.labels
    rows = tuple(
        (f"{names[m.reference]} for {names[m.estimated]}", str(m.n), str(m.of), f"{m.n / m.of:.0%}")
        for m in found
    )
    return [*blocks, Table(("Genre taken for another", "Tracks", "Of", "Share"), rows)]


def _examples(
    bundle: Bundle,
    request: ExplainRequest,
    known: Predictions,
    found: TrackDecisions,
    workers: Workers,
) -> Workflow[list[Block]]:
    """Pictures of the surest right and wrong predictions of every genre."""
    labels, classifier = bundle.meta.labels, Classifier(bundle)
    chosen = {genre: picks(found, genre, request.n_examples) for genre in range(len(labels))}
    total, done = sum(map(len, chosen.values())), 0
    blocks: list[Block] = [
        Heading(2, "What it is surest of"),
        Paragraph(
            "Of each genre, the tracks that the model is surest of, right and wrong. Orange speaks"
            " for what it took the track for, purple against."
        ),
    ]
    rows: list[dict[str, str]] = []
    for genre, of_genre in chosen.items():
        blocks.append(Heading(3, labels[genre]))
        if not of_genre:
            blocks.append(Paragraph("No track of this genre could be judged."))
        for pick in of_genre:
            yield Progress("drawing", done, total, labels[genre])
            done += 1
            path = known.items[pick.track].path
            row = _row(f"example-{done:03}.png", path, pick, labels)
            try:
                _draw_example(classifier, request, row, workers)
            except FileError as e:
                yield FileSkipped(path, e.reason)
                continue
            blocks.append(Image(row["picture"], _title(row)))
            rows.append(row)
    _write_table(request.out, rows)
    return blocks


def _row(picture: str, path: str, pick: Pick, labels: Sequence[str]) -> dict[str, str]:
    """A line of the table of examples."""
    return {
        "picture": picture,
        "genre": labels[pick.reference],
        "taken_for": labels[pick.estimated],
        "confidence": f"{pick.confidence:.4f}",
        "path": path,
    }


def _title(row: Mapping[str, str]) -> str:
    name = Path(row["path"]).name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    wrong = "" if row["genre"] == row["taken_for"] else f", but is {row['genre']}"
    return f"{name}: {row['taken_for']}, {float(row['confidence']):.0%}{wrong}"


def _draw_example(
    classifier: Classifier, request: ExplainRequest, row: Mapping[str, str], workers: Workers
) -> None:
    slices = _some(hear(row["path"], classifier.bundle.meta.listen, workers))
    proba = classifier.slice_probs(slices).proba
    picture = request.out / row["picture"]
    with _writing_to(request.out):
        draw(picture, slices, classifier, proba, row["taken_for"], request.method, _title(row))


def _some(slices: Slices) -> Slices:
    """At most `_MOST_SLICES` of a track's slices, spread evenly."""
    n = len(slices.X)
    kept = np.linspace(0, n - 1, min(n, _MOST_SLICES)).round().astype(int)
    return dataclasses.replace(slices, X=slices.X[kept], start_s=slices.start_s[kept])


def _write_table(folder: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with (
        _writing_to(folder),
        (folder / _TABLE).open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        write_table(file, rows, ("picture", "genre", "taken_for", "confidence", "path"))


def _write(bundle: Bundle, request: ExplainRequest, blocks: Sequence[Block]) -> Path:
    """The page in both forms; the one in HTML holds its pictures."""
    title = f"What {bundle.meta.name} listens to"
    page = [Heading(1, title), *blocks]
    with _writing_to(request.out):
        request.out.mkdir(parents=True, exist_ok=True)
        files = [block.file for block in blocks if isinstance(block, Image)]
        images = {file: (request.out / file).read_bytes() for file in files}
        (request.out / "explain.md").write_text(to_markdown(page), encoding="utf-8")
        (request.out / PAGE).write_text(to_html(page, title, images), encoding="utf-8")
    return request.out / PAGE


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    """Turn a full disk or a forbidden folder into an error that says what to do."""
    try:
        yield
    except OSError as e:
        raise EarmarkError(
            f"the page cannot be written to {folder}: {e.strerror}", "choose another --out"
        ) from e
