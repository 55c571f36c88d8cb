"""People with feet as RTMPose-s sees them from the side: its noise, and legs that it puts on one and then exchanges.

Noise by score is measured on walks (side views of 380 px, 30 frames/s): residuals to parabolas through three rows on
either side, as shares of the body length. Feet and ankles: σ .0017 at a score of .8, .0026 at .7, .005 at .6, .0065 at
.5, .0135 at .4; one residual in 50 is eight times as large.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.keypoint_sets import HALPE26

_NAMES = HALPE26.names
FEET = tuple(f"{s}_{n}" for n in ("heel", "big_toe", "small_toe") for s in ("left", "right"))
_FOOT = {"heel": (-0.04, 0.035), "big_toe": (0.115, 0.03), "small_toe": (0.1, 0.035)}  # heights from the ankle
_DRIFT_S = 0.1  # of an exchange's end
_NOISE, _BY_SCORE, _OUTLIERS = 0.0018, 5.0, (0.05, 6.0)  # σ at .8, rise of its logarithm, share and factor of outliers
LEG = [i for i, n in enumerate(_NAMES) if n.endswith(("knee", "ankle")) or n in FEET]
HIPS = [_NAMES.index("left_hip"), _NAMES.index("right_hip")]
KNEES = [_NAMES.index("left_knee"), _NAMES.index("right_knee")]
ANKLES = [_NAMES.index("left_ankle"), _NAMES.index("right_ankle")]


def halpe(points_px: np.ndarray, height_px: float, way: float = 1.0) -> np.ndarray:
    """(T, 26, 2) px of a walker (T, 17, 2) who goes right (``way`` 1) or left (−1); feet at right angles to shanks."""
    out = np.zeros((len(points_px), 26, 2))
    out[:, :17] = points_px
    hips, shoulders = points_px[:, 11:13].mean(1), points_px[:, 5:7].mean(1)
    out[:, 17], out[:, 18], out[:, 19] = points_px[:, 0] - (0, 0.06 * height_px), shoulders, hips
    for side in ("left", "right"):
        knee, ankle = (points_px[:, _NAMES.index(f"{side}_{n}")] for n in ("knee", "ankle"))
        down = (ankle - knee) / np.linalg.norm(ankle - knee, axis=1)[:, None]
        ahead = way * np.stack([down[:, 1], -down[:, 0]], 1)
        for name, (x, y) in _FOOT.items():
            out[:, _NAMES.index(f"{side}_{name}")] = ankle + height_px * (x * ahead + y * down)
    return out


def noisy(rng: np.random.Generator, truth_px: np.ndarray, height_px: float) -> tuple[np.ndarray, np.ndarray]:
    """What is seen (T, 26, 2), and scores (T, 26): lower where the legs pass each other."""
    t, k, _ = truth_px.shape
    score = np.full((t, k), 0.78)
    score[:, LEG] -= 0.08
    apart = np.linalg.norm(truth_px[:, ANKLES[0]] - truth_px[:, ANKLES[1]], axis=1) / height_px
    score[:, LEG] -= 0.15 * np.exp(-np.square(apart / 0.08))[:, None]
    score = np.clip(score + 0.06 * rng.standard_normal((t, k)), 0.05, 0.95)
    std = _NOISE * np.exp(_BY_SCORE * (0.8 - score))
    std *= np.where(rng.uniform(size=(t, k)) < _OUTLIERS[0], _OUTLIERS[1], 1.0)
    return truth_px + (height_px * std)[..., None] * rng.standard_normal((t, k, 2)), score


def collapsed(
    rng: np.random.Generator, time_s: np.ndarray, seen_px: np.ndarray, truth_px: np.ndarray, share: float, knees: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Legs put on one of them at a share of the crossings, and after half of these exchanged for .3 to .6 s.

    They are on one for .15 to .4 of a step: walkers .08 to .2 s, as RTMPose-s does, sprinters one or two frames. For
    the last .1 s of an exchange they drift to where they are. Ankles and feet are exchanged, or ``knees``, too, and
    hips in half of these.

    Returns:
        What is seen (T, 26, 2), points exchanged (T, 26) bool, and those of which one can tell (T, 26) bool.
    """
    seen, really, clear = seen_px.copy(), np.zeros(seen_px.shape[:2], bool), np.ones(seen_px.shape[:2], bool)
    crossing = time_s[np.flatnonzero(np.diff(np.sign(truth_px[:, ANKLES[0], 0] - truth_px[:, ANKLES[1], 0])))]
    step, free = float(np.median(np.diff(crossing))), 0.0
    near = [i for i in LEG if _NAMES[i].startswith("right")]
    for at in crossing:
        if at < free or rng.uniform() > share:
            continue
        end = at + rng.uniform(0.15, 0.4) / 2 * step
        rows = np.flatnonzero((time_s > 2 * at - end) & (time_s <= end))
        on_one = seen[np.ix_(rows, near)]
        seen[np.ix_(rows, HALPE26.flip[near])] = on_one + rng.normal(0, 0.5, on_one.shape)
        clear[np.ix_(rows, LEG)] = False
        free = at + 1.0
        if rng.uniform() < 0.5:
            continue
        points = [i for i in LEG if knees or i not in KNEES] + (HIPS if knees and rng.uniform() < 0.5 else [])
        until = end + rng.uniform(0.3, 0.6)
        rows = np.flatnonzero((time_s > end) & (time_s <= until))
        back = np.clip((time_s[rows] - until + _DRIFT_S) / _DRIFT_S, 0, 1)[:, None, None]
        here, there = seen[np.ix_(rows, points)], seen[np.ix_(rows, HALPE26.flip[points])]
        seen[np.ix_(rows, points)] = (1 - back) * there + back * here
        really[np.ix_(rows, points)] = True
        clear[np.ix_(rows[back[:, 0, 0] > 0], points)] = False
        free = until + 0.5
    return seen, really, clear
