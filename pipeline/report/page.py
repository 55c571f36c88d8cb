"""The page itself: one file of text, style, script, charting library and data, with no address of another in it."""

from __future__ import annotations

import base64
import html
import importlib.util
import json
import zlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TextIO

from pipeline.core.errors import PoselineError

# In the order in which they stand in the page; one scope holds them all.
SCRIPTS = (
    "data.js", "dom.js", "clock.js", "player.js", "timeline.js", "picker.js", "curves.js", "space.js", "map.js",
    "details.js", "main.js",
)  # fmt: skip


class Page:
    """Writes the page from top to bottom: `put` blocks of data, then `finish` with the facts."""

    def __init__(self, sink: TextIO, title: str):
        self._sink, self._blocks = sink, 0
        text = _part("page.html").replace("{{title}}", html.escape(title)).replace("{{style}}", _part("page.css"))
        head, self._tail = text.split("{{data}}")
        sink.write(head)

    def put(self, text: str) -> int:
        """Add a block of base64; its number."""
        self._sink.write(f'<script type="text/plain" id="b{self._blocks}">{text}</script>\n')
        self._blocks += 1
        return self._blocks - 1

    def finish(self, facts: dict[str, Any]) -> None:
        """Add the facts and the script."""
        self._sink.write(f'<script type="application/json" id="facts">{script_json(facts)}</script>\n')
        script = "\n".join(_part(name) for name in SCRIPTS)
        self._sink.write(self._tail.replace("{{script}}", f'"use strict";\n{{\n{script}\n}}'))


def script_json(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


@cache
def charting_library() -> str:
    """plotly.js as the plotly package brings it, deflated, base64; importing plotly itself would only cost time."""
    spec = importlib.util.find_spec("plotly")
    folders = list(spec.submodule_search_locations or []) if spec else []
    path = Path(folders[0]) / "package_data" / "plotly.min.js" if folders else None
    if path is None or not path.is_file():
        raise PoselineError("plotly: its package is missing or has no plotly.min.js; pip install plotly")
    return base64.b64encode(zlib.compress(path.read_bytes(), 6)).decode("ascii")


def _part(name: str) -> str:
    return files("pipeline.report").joinpath("page", name).read_text(encoding="utf-8")
