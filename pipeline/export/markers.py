"""A person's joints as markers in metres with y up, the convention of OpenSim and motion laboratories.

The source is the first that the table has of: `<joint>_world_x_m…` (z up), `<joint>_x_m…` (the camera's axes: x right,
y down, z forward), the picture plane. All become right-handed axes with y up: x to the right, z towards the camera;
from the world's axes x stays x, y is the world's z, z is minus the world's y.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.export.person import PersonTable

FLOOR_PERCENTILE = 98  # of the feet's heights in the picture: the lowest but for outliers
FEET = ("ankle", "heel", "foot_index", "big_toe", "small_toe", "toe")
# What Pose2Sim (0.10, skeletons.py: HALPE_26, COCO_17, COCO_133) and its set-up of OpenSim (Markers_Halpe26.xml) call
# keypoints. BlazePose's foot index is the big toe. Eyes and ears are called alike, and are no markers of that set-up.
_PARTS = {
    "eye": "Eye", "ear": "Ear", "shoulder": "Shoulder", "elbow": "Elbow", "wrist": "Wrist", "hip": "Hip",
    "knee": "Knee", "ankle": "Ankle", "heel": "Heel", "big_toe": "BigToe", "small_toe": "SmallToe",
    "foot_index": "BigToe",
}  # fmt: skip
LABELS = {"nose": "Nose", "head": "Head", "neck": "Neck", "hip": "Hip"} | {
    f"{side}_{part}": f"{side[0].upper()}{name}" for side in ("left", "right") for part, name in _PARTS.items()
}


@dataclass(frozen=True)
class Markers:
    """The markers of one person, in metres."""

    person: PersonTable
    names: tuple[str, ...]
    kind: str  # world, camera or plane
    px_per_m: float = 1.0
    floor_px: float = 0.0

    @property
    def labels(self) -> tuple[str, ...]:
        """What the markers are called in files: `LABELS` of keypoints; what only a lifter knows keeps its name."""
        keypoints = set(self.person.facts["keypoints"].split(","))
        return tuple(LABELS.get(name, name) if name in keypoints else name for name in self.names)

    def grid(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Frames (n,) i64 and positions (n, J, 3) f64 in blocks, for every frame from the first to the last."""
        for frame, values in self.person.grid(_columns(self.names, self.kind)):
            yield frame, self._upright(values.reshape(len(frame), len(self.names), -1).astype(np.float64))

    def _upright(self, place: np.ndarray) -> np.ndarray:
        if self.kind == "world":
            return np.stack([place[..., 0], place[..., 2], -place[..., 1]], -1)
        if self.kind == "camera":
            return place * (1.0, -1.0, -1.0)
        x, y = place[..., 0] / self.px_per_m, (self.floor_px - place[..., 1]) / self.px_per_m
        return np.stack([x, y, np.where(np.isfinite(x + y), 0.0, np.nan)], -1)


def markers(person: PersonTable, plane: bool, say: Callable[[str], None]) -> Markers:
    """The markers of a person; ``plane``: use the picture plane although the table has 3D.

    ``say`` gets a warning where the scale rests on an assumed height.

    Raises:
        PoselineError: the picture plane has no scale.
    """
    for kind in () if plane else ("world", "camera"):
        names = _joints(person, kind)
        if names:
            return Markers(person, names, kind)
    run = person.file.parent.parent
    remedy = f"poseline track {run} --height 1.70 (the person's own height in m)"
    try:
        px_per_m = float(person.facts["px_per_m"])
    except (KeyError, ValueError):
        px_per_m = np.nan
    if not (np.isfinite(px_per_m) and px_per_m > 0):
        raise PoselineError(f"{person.file}: has no scale (px_per_m); give it one by {remedy}")
    source = person.facts.get("px_per_m_from", "")
    if source.startswith("assumed"):
        say(f"{run}: metres rest on an {source}; give the true one by {remedy}")
    names = _joints(person, "plane")
    return Markers(person, names, "plane", px_per_m, _floor_px(person, names))


def _columns(names: tuple[str, ...], kind: str) -> list[str]:
    if kind == "plane":
        return [f"{joint}_{axis}_px" for joint in names for axis in "xy"]
    return [f"{joint}_{'world_' if kind == 'world' else ''}{axis}_m" for joint in names for axis in "xyz"]


def _joints(person: PersonTable, kind: str) -> tuple[str, ...]:
    """The joints that have all columns of a kind, in the table's order."""
    end = {"world": "_world_x_m", "camera": "_x_m", "plane": "_x_px"}[kind]
    there = set(person.columns)
    found = [c.removesuffix(end) for c in person.columns if c.endswith(end)]
    if kind == "plane":
        joints = set(person.facts["keypoints"].split(","))
        return tuple(joint for joint in found if joint in joints)
    return tuple(j for j in found if not j.endswith("_world") and there.issuperset(_columns((j,), kind)))


def _floor_px(person: PersonTable, names: tuple[str, ...]) -> float:
    """The y of the lowest feet in the picture, px; of the lowest joints where no foot was seen."""
    feet = [name for name in names if name.removeprefix("left_").removeprefix("right_") in FEET]
    for joints in (feet, names):
        heights = np.concatenate([person.column(f"{joint}_y_px") for joint in joints] or [np.zeros(0)])
        heights = heights[np.isfinite(heights)]
        if len(heights):
            return float(np.percentile(heights, FLOOR_PERCENTILE))
    return 0.0
