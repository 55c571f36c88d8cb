"""The floor in every frame of a camera that moves: from points at one time or several, or a calibration at one time.

The camera's motion brings the points of each time into the frames of the other times. Between two times the planes of
both are mixed, by how near each time is, so that what the motion is off by is spread over the frames between them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.homography import moved, poses
from pipeline.core.settings import Ground
from pipeline.measure.floor import Floor, fitted, floor_of

OTHERS = 0.3  # weight of the points of other times, where those of a time fix a plane themselves
_ENOUGH = 4  # points that do
MOST_OFF = 0.05  # of the picture's width: the most that points of several times may be off each other unsaid


class Course(NamedTuple):
    """The floor in each of T frames."""

    matrices: np.ndarray  # (T, 3, 3) px to metres; with a calibration, px to px of the frame that it holds in
    ground: Ground
    lines: tuple[str, ...] = ()  # for the user

    def floor(self, frame: np.ndarray, height_m: float = 0.0) -> Floor:
        """The level ``height_m`` above the floor in frames (L,), for points (L, 2); see `floor_of`."""
        if self.ground.camera is None:
            return Floor(self.matrices[frame])
        return replace(floor_of(self.ground, height_m), into=self.matrices[frame])


def course_of(
    ground: Ground,
    motions: np.ndarray,
    time_s: np.ndarray,
    size_px: tuple[int, int],
    frames: tuple[int, int],
    shots: Sequence[int] = (),
    cameras: Sequence[int] = (),
) -> Course:
    """The floor in each frame; in shots of cameras without points, NaN.

    Args:
        motions: (T, 3, 3) of the camera into each frame, see `pipeline.core.homography`.
        time_s: (T,) on the video's own clock.
        frames: the first frame that was observed, and one past the last. Points without a time are those of the first.
        shots: first frames of shots, but of the first one.
        cameras: number of each shot's camera, the first one's too; those of one number stand still and see the same.
            (): each shot has a camera of its own.

    Raises:
        PoselineError: a time outside the video, or points that fix no plane.
    """
    at, lines = _frames_of(ground, time_s, frames)
    place, shot = poses(motions, shots), np.searchsorted(sorted(shots), np.arange(len(motions)), "right")
    shot = np.array(cameras)[shot] if len(cameras) else shot
    out = np.full((len(motions), 3, 3), np.nan)
    for its in np.unique(shot[at]):
        rows = np.flatnonzero(shot == its)
        if ground.camera is not None:
            out[rows] = np.linalg.inv(place[at[0]]) @ place[rows]
            continue
        chosen = shot[at] == its
        points = _Points(np.array(ground.image_px)[chosen], np.array(ground.plane_m)[chosen], at[chosen])
        times = np.unique(points.frame)
        planes, off_px = zip(*(_plane(points, f, place) for f in times), strict=True)
        out[rows] = _mixed(rows, times, planes, place)
        if len(times) > 1 and max(off_px) > MOST_OFF * size_px[0]:
            worst = int(np.argmax(off_px))
            lines.append(
                f"--ground: the points at {time_s[times[worst]]:.2f} s are off by {off_px[worst]:.0f} px from where"
                " those of other times put them: check them, or give points at more times"
            )
    return Course(out, ground, tuple(lines))


class _Points(NamedTuple):
    """Points of the floor."""

    px: np.ndarray  # (N, 2)
    m: np.ndarray  # (N, 2)
    frame: np.ndarray  # (N,)


def _frames_of(ground: Ground, time_s: np.ndarray, frames: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
    """(N,) the frame of each point, or of the calibration; and a line where that is assumed."""
    count = max(len(ground.image_px), 1)
    if not ground.time_s:
        first = min(frames[0], len(time_s) - 1)
        what = "calibration is" if ground.camera is not None else "points are"
        said = f"--ground: the {what} taken to hold at {time_s[first]:.2f} s, where the run begins, since the camera"
        return np.full(count, first), [f"{said} moves or changes and no time_s is given"]
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0
    low, high = time_s[min(frames[0], len(time_s) - 1)], time_s[min(frames[1], len(time_s)) - 1]
    for t in ground.time_s:
        if not low - step <= t <= high + step:
            raise PoselineError(
                f"--ground: time_s = {t:g} is outside what the run has of the video, {low:.2f} to {high:.2f} s; "
                "give points that are seen in that time, and their time"
            )
    at = np.array(ground.time_s)
    later = np.clip(np.searchsorted(time_s, at), 1, max(len(time_s) - 1, 1))
    return later - (at - time_s[later - 1] < time_s[later] - at), []


def _plane(points: _Points, frame: int, place: np.ndarray) -> tuple[np.ndarray, float]:
    """(3, 3) px of a frame to metres, and how far its own points are off the plane of the others, in px, at most."""
    own = points.frame == frame
    px = moved(points.px, np.linalg.inv(place[frame]) @ place[points.frame])
    px[own] = points.px[own]
    seen = np.isfinite(px).all(1)
    weight = np.where(own, 1.0, OTHERS if own.sum() >= _ENOUGH else 1.0)
    try:
        plane = fitted(px[seen], points.m[seen], weight[seen])
    except ValueError as reason:
        raise PoselineError(f"--ground: {reason}; spread the points over the floor, no three on a line") from reason
    off, others = 0.0, seen & ~own
    if others.sum() >= _ENOUGH:
        with contextlib.suppress(ValueError):  # the others may lie on a line
            there = Floor(fitted(px[others], points.m[others])).to_px(points.m[own])
            off = float(np.linalg.norm(there - points.px[own], axis=1).max())
    return plane / np.linalg.norm(plane), off


def _mixed(rows: np.ndarray, times: np.ndarray, planes: Sequence[np.ndarray], place: np.ndarray) -> np.ndarray:
    """(R, 3, 3) px to metres of frames ``rows``, from the planes (3, 3) of the frames ``times``, which rise."""
    out = np.zeros((len(rows), 3, 3))
    after = np.searchsorted(times, rows, "right")
    low, high = np.clip(after - 1, 0, None), np.clip(after, None, len(times) - 1)
    share = np.where(high > low, (rows - times[low]) / np.maximum(times[high] - times[low], 1), 0.0)
    for of, weight in ((low, 1 - share), (high, share)):
        there = np.array(planes)[of] @ np.linalg.inv(place[times[of]]) @ place[rows]
        out += weight[:, None, None] * there / np.linalg.norm(there, axis=(1, 2), keepdims=True)
    return out
