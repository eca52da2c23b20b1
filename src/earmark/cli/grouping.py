"""Groups of options: dataclasses that several commands take, and help that begins with the usual.

A command takes a group as one parameter, and a person each of its fields as an option. Options that
few people need are hidden from ``--help``; ``--help-all`` shows them as well.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.core import TyperOption


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer is to see it: with an option for each field of its groups."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {
        n: hint for n, hint in hints.items() if dataclasses.is_dataclass(hint)
    }
    parameters = []
    for name, own in inspect.signature(command).parameters.items():
        if name in groups:
            parameters += _fields(groups[name])
        else:
            parameters.append(_parameter(name, own.default, hints[name]))
    if any(_is_hidden(parameter.annotation) for parameter in parameters):
        parameters.append(_parameter("help_all", False, _HelpAll))

    @wraps(command)
    def run(**given: Any) -> None:
        given.pop("help_all", None)
        for name, group in groups.items():
            given[name] = group(**{f.name: given.pop(f.name) for f in dataclasses.fields(group)})
        command(**given)

    # What typer asks; the groups themselves it could make nothing of.
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def _fields(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [_parameter(f.name, f.default, hints[f.name]) for f in dataclasses.fields(group)]


def _parameter(name: str, default: Any, annotation: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _is_hidden(annotation: Any) -> bool:
    return any(getattr(said, "hidden", False) for said in get_args(annotation))


def _show_all(ctx: typer.Context, wanted: bool) -> None:
    if wanted:
        for parameter in ctx.command.params:
            if isinstance(parameter, TyperOption):
                parameter.hidden = False
        typer.echo(ctx.get_help())
        raise typer.Exit


_HelpAll = Annotated[
    bool,
    typer.Option(
        "--help-all", callback=_show_all, is_eager=True, help="Show the seldom-used options too."
    ),
]
