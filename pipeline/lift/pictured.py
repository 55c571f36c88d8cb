"""Where the points of the picture lie on the body, against the centres of the joints.

A pose network marks what annotators marked: hips at the crease of the groin, knees at the kneecap, ankles above the
malleoli, shoulders at the acromion. A leg then looks short against the trunk, and a lifter that takes the points for
joint centres bends the knees.
"""

from __future__ import annotations

import numpy as np

from pipeline.lift.body import AT, places
from pipeline.lift.joints import HIPS, POINTS, flipped

# Mean and spread between people of the point from the joint's centre, outwards, up the body and forward, in trunks
# (middle of the hips to that of the shoulders): docs/lifting.md. Up is towards the joint before it, for arms and trunk
# along the trunk.
MEAN = {"shoulder": (0.0, 0.02, 0.0), "hip": (0.02, -0.06, 0.0), "knee": (0.0, -0.03, 0.0), "ankle": (0.0, 0.05, 0.0)}
SPREAD = {
    "nose": 0.02, "eye": 0.02, "ear": 0.02, "shoulder": 0.04, "elbow": 0.025, "wrist": 0.025, "hip": 0.05,
    "knee": 0.03, "ankle": 0.035, "heel": 0.04, "toe": 0.04,
}  # fmt: skip
KINDS = tuple(name.removeprefix("left_").removeprefix("right_") for name in POINTS)
ALIKE = 0.8  # share of the spread that left and right have in common
SPREAD_OF = np.array([SPREAD[kind] for kind in KINDS], np.float32)
_MEAN_OF = np.array([MEAN.get(kind, (0.0, 0.0, 0.0)) for kind in KINDS], np.float32)
# Hips are marked on the side of the body that is seen, in front from the front and behind from behind: so many trunks
# from the joint's centre along the line from back to front, times the cosine between this line and that to the camera.
# Two views of one person, from in front and behind, tell it: docs/lifting.md. From above, this puts the hips lower;
# `MEAN` holds what it does before a usual camera, the line to which rises by `_USUAL_RISE`.
TOWARDS, _USUAL_RISE = 0.1, 0.17
_LIMBS = {"knee": "hip", "ankle": "knee", "heel": "knee", "toe": "knee"}  # up is from the foot's ankle to the knee
_OUT = np.array([1.0 if p.startswith("left_") else -1.0 if p.startswith("right_") else 0.0 for p in POINTS], np.float32)


def pictured(joints: np.ndarray, more: np.ndarray | None = None) -> np.ndarray:
    """(..., K, 3) m, the points of the picture for joints (..., J, 3) m.

    Args:
        more: (..., K, 3) or what broadcasts to it: how far off the mean each point lies, outwards, up and forward, in
            trunks.
    """
    off = _MEAN_OF if more is None else _MEAN_OF + more
    hips = joints[..., AT["left_hip"], :] - joints[..., AT["right_hip"], :]
    shoulders = joints[..., AT["left_shoulder"], :] - joints[..., AT["right_shoulder"], :]
    middle = (joints[..., AT["left_hip"], :] + joints[..., AT["right_hip"], :]) / 2
    trunk = (joints[..., AT["left_shoulder"], :] + joints[..., AT["right_shoulder"], :]) / 2 - middle
    long = np.linalg.norm(trunk, axis=-1, keepdims=True)
    out = joints[..., : len(POINTS), :].copy()
    for k, name in enumerate(POINTS):
        side = name.split("_")[0]
        if KINDS[k] in _LIMBS:
            far = f"{side}_{'knee' if KINDS[k] == 'knee' else 'ankle'}"
            up = joints[..., AT[f"{side}_{_LIMBS[KINDS[k]]}"], :] - joints[..., AT[far], :]
        else:
            up = trunk
        up = _unit(up)
        across = hips if KINDS[k] in (*_LIMBS, "hip") else shoulders
        left = _unit(across - up * (across * up).sum(-1, keepdims=True))
        ahead = _cross(left, up)
        x = off[..., k, :]
        outward = x[..., :1] * (_OUT[k] if _OUT[k] else 1)
        out[..., k, :] += long * (outward * left + x[..., 1:2] * up + x[..., 2:] * ahead)
    return out


def lasting_shifts(n: int, rng: np.random.Generator) -> np.ndarray:
    """(N, 1, K, 3) how far points of the picture lie off their mean place on each body, in trunks."""
    same = rng.normal(size=(n, 1, len(POINTS), 3))
    same = (same + same[:, :, flipped(POINTS)]) / np.where(flipped(POINTS) == np.arange(len(POINTS)), 2, 2**0.5)[
        :, None
    ]
    own = rng.normal(size=same.shape)
    return (SPREAD_OF[:, None] * (ALIKE * same + np.sqrt(1 - ALIKE**2) * own)).astype(np.float32)


def hips_place(
    joints: np.ndarray, rays: np.ndarray, score: np.ndarray, centre: np.ndarray, step_s: float
) -> np.ndarray:
    """(L, 3) m, the middle of the hips before the camera, of joints (L, J, 3) about it in frames ``step_s`` apart.

    The points of the picture lie on their rays (L, K, 2), their hips' middle on the ray ``centre (L, 2)``.
    """
    points = pictured(joints)
    beside = points[:, HIPS].mean(1)  # of the picture's hips from the joints'
    place = places(points - beside[:, None], rays, score, centre, step_s)
    return place - beside


def rays_to_joints(rays: np.ndarray, joints: np.ndarray, hips: np.ndarray) -> np.ndarray:
    """Rays (L, K, 2) to the joints' centres, from those to the points of the picture.

    Args:
        joints: (L, J, 3) m about the middle of the hips, as far as they are known; they say which way the body faces.
        hips: (L, 3) m, where that is before the camera.
    """
    points, centres = pictured(joints), joints[:, : len(POINTS)]
    points[:, HIPS] += _towards_camera(joints, points[:, HIPS] + hips[:, None])
    off = _seen(points + hips[:, None]) - _seen(centres + hips[:, None])
    return rays - np.where(np.isfinite(off), off, 0)


def _towards_camera(joints: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(L, 2, 3) m from the mean place of the hips' points, before the camera, to where this view shows them."""
    across = joints[:, AT["left_hip"]] - joints[:, AT["right_hip"]]
    trunk = (joints[:, AT["left_shoulder"]] + joints[:, AT["right_shoulder"]]) / 2 - joints[:, HIPS].mean(1)
    long = np.linalg.norm(trunk, axis=-1)[:, None, None]
    up = _unit(trunk)
    ahead = _cross(_unit(across - up * (across * up).sum(-1, keepdims=True)), up)[:, None]
    seen_from = (-_unit(places) * ahead).sum(-1, keepdims=True)
    return TOWARDS * long * (seen_from * ahead + _USUAL_RISE * up[:, None])


def _seen(places: np.ndarray) -> np.ndarray:
    return places[..., :2] / np.maximum(places[..., 2:], 0.2)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-6)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(..., 3) cross products; `np.cross` takes several times as long."""
    return np.stack([
        a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
        a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
        a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
    ], -1)  # fmt: skip
