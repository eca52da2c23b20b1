"""What a trainer tells while it runs, as events of a workflow."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from earmark.training.settings import Epoch, Remark, Step
from earmark.workflows.events import Note, Progress, Workflow

if TYPE_CHECKING:
    from earmark.training.fit import Fitted


def relayed(
    flow: Generator[Step | Epoch | Remark, None, Fitted], n_epochs: int
) -> Workflow[Fitted]:
    """Pass the trainer's events on; what is thrown in here reaches the trainer."""
    step = next(flow)
    while True:
        try:
            if isinstance(step, Epoch):
                yield step
            elif isinstance(step, Remark):
                yield Note(step.text)
            else:
                done = (step.epoch - 1) * step.n_steps + step.step
                yield Progress("training", done, n_epochs * step.n_steps, f"epoch {step.epoch}")
            step = next(flow)
        except StopIteration as stop:
            fitted: Fitted = stop.value
            return fitted
        except KeyboardInterrupt as interrupt:
            try:
                step = flow.throw(interrupt)
            except StopIteration as stop:
                fitted = stop.value
                return fitted
