"""What all pictures have in common: colours, saving, texts, axes.

Conventions: every drawing function writes one PNG of 120 dpi to `path`. Colours are those of Okabe
& Ito, which the colour-blind can tell apart; shape or hatching says the same once more. Figures are
made without pyplot: no global state, no display, nothing to close.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#666666"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    with warnings.catch_warnings():
        # A script that the font lacks is drawn as boxes; no reason to complain in a terminal.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path, dpi=120)


def literal(text: str, longest: int = 60) -> str:
    """Text that matplotlib neither takes for a formula nor fails to draw."""
    drawable = text.encode("utf-8", "backslashreplace").decode("utf-8")
    one_line = " ".join(drawable.split())
    short = one_line if len(one_line) <= longest else one_line[: longest - 1] + "…"
    return short.replace("$", r"\$")


def as_shares(axes: Axes, *, x: bool = False, y: bool = False) -> None:
    """Show the values of an axis in per cent, with a grid behind the drawing."""
    for axis, wanted in ((axes.xaxis, x), (axes.yaxis, y)):
        if wanted:
            axis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
            axis.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
