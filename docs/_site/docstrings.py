"""Sphinx extension: two things that autodoc and napoleon get wrong in our docstrings."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
WHAT = ("data", "attribute")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect around napoleon, which has the priority 500."""
    kept: dict[str, list[str]] = {}

    def keep(
        app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
    ) -> None:
        """Remember what is said: napoleon takes what stands before a colon for a type."""
        if what in WHAT:
            kept[name] = list(lines)

    def restore(
        app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
    ) -> None:
        if what in WHAT:
            lines[:] = kept.pop(name, lines)

    def unalias(
        app: Sphinx,
        what: str,
        name: str,
        thing: object,
        options: object,
        signature: str | None,
        returns: str | None,
    ) -> tuple[str | None, str | None]:
        """Write the alias where one stands in a union."""
        return tuple(part and ALIAS.sub(r"\1", part) for part in (signature, returns))  # type: ignore[return-value]

    app.connect("autodoc-process-docstring", keep, priority=400)
    app.connect("autodoc-process-docstring", restore, priority=600)
    app.connect("autodoc-process-signature", unalias)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
