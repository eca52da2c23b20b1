"""What workflows say while they work.

A workflow is a generator: it yields events, never prints, and returns its result. Whoever runs it
shows the events in their own way::

    events = scan("Music", catalogue)
    report = run(events, print)
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from earmark.training.settings import Epoch


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` (None: not known yet) at `stage`, just now at `label`."""

    stage: str
    done: int
    total: int | None
    label: str = ""


@dataclass(frozen=True, slots=True)
class FileSkipped:
    """The run goes on without this file or folder."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth knowing that concerns no single file."""

    text: str


Event: TypeAlias = Progress | FileSkipped | Note | Epoch

T = TypeVar("T")
Workflow: TypeAlias = Generator[Event, None, T]


def run(workflow: Workflow[T], on_event: Callable[[Event], object] = lambda _: None) -> T:
    """Run a workflow to its end, handing each event to `on_event`; its result."""
    while True:
        try:
            event = next(workflow)
        except StopIteration as stop:
            result: T = stop.value
            return result
        on_event(event)
