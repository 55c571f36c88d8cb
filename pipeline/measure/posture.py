"""Whether somebody lies, bends over or is head down, in words: people.csv is about people who stand where it says
nothing."""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion

LIES_DEG, TURNED_DEG = 65.0, 115.0  # the trunk off the vertical: somebody lies or bends over; is head down
LEAST_SHARE = 0.1  # of the rows in which the trunk is known


def posture_warnings(motion: Motion, skeleton: Skeleton, up: np.ndarray) -> list[str]:
    """At most one line for each posture that takes `LEAST_SHARE` of the rows or more.

    The trunk is that of the world where there is one, else that of the picture.

    Args:
        up: (3,) unit vector that points up, in the camera's axes.
    """
    lean = _lean_deg(motion, skeleton, up)
    lean = lean[np.isfinite(lean)]
    if not len(lean):
        return []
    lies, turned = float(np.mean((lean > LIES_DEG) & (lean <= TURNED_DEG))), float(np.mean(lean > TURNED_DEG))
    out = []
    if lies >= LEAST_SHARE:
        out.append(f"lies or bends over in {lies:.0%} of the rows: the trunk is more than {LIES_DEG:.0f}° off upright")
    if turned >= LEAST_SHARE:
        out.append(f"is head down in {turned:.0%} of the rows")
    return out


def _lean_deg(motion: Motion, skeleton: Skeleton, up: np.ndarray) -> np.ndarray:
    """(L,) angle from ``up`` to the trunk, 0 to 180; NaN where shoulders or hips are not known."""
    if motion.world_m is not None:
        trunk = _trunk(motion.world_m, motion.names_m)
        along = trunk[:, 2]
    else:
        trunk = _trunk(motion.keypoints_px, skeleton.names)
        along = trunk @ (up[:2] / max(float(np.hypot(up[0], up[1])), 1e-9))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.degrees(np.arccos(np.clip(along / np.linalg.norm(trunk, axis=1), -1, 1)))


def _trunk(places: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """(L, D) from the middle of the hips to that of the shoulders; NaN where one of them is not among the names."""
    ends = []
    for part in ("hip", "shoulder"):
        pair = [names.index(name) for name in (f"left_{part}", f"right_{part}") if name in names]
        known = places[:, pair].astype(np.float64).mean(1) if len(pair) == 2 else np.full(places[:, 0].shape, np.nan)
        ends.append(known)
    return np.asarray(ends[1] - ends[0], np.float64)
