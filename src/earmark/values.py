"""Settings as plain values, each checked against the type that its dataclass gives it."""

from __future__ import annotations

import dataclasses
import math
import reprlib
import sys
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

from earmark.errors import BundleError

Bounds = tuple[float, float]

UNBOUNDED: Bounds = (-math.inf, math.inf)

_TRAIN_AGAIN = "get or train the model again"
_UPGRADE = "upgrade earmark, or train the model again"
_KINDS: dict[Any, str] = {bool: "true or false", str: "a text", bytes: "bytes"}


def within(default: Any, low: float, high: float = math.inf) -> Any:
    """A field whose value, or each of whose values, lies within [low, high]."""
    return field(default=default, metadata={"bounds": (low, high)})


class Recipe:
    """Base of the recipe's parts: to and from plain dicts, strict about keys and values."""

    __slots__ = ()

    called: ClassVar[str] = "the recipe's"
    """What stands before the name of a setting in messages."""

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Refuses (`BundleError`) what is not known, lacks, or is of another type or beyond bounds.

        Fields of literal types are left to those who know what this version can do.
        """
        if not isinstance(values, Mapping):
            raise BundleError(
                f"where {cls.__name__} should be, there are no settings but {reprlib.repr(values)}",
                _TRAIN_AGAIN,
            )
        fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - set(fields))
        if unknown:
            raise BundleError(
                f"{cls.__name__} has settings that this version does not know: {_names(unknown)}",
                _UPGRADE,
            )
        needed = {name for name, f in fields.items() if _is_needed(f)}
        missing = sorted(needed - set(values))
        if missing:
            raise BundleError(f"{cls.__name__} lacks {', '.join(missing)}", _TRAIN_AGAIN)
        own: Any = cls
        hints = _hints(own)
        return cls(
            **{
                name: _parsed(
                    value,
                    hints[name],
                    f"{cls.called} {name}",
                    fields[name].metadata.get("bounds", UNBOUNDED),
                )
                for name, value in values.items()
            }
        )


def _names(unknown: list[str]) -> str:
    """Of strangers' making: such as can be shown, and not without end."""
    return ", ".join(n if n.isprintable() else repr(n) for n in unknown)[:200]


def _is_needed(f: dataclasses.Field[Any]) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _parsed(value: Any, wanted: Any, what: str, bounds: Bounds) -> Any:
    """The value as the field holds it: a list as a tuple, settings as their class."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is UnionType:  # something, or None
        (wanted,) = set(inner) - {NoneType}
        return None if value is None else _parsed(value, wanted, what, bounds)
    if isinstance(wanted, type) and issubclass(wanted, Recipe):
        return value if isinstance(value, wanted) else wanted.from_dict(value)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise _fault(value, what, "list")
        return tuple(_parsed(item, inner[0], what, bounds) for item in value)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise _fault(value, what, "table of keys and values")
    elif wanted in (int, float):
        _require_number(value, what, wanted is int, bounds)
    elif wanted in _KINDS and not _is_one(value, wanted):
        raise BundleError(
            f"{what} is {reprlib.repr(value)}, but should be {_KINDS[wanted]}", _TRAIN_AGAIN
        )
    elif origin is not Literal and wanted not in (Any, *_KINDS):
        raise TypeError(f"{what} is of a type that cannot be checked: {wanted}")
    return value


def _is_one(value: Any, wanted: type) -> bool:
    # Half of a pair of surrogates is no text that could be written anywhere.
    is_text = isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)
    return is_text if wanted is str else isinstance(value, wanted)


def _require_number(value: Any, what: str, whole: bool, bounds: Bounds) -> None:
    low, high = bounds
    right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    # A NaN is within no bounds.
    most = sys.float_info.max
    if not (right and -most <= value <= most and low <= value <= high):
        asked = ("whole " if whole else "") + "number" + _told(low, high)
        raise _fault(value, what, asked)


def _told(low: float, high: float) -> str:
    if math.isfinite(high):
        return f" from {low:g} to {high:g}"
    return f" from {low:g}" if math.isfinite(low) else ""


def _fault(value: Any, what: str, asked: str) -> BundleError:
    return BundleError(f"{what} is {reprlib.repr(value)}, which is no {asked}", _TRAIN_AGAIN)
