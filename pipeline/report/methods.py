"""The methods section of a paper about a run: methods.md and methods.txt, and the page's section."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pipeline.core.errors import PoselineError
from pipeline.report import facts as say
from pipeline.report.blocks import Table
from pipeline.report.methods_facts import RunFacts
from pipeline.report.methods_quantities import quantities, scale, space
from pipeline.report.methods_signal import processing
from pipeline.report.methods_sources import AUTHORS, POSELINE, SOURCES
from pipeline.report.methods_video import estimation, people, software, video
from pipeline.store.atomic import write_text
from pipeline.store.columns import person_name
from pipeline.store.folder import RunFolder
from pipeline.store.people_table import people_rows

# In their order: titles, and functions that write sentences; a part without a sentence is left out.
PARTS: tuple[tuple[str, Callable[[RunFacts], list[str]]], ...] = (
    ("Video", video),
    ("Pose estimation", estimation),
    ("People", people),
    ("Signal processing", processing),
    ("Scale", scale),
    ("Three dimensions", space),
    ("Quantities", quantities),
    ("Software", software),
)
OF_PEOPLE = (processing, scale, space, quantities)  # left out where nobody was found
_CITED = re.compile(r"\[([@=])([a-z0-9_;]+)\]")  # [@a;b]: in brackets; [=a]: bare
_MARKDOWN = re.compile(r"([\\`*_<>\[\]#|])")


class Methods(NamedTuple):
    """The section: paragraphs with titles, and the references that they cite."""

    parts: list[tuple[str, str]]
    references: list[str]

    @property
    def text(self) -> str:
        """As plain text, a paragraph a line."""
        lines = ["Methods", "", *(f"{title}. {text}\n" for title, text in self.parts), "References", ""]
        return "\n".join([*lines, *self.references]) + "\n"

    @property
    def markdown(self) -> str:
        """As Markdown."""
        parts = [f"**{title}.** {_escaped(text)}\n" for title, text in self.parts]
        return (
            "\n".join(["# Methods", "", *parts, "## References", "", *(f"- {_escaped(r)}" for r in self.references)])
            + "\n"
        )


def methods_of(facts: RunFacts) -> Methods:
    """The section for a run: what run.json and its tables say, and nothing where they say nothing."""
    cited: dict[str, None] = {}

    def cite(match: re.Match[str]) -> str:
        keys = match[2].split(";")
        if not all(key in SOURCES for key in keys):  # a name of the user's that looks so
            return match[0]
        cited.update(dict.fromkeys(keys))
        named = "; ".join(SOURCES[key].short for key in keys)
        return f"({named})" if match[1] == "@" else named

    told = [(title, write) for title, write in PARTS if facts.people or write not in OF_PEOPLE]
    parts = [(title, " ".join(sentences)) for title, write in told if (sentences := write(facts))]
    parts = [(title, _CITED.sub(cite, text)) for title, text in parts]
    version = f", version {facts.version}" if facts.version else ""
    own = f"{AUTHORS}. {POSELINE}{version} [software]."
    return Methods(parts, sorted([own, *(SOURCES[key].full for key in cited)], key=str.casefold))


def write_methods(folder: RunFolder) -> Methods:
    """Write methods.md and methods.txt of a finished run; returns the section.

    PoselineError where the run is not finished, a table is missing or damaged, or a file cannot be written.
    """
    manifest = folder.manifest()
    if not manifest.get("finished"):
        raise PoselineError(f"{folder.path}: the run is not finished; run poseline run on the video again to go on")
    rows = people_rows(folder)
    tables = (Table(folder.people / f"{person_name(int(row['person_id']))}.parquet") for row in rows)
    columns = frozenset(name for table in tables for name in table.names)
    quality = say.read_csv(folder.path / "quality.csv")
    methods = methods_of(RunFacts(manifest, rows, columns, quality, folder.drawn.is_file()))
    write_text(folder.methods_md, methods.markdown)
    write_text(folder.methods_txt, methods.text)
    return methods


def renew_methods(folder: RunFolder) -> list[Path]:
    """Write the files again where they are, so that they tell of the tables as they are; returns those written."""
    if not (folder.methods_md.is_file() or folder.methods_txt.is_file()):
        return []
    write_methods(folder)
    return [folder.methods_md, folder.methods_txt]


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)
