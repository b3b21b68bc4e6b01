"""The HTML page of a report: one file, no scripts, nothing fetched."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from siamtrack.evaluation.metrics import (
    NORMALISED_THRESHOLDS,
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
)
from siamtrack.evaluation.plots import COLOURS, Line, line_plot, scatter_plot
from siamtrack.evaluation.style import STYLE

if TYPE_CHECKING:
    from siamtrack.evaluation.clips import Clip
    from siamtrack.evaluation.figures import Figures
    from siamtrack.evaluation.report import Report


def page(report: Report, clips: Sequence[Clip] = ()) -> str:
    """Return the page of a report as HTML text."""
    return _page(
        report.title(),
        report.notes,
        [
            _summary(report),
            f'<section class="plots">{"".join(_plots(report))}</section>',
            _clips(report, clips),
            _comparison(report),
            _attributes(report),
            _sequences(report),
        ],
    )


def figures_page(figures: Figures) -> str:
    """Return the page of another protocol's figures as HTML text."""
    plots = []
    for curve in figures.curves:
        lines = []
        for name in figures.trackers:
            value = next(iter(figures.overall[name].values()))
            lines.append(Line(f"{name} [{value:.3f}]", *curve.lines[name]))
        plots.append(line_plot(curve.title, curve.x_label, curve.y_label, lines))
    header, *rows = figures.summary_rows()
    ranking = next(iter(figures.columns))
    names = [name for row in figures.sequences.values() for name in row]
    parts = [
        "<h2>Overall</h2>" + _table(header, rows, swatches=True),
        f'<section class="plots">{"".join(plots)}</section>',
    ]
    for column in dict.fromkeys(
        key for group in figures.sequences.values() for row in group.values() for key in row
    ):
        body = []
        for name in dict.fromkeys(names):
            found = [figures.sequences[t].get(name, {}).get(column) for t in figures.trackers]
            body.append([name, *("-" if value is None else f"{value:.4f}" for value in found)])
        table = _table(["sequence", *figures.trackers], body, shade=column == ranking)
        parts.append(f"<h2>{html.escape(column)} by sequence</h2>{table}")
    return _page(figures.title(), figures.notes, parts)


def _page(title: str, notes: Sequence[str], parts: Sequence[str]) -> str:
    escaped = html.escape(title)
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escaped}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><header><p>siamtrack report</p><h1>{escaped}</h1>"
        f"</header>{f'<ul class=notes>{items}</ul>' if items else ''}{''.join(parts)}"
        "</body></html>\n"
    )


def _swatch(index: int) -> str:
    return f'<i style="background:{COLOURS[index % len(COLOURS)]}"></i>'


def _table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    best: bool = False,
    shade: bool = False,
    swatches: bool = False,
) -> str:
    """Return a table.

    Args:
        header: Cells of the first row.
        rows: The others; the first cell of each is its name.
        best: The highest figure of each row is bold.
        shade: Figures from 0 to 1 colour their cells.
        swatches: Rows are trackers, and get the colours of the plots.
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


def _summary(report: Report) -> str:
    header, *rows = report.summary_rows()
    for row, tracker in zip(rows, report.trackers, strict=True):
        low, high = report.interval(tracker)
        row.insert(2, f"{low:.3f} to {high:.3f}")
        speed = report.speed(tracker)
        row += ["-"] * 2 if speed is None else [f"{speed['p50_ms']:.1f}", f"{speed['p95_ms']:.1f}"]
    header.insert(2, "95 % interval")
    header = [{"norm_precision": "norm. precision", "sr50": "SR 0.5", "sr75": "SR 0.75",
               "ao": "AO"}.get(name, name) for name in header]  # fmt: skip
    return "<h2>Overall</h2>" + _table([*header, "ms, median", "ms, 95 %"], rows, swatches=True)


def _plots(report: Report) -> list[str]:
    kinds = (
        ("Success", "overlap threshold", "success", SUCCESS_THRESHOLDS),
        ("Precision", "centre error threshold, px", "precision", PRECISION_THRESHOLDS),
        ("Normalised precision", "error threshold", "norm_precision", NORMALISED_THRESHOLDS),
    )
    plots = []
    for title, x_label, metric, thresholds in kinds:
        lines, overall = [], {name: report.overall(name)[metric] for name in report.trackers}
        for name in sorted(overall, key=lambda key: -overall[key]):
            curve, colour = report.curve(name, metric), report.trackers.index(name)
            lines.append(Line(f"{name} [{overall[name]:.3f}]", thresholds, curve, colour))
        plots.append(line_plot(title, x_label, "part of frames", lines))
    points = []
    for colour, name in enumerate(report.trackers):
        speed = report.speed(name)
        if speed:
            at, label = np.array([speed["fps"]]), f"{name} [{speed['fps']:.0f} frames/s]"
            points.append(Line(label, at, np.array([report.overall(name)["success"]]), colour))
    if points:
        plots.append(scatter_plot("Speed and success", "frames per second", "success", points))
    return plots


def _clips(report: Report, clips: Sequence[Clip]) -> str:
    if not clips:
        return ""
    figures = []
    for clip in clips:
        data = base64.b64encode(clip.video).decode("ascii")
        names = "".join(
            f"<span>{_swatch(report.trackers.index(name))}{html.escape(name)} {value:.3f}</span>"
            for name, value in clip.figures.items()
        )
        figures.append(
            f'<figure><video controls loop muted playsinline preload="metadata" '
            f'src="data:video/mp4;base64,{data}"></video><figcaption>'
            f"<b>{html.escape(clip.sequence)}</b>{names}</figcaption></figure>"
        )
    return (
        "<h2>Where they differ most</h2><p>The true box is white; figures are success.</p>"
        f'<section class="clips">{"".join(figures)}</section>'
    )


def _comparison(report: Report) -> str:
    if len(report.trackers) < 2:
        return ""
    first, *others = report.trackers
    rows = []
    for other in others:
        test = report.compare(first, other)
        rows.append(
            [
                f"{first} - {other}",
                f"{test.difference:+.4f}",
                f"{test.low:+.4f} to {test.high:+.4f}",
                f"{test.wins} / {test.losses} / {test.ties}",
                f"{test.p_value:.3g}",
            ]
        )
    header = ["success", "difference", "95 % interval", "wins / losses / ties", "p (sign test)"]
    return "<h2>The best against the others, paired by sequence</h2>" + _table(header, rows)


def _attributes(report: Report) -> str:
    groups = {name: report.attributes(name) for name in report.trackers}
    names = sorted({attribute for group in groups.values() for attribute in group})
    if not names:
        return ""
    rows = []
    for name in names:
        found = [group.get(name) for group in groups.values()]
        count = max(value[1] for value in found if value)
        cells = ["-" if value is None else f"{value[0]:.4f}" for value in found]
        rows.append([f"{name} ({count})", *cells])
    table = _table(["attribute", *groups], rows, best=True, shade=True)
    return "<h2>Success by attribute</h2>" + table


def _sequences(report: Report) -> str:
    values = {name: report.values(name) for name in report.trackers}
    names = list(dict.fromkeys(name for group in values.values() for name in group))
    rows = [
        [name, *(f"{group[name]:.4f}" if name in group else "-" for group in values.values())]
        for name in names
    ]
    table = _table(["sequence", *values], rows, best=True, shade=True)
    return "<h2>Success by sequence</h2>" + table
