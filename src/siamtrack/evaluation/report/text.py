"""Rows of text as aligned text, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence


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
