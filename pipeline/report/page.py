"""The page itself: one file of text, style, script, charting library and data, without any external address."""

from __future__ import annotations

import html
import json
import re
from importlib.resources import files
from typing import Any, TextIO

from pipeline.core.names import written
from pipeline.report.pack import Block, deflated_bytes

# In the order in which they stand in the page; one scope holds them all.
SCRIPTS = (
    "decode.js", "data.js", "dom.js", "clock.js", "player.js", "timeline.js", "picker.js", "curves.js", "space.js",
    "map.js", "details.js", "main.js",
)  # fmt: skip


class Page:
    """Writes the page from top to bottom: `put` blocks of data, then `finish` with the facts."""

    def __init__(self, sink: TextIO, title: str):
        self._sink, self._names = sink, set[str]()
        head, self._tail = _part("page.html").split("{{data}}")
        sink.write(_filled(head, {"title": html.escape(title), "style": _part("page.css")}))

    def put(self, name: str, block: Block) -> str:
        """Add a block of numbers under a name, by which the facts refer to it; returns the name.

        ValueError where there is one of this name already.
        """
        if name in self._names:
            raise ValueError(f"{name}: the page has a block of this name already")
        self._names.add(name)
        told = f'id="block-{name}" data-kind="{block.kind}" data-rows="{block.rows}" data-columns="{block.columns}"'
        self._sink.write(f'<script type="text/plain" {told}>{block.text}</script>\n')
        return name

    def finish(self, facts: dict[str, Any]) -> None:
        """Add the facts and the script."""
        self._sink.write(f'<script type="application/json" id="facts">{script_json(facts)}</script>\n')
        script = "\n".join(_part(name) for name in SCRIPTS)
        self._sink.write(_filled(self._tail, {"script": f'"use strict";\n{{\n{script}\n}}'}))


def _filled(template: str, values: dict[str, str]) -> str:
    """The template with each ``{{name}}`` replaced once; a ``{{name}}`` inside a value is not replaced."""
    return re.sub(r"\{\{(\w+)\}\}", lambda name: values[name[1]], template)


def script_json(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it can end the element or open a comment."""
    text = written(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def charting_library() -> Block:
    """plotly.js, as `scripts/import_plotly.py` packed it."""
    return deflated_bytes(files("pipeline.report").joinpath("page", "plotly.min.js.z").read_bytes())


def _part(name: str) -> str:
    return files("pipeline.report").joinpath("page", name).read_text(encoding="utf-8")
