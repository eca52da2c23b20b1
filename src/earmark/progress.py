"""Progress of long work, shown as bars in a terminal or a notebook."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from earmark import events


class Bars:
    """A bar for each stage of some work, gone when it is over; a context manager.

    Parameters
    ----------
    console : Console
        Where they are shown.
    disable : bool
        Show none.
    """

    def __init__(self, console: Console, *, disable: bool = False) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=console,
            disable=disable,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bars.stop()

    def show(self, event: events.Progress) -> None:
        """Move the bar of the event's stage, which appears with its first event."""
        if event.stage not in self._tasks:
            self._tasks[event.stage] = self._bars.add_task(event.stage, total=event.total)
        self._bars.update(self._tasks[event.stage], completed=event.done, total=event.total)
