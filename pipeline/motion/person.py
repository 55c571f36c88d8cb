"""From each person's observations to a motion: rows, gaps, smoothing, and the provenance of every keypoint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import median_filter

from pipeline.core.settings import SmoothConfig, TrackConfig
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import INTERPOLATED, MEASURED, MISSING, SWAPPED, Motion, Observations
from pipeline.motion import boxes, repair, standing
from pipeline.motion.doubts import doubts
from pipeline.motion.filters import FILTERS, bend, filtered, slope, stretches
from pipeline.motion.foreign import OWN, put_aside
from pipeline.motion.jerk import jerk_density
from pipeline.motion.lasting import shares, with_lasting
from pipeline.motion.smooth import Smoothed, noise_px, smooth_all
from pipeline.motion.stray import densities
from pipeline.motion.swap import unswap_all
from pipeline.motion.trajectories import Trajectories

_SIZE_ROWS = 15  # median over so many rows: a box cut off in a few frames does not change a person's size
BRIDGED = 0.05  # weight of a bridged box among measured ones of score 1


# A person's id and rows, and what `pipeline.motion.claims` says of the rows (None: nobody is near).
Person = tuple[int, Observations, np.ndarray | None]


class _Rows(NamedTuple):
    """What a person's rows have besides the paths."""

    person_id: int
    frame: np.ndarray  # (L,)
    seen: np.ndarray  # (L,) bool
    score: np.ndarray  # (L,)
    box_px: np.ndarray  # (L, 4)
    raw_px: np.ndarray  # (L, K, 2) as measured
    claimed: np.ndarray | None  # (L, K) how near another person's limbs are, see `pipeline.motion.claims`


def build_motions(
    people: Iterable[Person],
    time_s_table: np.ndarray,
    skeleton: Skeleton,
    track_config: TrackConfig,
    smooth_config: SmoothConfig,
    steady: np.ndarray | None = None,
) -> list[Motion]:
    """The motions of people from all of their observations; no motion depends on the others in the list.

    A motion has a row for each frame in which the person was seen, and for each frame between two sightings at most
    ``track_config.max_gap_s`` apart. A keypoint is MEASURED where its measurement was used, and SWAPPED where the
    measurement of the other side was used. It is INTERPOLATED where no measurement was used (none, score below
    ``smooth_config.min_keypoint_score``, not the person's own as `pipeline.motion.foreign` tells, or an outlier)
    between used measurements at most ``max_gap_s`` apart. It is MISSING (NaN) elsewhere. ``raw_px`` is the network's
    output in every observed row, whatever its score. Bridged rows have a score of NaN and keypoint scores of 0.

    Args:
        people: each with its rows, at most one per frame, at least one. None is held longer than its rows take, so
            that an iterator which lets go of them saves their memory.
        time_s_table: (T,) f64, the time of each frame of the video.
        steady: (T, 3, 3) similarities from each frame to one picture, in which paths are smoothed; None: the camera
            stands still.

    Raises:
        ValueError: no observations, two in one frame, or frames outside the table.
    """
    max_gap_s = track_config.max_gap_s
    made = [_rows(one, time_s_table, skeleton, max_gap_s, smooth_config) for one in people]
    rows, right = [its for its, _ in made], [points for _, points in made]
    del made
    if smooth_config.unswap:
        right = unswap_all(right, [_noise_px(one, smooth_config) for one in right], skeleton)
    own = [
        put_aside(one, _exchanged(its.claimed, one, skeleton), skeleton) for one, its in zip(right, rows, strict=True)
    ]
    if steady is None:
        paths = smoothed_paths([one for one, _ in own], smooth_config, max_gap_s)
    else:
        on = [standing.laid(its.frame, steady) for its in rows]
        still = [standing.in_still(one, it) for (one, _), it in zip(own, on, strict=True)]
        paths = [
            standing.in_frames(path, it)
            for path, it in zip(smoothed_paths(still, smooth_config, max_gap_s), on, strict=True)
        ]
    return [
        _motion(person, its, path, why, skeleton, smooth_config, max_gap_s)
        for person, (its, why), path in zip(rows, own, paths, strict=True)
    ]


def build_motion(
    person_id: int,
    obs: Observations,
    time_s_table: np.ndarray,
    skeleton: Skeleton,
    track_config: TrackConfig,
    smooth_config: SmoothConfig,
) -> Motion:
    """`build_motions` of one person."""
    return build_motions([(person_id, obs, None)], time_s_table, skeleton, track_config, smooth_config)[0]


def _exchanged(claimed: np.ndarray | None, one: Trajectories, skeleton: Skeleton) -> np.ndarray | None:
    """The claims, exchanged like the measurements."""
    return claimed if claimed is None else np.where(one.swapped, claimed[:, skeleton.flip], claimed)


def _rows(
    one: Person,
    time_s_table: np.ndarray,
    skeleton: Skeleton,
    max_gap_s: float,
    config: SmoothConfig,
) -> tuple[_Rows, Trajectories]:
    """A person's observations, and a row for each frame of the gaps that are bridged."""
    person_id, obs, near = one
    if len(obs) == 0:
        raise ValueError(f"person {person_id} has no observations")
    frame, source = repair.rows(obs.frame, time_s_table, max_gap_s)
    time_s, seen = time_s_table[frame].astype(np.float64), source >= 0
    raw = np.full((len(frame), len(skeleton), 2), np.nan, np.float32)
    raw[seen] = obs.keypoints_px
    keypoint_score = np.zeros(raw.shape[:2], np.float32)
    keypoint_score[seen] = obs.keypoint_score
    score = np.full(len(frame), np.nan, np.float32)
    score[seen] = obs.score
    box = np.full((len(frame), 4), np.nan, np.float32)
    box[seen] = boxes.fitted(obs.box_px, obs.keypoints_px, obs.keypoint_score, skeleton)
    box, _ = repair.bridge(time_s, box, seen, max_gap_s)
    box = boxes.steady(time_s, box, np.where(seen, np.nan_to_num(score), BRIDGED))
    measured = (keypoint_score >= config.min_keypoint_score) & np.isfinite(raw).all(-1)
    points = Trajectories(time_s, raw, keypoint_score, measured, body_length(box), np.zeros(measured.shape, bool))
    claimed = None if near is None else np.full(measured.shape, np.inf, near.dtype)
    if claimed is not None:
        claimed[seen] = near
    return _Rows(person_id, frame, seen, score, box, raw, claimed), points


def _motion(
    rows: _Rows,
    right: Trajectories,
    paths: Smoothed,
    why: np.ndarray,
    skeleton: Skeleton,
    config: SmoothConfig,
    max_gap_s: float,
) -> Motion:
    """The motion of a person's rows with the smoothed paths, whose gaps are bridged in place.

    ``why (L, K)`` says which measurements were put aside.
    """
    provenance = _fill(right, paths, why != OWN, config, max_gap_s)
    used = provenance == MEASURED
    std = with_lasting(right.time_s, paths.std, used, right.keypoint_score, right.size_px, shares(skeleton))
    provenance[(provenance == MEASURED) & right.swapped] = SWAPPED
    return Motion(
        person_id=rows.person_id,
        frame=rows.frame,
        time_s=right.time_s,
        box_px=rows.box_px,
        score=rows.score,
        state=np.where(rows.seen, MEASURED, INTERPOLATED).astype(np.uint8),
        keypoints_px=paths.position,
        keypoint_score=right.keypoint_score,
        keypoint_std_px=std,
        keypoint_jitter_px=paths.std,
        provenance=provenance,
        raw_px=rows.raw_px,
        skeleton=skeleton.name,
        velocity_px_s=paths.velocity,
        acceleration_px_s2=paths.acceleration,
        doubts=doubts(right.time_s, why, skeleton),
        aside_share=(why != OWN).mean(0).astype(np.float32),
    )


def smoothed_paths(people: Sequence[Trajectories], config: SmoothConfig, max_gap_s: float) -> list[Smoothed]:
    """All people's paths by the filter of the settings; with every filter, the Kalman filter decides on outliers."""
    if config.method == "none":
        return [_as_measured(one, _noise_px(one, config)) for one in people]
    causal = config.method in ("fixed_lag", "one_euro")
    density = [
        jerk_density(p.time_s, p.keypoints_px, p.measured, p.size_px, config.noise_len, config.least_jerk, causal)
        for p in people
    ]
    paths = smooth_all(people, density, config, max_gap_s)
    if config.method not in FILTERS:
        return paths
    return [
        filtered(p.time_s, p.keypoints_px, its.used, _noise_px(p, config), p.size_px, config, max_gap_s)
        for p, its in zip(people, paths, strict=True)
    ]


def _noise_px(one: Trajectories, config: SmoothConfig) -> np.ndarray:
    """(L, K) f32 standard deviation of a measurement, per axis."""
    return noise_px(one.keypoint_score, one.size_px, config.noise_len).astype(np.float32)


def _as_measured(one: Trajectories, noise: np.ndarray) -> Smoothed:
    paths, measured = Smoothed.empty(one.measured.shape), one.measured
    paths.position[measured], paths.std[measured], paths.used = one.keypoints_px[measured], noise[measured], measured
    return paths


def body_length(box_px: np.ndarray) -> np.ndarray:
    """Size of a person in px from its boxes (L, 4): the longer side, a running median: (L,) f32, at least 1."""
    longer = np.maximum(box_px[:, 2] - box_px[:, 0], box_px[:, 3] - box_px[:, 1])
    return np.maximum(median_filter(longer, size=_SIZE_ROWS, mode="nearest"), np.float32(1.0))


def _fill(
    right: Trajectories, paths: Smoothed, aside: np.ndarray, config: SmoothConfig, max_gap_s: float
) -> np.ndarray:
    """Bridge the remaining gaps in the paths by lines, in place; returns the provenance (L, K) u8."""
    time_s, provenance = right.time_s, np.full(paths.used.shape, MISSING, np.uint8)
    for k in range(paths.used.shape[1]):
        used = paths.used[:, k]
        known = used | np.isfinite(paths.position[:, k, 0])  # filters fill short gaps themselves
        paths.position[:, k], filled = repair.bridge(time_s, paths.position[:, k], known, max_gap_s)
        stray = densities(time_s, paths.position[:, k], used, aside[:, k], right.size_px)
        # A gap is what lies between measurements that were used; the smoother fills only gaps well below the limit.
        var = np.square(paths.std[:, k].astype(np.float64))
        sure = known & np.isfinite(var)
        repair.bridge_var(time_s, var, sure, (known | filled) & ~sure, stray)
        paths.std[:, k] = np.where(known | filled, np.sqrt(var), np.nan)
        if config.method == "none":
            for part in stretches(time_s, known | filled, max_gap_s):
                paths.velocity[part, k] = slope(time_s[part], paths.position[part, k])
                paths.acceleration[part, k] = bend(time_s[part], paths.velocity[part, k])
        elif filled.any():
            before, after = repair.neighbours(known)
            s, e = before[filled], after[filled]
            paths.velocity[filled, k] = (paths.position[e, k] - paths.position[s, k]) / (time_s[e] - time_s[s])[:, None]
            for part in stretches(time_s, known | filled, max_gap_s):  # a measurement alone between two lines
                alone = np.isnan(paths.velocity[part, k])
                if alone.any():
                    line = slope(time_s[part], paths.position[part, k])
                    paths.velocity[part, k] = np.where(alone, line, paths.velocity[part, k])
        provenance[used, k] = MEASURED
        provenance[(filled | known) & ~used, k] = INTERPOLATED
    return provenance
