"""One person's observations to one motion: rows, gaps, smoothing, and the provenance of every keypoint."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter

from pipeline.core.settings import SmoothConfig, TrackConfig
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import INTERPOLATED, MEASURED, MISSING, SWAPPED, Motion, Observations
from pipeline.motion import boxes, repair
from pipeline.motion.filters import FILTERS, filtered, slope, stretches
from pipeline.motion.jerk import jerk_density
from pipeline.motion.smooth import Smoothed, noise_px, smooth_steps
from pipeline.motion.swap import Unswapped, unswap_steps
from pipeline.motion.together import Steps, for_one

_SIZE_ROWS = 15  # median over so many rows: a box cut off in a few frames does not change a person's size
BRIDGED = 0.05  # weight of a bridged box among measured ones of score 1
STRAY_LEN = 0.25  # body lengths / √s: how fast a keypoint strays from a line across a gap


def motion_steps(
    person_id: int,
    obs: Observations,
    time_s_table: np.ndarray,
    skeleton: Skeleton,
    track_config: TrackConfig,
    smooth_config: SmoothConfig,
) -> Steps[Motion]:
    """The motion of one person from all of its observations.

    A row per frame where the person was seen, or lies between two sightings at most ``track_config.max_gap_s`` apart.
    Each keypoint is MEASURED where its measurement was used, SWAPPED where that of the other side was; INTERPOLATED
    where none was used (none, score below ``smooth_config.min_keypoint_score``, or an outlier) but used measurements at
    most ``max_gap_s`` apart lie on both sides; MISSING (NaN) elsewhere.
    ``raw_px`` is what the network said in every observed row, whatever its score. Bridged rows have a score of NaN and
    keypoint scores of 0.

    Args:
        obs: one person's rows, at most one per frame, at least one.
        time_s_table: (T,) f64, the time of each frame of the video.

    Raises:
        ValueError: no observations, two in one frame, or frames outside the table.
    """
    if len(obs) == 0:
        raise ValueError(f"person {person_id} has no observations")
    max_gap_s = track_config.max_gap_s
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
    size = body_length(box)
    right = yield from _righted(time_s, raw, keypoint_score, size, skeleton, smooth_config)
    paths = yield from path_steps(time_s, right, size, smooth_config, max_gap_s)
    provenance = _fill(time_s, paths, size, smooth_config, max_gap_s)
    provenance[(provenance == MEASURED) & right.swapped] = SWAPPED
    return Motion(
        person_id=person_id,
        frame=frame,
        time_s=time_s,
        box_px=box,
        score=score,
        state=np.where(seen, MEASURED, INTERPOLATED).astype(np.uint8),
        keypoints_px=paths.position,
        keypoint_score=right.keypoint_score,
        keypoint_std_px=paths.std,
        provenance=provenance,
        raw_px=raw,
        skeleton=skeleton.name,
        velocity_px_s=paths.velocity,
        acceleration_px_s2=paths.acceleration,
    )


build_motion = for_one(motion_steps)


def _righted(
    time_s: np.ndarray,
    raw: np.ndarray,
    score: np.ndarray,
    size: np.ndarray,
    skeleton: Skeleton,
    config: SmoothConfig,
) -> Steps[Unswapped]:
    """What was measured (L, K, 2), left and right put right if the settings want that."""
    measured = (score >= config.min_keypoint_score) & np.isfinite(raw).all(-1)
    if not config.unswap:
        return Unswapped(raw, score, measured, np.zeros(measured.shape, bool))
    noise = noise_px(score, size, config.noise_len)
    return (yield from unswap_steps(time_s, raw, score, measured, size, noise, skeleton))


def path_steps(
    time_s: np.ndarray, right: Unswapped, size: np.ndarray, config: SmoothConfig, max_gap_s: float
) -> Steps[Smoothed]:
    """The paths by the filter of the settings; outliers are those of the Kalman filter for all of them."""
    keypoints, score, measured, _ = right
    noise = noise_px(score, size, config.noise_len).astype(np.float32)
    if config.method == "none":
        paths = Smoothed.empty(measured.shape)
        paths.position[measured], paths.std[measured], paths.used = keypoints[measured], noise[measured], measured
        return paths
    causal = config.method in ("fixed_lag", "one_euro")
    density = jerk_density(time_s, keypoints, measured, size, config.noise_len, config.least_jerk, causal)
    paths = yield from smooth_steps(time_s, keypoints, score, measured, size, density, config, max_gap_s)
    if config.method in FILTERS:
        return filtered(time_s, keypoints, paths.used, noise, size, config, max_gap_s)
    return paths


smoothed_paths = for_one(path_steps)


def body_length(box_px: np.ndarray) -> np.ndarray:
    """Size of a person in px from its boxes (L, 4): the longer side, a running median: (L,) f32, at least 1."""
    longer = np.maximum(box_px[:, 2] - box_px[:, 0], box_px[:, 3] - box_px[:, 1])
    return np.maximum(median_filter(longer, size=_SIZE_ROWS, mode="nearest"), np.float32(1.0))


def _fill(
    time_s: np.ndarray, paths: Smoothed, size_px: np.ndarray, config: SmoothConfig, max_gap_s: float
) -> np.ndarray:
    """Bridge what is still open in the paths by lines, in place; provenance (L, K) u8."""
    provenance = np.full(paths.used.shape, MISSING, np.uint8)
    stray = np.square(STRAY_LEN * size_px.astype(np.float64))
    for k in range(paths.used.shape[1]):
        used = paths.used[:, k]
        known = used | np.isfinite(paths.position[:, k, 0])  # filters fill short gaps themselves
        paths.position[:, k], filled = repair.bridge(time_s, paths.position[:, k], known, max_gap_s)
        # A gap is what lies between measurements that were used; the smoother fills only gaps well below the limit.
        var = np.square(paths.std[:, k].astype(np.float64))
        sure = known & np.isfinite(var)
        repair.bridge_var(time_s, var, sure, (known | filled) & ~sure, stray)
        paths.std[:, k] = np.where(known | filled, np.sqrt(var), np.nan)
        if config.method == "none":
            for part in stretches(time_s, known | filled, max_gap_s):
                paths.velocity[part, k] = slope(time_s[part], paths.position[part, k])
                paths.acceleration[part, k] = slope(time_s[part], paths.velocity[part, k])
        elif filled.any():
            before, after = repair.neighbours(known)
            s, e = before[filled], after[filled]
            paths.velocity[filled, k] = (paths.position[e, k] - paths.position[s, k]) / (time_s[e] - time_s[s])[:, None]
        provenance[used, k] = MEASURED
        provenance[(filled | known) & ~used, k] = INTERPOLATED
    return provenance
