"""For the site: the examples in docstrings as code."""

import re
from typing import Any

from griffe import Extension, Object


class Doctests(Extension):
    """Fences what begins with >>>."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^(>>> .*(?:\n.+)*)", r"```pycon\n\1\n```", obj.docstring.value, flags=re.MULTILINE
            )
