"""Sphinx extension: a page for each model in the package, written from its card at each build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sphinx.application import Sphinx

from siamtrack.packages.card import DEFAULT, Card, model_folder, model_names, model_paths, read_card

FOLDER = "cards"
KINDS = {
    "box": "box head: a score and the four sides of the box at every cell, and whether the target "
    "is there at all",
    "response": "SiamFC: one response at every cell, searched in several scales",
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for pages."""
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir)))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(docs: Path) -> list[Path]:
    """Write `cards/NAME.md` below `docs`, and drop pages of models that are gone."""
    folder = docs / FOLDER
    folder.mkdir(exist_ok=True)
    pages = {folder / f"{name}.md": page(name) for name in model_names()}
    for path in set(folder.glob("*.md")) - set(pages):
        path.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return list(pages)


def page(name: str) -> str:
    """Return the page of one packaged model."""
    card = read_card(model_folder(name))
    default = " It is what `siamtrack.load()` loads." if name == DEFAULT else ""
    settings = card.tracker
    rows = [
        ("kind", KINDS[card.kind]),
        ("patches", f"template {card.template} px, search {card.search} px, stride {card.stride}"),
        ("license", card.license),
        ("trained on", card.trained_on),
        (
            "states",
            f"tracked from a score of {settings.presence.tracked_from:g}, lost below "
            f"{settings.presence.lost_below:g}",
        ),
        ("cosine window, penalty", f"{settings.window:g}, {settings.penalty:g}"),
        ("rate of the size", f"{settings.size_rate:g}"),
        ("least score for the size", f"{settings.size_floor:g}"),
        *_of_the_kind(card),
    ]
    scores = [(what, f"{value:g}") for what, value in card.scores.items()]
    files = [
        (f"`{path.name}`", f"{path.stat().st_size / 1e6:.2f} MB", f"`{digest}`")
        for path, digest in zip(model_paths(name)[1:], card.sha256.values(), strict=True)
    ]
    return "\n".join(
        [
            f"# {name}",
            "",
            f"{card.summary}{default}",
            "",
            *_table(("", ""), rows),
            "",
            "## Measured",
            "",
            *_table(("", ""), scores),
            "",
            "## Files",
            "",
            "Every file is verified by its full hash whenever it is loaded.",
            "",
            *_table(("file", "size", "sha256"), files),
            "",
            "This page was made from `card.json` of the package, as `siamtrack models` prints it.",
            "",
        ]
    )


def _of_the_kind(card: Card) -> list[tuple[str, str]]:
    """Rows about settings that only one kind of model has."""
    settings = card.tracker
    if card.kind == "box":
        return [("share of the online classifier", f"{settings.online.weight:g}")]
    scales = f"{settings.scales}, a factor of {settings.scale_step:g} apart"
    return [
        ("scales", f"{scales}, searched in every frame whose number {settings.scale_every} divides")
    ]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
