"""Regions of people to blur in each frame of a run: when in doubt too early and too long rather than not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.ndimage import percentile_filter

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Observations
from pipeline.observe.faint import read_faint
from pipeline.render.heads import RADIUS, head_capsules
from pipeline.render.strays import FAINT, GROWTH_BEYOND, LEAD_S, MOST_UNSEEN_S, SLACK_S, STRAY, Strays, clock, inside
from pipeline.store.checked import TableFile
from pipeline.store.columns import BOX, person_span
from pipeline.store.folder import RunFolder
from pipeline.store.parts import part_frames, read_part

BRIDGE_S = 10.0  # in shorter absences the whole path from the last region to the next one is blurred
STEADY_S = 0.5  # a head's size is its usual size within so many seconds to either side, or that of the row if larger
_GROWTH = 0.6  # growth in radii per second without sight
_SPEED_S = 0.25  # the speed of a leaving head is measured over so many seconds,
_MOST_STEP_S = 2.0  # or over at most so many between two sights that are further apart
_MOST_PACE = 3.0  # standing heights / s, greatest speed of a head out of sight
_MOST_WAY_S = 3.0  # longest time for which a head out of sight moves on
_OBSERVED = 0.3  # score from which on a keypoint of an observation counts; observations count at any score
_MARGIN = 0.08  # blurred margin around a person's box, as a share of the box: hair, hands


class Regions:
    """The regions of one person to blur over time: rows of ``shape`` (capsules or boxes) held through gaps.

    Args:
        frame, time_s: (L,) rows in which the person is there.
        shape: (L, 5) capsules as `head_capsules` has them, or (L, 4) boxes; NaN = not known.
        measured: (L,) bool.
        all_time_s: (T,) times of the video's frames.
        hold_s: how long the last region is held.
    """

    def __init__(
        self,
        frame: np.ndarray,
        time_s: np.ndarray,
        shape: np.ndarray,
        measured: np.ndarray,
        all_time_s: np.ndarray,
        hold_s: float = LEAD_S,
    ) -> None:
        rows = np.isfinite(shape).all(1)
        self._frame, self._time = frame[rows], time_s[rows].astype(np.float64)
        self._shape, seen = shape[rows].astype(np.float64), measured[rows]
        self._all, self._clock, self._hold_s = all_time_s, clock(all_time_s), hold_s
        if not len(self._frame):
            self.first, self.last = 0, -1
            return
        step = max(float(np.median(np.diff(self._time))) if len(self._time) > 1 else 0.04, 1e-3)
        if shape.shape[1] == 5:
            window = 2 * int(np.ceil(STEADY_S / step)) + 1
            self._shape[:, 4] = np.maximum(
                percentile_filter(self._shape[:, 4], 85, size=window, mode="nearest"), self._shape[:, 4]
            )
            self._shape[:, 4] *= 1 + _GROWTH * np.minimum(self._unseen(seen), 1.0)
        self.first, self.last = reach(self._clock, int(self._frame[0]), int(self._frame[-1]), hold_s)

    def _unseen(self, seen: np.ndarray) -> np.ndarray:
        """(L,) s to the nearest row in which the person was seen."""
        times = self._time[seen]
        if not len(times):
            return np.ones(len(self._time))
        after = np.clip(np.searchsorted(times, self._time), 0, len(times) - 1)
        return np.minimum(np.abs(times[after] - self._time), np.abs(times[np.maximum(after - 1, 0)] - self._time))

    def at(self, frame: int) -> list[np.ndarray]:
        """The regions to blur in a frame; none where the person is far from any sight."""
        if not self.first <= frame <= self.last:
            return []
        after = int(np.searchsorted(self._frame, frame))
        if after < len(self._frame) and self._frame[after] == frame:
            return [self._shape[after]]
        now, last, count = float(self._all[frame]), after - 1, len(self._frame)
        if last >= 0 and after < count and self._time[after] - self._time[last] <= BRIDGE_S:
            return [self._between(last, after, now)]
        out = []
        if last >= 0 and self._clock[frame] - self._clock[self._frame[last]] <= self._hold_s + SLACK_S:
            out.append(self._beyond(last, now, -1))
        if after < count and self._clock[self._frame[after]] - self._clock[frame] <= LEAD_S + SLACK_S:
            out.append(self._beyond(after, now, 1))
        return out

    def _between(self, last: int, after: int, now: float) -> np.ndarray:
        """Regions along the whole path between two sights; for whole people only the interpolated place."""
        a, b = self._shape[last], self._shape[after]
        unseen = min(now - self._time[last], self._time[after] - now)
        if len(a) == 5:
            radius = max(a[4], b[4]) * (1 + _GROWTH * min(unseen, 1.0))
            return np.array([*((a[:2] + a[2:4]) / 2), *((b[:2] + b[2:4]) / 2), radius])
        share = (now - self._time[last]) / (self._time[after] - self._time[last])
        return _grown((1 - share) * a + share * b, 0.5 * min(unseen, 2.0))

    def _beyond(self, row: int, now: float, inward: int) -> np.ndarray:
        """The region before the first or after the last sight: from that sight's place to the extrapolated place."""
        shape, unseen = self._shape[row], min(abs(now - self._time[row]), MOST_UNSEEN_S)
        low, high = self._time[row] - _SPEED_S, self._time[row] + _SPEED_S
        near = np.flatnonzero((self._time >= low) & (self._time <= high))
        near = near[near >= row] if inward > 0 else near[near <= row]
        other = row + inward
        if len(near) == 1 and 0 <= other < len(self._time) and abs(self._time[other] - self._time[row]) <= _MOST_STEP_S:
            near = np.array([min(row, other), max(row, other)])
        size = shape[4] / RADIUS if len(shape) == 5 else float(max(shape[2:] - shape[:2]))
        moved = np.zeros(2)
        if len(near) > 1:
            centre = (self._shape[near, :2] + self._shape[near, 2:4]) / 2
            moved = (centre[-1] - centre[0]) / (self._time[near[-1]] - self._time[near[0]])
            moved *= min(1.0, _MOST_PACE * size / max(float(np.hypot(*moved)), 1e-9))
            moved *= np.clip(now - self._time[row], -_MOST_WAY_S, _MOST_WAY_S)
        if len(shape) == 5:
            middle = (shape[:2] + shape[2:4]) / 2
            return np.array([*middle, *(middle + moved), shape[4] * (1 + GROWTH_BEYOND * unseen)])
        way = np.concatenate([np.minimum(shape[:2], shape[:2] + moved), np.maximum(shape[2:], shape[2:] + moved)])
        return _grown(way, 0.1 + 0.2 * unseen)


def reach(clock_s: np.ndarray, first: int, last: int, hold_s: float = LEAD_S) -> tuple[int, int]:
    """The first and the last frame in which somebody seen in [first, last] is hidden, by the `clock` (T,) of frames."""
    begin = int(np.searchsorted(clock_s, clock_s[first] - LEAD_S - SLACK_S))
    return begin, int(np.searchsorted(clock_s, clock_s[last] + hold_s + SLACK_S, "right")) - 1


def _grown(box: np.ndarray, share: float) -> np.ndarray:
    margin = share * (box[2:] - box[:2])
    return np.concatenate([box[:2] - margin, box[2:] + margin])


def person_regions(path: Path, skeleton: Skeleton, time_s: np.ndarray, whole: bool) -> Regions:
    """The regions to blur of the person in a table: the head, or with ``whole`` the whole person."""
    scores = [f"{name}_score" for name in skeleton.names]
    points = [f"{name}_{axis}_px" for name in skeleton.names for axis in "xy"]
    parts: list[tuple[np.ndarray, ...]] = []
    with TableFile(path) as file:
        for group in range(file.row_groups):
            rows = file.read(group, ["frame", "time_s", "score", *BOX, *scores, *points])
            table = rows.combine_chunks().to_batches()[0]
            frame, times = table["frame"].to_numpy(), table["time_s"].to_numpy()
            measured = np.isfinite(table["score"].to_numpy(zero_copy_only=False))
            keypoints = _numbers(table, points).reshape(len(frame), -1, 2)
            box = _numbers(table, BOX)
            if whole:
                shape = _whole(keypoints, box)
            else:
                shape = head_capsules(keypoints, _numbers(table, scores), box, measured, skeleton)
            parts.append((frame, times, shape, measured))
    frame, times, shape, measured = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Regions(frame, times, shape, measured, time_s)


def _numbers(table: pa.RecordBatch, names: Sequence[str]) -> np.ndarray:
    """(L, len(names)) f32, NaN where null."""
    return np.stack([table[name].to_numpy(zero_copy_only=False) for name in names], 1).astype(np.float32)


def _whole(keypoints: np.ndarray, box: np.ndarray) -> np.ndarray:
    """(L, 4) boxes around boxes and keypoints, and a margin."""
    known = np.isfinite(keypoints)
    low = np.fmin(box[:, :2], np.where(known, keypoints, np.inf).min(1))
    high = np.fmax(box[:, 2:], np.where(known, keypoints, -np.inf).max(1))
    margin = _MARGIN * (high - low).max(1, keepdims=True)
    out = np.concatenate([low - margin, high + margin], 1).astype(np.float64)
    out[~np.isfinite(out).all(1)] = np.nan
    return out


def regions_by_frame(
    folder: RunFolder, skeleton: Skeleton, time_s: np.ndarray, frames: range, whole: bool
) -> Iterator[list[np.ndarray]]:
    """The regions to blur in each frame of the rising range; only people near the frame are in memory.

    Besides the people in the tables this covers every observation of any score, also those that the tracker assigned
    to nobody.
    """
    if not len(frames):
        return
    clock_s = clock(time_s)
    begin, end = reach(clock_s, frames[0], frames[-1])
    wide = range(begin, end + 1)
    strays, waiting = Strays(), deque[tuple[int, list[np.ndarray]]]()
    observed = _observed(folder, skeleton, wide, whole)
    for frame, known, (seen, who) in zip(wide, _known(folder, skeleton, time_s, wide, whole), observed, strict=True):
        places = np.array([region for _, region in known]).reshape(-1, seen.shape[1])
        alone, tracked = ~inside(seen, places), np.array([i for i, _ in known], np.int64)
        strays.add(float(time_s[frame]), np.concatenate([places, seen[alone]]), np.concatenate([tracked, who[alone]]))
        waiting.append((frame, [*places, *seen]))
        while waiting and (frame == wide[-1] or reach(clock_s, waiting[0][0], waiting[0][0])[1] <= frame):
            ready, regions = waiting.popleft()
            if ready in frames:
                strays.forget(float(time_s[ready]))
                yield [*regions, *strays.held(float(time_s[ready]))]


def _known(
    folder: RunFolder, skeleton: Skeleton, time_s: np.ndarray, frames: range, whole: bool
) -> Iterator[list[tuple[int, np.ndarray]]]:
    """The regions of the people in the tables in each frame of the rising range, with a number for each person."""
    waiting, clock_s = [], clock(time_s)
    for path in folder.people.glob("person_*.parquet"):
        first, last = (int(np.clip(f, 0, len(time_s) - 1)) for f in person_span(path))
        waiting.append((*reach(clock_s, first, last), path))
    waiting.sort(reverse=True)
    here: list[tuple[int, Regions]] = []
    for frame in frames:
        while waiting and waiting[-1][0] <= frame:
            _, end, path = waiting.pop()
            if end >= frame:
                here.append((len(waiting), person_regions(path, skeleton, time_s, whole)))
        here = [(i, regions) for i, regions in here if regions.last >= frame]
        yield [(i, region) for i, regions in here for region in regions.at(frame)]


def shapes_of(obs: Observations, skeleton: Skeleton, whole: bool) -> np.ndarray:
    """The region to blur of each observation: (N, 5) capsules of heads, with ``whole`` (N, 4) boxes; NaN unknown."""
    points = np.where((obs.keypoint_score >= _OBSERVED)[..., None], obs.keypoints_px, np.nan)
    if whole:
        return _whole(points, obs.box_px)
    return head_capsules(points, obs.keypoint_score, obs.box_px, np.ones(len(obs), bool), skeleton)


def faint_shapes(box_px: np.ndarray, whole: bool) -> np.ndarray:
    """The regions to blur of boxes (M, 4) in which somebody may be: capsules (M, 5) around the boxes' upper halves,
    where a head may be anywhere; with ``whole`` boxes (M, 4)."""
    if whole:
        return _whole(np.full((len(box_px), 1, 2), np.nan), box_px)
    low, high = box_px[:, :2].astype(np.float64), box_px[:, 2:].astype(np.float64)
    high = np.stack([high[:, 0], (low[:, 1] + high[:, 1]) / 2], 1)
    half = (high - low) / 2
    radius = (1 + 2 * _MARGIN) * half.min(1, keepdims=True)
    reach, middle = (half - half.min(1, keepdims=True)), (low + high) / 2
    return np.concatenate([middle - reach, middle + reach, radius], 1)


def _observed(
    folder: RunFolder, skeleton: Skeleton, frames: range, whole: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The regions (n, 5 or 4) of all observations in each frame of the rising range, with one part in memory; and
    (n,) whether they are `STRAY` or `FAINT`."""
    parts = iter(folder.parts())
    frame_of, shape, last = np.zeros(0, np.int64), np.zeros((0, 4 if whole else 5)), -1
    who = np.zeros(0, np.int64)
    for frame in frames:
        while last < frame and (path := next(parts, None)) is not None:
            last = part_frames(path)[1] - 1
            if last < frame:
                continue
            obs, (faint, boxes) = read_part(path), read_faint(path)
            shape = np.concatenate([shapes_of(obs, skeleton, whole), faint_shapes(boxes, whole)])
            frame_of = np.concatenate([obs.frame, faint])
            order = np.argsort(frame_of, kind="stable")
            shape, frame_of = shape[order], frame_of[order]
            who = np.concatenate([np.full(len(obs), STRAY), np.full(len(faint), FAINT)])[order]
        low, high = np.searchsorted(frame_of, [frame, frame + 1])
        rows = np.arange(low, high)[np.isfinite(shape[low:high]).all(1)]
        yield shape[rows], who[rows]
