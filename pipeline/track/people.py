"""From streamed observations to people: the fold over all frames, then what only the whole file can tell.

The fold keeps one int32 per observation, one row per confirmed tracklet and the people present; nothing else grows
with the video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np

from pipeline.config import TrackConfig
from pipeline.skeleton import Skeleton
from pipeline.track.similarity import box_area, oks
from pipeline.track.tracker import Tracker, Tracklets
from pipeline.types import Observations


class _Doubles:
    """Counts, per pair of tracklets, the frames in which both look like one person."""

    def __init__(self, threshold: float, sigmas: np.ndarray) -> None:
        self.threshold, self.sigmas = threshold, sigmas
        self.frames: dict[tuple[int, int], int] = {}

    def add(self, ids: np.ndarray, box_px: np.ndarray, keypoints_px: np.ndarray, keypoint_score: np.ndarray) -> None:
        """One frame's observations with their tracklets: (n,), (n, 4), (n, K, 2), (n, K)."""
        low, high = box_px[:, None, :2], box_px[None, :, 2:]
        near = np.triu((low < high).all(-1) & (low < high).all(-1).T, 1) & (ids > 0)[:, None] & (ids > 0)
        if not near.any():  # mostly nobody touches anybody, which saves the OKS
            return
        rows = np.flatnonzero(near.any(0) | near.any(1))
        kp, seen = keypoints_px[rows], keypoint_score[rows]
        alike = oks(kp, seen, kp, seen, box_area(box_px[rows].astype(np.float64)), self.sigmas, min_points=3)
        double = (np.minimum(alike, alike.T) > self.threshold) & near[np.ix_(rows, rows)]
        for i, j in zip(*np.nonzero(double), strict=True):
            pair = sorted((int(ids[rows[i]]), int(ids[rows[j]])))
            self.frames[pair[0], pair[1]] = self.frames.get((pair[0], pair[1]), 0) + 1


def assign(
    parts: Iterable[Observations],
    time_s: np.ndarray,
    size_px: tuple[int, int],
    skeleton: Skeleton,
    config: TrackConfig,
    progress: Callable[[int], None] | None = None,
    frames: tuple[int, int] | None = None,
) -> np.ndarray:
    """Person of every observation of all ``parts`` in order: (N,) i32, 1… by first appearance, −1 for nobody.

    A person confirmed later owns its earlier observations too. Tracklets that are too short, too doubtful, or a second
    view of another one are nobody.

    Args:
        parts: observations of consecutive stretches of frames; a frame's observations are all in one part.
        time_s: (T,) time of each frame of the video.
        size_px: (w, h) of the upright frame.
        progress: called after each part with the number of its last frame + 1, where it has observations.
        frames: first frame and one past the last that were observed, if not all were.

    Raises:
        ValueError: parts out of order, beyond the pts table, or of another skeleton.
    """
    config = _fit_to_length(config, time_s[slice(*frames)] if frames else time_s)
    tracker = Tracker(config, skeleton, size_px)
    chosen = skeleton.tracked
    doubles = _Doubles(config.duplicate_oks, np.array(skeleton.sigmas)[chosen])
    columns = [np.zeros(0, np.int32)]
    for part in parts:
        _check_part(part, time_s, skeleton)
        ids = np.full(len(part), -1, np.int32)
        for rows in _frames(part.frame):
            frame = int(part.frame[rows.start])
            box, kp, kp_score = part.box_px[rows], part.keypoints_px[rows], part.keypoint_score[rows]
            ids[rows] = tracker.update(frame, float(time_s[frame]), box, part.score[rows], kp, kp_score)
            if rows.stop - rows.start > 1:
                doubles.add(ids[rows], box, kp[:, chosen], kp_score[:, chosen])
        columns.append(ids)
        if progress is not None and len(part):
            progress(int(part.frame[-1]) + 1)
    table = _people(tracker.tracklets(), doubles.frames, config)
    start = 0
    result = np.empty(sum(len(c) for c in columns), np.int32)
    for column in columns:
        result[start : start + len(column)] = np.where(column > 0, _lookup(table, column), -1)
        start += len(column)
    return result


def _people(tracklets: Tracklets, doubles: dict[tuple[int, int], int], config: TrackConfig) -> np.ndarray:
    """(largest tracklet id + 1,) i32 person of each tracklet id, −1 for nobody."""
    t = tracklets
    good = t.last_s - t.first_s >= config.min_length_s - 1e-6
    good &= t.hits >= config.confirm_hits
    good &= t.score_sum >= config.min_mean_score * t.hits
    row = {int(i): r for r, i in enumerate(t.id)}
    for (a, b), frames in sorted(doubles.items()):
        if a not in row or b not in row:
            continue
        # The better of two is the one with more seen of it, equal ones the earlier.
        keep, drop = sorted((row[a], row[b]), key=lambda r: (-t.score_sum[r], r))
        if good[keep] and good[drop] and frames >= config.duplicate_overlap * min(t.hits[keep], t.hits[drop]):
            good[drop] = False
    table = np.full(int(t.id.max(initial=0)) + 1, -1, np.int32)
    order = np.lexsort((t.id, t.first_frame))
    order = order[good[order]]
    table[t.id[order]] = np.arange(1, len(order) + 1)
    return table


def _lookup(table: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """``table[ids]`` with −1 for ids beyond the table, which were never confirmed."""
    return np.where(ids < len(table), table[np.clip(ids, 0, len(table) - 1)], -1)


def _frames(frame: np.ndarray) -> Iterator[slice]:
    """Slices of rows that share a frame, of ``frame (N,)`` ascending."""
    edges = np.append(np.flatnonzero(np.diff(frame, prepend=-1)), len(frame))
    for start, stop in pairwise(edges):
        yield slice(int(start), int(stop))


def _check_part(part: Observations, time_s: np.ndarray, skeleton: Skeleton) -> None:
    if part.skeleton != skeleton.name:
        raise ValueError(f"observations are of skeleton {part.skeleton}, tracking expects {skeleton.name}")
    if len(part) and not 0 <= part.frame[0] <= part.frame[-1] < len(time_s):
        raise ValueError(f"observations of frames {part.frame[0]}…{part.frame[-1]}, but the video has {len(time_s)}")


def _fit_to_length(config: TrackConfig, time_s: np.ndarray) -> TrackConfig:
    """Settings a very short video can meet: nobody can be seen for longer than it lasts."""
    span = float(time_s[-1] - time_s[0]) if len(time_s) else 0.0
    hits = min(config.confirm_hits, max(1, (len(time_s) + 1) // 2))
    return config.model_copy(update={"min_length_s": min(config.min_length_s, span / 2), "confirm_hits": hits})
