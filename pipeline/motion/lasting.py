"""The part of a keypoint's error that lasts: no filter takes it away.

A network's errors have two parts. One changes from frame to frame, and filters average over it. The other stays while
pose, clothes and light stay: the hip is put too high, the ankle on the shoe. Its size depends on the joint and on the
network's score. `LASTING` holds it for RTMPose-s on annotated photographs of COCO (`scripts/coverage.py fit`), as a
share of the body length. The shares are such that 95 % of the errors lie within 1.96 standard deviations, so a few far
errors are contained. Annotators do not agree on a joint either; their disagreement is part of the shares.

L rows of one person, K keypoints.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import Skeleton

# Standard deviation per axis at the score USUAL, in body lengths. It grows as score⁻²; 2.0 was found (2.2 on a second
# set of photographs).
LASTING = {
    "nose": 0.0126, "eye": 0.0123, "ear": 0.0156, "shoulder": 0.0186, "elbow": 0.0157, "wrist": 0.0147,
    "hip": 0.0207, "knee": 0.0187, "ankle": 0.0157,
}  # fmt: skip
USUAL, POWER = 0.7, 2.0
SCORES = (0.3, 1.0)  # scores beyond count as these
OTHERS = "wrist"  # points of hands and faces, and all that are not named here, count as wrists; not measured
# Points that COCO does not annotate count as their neighbours.
_LIKE = {
    "heel": "ankle", "big_toe": "ankle", "small_toe": "ankle", "foot_index": "ankle", "toe": "ankle",
    "neck": "shoulder", "head": "ear",
}  # fmt: skip


def shares(skeleton: Skeleton) -> np.ndarray:
    """(K,) standard deviation of each point's lasting error per axis at the score `USUAL`, in body lengths."""
    kinds = [name.removeprefix("left_").removeprefix("right_") for name in skeleton.names]
    return np.array([LASTING[kind if kind in LASTING else _LIKE.get(kind, OTHERS)] for kind in kinds])


def lasting_px(share: np.ndarray, score: np.ndarray, size_px: np.ndarray) -> np.ndarray:
    """(…, K) px standard deviation of the lasting error, per axis.

    Args:
        share: (K,) of `shares`.
        score: (…, K).
        size_px: (…) body length.
    """
    out: np.ndarray = share * size_px[..., None] * (USUAL / np.clip(score, *SCORES)) ** POWER
    return out


def with_lasting(
    time_s: np.ndarray, std_px: np.ndarray, used: np.ndarray, score: np.ndarray, size_px: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """(L, K) f32 px standard deviations ``std_px (L, K)`` of smoothed points, and of what lasts, in quadrature.

    Between measurements that were ``used (L, K)`` the lasting part goes from one to the next; NaN stays.
    """
    lasts = lasting_px(share, score, size_px)
    for k in np.flatnonzero(used.any(0) & ~used.all(0)):
        row = used[:, k]
        lasts[:, k] = np.interp(time_s, time_s[row], lasts[row, k])
    return np.hypot(std_px, lasts).astype(np.float32)
