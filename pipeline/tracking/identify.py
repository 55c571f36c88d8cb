"""From streamed observations to people: the fold over all frames, then what only the whole file can tell.

The fold keeps a tracklet and a frame per observation, a glimpse of each person per half second and the people present;
nothing else grows with the video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pipeline.core.config import TrackConfig
from pipeline.core.similarity import box_area, oks
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Observations
from pipeline.observe.camera import STILL, compose
from pipeline.tracking.glimpses import Collector, Glimpses
from pipeline.tracking.relink import Moment, Pieces, cut, link
from pipeline.tracking.tracker import Tracker, Tracklets

# Evidence against a link that is put up with, step by step, as long as there are more people than there may be.
LIMITS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0)


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


class Identities(NamedTuple):
    """Who each observation is, and when that may be wrong."""

    person: np.ndarray  # (N,) i32, −1 for nobody
    moments: list[tuple[float, int, str]]  # time_s, person, what


def assign(
    parts: Iterable[Observations],
    time_s: np.ndarray,
    size_px: tuple[int, int],
    skeleton: Skeleton,
    config: TrackConfig,
    progress: Callable[[int], None] | None = None,
    frames: tuple[int, int] | None = None,
    camera: np.ndarray | None = None,
) -> np.ndarray:
    """`identify`'s people alone: (N,) i32."""
    return identify(parts, time_s, size_px, skeleton, config, progress, frames, camera).person


def identify(
    parts: Iterable[Observations],
    time_s: np.ndarray,
    size_px: tuple[int, int],
    skeleton: Skeleton,
    config: TrackConfig,
    progress: Callable[[int], None] | None = None,
    frames: tuple[int, int] | None = None,
    camera: np.ndarray | None = None,
) -> Identities:
    """Person of every observation of all ``parts`` in order, 1… by first appearance, −1 for nobody.

    A person confirmed later owns its earlier observations too. Tracklets that are too doubtful, or a second view of
    another one, and people seen too briefly are nobody.

    Args:
        parts: observations of consecutive stretches of frames; a frame's observations are all in one part.
        time_s: (T,) time of each frame of the video.
        size_px: (w, h) of the upright frame.
        progress: called after each part with the number of its last frame + 1, where it has observations.
        frames: first frame and one past the last that were observed, if not all were.
        camera: (T, 4) motion of the camera into each frame, as `pipeline.observe.camera` has it.

    Raises:
        ValueError: parts out of order, beyond the pts table, or of another skeleton.
    """
    config = _fit_to_length(config, time_s[slice(*frames)] if frames else time_s)
    camera = None if camera is None or not config.camera or (camera == STILL).all() else camera
    tracker = Tracker(config, skeleton, size_px)
    chosen = skeleton.tracked
    doubles = _Doubles(config.duplicate_oks, np.array(skeleton.sigmas)[chosen])
    collector = Collector(time_s, size_px, camera)
    columns, frame_of = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    before = frames[0] if frames else 0
    for part in parts:
        _check_part(part, time_s, skeleton)
        ids = np.full(len(part), -1, np.int32)
        for rows in _frames(part.frame):
            frame = int(part.frame[rows.start])
            box, kp, kp_score = part.box_px[rows], part.keypoints_px[rows], part.keypoint_score[rows]
            look = part.appearance[rows] if part.appearance is not None and config.appearance else None
            moved = _between(camera, before, frame)
            ids[rows] = tracker.update(frame, float(time_s[frame]), box, part.score[rows], kp, kp_score, look, moved)
            before = frame
            if rows.stop - rows.start > 1:
                doubles.add(ids[rows], box, kp[:, chosen], kp_score[:, chosen])
        collector.add(part if config.appearance else replace(part, appearance=None), ids)
        columns.append(ids)
        frame_of.append(part.frame)
        if progress is not None and len(part):
            progress(int(part.frame[-1]) + 1)
    good = _single(tracker.tracklets(), doubles.frames, config)
    glimpses = collector.glimpses()
    glimpses = glimpses.take(np.isin(glimpses.tracklet, good))
    return _people(glimpses, np.concatenate(columns), np.concatenate(frame_of), size_px, config)


def _between(camera: np.ndarray | None, before: int, frame: int) -> np.ndarray | None:
    """The camera's motion from one frame to another, None where it is still."""
    if camera is None:
        return None
    total = STILL
    for motion in camera[before + 1 : frame + 1]:
        total = compose(total, motion)
    return None if total is STILL else total


def _single(t: Tracklets, doubles: dict[tuple[int, int], int], config: TrackConfig) -> np.ndarray:
    """Ids of the tracklets that are not another view of somebody."""
    good = np.ones(len(t.id), bool)
    row = {int(i): r for r, i in enumerate(t.id)}
    for (a, b), frames in sorted(doubles.items()):
        if a not in row or b not in row:
            continue
        # The better of two is the one with more seen of it, equal ones the earlier.
        keep, drop = sorted((row[a], row[b]), key=lambda r: (-t.score_sum[r], r))
        if good[keep] and good[drop] and frames >= config.duplicate_overlap * min(t.hits[keep], t.hits[drop]):
            good[drop] = False
    return t.id[good]


def _people(
    glimpses: Glimpses, tracklet: np.ndarray, frame: np.ndarray, size_px: tuple[int, int], config: TrackConfig
) -> Identities:
    """People of the glimpses, and of observations with these tracklets (N,) in these frames (N,)."""
    pieces = cut(glimpses, config)
    number, good = np.zeros(0, np.int64), np.zeros(0, bool)
    moments: list[Moment] = []
    for limit in LIMITS[: 1 if config.people is None else None]:
        if config.relink:
            number, moments = link(pieces, size_px, limit)
        else:
            number = np.arange(len(pieces))
        good, first, score = _worthy(pieces, number, config)
        if config.people is None or good.sum() <= config.people:
            break
    if config.people is not None:  # the clearest ones
        good[np.argsort(np.where(good, -score, np.inf), kind="stable")[config.people :]] = False
    table = np.full(len(good), -1, np.int32)
    order = np.lexsort((np.arange(len(good)), first))
    order = order[good[order]]
    table[order] = np.arange(1, len(order) + 1)
    person = table[number] if len(number) else np.zeros(0, np.int32)
    own = {}
    for i, t in enumerate(pieces.tracklet):
        own[int(t), float(pieces.first_s[i])] = int(person[i])
    told = [(m.time_s, own[m.tracklet, m.time_s], m.what) for m in moments if own[m.tracklet, m.time_s] > 0]
    return Identities(_looked_up(pieces, person, tracklet, frame), sorted(told))


def _worthy(p: Pieces, number: np.ndarray, config: TrackConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each person: whether long and surely enough seen, the first frame, the sum of scores."""
    size = int(number.max(initial=-1)) + 1
    frames = p.last_frame - p.first_frame + 1
    hits, score, span = (np.bincount(number, values, minlength=size) for values in (p.count, p.score, frames))
    first_s, last_s = np.full(size, np.inf), np.full(size, -np.inf)
    first = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(first_s, number, p.first_s)
    np.maximum.at(last_s, number, p.last_s)
    np.minimum.at(first, number, p.first_frame)
    good = (last_s - first_s >= config.min_length_s - 1e-6) & (hits >= config.confirm_hits)
    good &= (score >= config.min_mean_score * hits) & (hits >= config.min_coverage * span)
    return good, first, score


def _looked_up(p: Pieces, person: np.ndarray, tracklet: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """(N,) i32 person of observations, −1 for those whose tracklet has no piece."""
    if not len(p):
        return np.full(len(tracklet), -1, np.int32)
    wide = int(frame.max(initial=0)) + 1
    keys = p.tracklet.astype(np.int64) * wide + p.first_frame
    at = np.searchsorted(keys, tracklet.astype(np.int64) * wide + frame, "right") - 1
    mine = (at >= 0) & (p.tracklet[np.maximum(at, 0)] == tracklet)
    return np.where(mine, person[np.maximum(at, 0)], -1).astype(np.int32)


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
