"""What long work says while it goes on: the one language of workflows, learners and stores.

A workflow is a generator: it yields events, never prints, and returns its result. Whoever runs it
shows the events in their own way::

    events = scan("Music", catalogue)
    report = run(events, print)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar


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
    """Something worth knowing; about the file at `path`, or, where that is empty, about none."""

    text: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch of a training is over.

    Losses are mean negative log-likelihoods; `valid_*` are per track.

    `wait_s` of its `seconds` the trainer had nothing to do until a batch had been read; `cpu_s` is
    processor time, of all threads together.
    """

    epoch: int
    train_loss: float
    valid_loss: float
    valid_accuracy: float
    seconds: float
    wait_s: float
    best: bool
    cpu_s: float = 0.0


Event: TypeAlias = Progress | FileSkipped | Note | Epoch

T = TypeVar("T")
Workflow: TypeAlias = Generator[Event, None, T]


def run(workflow: Workflow[T], on_event: Callable[[Event], object] = lambda _: None) -> T:
    """Run a workflow to its end, handing each event to `on_event`; its result.

    Ctrl-C is thrown into the workflow, which may have something to save.
    """
    interrupt: KeyboardInterrupt | None = None
    while True:
        try:
            event = workflow.throw(interrupt) if interrupt else next(workflow)
            interrupt = None
            on_event(event)
        except StopIteration as stop:
            result: T = stop.value
            return result
        except KeyboardInterrupt as e:
            if inspect.getgeneratorstate(workflow) == inspect.GEN_CLOSED:
                raise
            interrupt = e
