"""What a report is written as: rows as text, CSV and LaTeX, and an HTML page.

The page is one file without scripts, and fetches nothing.
"""

from __future__ import annotations

import base64
import csv
import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from siamtrack.evaluation.report.plots import COLORS

STYLE = """
:root { color-scheme: light; --line: #d8dee4; --ink: #1b1f24; --soft: #57606a; }
body { font: 15px/1.5 system-ui, "Liberation Sans", sans-serif; margin: 0 auto; max-width: 1440px;
  padding: 0 1.4rem 4rem; color: var(--ink); background: #fff; }
header { margin: 1.6rem 0 1rem; padding-bottom: .9rem; border-bottom: 1px solid var(--line); }
header p { margin: 0; color: var(--soft); letter-spacing: .04em; }
h1 { font-size: 1.6rem; margin: .1rem 0 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .7rem; }
.notes { background: #fff8e5; border: 1px solid #eed9a0; border-radius: 6px;
  padding: .6rem 1rem .6rem 2rem; }
.plots, .clips { display: grid; gap: 1.2rem; margin-top: 1.2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(290px, 100%), 1fr)); }
svg { width: 100%; height: auto; border: 1px solid var(--line); border-radius: 8px; }
svg text { font: 12px system-ui, "Liberation Sans", sans-serif; fill: var(--ink); }
svg .title { font-size: 14px; font-weight: 600; text-anchor: middle; }
svg .x { text-anchor: middle; } svg .y { text-anchor: end; } svg .grid { stroke: #e6eaee; }
svg polyline:hover { stroke-width: 4; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
video { display: block; width: 100%; max-height: 420px; background: #111; object-fit: contain; }
figcaption { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: .5rem .8rem; }
.note { flex-basis: 100%; color: var(--soft); overflow-wrap: anywhere; }
i { display: inline-block; width: .75em; height: .75em; border-radius: 2px; margin-right: .45em; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; }
th, td { padding: .28rem .8rem; border-bottom: 1px solid var(--line); text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
thead th { border-bottom: 2px solid var(--soft); } tbody tr:hover td { background: #f3f6f9; }
td.best { font-weight: 700; }
@media print { video { display: none; } }
"""


@dataclass(frozen=True)
class Video:
    """An MP4 video of a sequence with the boxes of trackers, and their success on it.

    Attributes:
        sequence: Name of the sequence.
        figures: Tracker to its success.
        video: The MP4 file; empty where the sequence cannot be shown.
        failed: Whether it is shown since even the best tracker fails.
        note: What to say below it, such as why there is no video.
    """

    sequence: str
    figures: Mapping[str, float]
    video: bytes
    failed: bool = False
    note: str = ""


def document(title: str, notes: Sequence[str], sections: Sequence[str]) -> str:
    """Return a page with a title and notes, which are escaped, and sections, which are HTML."""
    escaped = html.escape(title)
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escaped}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><header><p>siamtrack report</p><h1>{escaped}</h1>"
        f"</header>{f'<ul class=notes>{items}</ul>' if items else ''}{''.join(sections)}"
        "</body></html>\n"
    )


def section(title: str, content: str) -> str:
    """Return HTML below a heading, which is escaped."""
    return f"<h2>{html.escape(title)}</h2>{content}"


def _swatch(index: int) -> str:
    return f'<i style="background:{COLORS[index % len(COLORS)]}"></i>'


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    best: bool = False,
    shade: bool = False,
    swatches: bool = False,
) -> str:
    """Return a table; the text of its cells is escaped, and the first cell of a row is its name.

    Args:
        header: Cells of the first row.
        rows: The others.
        best: The highest figure of each row is bold.
        shade: Figures from 0 to 1 color their cells.
        swatches: Rows are trackers, and get the colors of the plots.
    """
    body = []
    for position, row in enumerate(rows):
        figures = [cell for cell in row[1:] if cell != "-"]
        top = max(figures) if best and len(figures) > 1 else None
        cells = []
        for column, cell in enumerate(row):
            kind = " class=best" if column and cell == top else ""
            if shade and column and cell != "-":
                strength = round(38 * min(max(float(cell), 0.0), 1.0))
                kind += f' style="background:hsl(152 60% {100 - strength}%)"'
            mark = _swatch(position) if swatches and not column else ""
            cells.append(f"<td{kind}>{mark}{html.escape(cell)}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    marks = [""] * len(header)
    if not swatches and (best or shade):
        marks = ["", *(_swatch(k) for k in range(len(header) - 1))]
    head = "".join(
        f"<th>{mark}{html.escape(cell)}</th>" for mark, cell in zip(marks, header, strict=True)
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def video_section(videos: Sequence[Video], trackers: Sequence[str]) -> str:
    """Return the videos with the figures of the trackers, in the colors of their ranks."""
    differ = [each for each in videos if not each.failed]
    failed = [each for each in videos if each.failed]
    title = "Where all fail" if len(trackers) > 1 else "Where success is lowest"
    return _clips("Where they differ most", differ, trackers) + _clips(title, failed, trackers)


def _clips(title: str, videos: Sequence[Video], trackers: Sequence[str]) -> str:
    if not videos:
        return ""
    parts = []
    for each in videos:
        data = base64.b64encode(each.video).decode("ascii")
        names = "".join(
            f"<span>{_swatch(trackers.index(name))}{html.escape(name)} {value:.3f}</span>"
            for name, value in each.figures.items()
        )
        shown = (
            f'<video controls loop muted playsinline preload="auto" '
            f'src="data:video/mp4;base64,{data}"></video>'
        )
        note = f"<span class=note>{html.escape(each.note)}</span>" if each.note else ""
        parts.append(
            f"<figure>{shown if each.video else ''}<figcaption>"
            f"<b>{html.escape(each.sequence)}</b>{names}{note}</figcaption></figure>"
        )
    words = "<p>The true box is white; figures are success.</p>"
    grid = f'<section class="clips">{"".join(parts)}</section>'
    return section(title, words + grid)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns: the first to the left, the others to the right.

    Example:
        >>> print(aligned([["tracker", "success"], ["a", "0.5"]]))
        tracker  success
        a            0.5
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def csv_text(rows: Sequence[Sequence[object]]) -> str:
    """Return rows as CSV; lines end with a newline alone."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def latex(rows: Sequence[Sequence[str]], *, comments: Sequence[str] = ()) -> str:
    r"""Return rows as a `tabular` with the rules of booktabs; comments stand before it.

    Example:
        >>> print(latex([["tracker", "sr50"], ["a_b", "0.5"]]))
        \begin{tabular}{lr}
        \toprule
        tracker & sr50 \\
        \midrule
        a\_b & 0.5 \\
        \bottomrule
        \end{tabular}
    """
    lines = [" & ".join(_escaped(cell) for cell in row) + r" \\" for row in rows]
    head = r"\begin{tabular}{l" + "r" * (len(rows[0]) - 1) + "}"
    body = [head, r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*(f"% {comment}" for comment in comments), *body])


def _escaped(text: str) -> str:
    text = text.replace("\\", r"\textbackslash ")
    text = re.sub(r"([_%&#${}])", r"\\\1", text)
    return text.replace("~", r"\textasciitilde ").replace("^", r"\textasciicircum ")
