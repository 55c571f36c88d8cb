"""Texts and insets of the annotated video: the table columns that they need, and the texts made from the values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.core.pitches import PITCHES
from pipeline.core.skeleton import Skeleton
from pipeline.render.draw.figure import Person
from pipeline.render.draw.insets import Extent, extent_of
from pipeline.render.look import Look
from pipeline.store.checked import TableFile
from pipeline.store.columns import BOX
from pipeline.store.folder import RunFolder

# The speed on the labels is the first of these columns that a table has.
_SPEEDS = ("ground_speed_m_s", "path_speed_m_s", "com_speed_m_s", "com_speed_px_s")
_STEADY_S = 0.4  # to be readable, speeds are averaged over this time, and an angle is shown for a third of it
_SIDES = ("left", "right")
_SAMPLES = 2000  # places of a person from which the extent of the floor is taken
_ABOVE = ("neck", "thorax", "head_top")  # joints in space that most keypoint sets lack
_FACE = ("nose", "eye", "ear", "mouth")


class Columns(NamedTuple):
    """The further columns that a look needs, and the names of each kind among them."""

    names: tuple[str, ...]
    speed: str | None
    angles: tuple[str, ...]  # without unit: left_knee_flexion
    place: tuple[str, ...]  # of everybody on the floor: two columns, or those of both hips
    joints: tuple[str, ...]  # in space
    axes: tuple[str, str, str]  # of the joints: world_x_m …, or x_m … where there is no world

    def values(self, person: Person, names: Sequence[str]) -> np.ndarray:
        """The person's values of some of the columns."""
        where = {name: i for i, name in enumerate(self.names)}
        return np.array([person.further[where[name]] for name in names], np.float64)

    def place_m(self, person: Person) -> np.ndarray:
        """(2,) m on the floor, NaN unknown."""
        return self.values(person, self.place).reshape(-1, 2).mean(0)

    def joints_m(self, person: Person) -> np.ndarray:
        """(J, 3) m, z up."""
        found = self.values(person, [f"{joint}_{axis}" for joint in self.joints for axis in self.axes]).reshape(-1, 3)
        if self.axes[0] == "world_x_m":
            return found
        upright = np.stack([found[:, 0], found[:, 2], -found[:, 1]], 1)  # camera's axes: y down, z away
        feet = upright[np.isfinite(upright).all(1), 2]
        return upright - (0, 0, feet.min(initial=0.0))


def columns_of(there: set[str], look: Look, skeleton: Skeleton) -> Columns:
    """The columns that the look needs, of those in the tables."""
    speed = next((name for name in _SPEEDS if name in there), None) if look.speed else None
    angles = tuple(f"{side}_{angle}" for angle in look.angles for side in _SIDES if f"{side}_{angle}_deg" in there)
    place: tuple[str, ...] = ("ground_x_m", "ground_y_m")
    if place[0] not in there:
        place = tuple(f"{side}_hip_world_{axis}_m" for side in _SIDES for axis in "xy")
    if not look.ground or not set(place) <= there:
        place = ()
    world = any(name.endswith("_world_x_m") for name in there)
    axes = ("world_x_m", "world_y_m", "world_z_m") if world else ("x_m", "y_m", "z_m")
    named = dict.fromkeys((*skeleton.names, *_ABOVE))  # some sets have a neck of their own
    joints = tuple(j for j in named if f"{j}_{axes[0]}" in there) if look.space else ()
    names = [*place, *(f"{j}_{axis}" for j in joints for axis in axes)]
    names += [f"{angle}{kind}" for angle in angles for kind in ("_deg", "_3d_deg") if f"{angle}{kind}" in there]
    names += [speed] if speed else []
    return Columns(tuple(dict.fromkeys(names)), speed, angles, place, joints, axes)


def table_columns(folder: Path) -> set[str]:
    """The columns of the people's tables; none where there is nobody."""
    first = min(folder.glob("person_*.parquet"), default=None)
    if first is None:
        return set()
    with TableFile(first) as file:
        return set(file.schema.names)


def limbs_in_space(columns: Columns, skeleton: Skeleton) -> tuple[list[tuple[int, int]], list[int]]:
    """Pairs of the joints in space that are connected, and the side (−1, 0, 1) of each; a head is one line."""
    where = {name: i for i, name in enumerate(columns.joints)}
    top = next((name for name in ("head", "head_top") if name in where), "")
    head = "neck" in where and bool(top)
    pairs, sides = [], []
    for a, b in skeleton.limbs:
        names = skeleton.names[a], skeleton.names[b]
        face = any(part in _FACE or part == "face" for name in names for part in name.split("_"))
        if set(names) <= set(where) and not (head and face):
            pairs.append((where[names[0]], where[names[1]]))
            between = {skeleton.side(a), skeleton.side(b)}
            sides.append(0 if between >= {-1, 1} else int(np.sign(sum(between))))
    if head and (where[top], where["neck"]) not in pairs:
        pairs.append((where["neck"], where[top]))
        sides.append(0)
    return pairs, sides


def floor_of(folder: Path, columns: Columns, frames: range) -> Extent | None:
    """The floor on which everybody is in these frames, from samples of all tables; None where it is not known."""
    names = columns.place or tuple(f"{s}_hip_{axis}" for s in _SIDES for axis in columns.axes[:2])
    if not columns.place and not {"left_hip", "right_hip"} <= set(columns.joints):
        return None
    tops = [f"{s}_shoulder_{columns.axes[2]}" for s in _SIDES if f"{s}_shoulder" in columns.joints]
    places, heights = [], []
    for path in sorted(folder.glob("person_*.parquet")):
        with TableFile(path) as file:
            table = file.whole(["frame", *names, *tops])
        rows = _sampled(table, frames)
        values = np.stack([table[name].to_numpy()[rows] for name in names], 1)
        places.append(values.reshape(len(rows), len(names) // 2, 2).mean(1))
        heights += [table[name].to_numpy()[rows] for name in tops]
    return extent_of(np.concatenate(places), np.concatenate([*heights, np.zeros(0)])) if places else None


def pitch_lines(folder: RunFolder) -> list[np.ndarray]:
    """The lines (N, 2) m of the run's pitch; none where no pitch is given."""
    ground = folder.manifest().get("config", {}).get("metres", {}).get("ground") or {}
    pitch = PITCHES.get(ground.get("pitch") or "")
    return [] if pitch is None else [np.array(line) for line in pitch.lines]


def extent_of_lines(lines: Sequence[np.ndarray]) -> Extent | None:
    """The floor around the lines of a pitch, square; None without any."""
    if not lines:
        return None
    points = np.concatenate(lines)
    low, high = points.min(0), points.max(0)
    side, middle = 1.08 * float((high - low).max()), (low + high) / 2
    return Extent(middle - side / 2, middle + side / 2)


def boxes_of(folder: Path, frames: range) -> np.ndarray:
    """(N, 4) px, a sample of everybody's boxes in these frames."""
    found = [np.zeros((0, 4))]
    for path in sorted(folder.glob("person_*.parquet")):
        with TableFile(path) as file:
            table = file.whole(["frame", *BOX])
        found.append(np.stack([table[name].to_numpy() for name in BOX], 1)[_sampled(table, frames)])
    return np.concatenate(found)


def _sampled(table: pa.Table, frames: range) -> np.ndarray:
    """Rows of a person's table in these frames: all of them, or every so many."""
    rows = np.flatnonzero((table["frame"].to_numpy() >= frames.start) & (table["frame"].to_numpy() < frames.stop))
    return rows[:: max(len(rows) // _SAMPLES, 1)]


class Words:
    """Texts of labels and joints, averaged so that they are readable."""

    def __init__(self, columns: Columns, names: dict[int, str]) -> None:
        self._columns, self._names = columns, names
        self._speed: dict[int, tuple[float, float]] = {}  # when, and the mean
        self._shown: dict[tuple[int, str], tuple[float, str]] = {}  # since when

    def label(self, person: Person, time_s: float) -> str:
        """The person's name or id, and the speed."""
        name = self._names.get(person.person_id) or str(person.person_id)
        if self._columns.speed is None:
            return name
        value = float(self._columns.values(person, [self._columns.speed])[0])
        before = self._speed.get(person.person_id)
        if np.isfinite(value):
            if before is not None and time_s - before[0] < 1:
                share = 1 - np.exp(-(time_s - before[0]) / _STEADY_S)
                value = before[1] + share * (value - before[1])
            self._speed[person.person_id] = (time_s, value)
        elif before is None or time_s - before[0] > 1:
            return name
        else:
            value = before[1]
        number = f"{value:.1f} m/s" if self._columns.speed.endswith("_m_s") else f"{value:.0f} px/s"
        return f"{name} · {self._held((person.person_id, 'speed'), number, time_s)}"

    def angles(self, person: Person, time_s: float) -> dict[str, str]:
        """The number at each joint: the angle in the picture plane, or ≈ the angle in space where that is missing."""
        out = {}
        for angle in self._columns.angles:
            for kind, form in (("_deg", "{:.0f}°"), ("_3d_deg", "≈{:.0f}°")):
                if angle + kind in self._columns.names:
                    value = float(self._columns.values(person, [angle + kind])[0])
                    if np.isfinite(value):
                        text = form.format(value).replace("-0", "0").replace("-", "−")
                        out[angle] = self._held((person.person_id, angle), text, time_s)
                        break
        return out

    def _held(self, key: tuple[int, str], text: str, time_s: float) -> str:
        since, shown = self._shown.get(key, (-np.inf, ""))
        if 0 <= time_s - since < _STEADY_S / 3:
            return shown
        self._shown[key] = (time_s, text)
        return text
