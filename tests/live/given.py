"""Which numbers a live folder gave to whom, as its JSON lines, its parts and its tables say; and what is wrong in that.

The people of `tests.live.world` stand on three different lines, so the lower edge of a box says whose it is.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipeline.live.segment import ids_file
from pipeline.store.folder import RunFolder
from pipeline.store.parts import read_part

FEET_PX = (232, 207, 182)  # of the three people
_NEAR_PX = 9
_SHARE, _LEAST = 0.2, 10  # a number is of two people where the second has more of its sights, and so many at least

Given = dict[tuple[int, int], Counter[int]]  # (run, number) to how often which of the people was seen under it


def person_of(foot_px: float) -> int | None:
    """Whose box has this lower edge."""
    near = int(np.argmin(np.abs(np.array(FEET_PX) - foot_px)))
    return near if abs(FEET_PX[near] - foot_px) < _NEAR_PX else None


def in_lines(path: Path) -> Given:
    """By a file of JSON lines; each run begins with a line that names the skeleton. A line that a kill cut is none."""
    given: Given = defaultdict(Counter)
    run = -1
    for text in path.read_text(encoding="utf-8").split("\n"):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        run += "skeleton" in line
        for person in line.get("people", []):
            _count(given, run, person["id"], person["box_px"][3] if person["score"] is not None else None)
    return given


def in_parts(segment: Path, run: int) -> Given:
    """By the observations of a segment and their identities, as a kill left them."""
    given: Given = defaultdict(Counter)
    folder, seen, names = RunFolder(segment), list[tuple[int, float]](), dict[int, int]()
    for n, part in enumerate(folder.parts()):
        table = pq.read_table(ids_file(folder, n))
        names |= {int(t): p for t, p in json.loads(table.schema.metadata[b"people"]).items()}
        seen += zip(table["tracklet"].to_pylist(), read_part(part).box_px[:, 3].tolist(), strict=True)
    for tracklet, foot_px in seen:
        if tracklet in names:
            _count(given, run, names[tracklet], foot_px)
    for number in names.values():
        _count(given, run, number, None)
    return given


def in_tables(segment: Path, run: int) -> Given:
    """By the tables of a finished segment."""
    given: Given = defaultdict(Counter)
    for path in (segment / "people").glob("person_*.parquet"):
        table = pq.read_table(path, columns=["score", "box_y2_px"])
        number = int(path.stem.rpartition("_")[2])
        for score, foot_px in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
            _count(given, run, number, foot_px if score is not None and np.isfinite(score) else None)
    return given


def merged(a: Given, b: Given) -> Given:
    return {key: a.get(key, Counter()) + b.get(key, Counter()) for key in {*a, *b}}


def _count(given: Given, run: int, number: int, foot_px: float | None) -> None:
    who = person_of(foot_px) if foot_px is not None else None
    given[run, number].update([] if who is None else [who])


def faults(all_given: dict[str, Given]) -> list[str]:
    """Numbers that two runs gave out, and numbers of two people, by each source and between them."""
    found, runs, people = [], defaultdict(set), defaultdict(dict)
    for source, given in all_given.items():
        for (run, number), seen in given.items():
            runs[number].add(run)
            if not seen:
                continue
            (first, most), *others = seen.most_common(2)
            if most >= _LEAST:
                people[number][source] = first
            if others and others[0][1] >= max(_LEAST, _SHARE * (most + others[0][1])):
                found.append(f"{source}: number {number} is of two people, seen {dict(seen)} times")
    found += [f"number {number} was given out by runs {sorted(some)}" for number, some in runs.items() if len(some) > 1]
    for number, by in people.items():
        if len(set(by.values())) > 1:
            found.append(f"number {number} is of different people: {by}")
    return found
