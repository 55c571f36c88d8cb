"""What speaks for and against left and right having been exchanged beside motion: limb lengths, facing.

L rows of one person, K keypoints, px and seconds; evidence is in nats, see `pipeline.motion.swap`.
"""

from __future__ import annotations

import numpy as np

from pipeline.skeleton import Skeleton

_SAID_S = 3.0  # nats per second for what the network said
_LINK_S = 0.25  # rows further apart tell nothing of one another
_LIMB_SHARE = 0.12  # standard deviation of a limb's length in the picture, as a share of it
_WIDE = 0.15  # body lengths between left and right from which a side is clear
_LIMB_CAP = 3.0  # nats of a limb's length in one frame
_FACING_S = 5.0  # nats per second for facing, where it is clear
# What hangs on what. An exchange of a part is one of all that hangs on it, unless that is exchanged again.
PARENT = {
    "hip": "", "knee": "hip", "ankle": "knee",
    "shoulder": "", "elbow": "shoulder", "wrist": "elbow", "head": "shoulder",
}  # fmt: skip


def rows_apart(
    time_s: np.ndarray,
    position: np.ndarray,
    score: np.ndarray,
    measured: np.ndarray,
    size_px: np.ndarray,
    skeleton: Skeleton,
    pairs: dict[str, list[tuple[int, int]]],
) -> dict[str, np.ndarray]:
    """(L,) nats, row by row, against each part being exchanged when what it hangs on is not."""
    dt = np.minimum(np.gradient(time_s), _LINK_S)
    out = dict.fromkeys(pairs, _SAID_S * dt)
    for part, parent in PARENT.items():
        if part in ("knee", "ankle", "elbow", "wrist") and part in pairs and parent in pairs:
            out[part] = out[part] + _limbs(position, size_px, skeleton, parent, part)
    out["seconds"] = dt
    out["torso"] = _FACING_S * dt * _agreement(position, size_px, skeleton, "hip", "shoulder")
    if "knee" in pairs:
        out["knee"] = out["knee"] + _FACING_S * dt * _agreement(position, size_px, skeleton, "hip", "knee")
    if "nose" in skeleton.names:
        out["shoulder"] = out["shoulder"] + _FACING_S * dt * _faces(position, score, measured, size_px, skeleton)
    return out


def _limbs(position: np.ndarray, size_px: np.ndarray, skeleton: Skeleton, upper: str, lower: str) -> np.ndarray:
    """(L,) nats by which the lengths from the upper to the lower joint speak for the sides as they are."""
    ends = [[skeleton.index(f"{side}_{name}") for side in ("left", "right")] for name in (upper, lower)]
    up, low = position[:, ends[0]], position[:, ends[1]]
    straight = np.linalg.norm(up - low, axis=-1)
    crossed = np.linalg.norm(up - low[:, ::-1], axis=-1)
    share = straight / size_px[:, None]
    if not np.isfinite(share).any():
        return np.zeros(len(position))
    length = np.nanpercentile(share, 80) * size_px[:, None]
    # Towards the camera a limb is shorter in the picture; longer than it is it cannot be.
    gain = sum(sign * np.square(np.maximum(ends - length, 0)).sum(1) for sign, ends in ((1, crossed), (-1, straight)))
    gain = gain / (2 * np.square(_LIMB_SHARE * length[:, 0]))
    return np.clip(np.nan_to_num(gain), -_LIMB_CAP, _LIMB_CAP)


def _agreement(position: np.ndarray, size_px: np.ndarray, skeleton: Skeleton, one: str, other: str) -> np.ndarray:
    """(L,) −1…1: whether left of one pair lies where left of another does."""
    dot = (_across(position, skeleton, one) * _across(position, skeleton, other)).sum(-1)
    return np.clip(np.nan_to_num(dot) / np.square(_WIDE * size_px), -1, 1)


def _faces(
    position: np.ndarray, score: np.ndarray, measured: np.ndarray, size_px: np.ndarray, skeleton: Skeleton
) -> np.ndarray:
    """(L,) −1…1: whether left and right of the shoulders fit to a face, or to none, being seen."""
    eyes = [skeleton.index(name) for name in ("nose", "left_eye", "right_eye") if name in skeleton.names]
    seen = np.where(measured[:, eyes], score[:, eyes], 0.0).mean(1)
    toward = np.clip(4 * seen - 1.0, -1, 1)  # 1: the face is seen, −1: it is not
    wide = np.nan_to_num(_across(position, skeleton, "shoulder")[:, 0]) / (_WIDE * size_px)
    return np.clip(wide, -1, 1) * toward


def _across(position: np.ndarray, skeleton: Skeleton, name: str) -> np.ndarray:
    """(L, 2) px from the right to the left joint."""
    return position[:, skeleton.index(f"left_{name}")] - position[:, skeleton.index(f"right_{name}")]
