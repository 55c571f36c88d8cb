"""After the network: limbs of constant length, the person's height, and the place of the person before the camera."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from pipeline.core.rows import blocks, quantile
from pipeline.core.types import MEASURED, SWAPPED, Motion
from pipeline.lift.joints import FURTHER, HIPS, JOINTS

AT = {name: i for i, name in enumerate(JOINTS)}
# The joint on which each joint hangs; "" is the middle of the hips.
PARENT = {
    "left_hip": "", "right_hip": "", "left_knee": "left_hip", "right_knee": "right_hip", "left_ankle": "left_knee",
    "right_ankle": "right_knee", "left_heel": "left_ankle", "right_heel": "right_ankle", "left_toe": "left_ankle",
    "right_toe": "right_ankle", "thorax": "", "neck": "thorax", "left_shoulder": "neck", "right_shoulder": "neck",
    "left_elbow": "left_shoulder", "right_elbow": "right_shoulder", "left_wrist": "left_elbow",
    "right_wrist": "right_elbow", "head_top": "neck", "nose": "head_top", "left_eye": "head_top",
    "right_eye": "head_top", "left_ear": "head_top", "right_ear": "head_top",
}  # fmt: skip
# Thigh, shank and trunk (middle of the hips to that of the shoulders) as shares of the height (Drillis and Contini
# 1966).
CHAIN = 0.245 + 0.246 + 0.288
_DEPTH_S = 0.25  # standard deviation in seconds of the window over which a person's distance is averaged
_TREND_S, _ASTRAY, _ROUNDS, _LEAN = 1.0, 0.06, 5, 0.02  # see _calm
_MOST_SCALED = 1.25  # largest factor by which a body is made larger or smaller to have the usual height
_LEAST_Z_M = 0.3
_LENGTH_STD_M = 0.01  # standard deviation of a limb's length in a row that tells it best


def limb_lengths(joints: np.ndarray, weight: np.ndarray | None = None) -> dict[str, float]:
    """Metres from each joint to the joint on which it hangs: medians over joints (L, J, 3), the same for both sides.

    NaN for joints that are never known.

    Args:
        weight: (L, J) how much each row counts (`lengths_told`); None: all rows alike.
    """
    length = np.linalg.norm(_bones(joints, np.zeros((len(joints), 3), joints.dtype)), axis=-1)
    if weight is None:
        middle, total = quantile(length.T, 0.5), np.ones(len(JOINTS))
    else:
        found = [_weighted_median(length[:, j], weight[:, j]) for j in range(len(JOINTS))]
        middle, total = (np.array(values) for values in zip(*found, strict=True))
    out = {name: float(middle[AT[name]]) for name in PARENT}
    for name in PARENT:
        if name.startswith("left_"):
            both = [AT[name], AT["right" + name[4:]]]
            out[name] = out["right" + name[4:]] = float((total[both] * middle[both]).sum() / total[both].sum())
    return out


def lengths_told(joints: np.ndarray, std: np.ndarray, ray: np.ndarray) -> np.ndarray:
    """(L, J) 1 / m², how well each row tells the length of each limb: one over the variance of its length.

    A limb across the line of sight tells its length, one along it does not.

    Args:
        joints: (L, J, 3) m about the middle of the hips.
        std: (L, J, 3) m, the network's standard deviations, the last along the line of sight.
        ray: (L, 2) to the middle of the hips.
    """
    out = np.empty(joints.shape[:2], np.float32)
    parent = [AT.get(PARENT[name], len(JOINTS)) for name in JOINTS]
    for rows in blocks(len(joints)):
        bone = _bones(joints[rows], np.zeros((len(joints[rows]), 3), joints.dtype))
        sight = np.concatenate([ray[rows], np.ones_like(ray[rows, :1])], 1)
        sight /= np.linalg.norm(sight, axis=1, keepdims=True)
        along = np.square((bone * sight[:, None]).sum(-1)) / np.maximum(np.square(bone).sum(-1), 1e-12)
        ends = np.square(std[rows])[..., [0, 2]]
        ends = ends + np.concatenate([ends, np.zeros_like(ends[:, :1])], 1)[:, parent]
        out[rows] = 1 / ((1 - along) * ends[..., 0] + along * ends[..., 1] + _LENGTH_STD_M**2)
    return out


def _weighted_median(values: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """The median of the values (L,) that are known, and the sum of their weights (L,); NaN and 1 where none is."""
    known = np.flatnonzero(np.isfinite(values) & (weight > 0))
    if not len(known):
        return float("nan"), 1.0
    order = known[np.argsort(values[known])]
    passed = np.cumsum(weight[order], dtype=np.float64)
    return float(values[order[np.searchsorted(passed, passed[-1] / 2)]]), float(passed[-1])


def _bones(joints: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """(L, J, 3) m to each joint from the point on which it hangs: a joint, or the ``middle (L, 3)`` of the hips."""
    parent = [AT.get(PARENT[name], len(JOINTS)) for name in JOINTS]
    return joints - np.concatenate([joints, middle[:, None]], 1)[:, parent]


def with_lengths(joints: np.ndarray, lengths: dict[str, float]) -> np.ndarray:
    """Joints (L, J, 3) about the middle of the hips with limbs in the same directions, of these lengths."""
    middle = joints[:, HIPS].mean(1)
    out = _bones(joints, middle)
    wanted = np.array([lengths[name] for name in JOINTS], joints.dtype)
    out *= (wanted / np.maximum(np.linalg.norm(out, axis=-1), 1e-9))[..., None]
    for name, parent in PARENT.items():
        if parent:
            out[:, AT[name]] += out[:, AT[parent]]
    return out - out[:, HIPS].mean(1)[:, None]


def height_of(joints: np.ndarray) -> float:
    """The height in m of the person with joints (L, J, 3), from legs and trunk; NaN if these are never seen whole."""

    def long(a: str, b: str) -> np.ndarray:
        return np.linalg.norm(joints[:, AT[a]] - joints[:, AT[b]], axis=-1)

    legs = [long(f"{s}_hip", f"{s}_knee") + long(f"{s}_knee", f"{s}_ankle") for s in ("left", "right")]
    shoulders = (joints[:, AT["left_shoulder"]] + joints[:, AT["right_shoulder"]]) / 2
    chain = (np.mean(legs, 0) + np.linalg.norm(shoulders - joints[:, HIPS].mean(1), axis=-1)) / CHAIN
    chain = chain[np.isfinite(chain)]
    return float(np.median(chain)) if len(chain) else float("nan")


def as_tall(joints: np.ndarray, height_m: float) -> np.ndarray:
    """Joints (L, J, 3) scaled to a person ``height_m`` tall, by no more than `_MOST_SCALED`."""
    now = height_of(joints)
    factor = height_m / now if np.isfinite(now) else 1.0
    return joints * np.float32(np.clip(factor, 1 / _MOST_SCALED, _MOST_SCALED))


def places(joints: np.ndarray, rays: np.ndarray, weight: np.ndarray, ray: np.ndarray, step_s: float) -> np.ndarray:
    """(L, 3) m, the middle of the hips at which joints (L, K, 3) about it lie on their rays (L, K, 2).

    Each frame solves x - r_x z = r_x Z - X, and the same for y, by least squares with the joints' weights (L, K). A
    person's distance changes slowly: so its logarithm is averaged over frames, ``step_s`` apart. The place across then
    lies on the ray (L, 2) to the hips.
    """
    found = [_distances(joints[rows], rays[rows], weight[rows]) for rows in blocks(len(joints))]
    z, spread = (np.concatenate(parts) for parts in zip(*found, strict=True))
    sure = np.where((z > _LEAST_Z_M) & (spread > 0), spread, 0)
    if not sure.any():
        return np.full((len(joints), 3), np.nan, np.float32)
    log = np.log(np.maximum(z, _LEAST_Z_M))
    depth = np.exp(_calm(log, sure / sure.max(), step_s))
    return np.stack([ray[:, 0] * depth, ray[:, 1] * depth, depth], -1).astype(np.float32)


def _distances(joints: np.ndarray, rays: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(L,) m, each frame's distance by itself, and the spread (L,) of the rays that tell it; 0 where none does."""
    w = np.where(np.isfinite(rays).all(-1) & np.isfinite(joints).all(-1), weight, 0)
    r, p = np.where((w > 0)[..., None], rays, 0), np.where((w > 0)[..., None], joints, 0)
    want = (r * p[..., 2:] - p[..., :2]).astype(np.float64)  # (L, K, 2)
    ww = w.sum(1)
    # Normal equations with x and y eliminated: z follows from the spread of the rays about their weighted mean.
    mean_r = (w[..., None] * r).sum(1) / np.maximum(ww, 1e-9)[:, None]
    mean_want = (w[..., None] * want).sum(1) / np.maximum(ww, 1e-9)[:, None]
    dr, dwant = r - mean_r[:, None], want - mean_want[:, None]
    spread = (w[..., None] * dr * dr).sum((1, 2))
    return -(w[..., None] * dr * dwant).sum((1, 2)) / np.maximum(spread, 1e-12), spread


def _calm(log: np.ndarray, sure: np.ndarray, step_s: float) -> np.ndarray:
    """(L,) logarithms of a distance, weighted by ``sure (L,)``, averaged over `_DEPTH_S`.

    Where two people overlap, one of them may seem a third nearer for a second. So values far off the line through the
    values within `_TREND_S` to either side count less (Cauchy). Where no other value is known, the line's value counts.
    """
    trust, trend = np.ones(len(log)), log
    for _ in range(_ROUNDS):
        trend = _trend(log, sure * trust + 1e-9, _TREND_S / step_s)
        trust = 1 / (1 + np.square((log - trend) / _ASTRAY))
    trust = np.square(trust)
    weight, sigma = sure * trust + 1e-9, max(_DEPTH_S / step_s, 0.1)
    mean = gaussian_filter1d(weight * log, sigma, mode="constant", truncate=6)
    total = gaussian_filter1d(weight, sigma, mode="constant", truncate=6)
    return (mean + _LEAN * trend) / (total + _LEAN)


def _trend(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """(L,) at each row the line that fits its neighbours best: ``weight (L,)`` times a Gaussian of ``sigma`` rows."""

    at = np.arange(len(values)) / sigma
    wanted = np.stack([weight, weight * values, weight * at, weight * at**2, weight * at * values])
    w, y, wt, wtt, wty = gaussian_filter1d(wanted, sigma, mode="constant", truncate=4)
    first = wt - at * w
    second = wtt - 2 * at * wt + at**2 * w
    rise = wty - at * y
    spread = np.maximum(w * second - first**2, 1e-6 * w**2)
    slope = np.clip((w * rise - first * y) / spread, -sigma, sigma)
    return (y - slope * first) / w


def reprojection_px(
    joints: np.ndarray, motion: Motion, named: tuple[str, ...], points: tuple[str, ...], rays: np.ndarray
) -> float:
    """Median distance in px between joints (L, J, 3), as the camera sees them, and where they were measured.

    Points that were put on their rays (`pipeline.lift.joints.FURTHER`) do not count.

    Args:
        named: (J,) of the joints.
        points: (K,) of the keypoints.
        rays: (L, K, 2) to those.
    """
    both = [(j, points.index(name)) for j, name in enumerate(named) if name in points and name not in FURTHER]
    mine, theirs = [j for j, _ in both], [k for _, k in both]
    found, state = joints[:, mine], motion.provenance[:, theirs]
    seen = np.isin(state, (MEASURED, SWAPPED)) & np.isfinite(found).all(-1) & (found[..., 2] > 0)
    if seen.sum() < 2:
        return float("nan")
    wanted, px = rays[:, theirs][seen], motion.keypoints_px[:, theirs][seen]
    px_per_ray = np.ptp(px, axis=0).max() / max(np.ptp(wanted, axis=0).max(), 1e-9)
    off = np.linalg.norm(found[seen][:, :2] / found[seen][:, 2:] - wanted, axis=-1)
    return float(np.median(off) * px_per_ray)
