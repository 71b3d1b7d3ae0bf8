"""Extension for the site: Markdown of docstrings."""

import re
from typing import Any

from griffe import Extension, Object


class Doctests(Extension):
    """Put doctests in fenced code blocks, and shapes with optional axes, such as (n[, c][, d]), in code."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring:
            text = re.sub(r"^(>>> .*(?:\n.+)*)", r"```pycon\n\1\n```", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"\(([\w, ]+(?:\[, \w+\])+)\)", r"`(\1)`", text)
