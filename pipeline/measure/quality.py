"""How far a person's table can be trusted: coverage, gaps, limb lengths, jitter, speeds; and warnings in words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import INTERPOLATED, MEASURED, MISSING, SWAPPED, Motion

_LIMBS = (
    ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("shoulder", "hip"),
)  # fmt: skip
_FASTEST_LEN_S = 14.0  # standing heights / s; a sprinter's foot reaches about 12, which is 20 m/s
_BLUR_LEN = 0.08  # standing heights between two frames from which a joint is blurred at usual exposures
_TURNS = 1.2  # change of size that is a movement towards the camera or away
_SPREAD = 0.15  # spread of a limb's length, as a share, from which the person turns or the keypoints are poor
_JITTER_LEN = 0.02  # standing heights
_WANDER_DEG = 3.0

QUALITY_COLUMNS = (
    "person_id", "joint", "coverage_share", "interpolated_share", "swapped_share", "aside_share", "gaps_count",
    "longest_gap_s", "mean_score", "mean_std_px", "jitter_raw_px", "jitter_px", "fastest_px_s", "implausible_share",
)  # fmt: skip


class Quality(NamedTuple):
    """Of one person."""

    joints: list[dict[str, float | int | str]]  # rows of `QUALITY_COLUMNS`
    figures: dict[str, float | str]  # for people.csv
    warnings: list[str]


def assess(motion: Motion, skeleton: Skeleton, height: float, size: float) -> Quality:
    """Figures of every joint and of the person, and warnings.

    ``height`` in px and ``size`` are `pipeline.measure.scale.sizes`.

    Jitter is the root mean square of second differences over neighbouring rows of equal steps, divided by √6; for white
    noise this is the noise's standard deviation. Jitter is given for the measured path and for the resulting path.
    """
    used = (motion.provenance == MEASURED) | (motion.provenance == SWAPPED)
    raw = jitters_px(motion.time_s, motion.raw_px, used).tolist()
    jitter = jitters_px(motion.time_s, motion.keypoints_px).tolist()
    joints = [
        _joint(motion, k, name, used[:, k], height) | {"jitter_raw_px": raw[k], "jitter_px": jitter[k]}
        for k, name in enumerate(skeleton.names)
    ]
    body = [j for j in joints if j["coverage_share"] and not str(j["joint"]).endswith(("eye", "ear"))]
    spread, limb = _limb_spread(motion, skeleton)
    known = motion.provenance[:, skeleton.tracked] != MISSING
    changed = motion.provenance[:, skeleton.tracked] == SWAPPED
    figures: dict[str, float | str] = {
        "standing_height_px": height,
        "jitter_raw_px": _mean([j["jitter_raw_px"] for j in body]),
        "jitter_px": _mean([j["jitter_px"] for j in body]),
        "limb_spread_share": spread,
        "swapped_share": float(changed.sum() / max(known.sum(), 1)),
        "implausible_share": _mean([j["implausible_share"] for j in body]),
        "size_change_ratio": size,
    }
    return Quality(joints, figures, _warnings(motion, body, figures, limb, height))


def _joint(motion: Motion, k: int, name: str, used: np.ndarray, height_px: float) -> dict[str, float | int | str]:
    state = motion.provenance[:, k]
    span = int(motion.frame[-1] - motion.frame[0]) + 1
    times = motion.time_s[used]
    steps = np.diff(times)[np.diff(motion.frame[used]) > 1] if used.any() else np.zeros(0)
    speed = np.zeros(0) if motion.velocity_px_s is None else np.linalg.norm(motion.velocity_px_s[:, k], axis=-1)
    speed = speed[np.isfinite(speed)]
    too_fast = float(np.mean(speed > _FASTEST_LEN_S * height_px)) if len(speed) and height_px > 0 else float("nan")
    return {
        "person_id": motion.person_id,
        "joint": name,
        "coverage_share": float(used.sum() / span),
        "interpolated_share": float(np.mean(state == INTERPOLATED)),
        "swapped_share": float(np.mean(state == SWAPPED)),
        "aside_share": 0.0 if motion.aside_share is None else float(motion.aside_share[k]),
        "gaps_count": len(steps),
        "longest_gap_s": float(steps.max()) if len(steps) else 0.0,
        "mean_score": float(np.mean(motion.keypoint_score[used, k])) if used.any() else float("nan"),
        "mean_std_px": _mean(motion.keypoint_std_px[:, k]),
        "fastest_px_s": float(speed.max()) if len(speed) else float("nan"),
        "implausible_share": too_fast,
    }


def jitters_px(time_s: np.ndarray, paths_px: np.ndarray, used: np.ndarray | None = None) -> np.ndarray:
    """(K,) standard deviation, per axis, of the white noise that would make the second differences of the paths
    (L, K, 2), where they are ``used`` (L, K) bool.

    Only the lower half of the differences counts, scaled up as for a normal distribution: movement and exchanges of
    left and right make the upper half.
    """
    if len(time_s) < 3:
        return np.full(paths_px.shape[1], np.nan)
    step = np.diff(time_s)
    even = np.abs(np.diff(step)) < 0.25 * np.median(step)
    middle = np.full(paths_px.shape[1], np.nan)
    for k, path in enumerate(paths_px.swapaxes(0, 1)):  # one joint at a time: all joints of hours take much memory
        if used is not None:
            path = np.where(used[:, k, None], path, np.nan)
        second = (path[2:] - 2 * path[1:-1] + path[:-2])[even]
        there = np.isfinite(second).all(-1)
        if there.any():
            middle[k] = np.median(np.abs(second[there].astype(np.float64)))
    return middle / 0.6745 / np.sqrt(6)


def _limb_spread(motion: Motion, skeleton: Skeleton) -> tuple[float, str]:
    """Largest spread of a limb's length in the picture (half of the 16 to 84 % range over the median), and the limb."""
    worst, limb = float("nan"), ""
    for upper, lower in _LIMBS:
        for side in ("left", "right"):
            names = (f"{side}_{upper}", f"{side}_{lower}")
            if not set(names) <= set(skeleton.names):
                continue
            a, b = (motion.keypoints_px[:, skeleton.index(n)].astype(np.float64) for n in names)
            length = np.linalg.norm(a - b, axis=-1)
            length = length[np.isfinite(length)]
            if len(length) < 10:
                continue
            low, middle, high = np.quantile(length, [0.16, 0.5, 0.84])
            spread = (high - low) / 2 / max(middle, 1e-6)
            if not spread <= worst:
                worst, limb = float(spread), f"{side} {upper} to {lower}"
    return worst, limb


def _warnings(
    motion: Motion,
    body: list[dict[str, float | int | str]],
    figures: dict[str, float | str],
    limb: str,
    height_px: float,
) -> list[str]:
    out = []
    poor = [str(j["joint"]) for j in body if float(j["coverage_share"]) < 0.5]
    if poor:
        out.append(f"seldom seen: {', '.join(poor[:6])}{' …' if len(poor) > 6 else ''}")
    if float(figures["swapped_share"]) > 0.02:
        out.append(
            f"left and right were exchanged in {float(figures['swapped_share']):.0%} of the values, and put right"
        )
    if float(figures["limb_spread_share"]) > _SPREAD:
        share = float(figures["limb_spread_share"])
        out.append(f"turns out of the picture plane, or is badly seen: the length {limb} varies by ±{share:.0%}")
    if float(figures["size_change_ratio"]) > _TURNS:
        out.append(
            f"moves towards the camera or away: the size changes {float(figures['size_change_ratio']):.2g} times"
        )
    if float(figures["implausible_share"]) > 0.001:
        fast = max(body, key=lambda j: np.nan_to_num(float(j["implausible_share"])))
        out.append(f"implausible speeds of {fast['joint']}: check the times in the table")
    if float(figures["jitter_raw_px"]) > _JITTER_LEN * height_px:
        out.append(f"keypoints jitter by {float(figures['jitter_raw_px']):.1f} px before smoothing")
    if motion.velocity_px_s is not None and len(motion) > 1:
        step = float(np.median(np.diff(motion.time_s)))
        speed = np.zeros(len(motion))
        for k in range(len(motion.velocity_px_s[0])):  # one joint at a time, as above
            np.fmax(speed, np.linalg.norm(motion.velocity_px_s[:, k], axis=-1), out=speed)
        if np.quantile(speed, 0.95) * step > _BLUR_LEN * height_px:
            out.append("moves far between two frames: motion blur and cut peaks are likely; a higher frame rate helps")
    return out


def _mean(values: np.ndarray | list) -> float:
    array = np.asarray(values, np.float64)
    array = array[np.isfinite(array)]
    return float(array.mean()) if len(array) else float("nan")
