"""Checks of the values in a recipe file; each raises a `ConfigError` that names the place."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from earmark.errors import ConfigError
from earmark.values import UNBOUNDED, Bounds

_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def check_keys(values: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """Refuse a key that is not known, offering the nearest one."""
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key {key}", hint)


def check_table(value: Any, where: str) -> None:
    """Refuse what is not a table."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} is {value!r}, but should be a section of keys and values")


def check_value(value: Any, wanted: Any, where: str, bounds: Bounds = UNBOUNDED) -> None:
    """Refuse a value that is not of the type `wanted`, or a number beyond `bounds`.

    Parameters
    ----------
    value : Any
    wanted : type
        int, float, bool, str, a Literal, or a tuple of any number of one of them; or a mapping
        of str to one of them.
    where : str
        File, section and key, for the message.
    bounds : (float, float)
    """
    if get_origin(wanted) is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where} is {value!r}, but should be a list")
        for item in value:
            check_value(item, get_args(wanted)[0], where, bounds)
    elif get_origin(wanted) is Mapping:
        check_table(value, where)
        for key, item in value.items():
            check_value(item, get_args(wanted)[1], f"{where} {key}", bounds)
    elif get_origin(wanted) is Literal:
        if value not in get_args(wanted):
            known = ", ".join(get_args(wanted))
            raise ConfigError(f"{where} is {value!r}, but should be one of {known}")
    else:
        right: tuple[type, ...] = (int, float) if wanted is float else (wanted,)
        if not isinstance(value, right) or isinstance(value, bool) != (wanted is bool):
            raise ConfigError(f"{where} is {value!r}, but should be {_NAMES[wanted]}")
        if wanted in (int, float):
            _check_bounds(value, bounds, where)


def _check_bounds(value: Any, bounds: Bounds, where: str) -> None:
    low, high = bounds
    # A NaN is within no bounds; infinity makes no sense as any setting.
    if not low <= value <= high or abs(value) == float("inf"):
        if bounds == UNBOUNDED:
            asked = "a finite number"
        elif high == float("inf"):
            asked = f"{low:g} or more"
        else:
            asked = f"from {low:g} to {high:g}"
        raise ConfigError(f"{where} is {value!r}, but should be {asked}")
