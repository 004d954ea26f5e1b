"""HTML elements of the page. All text is escaped, so that a folder's name cannot become markup."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from sectome.report.figure_style import png_bytes

NONE = "\N{EN DASH}"
"""Placeholder for a missing number."""

MINUS = "\N{MINUS SIGN}"
"""Minus sign: as wide as a digit and, unlike a hyphen, without a line break."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table; numbers are right-aligned."""

    text: str
    number: bool = False
    best: bool = False


@dataclass(frozen=True)
class Row:
    """A row of a table; `kind` is its class in the style sheet."""

    cells: Sequence[Cell]
    kind: str = ""


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph."""
    return f"<p{_class(kind)}>{html.escape(text)}</p>"


def heading(text: str, note: str = "") -> str:
    """Return a heading inside a section, with an optional note in small type."""
    return f"<h3>{html.escape(text)}{f' <small>{html.escape(note)}</small>' if note else ''}</h3>"


def section(title: str, parts: Iterable[str]) -> str:
    """Return a section with its title and anchor."""
    content = "\n".join(parts)
    return f'<section id="{anchor(title)}">\n<h2>{html.escape(title)}</h2>\n{content}\n</section>'


def anchor(title: str) -> str:
    """Return a section's anchor: its title in lower case with hyphens."""
    return title.lower().replace(" ", "-")


def picture(figure: Figure, alternative: str, caption: str, kind: str = "") -> str:
    """Return a figure with its caption.

    Args:
        figure: figure that suits both light and dark pages.
        alternative: alternative text for those who cannot see the figure.
        caption: text below the figure.
        kind: "plot" for line plots, which a dark page may brighten; empty for pictures of tissue.
    """
    data = base64.b64encode(png_bytes(figure)).decode("ascii")
    width, height = (round(inches * 96) for inches in figure.get_size_inches())
    image = (
        f'<img alt="{html.escape(alternative)}" width="{width}" height="{height}" src="data:image/png;base64,{data}">'
    )
    return (
        f'<figure{_class(kind)}>\n<div class="scroll">{image}</div>\n'
        f"<figcaption>{html.escape(caption)}</figcaption>\n</figure>"
    )


def table(header: Sequence[Cell], rows: Iterable[Row], caption: str) -> str:
    """Return a table; the first cell of each row is its header."""
    head = "".join(
        f'<th scope="col"{_class("n" if cell.number else "")}>{html.escape(cell.text)}</th>' for cell in header
    )
    body = "\n".join(_row(row) for row in rows)
    # The caption is outside of the scrolling element, so that a phone wraps it.
    note = f"\n<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return (
        '<figure>\n<div class="scroll"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>{note}\n</figure>"
    )


def collapsed(title: str, parts: Iterable[str]) -> str:
    """Return a collapsed element that opens when its title is clicked."""
    content = "\n".join(parts)
    return f"<details>\n<summary>{html.escape(title)}</summary>\n{content}\n</details>"


def preformatted(text: str) -> str:
    """Return preformatted text."""
    return f"<pre>{html.escape(text)}</pre>"


def number_cell(value: float | None, digits: int = 3, best: bool = False, sign: bool = False) -> Cell:
    """Return a cell with a number, or a dash for None and NaN."""
    if value is None or math.isnan(value):
        return Cell(NONE, number=True)
    text = f"{value:{'+' if sign else ''},.{digits}f}"
    return Cell(text.replace("-", MINUS), number=True, best=best)


def _row(row: Row) -> str:
    first, *others = row.cells
    cells = [f'<th scope="row">{html.escape(first.text)}</th>']
    for cell in others:
        kind = " ".join(name for name, applies in (("n", cell.number), ("best", cell.best)) if applies)
        cells.append(f"<td{_class(kind)}>{html.escape(cell.text)}</td>")
    return f"<tr{_class(row.kind)}>{''.join(cells)}</tr>"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
