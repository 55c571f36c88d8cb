"""The page's data of each person: spans of presence, curves, the body in space, the path on the floor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.measure.scale import row_seconds
from pipeline.report.columns import CONTACTS, GROUPS, Column
from pipeline.report.pack import Block, packed, packed_ints, thinned
from pipeline.store.checked import TableFile
from pipeline.store.columns import person_of

Put = Callable[[str, Block], str]  # stores a block under a name and returns its name in the facts
_BYTES_PER_VALUE = 1.7  # bytes of a curve's value, packed and as text, measured on the demo clip and on vtest.avi
_BYTES_PER_JOINT = 4.5  # bytes of a joint's place in one frame
_PATH_POINTS = 60_000  # most points of all people's paths together; one path has at most _PATH_MOST
_PATH_MOST = 600
_MOST_CELLS = 80
_AT_ONCE = 20_000  # most rows of a table that are read whole, some 30 MB
_SPACE_UNIT = "m"
_FLOOR, _WORLD_HIPS = (
    ("ground_x_m", "ground_y_m"),
    tuple(f"{s}_hip_world_{a}_m" for a in "xy" for s in ("left", "right")),
)


class Thinning(NamedTuple):
    """The number of frames that share one entry (least and greatest value) in the page; 1: no thinning."""

    tiers: dict[int, int]
    space: int


class Table:
    """One person's table, read inside a ``with``: at once or, if long, a few columns at a time.

    The file is open only inside the ``with``, so that hundreds of tables may exist.
    """

    def __init__(self, path: Path):
        self.path = path
        self._whole: pa.Table | None = None
        with self:
            self.names: list[str] = list(self._file.schema.names)
            self._there = frozenset(self.names)
            self.rows: int = self._file.rows
            person_of(self._file)

    def __enter__(self) -> Table:
        self._file = TableFile(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._whole = None
        del self._file  # the footer, with hundreds of columns, takes megabytes

    def frame(self) -> np.ndarray:
        """(L,) i64."""
        return self._read(["frame"])["frame"].to_numpy()

    def _read(self, names: list[str]) -> pa.Table:
        if self.rows > _AT_ONCE:
            return self._file.whole(names)
        if self._whole is None:
            self._whole = self._file.whole([n for n in self.names if not n.endswith("_state")])
        return self._whole.select(names)

    def numbers(self, names: Sequence[str]) -> np.ndarray:
        """(L, C) f32; NaN where a value, or the whole column, is missing."""
        there = [(i, name) for i, name in enumerate(names) if name in self._there]
        values = np.full((self.rows, len(names)), np.nan, np.float32)
        for (i, _), column in zip(there, self._read([name for _, name in there]).columns, strict=True):
            values[:, i] = column.to_numpy()
        return values


def plan(tables: Sequence[Table], groups: dict[str, list[Column]], joints: int, room: float) -> Thinning:
    """The thinning by which the page's data take about ``room`` bytes; the least important data are thinned most."""
    rows = sum(t.rows for t in tables)
    need = dict.fromkeys((1, 2, 3), 0.0)
    for key, columns in groups.items():
        need[GROUPS[key][1]] += rows * len(columns) * _BYTES_PER_VALUE
    shares = ((1, 0.4, need[1]), (0, 0.25, rows * joints * _BYTES_PER_JOINT), (2, 0.2, need[2]), (3, 0.15, need[3]))
    every, spare = {}, 0.0
    for tier, share, wanted in shares:
        given = share * room + spare
        every[tier] = 1 if wanted <= given else int(np.ceil((1 if tier == 0 else 2) * wanted / given))
        values = {0: 1.0}.get(tier, 2.0)
        spare = given - (wanted if every[tier] == 1 else wanted * values / every[tier])
    return Thinning({t: every[t] for t in (1, 2, 3)}, every[0])


def spans(frame: np.ndarray, seen: np.ndarray) -> list[int]:
    """A person's presence: first frame, number of frames, 1 measured or 0 bridged, for one stretch after another."""
    if not len(frame):
        return []
    cuts = np.flatnonzero((np.diff(frame) != 1) | (np.diff(seen.astype(np.int8)) != 0)) + 1
    starts = np.concatenate([[0], cuts])
    ends = np.append(cuts, len(frame))
    return np.stack([frame[starts], ends - starts, seen[starts]], 1).astype(int).ravel().tolist()


def person_blocks(
    table: Table, groups: dict[str, list[Column]], joints: Sequence[str], world: bool, thinning: Thinning, put: Put
) -> dict[str, Any]:
    """Store a person's curves and body in the page; returns the blocks' names and the spans of presence."""
    frame = table.frame()
    rows = {1: put("frames", packed_ints(frame))}
    curves: dict[str, dict[str, Any]] = {}
    contacts = [name for name in CONTACTS if name in table.names]
    listed = {key: (GROUPS[key][1], columns) for key, columns in groups.items()}
    if contacts:
        listed["contacts"] = (1, [Column(name, "contacts", name, "", 0) for name in CONTACTS])
    for key, (tier, columns) in listed.items():
        values, every = table.numbers([c.name for c in columns]), thinning.tiers[tier]
        if not np.isfinite(values).any():
            continue
        at = frame
        if every > 2:
            at, values = thinned(frame, values, every)
        if every not in rows:
            rows[every] = put(f"frames_{every}", packed_ints(at))
        block = put(f"curves.{key}", packed(values, [c.unit for c in columns]))
        curves[key] = {"values": block, "frames": rows[every], "every": max(every, 1)}
    return {
        "spans": spans(frame, np.isfinite(table.numbers(["score"])[:, 0])),
        "curves": curves,
        "space": _space(table, frame, joints, world, thinning.space, put),
    }


def _space(
    table: Table, frame: np.ndarray, joints: Sequence[str], world: bool, every: int, put: Put
) -> dict[str, Any] | None:
    """The joints in space of every so many frames, x right, y away, z up."""
    names = [f"{j}_{'world_' if world else ''}{axis}_m" for j in joints for axis in "xyz"]
    if not joints or not set(names) & set(table.names):
        return None
    keep = np.flatnonzero(frame % every == 0) if every > 1 else np.arange(len(frame))
    places = table.numbers(names)[keep].reshape(len(keep), -1, 3)
    if not np.isfinite(places).any():
        return None
    if not world:  # the camera's axes: x right, y down, z away
        places = np.stack([places[..., 0], places[..., 2], -places[..., 1]], -1)
    block = packed(places.reshape(len(keep), -1), [_SPACE_UNIT] * len(names))
    return {"values": put("space", block), "frames": put("space.frames", packed_ints(frame[keep])), "every": every}


class Seconds:
    """Seconds that people spent in each cell of a grid: on the floor in m, or in the picture in px."""

    def __init__(self, finest: float):
        self._finest = finest
        self._seconds: dict[tuple[int, int], float] = defaultdict(float)

    def add(self, place: np.ndarray, time_s: np.ndarray) -> None:
        """Add somebody who was at places (L, 2) at times (L,); NaN where not known."""
        spent = row_seconds(time_s, np.isfinite(place).all(1))
        rows = spent > 0
        cells, which = np.unique(np.floor(place[rows] / self._finest).astype(np.int64), axis=0, return_inverse=True)
        for (x, y), s in zip(cells.tolist(), np.bincount(which.ravel(), spent[rows], len(cells)), strict=True):
            self._seconds[x, y] += float(s)

    def facts(self) -> dict[str, Any] | None:
        """Side of the cells, their centres and seconds; about a hundred cells along the longer side at most."""
        if not self._seconds:
            return None
        fine, seconds = np.array([*self._seconds], np.int64), np.array([*self._seconds.values()])
        low, high = np.percentile(fine, [1, 99], axis=0)
        times = max(int(np.ceil((high - low).max() / _MOST_CELLS)), 1)
        cells, which = np.unique(fine // times, axis=0, return_inverse=True)
        centre = ((cells + 0.5) * times * self._finest).round(4)
        spent = np.bincount(which.ravel(), seconds, len(cells)).round(3)
        x, y = centre.T.tolist()
        return {"side": times * self._finest, "x": x, "y": y, "s": spent.tolist()}


def path_of(table: Table, feet: Sequence[str]) -> np.ndarray:
    """A person's path (L, 4): x, y on the floor in m, and x, y of the feet in the picture in px."""
    floor = table.numbers(_FLOOR)
    if not np.isfinite(floor).any():
        hips = table.numbers(_WORLD_HIPS)
        floor = np.stack([hips[:, :2].mean(1), hips[:, 2:].mean(1)], 1)
    box = table.numbers(("box_x1_px", "box_x2_px", "box_y2_px"))
    ankles = table.numbers([f"{joint}_{axis}_px" for axis in "xy" for joint in feet]).reshape(table.rows, 2, -1)
    picture = np.stack([box[:, :2].mean(1), box[:, 2]], 1)
    if ankles.shape[2]:
        both = ankles.mean(2)
        picture = np.where(np.isfinite(both), both, picture)
    return np.concatenate([floor, picture], 1)


def shortened(table: Table, path: np.ndarray, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames (P,) and places (P, 4) of a path, thinned for drawing the paths of so many ``people`` together."""
    most = int(np.clip(_PATH_POINTS / max(people, 1), 50, _PATH_MOST))
    keep = np.arange(0, table.rows, max(-(-table.rows // most), 1))
    return table.frame()[keep], path[keep]
