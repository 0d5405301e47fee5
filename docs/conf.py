"""How the site is built: `make docs`, or `sphinx-build -W docs build/docs`."""

import auxrnn

project = "auxrnn"
author = "The auxrnn contributors"
copyright = author
version = release = auxrnn.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["figures.py"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

default_role = "code"  # docstrings write `name`
autodoc_member_order = "bysource"
autodoc_typehints = "both"
python_maximum_signature_line_length = 88  # one parameter a line, with its default
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"auxrnn {version}"
