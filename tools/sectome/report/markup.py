"""The pieces of the page: whatever text goes in is escaped, so that a name from a folder cannot become markup."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from sectome.report.figure_style import png_bytes

NONE = "\N{EN DASH}"
"""Stands where there is no number."""

MINUS = "\N{MINUS SIGN}"
"""As wide as a digit, and no line breaks at it as at a hyphen."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table; numbers are set to the right."""

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
    """Return a heading inside a section, with a note in quiet type."""
    return f"<h3>{html.escape(text)}{f' <small>{html.escape(note)}</small>' if note else ''}</h3>"


def section(title: str, parts: Iterable[str]) -> str:
    """Return a section; its anchor is the title in small letters with hyphens."""
    content = "\n".join(parts)
    return f'<section id="{anchor(title)}">\n<h2>{html.escape(title)}</h2>\n{content}\n</section>'


def anchor(title: str) -> str:
    """Return the anchor of a section."""
    return title.lower().replace(" ", "-")


def picture(figure: Figure, alternative: str, caption: str, kind: str = "") -> str:
    """Return a figure with its caption.

    Args:
        figure: drawn for both light and dark pages.
        alternative: tells those who cannot see it what it shows.
        caption: what everybody reads.
        kind: "plot" for lines, which a dark page may brighten; pictures of tissue stay as they are.
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
    """Return a table; the first cell of each row is its head."""
    head = "".join(
        f'<th scope="col"{_class("n" if cell.number else "")}>{html.escape(cell.text)}</th>' for cell in header
    )
    body = "\n".join(_row(row) for row in rows)
    # The caption stands outside of what scrolls, so that a phone wraps it.
    note = f"\n<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return (
        '<figure>\n<div class="scroll"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>{note}\n</figure>"
    )


def collapsed(title: str, parts: Iterable[str]) -> str:
    """Return something that opens when its title is clicked."""
    content = "\n".join(parts)
    return f"<details>\n<summary>{html.escape(title)}</summary>\n{content}\n</details>"


def preformatted(text: str) -> str:
    """Return lines as they are."""
    return f"<pre>{html.escape(text)}</pre>"


def number_cell(value: float | None, digits: int = 3, best: bool = False, sign: bool = False) -> Cell:
    """Return a cell with a number; a dash stands for none."""
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
