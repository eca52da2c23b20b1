"""Many files, a whole library, training: in worker processes, with one home and limits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Self, TypeVar, get_args

import numpy as np
from rich.console import Console

from earmark import config
from earmark.api.model import Model, PathLike, Pool, check_pool, home_of, pooled, text_of
from earmark.api.results import Embeddings, Plan, Training
from earmark.datasets.splitting import SplitRequest
from earmark.decision.result import Result
from earmark.decision.voting import adjusted
from earmark.errors import ConfigError, FileError, LibraryError
from earmark.evaluation.results import Evaluation
from earmark.events import Event, FileSkipped, Progress, Workflow, run
from earmark.inference.batch import fill
from earmark.library import Plan as LibraryPlan
from earmark.library import TagMode, changes
from earmark.library.scan import ScanReport, scan
from earmark.models.bundle import Bundle
from earmark.progress import Bars
from earmark.session import Resources
from earmark.tags import Journal, Run
from earmark.training import recipes
from earmark.training.request import LabelRequest, TrainRequest
from earmark.training.train import train
from earmark.types import VoteConfig, VoteMode
from earmark.workflows.apply import ApplyReport, apply_changes, undo_run
from earmark.workflows.classify import files_of, results
from earmark.workflows.evaluate import evaluate_bundle
from earmark.workflows.plan import import_plan, plan_tags

T = TypeVar("T")

ProgressOption = bool | Callable[[Event], object]


class Session:
    """Work on many files: a home, worker processes, limits; a context manager that ends them.

    What was heard once is remembered in the home and not heard again. A file that cannot be used
    never ends a call: it is a `Result` with an `error`, or among the errors that are returned. A
    session belongs to the thread that opens it; others open sessions of their own.

    Parameters
    ----------
    home : path-like, optional
        Earmark's data folder; by default the user's.
    workers : int, optional
        Worker processes; by default one for each core.
    time_limit_s : float
        Seconds that one file may take before it is given up.
    progress : bool or callable
        True shows bars in a terminal or a notebook; a callable is given each event.

    Raises
    ------
    ConfigError
        A limit makes no sense.

    Examples
    --------
    In a script, behind ``if __name__ == "__main__":``, as workers import it:

    >>> import earmark
    >>> with earmark.Session(workers=1) as session:
    ...     results = list(session.classify(["examples/music/Beating That Thing.mp3"]))
    >>> len(results), results[0].error
    (1, '')
    """

    def __init__(
        self,
        home: PathLike | None = None,
        *,
        workers: int | None = None,
        time_limit_s: float = 60.0,
        progress: ProgressOption = False,
    ) -> None:
        if workers is not None and not (isinstance(workers, int) and workers >= 1):
            raise ConfigError(f"{workers!r} workers cannot do anything", "choose 1 or more")
        is_time = isinstance(time_limit_s, (int, float)) and 0 < time_limit_s < float("inf")
        if not is_time:
            raise ConfigError(f"a time limit of {time_limit_s!r} s makes no sense")
        self._resources: Resources | None = Resources(
            home_of(home), n_workers=workers or config.usable_cores(), time_limit_s=time_limit_s
        )
        self._progress = progress

    @property
    def home(self) -> Path:
        """Earmark's data folder."""
        return self._open.home

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers and close the catalogue; the session cannot be used any more."""
        if self._resources is not None:
            self._resources.close()
            self._resources = None

    @property
    def _open(self) -> Resources:
        if self._resources is None:
            raise LibraryError("this session is closed", "open another one")
        return self._resources

    # --- listening ------------------------------------------------------------------------------

    def classify(
        self,
        paths: PathLike | Iterable[PathLike],
        model: Model | PathLike = "",
        *,
        vote: VoteMode | None = None,
        min_confidence: float | None = None,
        min_agreement: float | None = None,
        slice_confidence: float | None = None,
        remember: bool = True,
    ) -> Iterator[Result]:
        """Results of files and of all music in folders, as they are ready.

        Parameters
        ----------
        paths : path-like or iterable of path-like
        model : Model, str or path-like, optional
            By default the one that ships.
        vote, min_confidence, min_agreement, slice_confidence
            How slices decide; by default as the model says.
        remember : bool
            Whether what was heard before is taken from the home, and kept there.

        Yields
        ------
        Result
            Each file once; of one that cannot be used, `error` says why.

        Raises
        ------
        BundleError, ConfigError
            The model cannot be used, or does not vote so.
        """
        bundle = self._model(model).bundle
        wished = {"mode": vote, "min_confidence": min_confidence, "min_agreement": min_agreement}
        decided_by = adjusted(bundle.meta.vote, **wished, slice_confidence=slice_confidence)
        return self._stream(_named(paths), bundle, decided_by, remember)

    def _stream(
        self, paths: list[str], bundle: Bundle, vote: VoteConfig, remember: bool
    ) -> Iterator[Result]:
        files = files_of(paths)
        with self._shown() as show:
            show(Progress("listening", 0, len(files)))
            found = results(files, bundle, vote, self._open, remember=remember)
            for n_done, result in enumerate(found, start=1):
                show(Progress("listening", n_done, len(files), result.path))
                yield result

    def embed(
        self,
        paths: PathLike | Iterable[PathLike],
        model: Model | PathLike = "",
        *,
        pool: Pool = "mean",
    ) -> Embeddings:
        """Embeddings of files and of all music in folders, kept in the home for the next time.

        Raises
        ------
        BundleError
            The model cannot be used, or gives no embedding.
        """
        check_pool(pool)
        opened = self._model(model)
        bundle = opened.bundle
        files = files_of(_named(paths))
        errors = {file.path: file.reason for file in files if isinstance(file, FileError)}
        usable = [file for file in files if isinstance(file, str)]
        with self._open.embeddings(bundle) as store:
            heard = self._run(fill(store, usable, self._open.workers), errors)
            kept = [path for path in usable if path in heard]
            spans = store.locate([heard[path] for path in kept])
            rows = [pooled(store.embeddings(span), pool) for span in spans]
        X = np.stack(rows) if rows else np.zeros((0, opened.embedding_size), np.float32)
        return Embeddings(X, kept, errors)

    # --- tagging --------------------------------------------------------------------------------

    def scan(self, root: PathLike) -> ScanReport:
        """Read the tags of what is new or has changed in a folder, and count what is there.

        Raises
        ------
        LibraryError
            The folder cannot be read.
        """
        return self._run(scan(text_of(root), self._open.catalogue))

    def plan(
        self,
        root: PathLike,
        model: Model | PathLike = "",
        *,
        mode: TagMode = "fill",
        join: str | None = None,
        min_confidence: float | None = None,
    ) -> Plan:
        """What genres a library's files would get. Writes no music file.

        Parameters
        ----------
        root : path-like
            The library's folder.
        model : Model, str or path-like, optional
        mode : {'fill', 'overwrite', 'append'}
            Only where there is no genre; in place of those that are there; behind them.
        join : str, optional
            Write several genres as one value, with this between them.
        min_confidence : float, optional
            Less sure than this is "I don't know".

        Raises
        ------
        LibraryError
            The folder cannot be read.
        """
        if mode not in get_args(TagMode):
            raise ConfigError(
                f"there is no mode {mode!r}", f"choose {', '.join(get_args(TagMode))}"
            )
        bundle = self._model(model).bundle
        vote = adjusted(bundle.meta.vote, min_confidence=min_confidence)
        name = text_of(root)
        flow = plan_tags(name, bundle, vote, self._open, mode, join=join)
        return Plan(name, self._run(flow).items)

    def read_plan(self, root: PathLike, path: PathLike, *, join: str | None = None) -> Plan:
        """A plan that was written by `Plan.to_csv` and edited. Writes no music file.

        Raises
        ------
        ConfigError
            The table cannot be read, or is none.
        LibraryError
            The folder cannot be read.
        """
        name = text_of(root)
        flow = import_plan(name, Path(text_of(path)), self._open.catalogue, join=join)
        return Plan(name, self._run(flow).items)

    def apply(self, plan: Plan, *, keep_mtime: bool = False) -> ApplyReport:
        """Write the plan's genres into the files; `undo` takes it back, to the byte.

        Each file is written on its own; one that cannot be written is left as it was and is among
        the report's `skipped`. Ctrl-C ends it after the file at hand.

        Parameters
        ----------
        plan : Plan
        keep_mtime : bool
            Leave the files' modification times as they are.

        Raises
        ------
        LibraryError
            Another program is writing tags, or the journal cannot be written.
        """
        due = changes(LibraryPlan(plan.items))
        note = os.path.abspath(plan.root)  # noqa: PTH100 - surrogate-safe text
        with Journal(self.home) as journal:
            flow = apply_changes(
                due,
                journal,
                self._open.catalogue,
                note=note,
                keep_mtime=keep_mtime,
            )
            return self._run(flow)

    def undo(self, run: ApplyReport | int | None = None) -> ApplyReport:
        """Give the files of a run back what they held before.

        Parameters
        ----------
        run : ApplyReport or int, optional
            What `apply` returned, or a run's number; by default the latest that wrote.

        Raises
        ------
        LibraryError
            There is nothing to undo, or another program is writing tags.
        """
        number = run.run_id if isinstance(run, ApplyReport) else run
        with Journal(self.home) as journal:
            if isinstance(run, ApplyReport) and run.journal not in ("", str(journal.path)):
                raise LibraryError(
                    f"run {number} is of the journal {run.journal}",
                    "open a session with the home that it is in",
                )
            flow = undo_run(journal, lambda: nullcontext(self._open.catalogue), number)
            return self._run(flow)

    def runs(self) -> list[Run]:
        """Runs that wrote tags, the latest first, with what became of their changes."""
        with Journal(self.home) as journal:
            return journal.runs()

    # --- learning -------------------------------------------------------------------------------

    def train(
        self,
        root: PathLike,
        out: PathLike,
        *,
        recipe: str = recipes.DEFAULT,
        labels: str = "tags",
        merges: Mapping[str, str] | None = None,
        min_tracks: int = 10,
        only: Sequence[str] | str = (),
        seed: int | None = None,
        fingerprints: bool = True,
        about: str = "",
        licence: str = "unspecified",
        replace: bool = False,
    ) -> Training:
        """Learn genres from labelled music, and write a model.

        Parameters
        ----------
        root : path-like
            Folder with the music.
        out : path-like
            Folder of the model to write.
        recipe : str
            A recipe's name, or a TOML file.
        labels : str
            Where labels are: tags, folders, or a CSV with columns path, genre.
        merges : mapping of str to str, optional
            Genres to be counted as others.
        min_tracks : int
            Genres with fewer tracks are dropped.
        only : sequence of str
            Learn only these; empty: all.
        seed : int, optional
            Of the split and the training; by default the recipe's.
        fingerprints : bool
            Find duplicates by their sound, so that none is on both sides of the split.
        about, licence : str
            Noted in the model.
        replace : bool
            Overwrite a model that was made from other data, labels or recipe.

        Raises
        ------
        BundleError
            Another model is at `out`.
        DataError
            The labels cannot be learned from, with what to do about it.
        MissingExtraError
            The recipe needs a library that is not installed.
        """
        how = recipes.load(recipe).replaced({} if seed is None else {"seed": seed}, "train()")
        wanted = LabelRequest(
            root=text_of(root),
            source=labels,
            merges=dict(merges or {}),
            min_tracks=min_tracks,
            only=_labels(only),
            split=SplitRequest(seed=how.seed),
            fingerprints=fingerprints,
        )
        request = TrainRequest(wanted, Path(text_of(out)), how, about=about, licence=licence)
        report = self._run(train(request, self._open, replace=replace))
        return Training(
            Model(report.bundle),
            report.scores,
            report.confusion,
            report.run_dir,
            report.interrupted,
        )

    def evaluate(
        self,
        model: Model | PathLike,
        root: PathLike,
        *,
        labels: str = "tags",
        merges: Mapping[str, str] | None = None,
        only: Sequence[str] | str = (),
        not_music: Sequence[PathLike] = (),
    ) -> Evaluation:
        """How good a model is on labelled tracks that it has not learned from, nor their artists.

        Parameters
        ----------
        model : Model, str or path-like
        root : path-like
            Folder with the music.
        labels, merges, only
            As in `train`.
        not_music : sequence of path-like
            Folders with sounds that are no music.

        Returns
        -------
        Evaluation
            `track["accuracy"]` and the other scores have a value and a 95 % interval.

        Raises
        ------
        DataError
            No track is left to measure on.
        """
        bundle = self._model(model).bundle
        wanted = LabelRequest(
            text_of(root), labels, dict(merges or {}), min_tracks=1, only=_labels(only)
        )
        flow = evaluate_bundle(
            bundle, bundle.meta.vote, wanted, self._open, not_music=_named(not_music)
        )
        return self._run(flow)

    # --- below ----------------------------------------------------------------------------------

    def _model(self, model: Model | PathLike) -> Model:
        if isinstance(model, Model):
            return model
        return Model(self._open.open_model(text_of(model) if model else ""))

    def _run(self, flow: Workflow[T], errors: dict[str, str] | None = None) -> T:
        """Run a workflow to its end; files that it leaves out go to `errors`."""
        with self._shown() as show:

            def on_event(event: Event) -> None:
                if errors is not None and isinstance(event, FileSkipped):
                    errors[event.path] = event.reason
                show(event)

            return run(flow, on_event)

    @contextmanager
    def _shown(self) -> Iterator[Callable[[Event], object]]:
        """What events are given to."""
        if callable(self._progress):
            yield self._progress
            return
        console = Console(stderr=True)
        can_show = console.is_terminal or console.is_jupyter
        with Bars(console, disable=not (self._progress and can_show)) as bars:
            yield lambda event: bars.show(event) if isinstance(event, Progress) else None


def _named(paths: PathLike | Iterable[PathLike]) -> list[str]:
    if isinstance(paths, (str, bytes, os.PathLike)):
        return [text_of(paths)]
    return [text_of(path) for path in paths]


def _labels(only: Sequence[str] | str) -> tuple[str, ...]:
    return (only,) if isinstance(only, str) else tuple(only)
