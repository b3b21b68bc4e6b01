"""Tables that scripts write into pages, between two marks that stay."""

from __future__ import annotations

from pathlib import Path


def filled(text: str, marks: tuple[str, str], table: str) -> str:
    """Return the text of a page with a table in place of what stood between its marks."""
    before, begin, rest = text.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f"the page has no {marks[0].strip()} with {marks[1].strip()} behind it")
    return before + begin + table + end + after


def fill(page: Path, marks: tuple[str, str], table: str) -> None:
    """Write a table into a page."""
    text = filled(page.read_text(encoding="utf-8"), marks, table)
    page.write_text(text, encoding="utf-8")
