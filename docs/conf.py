"""Settings of the documentation site: `make docs` builds it."""

from __future__ import annotations

import sys
from pathlib import Path

import optuna

import siamtrack
import siamtrack.tuning.study

# Tuning imports optuna when it searches; here it lets autodoc read the annotations
siamtrack.tuning.study.optuna = optuna

sys.path.insert(0, str(Path(__file__).parent / "_site"))

project = "siamtrack"
author = "The siamtrack authors"
copyright = author
version = release = siamtrack.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "model_cards",
    "docstrings",
]
exclude_patterns = ["_build", "_site", "_static"]

# pages are read on the forge as well: headings have the anchors that it gives them
myst_heading_anchors = 3

# docstrings mark code by single backticks
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {
    name: name for name in ("Array", "ArrayLike", "Floats", "Image", "Map", "Source")
}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"siamtrack {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_show_sphinx = False
html_copy_source = False
