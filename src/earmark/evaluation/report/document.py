"""A small document and its two forms: Markdown, and one HTML file that needs nothing else.

Conventions: text is plain text; whatever stands in it (a genre called ``<script>``, an asterisk)
comes out as it is in both forms.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """Of level 1 (the title) to 3."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A paragraph that stands out."""

    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """What to type, as it is typed."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """The first column names its rows; the others hold figures and stand to the right."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Image:
    """A PNG beside the document, and what one sees in it."""

    file: str
    alt: str


Block = Heading | Paragraph | Notice | Command | Table | Image


def _line(text: str) -> str:
    """On one line, without what cannot be encoded or seen."""
    encodable = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", " ".join(encodable.split()))


# --- Markdown -----------------------------------------------------------------------------------


def to_markdown(blocks: Sequence[Block]) -> str:
    """Markdown with GitHub's tables; images are linked by their file names."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {_escaped(text)}"
        case Paragraph(text):
            return _escaped(text)
        case Notice(text):
            return f"> **Warning:** {_escaped(text)}"
        case Command(text):
            return f"    {_line(text)}"
        case Image(file, alt):
            return f"![{_escaped(alt)}]({file})"
        case Table(head, rows):
            ruler = ("---", *["---:"] * (len(head) - 1))
            lines = [_row(head), f"| {' | '.join(ruler)} |", *map(_row, rows)]
            return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(text: str) -> str:
    # A backslash makes any punctuation literal in CommonMark; these are the ones that mean
    # something anywhere in a line, and below, the list marks, which do at its start.
    inline = re.sub(r"([\\`*_{}\[\]<>#|~&$])", r"\\\1", _line(text))
    return re.sub(r"^(\d*)([-+.)])(?= )", r"\1\\\2", inline)


# --- HTML ---------------------------------------------------------------------------------------

# Refuses all that is not in the file itself: a report can be mailed and opened anywhere.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --line: #ccc; --shade: #f3f3f3;
        --warn: #fff3d6; --warn-line: #b36b00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #161616; --line: #444; --shade: #222; --warn: #33270d;
          --warn-line: #e69f00; } }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink);
       background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
thead th { background: var(--shade); }
tbody th { font-weight: normal; }
pre { padding: .8rem; overflow-x: auto; background: var(--shade); }
img { max-width: 100%; padding: .5rem; background: #fff; border: 1px solid var(--line); }
.warning { padding: .6rem 1rem; background: var(--warn);
           border-left: .3rem solid var(--warn-line); }
"""


def to_html(blocks: Sequence[Block], title: str, images: Mapping[str, bytes]) -> str:
    """One HTML page; `images` holds the PNGs that its `Image` blocks name."""
    body = "\n".join(_html(block, images) for block in blocks)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{_quoted(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""


def _html(block: Block, images: Mapping[str, bytes]) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{_quoted(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{_quoted(text)}</p>"
        case Notice(text):
            return f'<p class="warning"><strong>Warning:</strong> {_quoted(text)}</p>'
        case Command(text):
            return f"<pre><code>{_quoted(text)}</code></pre>"
        case Image(file, alt):
            data = base64.b64encode(images[file]).decode("ascii")
            return f'<p><img src="data:image/png;base64,{data}" alt="{_quoted(alt)}"></p>'
        case Table(head, rows):
            top = "".join(f'<th scope="col">{_quoted(cell)}</th>' for cell in head)
            lines = "\n".join(_html_row(row) for row in rows)
            return (
                f'<div class="wide"><table>\n<thead><tr>{top}</tr></thead>\n'
                f"<tbody>\n{lines}\n</tbody>\n</table></div>"
            )


def _html_row(cells: Sequence[str]) -> str:
    first, *others = map(_quoted, cells)
    figures = "".join(f"<td>{cell}</td>" for cell in others)
    return f'<tr><th scope="row">{first}</th>{figures}</tr>'


def _quoted(text: str) -> str:
    return html.escape(_line(text), quote=True)
