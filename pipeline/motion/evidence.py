"""What speaks for and against left and right having been exchanged: motion, limb lengths, facing.

L rows of one person, K keypoints, px and seconds; evidence is in nats, see `pipeline.motion.swap`.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d

from pipeline.motion.repair import neighbours
from pipeline.skeleton import Skeleton

SAID_S = 3.0  # nats per second for what the network said
_CAP = 8.0  # nats of evidence that one pair in one frame gives at most: outliers are no exchanges
_LINK_S = 0.25  # rows further apart tell nothing of one another
_WINDOW_S = 1.0  # over which a pair's usual variation is taken
_LIMB_SHARE = 0.12  # standard deviation of a limb's length in the picture, as a share of it
_WIDE = 0.15  # body lengths between left and right from which a side is clear
_LIMB_CAP = 3.0  # nats of a limb's length in one frame
_FACING_S = 5.0  # nats per second for facing, where it is clear
_FILL_S, _CLEAR = 0.15, 3.0  # gaps bridged, and the noise above which their ends say something
_TOLD_TWICE = 2.0  # a measurement is part of three second differences, whose noise is not independent
# What hangs on what. An exchange of a part is one of all that hangs on it, unless that is exchanged again.
PARENT = {
    "hip": "", "knee": "hip", "ankle": "knee",
    "shoulder": "", "elbow": "shoulder", "wrist": "elbow", "head": "shoulder",
}  # fmt: skip


def pair_motion(time_s: np.ndarray, position: np.ndarray, noise_px: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """(L, 2, 2) nats against a pair's vector having turned its sign [two rows ago → one row ago, one row ago → now].

    From the last two rows before in which the pair is known: the vector should go on as between them, or stay where
    there is one only. Where the row before is missing, the sign of the one before that counts, and older rows have it.
    """
    z = _filled(time_s, position[:, pair[0]] - position[:, pair[1]], noise_px[:, pair[0]])  # (L, 2), NaN unknown
    var = np.square(noise_px[:, pair[0]]) + np.square(noise_px[:, pair[1]])
    rows = max(round(_WINDOW_S / float(np.median(np.diff(time_s)))), 3)
    row = np.arange(len(z))
    last = neighbours(np.isfinite(z[:, 0]))[0]
    one = last[np.maximum(row - 1, 0)]  # the known rows before, −1 where there is none
    two = np.where(one > 0, last[np.maximum(one - 1, 0)], -1)
    near = (one >= 0) & (one >= row - 2) & (row > 0)
    near &= time_s - time_s[one] <= _LINK_S
    before = near & (two >= 0) & (two >= one - 3)
    before &= time_s[one] - time_s[two] <= _LINK_S
    s = np.where(before, (time_s - time_s[one]) / np.maximum(time_s[one] - time_s[two], 1e-6), 0.0)
    sign = np.array([1.0, -1.0])
    skipped = (one == row - 2)[:, None, None]
    now = np.where(skipped, sign[:, None] * sign, sign[None, None, :])[..., None]  # (L, [f2], [f0], 1)
    then = np.where(skipped, 1.0, sign[None, :, None])[..., None]
    z1, z2, s_ = z[one][:, None, None], z[two][:, None, None], s[:, None, None, None]
    step = now * z[:, None, None] - z1
    line = step - s_ * z1 + then * s_ * np.where(before[:, None, None, None], z2, 0.0)
    out, known = _nats(line, var + (1 + s) ** 2 * var[one] + s**2 * var[two], before, rows)
    alone, there = _nats(step, var + var[one], near & ~before, rows)
    return np.where((there & ~known)[:, None, None], alone, out).astype(np.float32)


def _filled(time_s: np.ndarray, z: np.ndarray, noise_px: np.ndarray) -> np.ndarray:
    """Vectors (L, 2) with short gaps bridged by lines, where the ends say that nothing was exchanged in between.

    One row stays open, over which `_motion` looks back, so that others of the group may be exchanged in it.
    """
    known = np.isfinite(z[:, 0])
    if not known.any():
        return z
    before, after = neighbours(known)
    row = np.arange(len(z))
    inside = ~known & (before >= 0) & (after < len(z)) & (after > row + 1)
    s, e = before[inside], after[inside]
    span = time_s[e] - time_s[s]
    same = (z[s] * z[e]).sum(-1) > np.square(_CLEAR * noise_px[s])
    u = ((time_s[inside] - time_s[s]) / np.maximum(span, 1e-9))[:, None]
    out = z.copy()
    out[inside] = np.where((same & (span <= _FILL_S))[:, None], (1 - u) * z[s] + u * z[e], np.nan)
    return out


def _nats(change: np.ndarray, noise_var: np.ndarray, wanted: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Nats against changes (L, 2, 2, 2) px, and where they are known (L,): against noise, and the usual about then."""
    square = np.square(change).sum(-1)
    known = wanted & np.isfinite(square).all((1, 2))
    square = np.where(known[:, None, None], square, 0.0)
    least = square.min((1, 2))  # of any sign
    weight = uniform_filter1d(known.astype(np.float64), rows, mode="constant")
    usual = uniform_filter1d(least, rows, mode="constant") / np.maximum(weight, 1e-9)
    var = np.maximum(np.where(known, _TOLD_TWICE * noise_var, 1.0), usual / 2)
    return np.minimum(square / (2 * var[:, None, None]), _CAP), known


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
    out = dict.fromkeys(pairs, SAID_S * dt)
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
