"""Which numbers a live folder gave to whom, as its JSON lines, its parts and its tables say; and what is wrong in that.

The people of `tests.live.world` stand on three different lines, so the height of a foot says whose it is.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from pipeline.live.segment import ids_file
from pipeline.motion.boxes import BELOW, SHARE
from pipeline.store.folder import RunFolder
from pipeline.store.parts import read_part

FEET_PX = (232, 207, 182)  # of the three people
_NEAR_PX = 9
_SHARE, _LEAST = 0.2, 10  # a number is of two people where the second has more of its sights, and so many at least
_ANKLE = 16  # the point of `tests.live.world` that is the lowest


class Sight(NamedTuple):
    """Somebody was seen under a number; ``person`` is None where it is not clear who, ``frame`` is -1 for no sight."""

    run: int
    number: int
    segment: str
    frame: int
    person: int | None


def person_of(foot_px: float | None) -> int | None:
    """Whose feet are at this height."""
    if foot_px is None or not np.isfinite(foot_px):
        return None
    near = int(np.argmin(np.abs(np.array(FEET_PX) - foot_px)))
    return near if abs(FEET_PX[near] - foot_px) < _NEAR_PX else None


def in_lines(path: Path) -> list[Sight]:
    """By a file of JSON lines; each run begins with a line that names the skeleton. A line that a kill cut is none."""
    found: list[Sight] = []
    run = -1
    for text in path.read_text(encoding="utf-8").split("\n"):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        run += "skeleton" in line
        for person in line.get("people", []):
            frame = -1 if person["score"] is None else line["frame"]
            who = person_of(_foot_of_fitted(person["box_px"]))
            found.append(Sight(run, person["id"], line["segment"], frame, who))
    return found


def _foot_of_fitted(box_px: list[float]) -> float:
    """The feet of a person by the box that `pipeline.motion.boxes.fitted` makes of box and pose.

    The pose alone would not do: lines hold its smoothed form, which lags where a number goes over to somebody else.
    """
    return box_px[3] - SHARE * BELOW * (box_px[3] - box_px[1])


def in_parts(segment: Path, run: int) -> list[Sight]:
    """By the observations of a segment and their identities, as a kill left them."""
    folder, seen, names = RunFolder(segment), list[tuple[int, int, float]](), dict[int, int]()
    for n, part in enumerate(folder.parts()):
        table, obs = pq.read_table(ids_file(folder, n)), read_part(part)
        names |= {int(t): p for t, p in json.loads(table.schema.metadata[b"people"]).items()}
        feet = obs.keypoints_px[:, _ANKLE, 1].tolist()
        seen += zip(table["tracklet"].to_pylist(), obs.frame.tolist(), feet, strict=True)
    named = [Sight(run, number, segment.name, -1, None) for number in names.values()]
    sights = [Sight(run, names[t], segment.name, f, person_of(foot)) for t, f, foot in seen if t in names]
    return named + sights


def in_tables(segment: Path, run: int) -> list[Sight]:
    """By the tables of a finished segment."""
    found: list[Sight] = []
    for path in (segment / "people").glob("person_*.parquet"):
        table = pq.read_table(path, columns=["frame", "score", "right_ankle_y_px_raw"])
        number = int(path.stem.rpartition("_")[2])
        for frame, score, foot in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
            seen = score is not None and np.isfinite(score)
            found.append(Sight(run, number, segment.name, frame if seen else -1, person_of(foot)))
    return found


def faults(by: dict[str, list[Sight]]) -> list[str]:
    """Numbers that two runs gave out, numbers of two people, and sights of which two sources say different things."""
    found = _of_two_people(by)
    runs: dict[int, set[int]] = defaultdict(set)
    for sight in chain(*by.values()):
        runs[sight.number].add(sight.run)
    found += [f"number {number} was given out by runs {sorted(some)}" for number, some in runs.items() if len(some) > 1]
    said: dict[tuple[str, int, int], dict[str, int]] = defaultdict(dict)  # segment, frame, person: who says what number
    for source, sights in by.items():
        for sight in sights:
            if sight.frame >= 0 and sight.person is not None:
                said[sight.segment, sight.frame, sight.person][source] = sight.number
    found += [f"segment, frame, person {key}: {some}" for key, some in said.items() if len(set(some.values())) > 1]
    return found


def _of_two_people(by: dict[str, list[Sight]]) -> list[str]:
    found: list[str] = []
    for source, sights in by.items():
        given: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
        for sight in sights:
            given[sight.run, sight.number].update([] if sight.person is None or sight.frame < 0 else [sight.person])
        for (_, number), seen in given.items():
            second = sorted(seen.values())[-2] if len(seen) > 1 else 0
            if second >= max(_LEAST, _SHARE * seen.total()):
                found.append(f"{source}: number {number} is of two people, seen {dict(seen)} times")
    return found
