"""What every verb prints with: the two consoles, progress, and file names made safe to show."""

from __future__ import annotations

import sys
import unicodedata
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from earmark.events import Epoch, Event, FileSkipped, Note, Progress, Workflow, run

T = TypeVar("T")


def out() -> Console:
    """For results. Not cut to a terminal's width when they go to a file or a pipe."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    return console


def err() -> Console:
    """For progress and complaints."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def complain(message: str) -> None:
    """One line on stderr."""
    print(f"earmark: {shown(message)}", file=sys.stderr)  # noqa: T201


def shown(text: str) -> str:
    """Text that cannot upset a terminal: no control characters, no undecodable bytes."""
    decodable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join("�" if unicodedata.category(c) == "Cc" and c != "\n" else c for c in decodable)


def cell(text: str, style: str = "") -> Text:
    """A table cell whose text is never taken for markup."""
    return Text(shown(text).replace("\n", " "), style=style)


def _line(event: Note | Epoch) -> str:
    if isinstance(event, Note):
        return f"{event.path}: {event.text}" if event.path else event.text
    return (
        f"epoch {event.epoch}: training loss {event.train_loss:.3f},"
        f" validation loss {event.valid_loss:.3f}, {event.valid_accuracy:.1%} of tracks right"
        + (" (best so far)" if event.best else "")
    )


def skipped(event: FileSkipped) -> Text:
    """The line on stderr that says so."""
    return cell(f"skipped: {event.path}: {event.reason}")


def follow(
    flow: Workflow[T], *, quiet: bool = False, held: list[FileSkipped] | None = None
) -> tuple[T, int]:
    """Run a workflow, showing its events.

    Ctrl-C is thrown into the workflow, which may have something to save.

    Parameters
    ----------
    held : list of FileSkipped, optional
        Takes the files that the workflow complains about; they are not shown then.

    Returns
    -------
    result
        What the workflow returned.
    n_skipped : int
        Files that it complained about.
    """
    from earmark.progress import Bars

    console = err()
    n_skipped = 0
    with Bars(console, disable=quiet or not console.is_terminal) as bars:

        def show(event: Event) -> None:
            nonlocal n_skipped
            if isinstance(event, Progress):
                bars.show(event)
            elif isinstance(event, FileSkipped):
                n_skipped += 1
                if held is None:
                    console.print(skipped(event))
                else:
                    held.append(event)
            elif not quiet:
                console.print(Text(shown(_line(event))))

        return run(flow, show), n_skipped
