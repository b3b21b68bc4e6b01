"""The HTML page of a report: one file, no scripts, nothing fetched."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from siamtrack.evaluation.metrics import (
    NORMALISED_THRESHOLDS,
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
)
from siamtrack.evaluation.plots import Line, line_plot, scatter_plot

if TYPE_CHECKING:
    from siamtrack.evaluation.report import Report

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1500px;
  padding: 0 1.2rem; color: #1b1f24; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(360px, 1fr)); gap: 1.2rem; }
svg { width: 100%; height: auto; border: 1px solid #d8dee4; border-radius: 6px; }
svg text { font: 12px system-ui, sans-serif; fill: #1b1f24; }
svg .title { font-size: 14px; font-weight: 600; text-anchor: middle; }
svg .x { text-anchor: middle; } svg .y { text-anchor: end; } svg .grid { stroke: #e6eaee; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #d8dee4; text-align: right;
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 2px solid #57606a; }
td.best { font-weight: 700; }
"""


def page(report: Report) -> str:
    """Return the page of a report as HTML text."""
    title = html.escape(f"siamtrack report: {report.title()}")
    parts = [
        f"<h1>{title}</h1>",
        _notes(report),
        _summary(report),
        f'<div class="plots">{"".join(_plots(report))}</div>',
        _comparison(report),
        _attributes(report),
        _sequences(report),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], best: bool = False) -> str:
    """Return a table; with `best`, the highest figure of each row is bold."""
    body = []
    for row in rows:
        top = max(row[1:]) if best and len(row) > 2 else None
        cells = "".join(
            f"<td{' class=best' if column and cell == top else ''}>{html.escape(cell)}</td>"
            for column, cell in enumerate(row)
        )
        body.append(f"<tr>{cells}</tr>")
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _notes(report: Report) -> str:
    items = "".join(f"<li>{html.escape(note)}</li>" for note in report.notes)
    return f"<ul>{items}</ul>" if items else ""


def _summary(report: Report) -> str:
    header, *rows = report.summary_rows()
    for row, tracker in zip(rows, report.trackers, strict=True):
        low, high = report.interval(tracker)
        row.insert(2, f"{low:.3f} to {high:.3f}")
        speed = report.speed(tracker)
        row += ["-"] * 2 if speed is None else [f"{speed['p50_ms']:.1f}", f"{speed['p95_ms']:.1f}"]
    header.insert(2, "95 % interval")
    return "<h2>Overall</h2>" + _table([*header, "ms, median", "ms, 95 %"], rows)


def _plots(report: Report) -> list[str]:
    kinds = (
        ("Success", "overlap threshold", "success", SUCCESS_THRESHOLDS),
        ("Precision", "centre error threshold, px", "precision", PRECISION_THRESHOLDS),
        ("Normalised precision", "error threshold", "norm_precision", NORMALISED_THRESHOLDS),
    )
    plots = []
    for title, x_label, metric, thresholds in kinds:
        lines = []
        overall = {name: report.overall(name)[metric] for name in report.trackers}
        for name in sorted(overall, key=lambda key: -overall[key]):
            curves = [getattr(score, f"{metric}_curve") for score in report.of(name)]
            mean = np.mean(curves, axis=0)
            lines.append(Line(f"{name} [{overall[name]:.3f}]", thresholds, mean))
        plots.append(line_plot(title, x_label, "part of frames", lines))
    timed = {name: speed for name in report.trackers if (speed := report.speed(name))}
    if timed:
        points = [
            Line(
                f"{name} [{speed['fps']:.0f} frames/s]",
                np.array([speed["fps"]]),
                np.array([report.overall(name)["success"]]),
            )
            for name, speed in timed.items()
        ]
        plots.append(scatter_plot("Speed and success", "frames per second", "success", points))
    return plots


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
    return "<h2>Success by attribute</h2>" + _table(["attribute", *groups], rows, best=True)


def _sequences(report: Report) -> str:
    values = {name: report.values(name) for name in report.trackers}
    names = list(dict.fromkeys(name for group in values.values() for name in group))
    rows = [
        [name, *(f"{group[name]:.4f}" if name in group else "-" for group in values.values())]
        for name in names
    ]
    return "<h2>Success by sequence</h2>" + _table(["sequence", *values], rows, best=True)
