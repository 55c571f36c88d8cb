"""Evidence, other than motion, that left and right were exchanged: limb lengths, bent knees, facing.

L rows of one person, K keypoints, px and seconds; evidence is in nats, see `pipeline.motion.swap`.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d

from pipeline.core.rows import in_blocks, quantile
from pipeline.core.skeleton import Skeleton
from pipeline.motion.trajectories import Trajectories

# Nats per second for the network's own sides. RTMPose-s's exchanges last about .1 s in side views of walks and sprints.
# A smaller value exchanges a sprint at 29 frames/s for a second after each blurred frame; a larger value misses
# exchanges of 2 s.
_SAID_S = 9.0
LINK_S = 0.25  # rows further apart than this say nothing of one another
_LIMB_SHARE = 0.08  # least standard deviation of a limb's length in the picture, as a share of that length
_AWAY = 0.03  # body lengths between left and right from which lengths tell a side
_LENGTH_S, _LENGTH_ROWS = 2.0, 8  # seconds, and measurements in them, that tell a limb's usual length
_WIDE = 0.15  # body lengths between left and right from which a side is clear
_LIMB_CAP = 5.0  # nats that a limb's length in one frame gives at most
_FACES_S, _FOOT = 0.5, 0.08  # seconds over which, and body lengths, the toes are ahead of the heels from the side
_STRAIGHT, _BEND = 0.15, 10.0  # sine of the angle by which knees seem to bend forward at most, and nats per sine beyond
_FACING_S = 5.0  # nats per second for facing, where it is clear
_TOE = 0.02  # body lengths by which both feet's toes lie below the heels of somebody who clearly faces the camera
_HIDDEN_S = 20.0  # nats per second for the arm that the trunk hides, where that arm is clear
_ASIDE, _HIDES = 0.04, 0.15  # body lengths from ears to nose, and difference of scores, from which that arm is clear
# The part on which each part hangs. Exchanging a part exchanges all parts that hang on it, unless they are turned back.
PARENT = {
    "hip": "", "knee": "hip", "ankle": "knee", "heel": "ankle", "toe": "ankle",
    "shoulder": "", "elbow": "shoulder", "wrist": "elbow", "head": "shoulder",
}  # fmt: skip


def rows_apart(one: Trajectories, skeleton: Skeleton, pairs: dict[str, list[tuple[int, int]]]) -> dict[str, np.ndarray]:
    """(L,) nats in each row against each part being exchanged while the part on which it hangs is not."""
    dt = np.minimum(np.gradient(one.time_s), LINK_S)
    out = dict.fromkeys(pairs, _SAID_S * dt)
    for part, parent in PARENT.items():
        if part in ("knee", "ankle", "elbow", "wrist") and part in pairs and parent in pairs:
            out[part] = out[part] + _limbs(one, pairs[parent][0], pairs[part][0])
    out["seconds"] = dt
    out["torso"] = _FACING_S * dt * _agreement(one, skeleton, "hip", "shoulder")
    if "knee" in pairs:
        out["knee"] = out["knee"] + _FACING_S * dt * _agreement(one, skeleton, "hip", "knee")
    if {"hip", "knee", "ankle"} <= set(pairs):
        out["ankle"] = out["ankle"] + _bends(one, pairs)
    out["fits"] = np.zeros(len(dt))
    if "nose" in skeleton.names:
        faces = _faces(one, skeleton)
        out["shoulder"] = out["shoulder"] + _FACING_S * dt * faces
        out["fits"] = dt * _fits(faces, one, skeleton, pairs)
    if {"elbow", "wrist"} <= set(pairs) and {"nose", "left_ear", "right_ear"} <= set(skeleton.names):
        hidden = dt * _HIDDEN_S * _hides(one, skeleton)
        for part in ("shoulder", "elbow"):  # this evidence may speak against exchanging an arm, never for it
            out[part] = np.maximum(out[part] + hidden, np.minimum(out[part], 0.0))
    return out


def _limbs(one: Trajectories, upper: tuple[int, int], lower: tuple[int, int]) -> np.ndarray:
    """(L,) nats by which the lengths from the upper to the lower joint speak for the sides as they are.

    A limb is about as long in a row's picture as it usually is within `_LENGTH_S` seconds.
    """
    up, low, size_px = one.places(upper), one.places(lower), one.size_px
    straight = _norm(up - low) / size_px[:, None]
    crossed = _norm(up - low[:, ::-1]) / size_px[:, None]
    block = ((one.time_s - one.time_s[0]) / _LENGTH_S).astype(np.int64)
    block = np.unique(block, return_inverse=True)[1]
    values = in_blocks(straight, block)
    enough = np.isfinite(values).sum(1) >= _LENGTH_ROWS
    middle = np.where(enough, quantile(values, 0.5), np.nan)
    length = middle[block]
    spread = 1.48 * quantile(np.abs(values - middle[:, None]), 0.5)[block]
    spread = np.maximum(1.5 * spread, _LIMB_SHARE * length)[:, None]
    off = [np.minimum(np.square((x - length[:, None]) / spread).sum(1) / 2, _LIMB_CAP) for x in (crossed, straight)]
    # Where both sides lie on one place, their lengths differ by noise alone, and the noise would add up.
    told = [_norm(x[:, 0] - x[:, 1]) > _AWAY * size_px for x in (up, low)]
    return np.where(told[0] & told[1], np.nan_to_num(off[0] - off[1]), 0.0)


def _bends(one: Trajectories, pairs: dict[str, list[tuple[int, int]]]) -> np.ndarray:
    """(L,) nats by which knees speak for the ankles as they are: seen from the side, shanks go backward from the knees.

    Known only where the toes show the way the person faces. One frame gives at most `_LIMB_CAP` nats.
    """
    if not {"heel", "toe"} <= set(pairs):
        return np.zeros(len(one.time_s))
    heel, toe = (one.places(pairs[part][0])[..., 0] for part in ("heel", "toe"))
    rows = max(round(_FACES_S / max(float(np.median(np.diff(one.time_s))), 1e-4)) | 1, 1)
    ahead = np.nan_to_num((toe - heel) / (_FOOT * one.size_px)[:, None]).mean(1)
    ahead = uniform_filter1d(np.clip(ahead, -1, 1), rows, mode="nearest")
    hip, knee, ankle = (one.places(pairs[part][0]) for part in ("hip", "knee", "ankle"))
    over = []
    for low in (ankle, ankle[:, ::-1]):
        u, v = knee - hip, low - knee
        bend = (u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]) / np.maximum(_norm(u) * _norm(v), 1e-9)
        over.append(np.clip(-ahead[:, None] * bend - _STRAIGHT, 0, None).sum(1))
    return np.clip(np.nan_to_num(over[1] - over[0]) * _BEND, -_LIMB_CAP, _LIMB_CAP)


def _norm(vector: np.ndarray) -> np.ndarray:
    return np.sqrt(vector[..., 0] ** 2 + vector[..., 1] ** 2)


def _agreement(one: Trajectories, skeleton: Skeleton, upper: str, lower: str) -> np.ndarray:
    """(L,) −1…1: whether left of one pair lies where left of another does."""
    dot = (_across(one, skeleton, upper) * _across(one, skeleton, lower)).sum(-1)
    return np.clip(np.nan_to_num(dot) / np.square(_WIDE * one.size_px), -1, 1)


def _faces(one: Trajectories, skeleton: Skeleton) -> np.ndarray:
    """(L,) −1…1: whether left and right of the shoulders fit to whether a face is seen."""
    eyes = [skeleton.index(name) for name in ("nose", "left_eye", "right_eye") if name in skeleton.names]
    seen = np.where(one.measured[:, eyes], one.keypoint_score[:, eyes], 0.0).mean(1)
    toward = np.clip(4 * seen - 1.0, -1, 1)  # 1: the face is seen, −1: it is not
    return _wide(one, skeleton) * toward


def _wide(one: Trajectories, skeleton: Skeleton) -> np.ndarray:
    """(L,) −1…1: whether the left shoulder lies right of the right one in the picture."""
    return np.clip(np.nan_to_num(_across(one, skeleton, "shoulder")[:, 0]) / (_WIDE * one.size_px), -1, 1)


def _fits(faces: np.ndarray, one: Trajectories, skeleton: Skeleton, pairs: dict[str, list]) -> np.ndarray:
    """(L,) −1…1: whether left and right of the shoulders fit to face (L,) and feet, where face and feet agree.

    Networks put a face on people seen from behind, and lifted heels make toes appear below the heels. So both feet must
    agree with the face. With RTMPose-s in six videos the mean over each person is above −.05; it would be −.1 to −.8
    for people seen from the front if the network called their sides wrong.
    """
    if not {"heel", "toe"} <= set(pairs):
        return np.zeros(len(faces))
    heel, toe = (one.places(pairs[part][0])[..., 1] for part in ("heel", "toe"))
    toward = np.clip(np.nan_to_num((toe - heel).min(1)) / (_TOE * one.size_px), -1, 1)
    feet = _wide(one, skeleton) * toward
    return np.where(feet * faces > 0, np.sign(faces) * np.minimum(np.abs(feet), np.abs(faces)), 0.0)


def _hides(one: Trajectories, skeleton: Skeleton) -> np.ndarray:
    """(L,) −1…1: whether the arm that scores less is that on the far side of somebody seen from the side."""
    ears = one.places([skeleton.index("left_ear"), skeleton.index("right_ear")])[..., 0]
    ear = np.where(np.isfinite(ears[:, 0]), ears[:, 0], ears[:, 1])
    ear = np.where(np.isfinite(ears).all(1), ears.mean(1), ear)
    right = (one.places(skeleton.index("nose"))[:, 0] - ear) / (_ASIDE * one.size_px)  # 1: faces right
    ids = [[skeleton.index(f"{side}_{n}") for n in ("elbow", "wrist")] for side in ("right", "left")]
    arm = [one.keypoint_score[:, its].mean(1) for its in ids]
    return np.clip(np.nan_to_num(right), -1, 1) * np.clip((arm[0] - arm[1]) / _HIDES, -1, 1)


def _across(one: Trajectories, skeleton: Skeleton, name: str) -> np.ndarray:
    """(L, 2) px from the right to the left joint."""
    return one.places(skeleton.index(f"left_{name}")) - one.places(skeleton.index(f"right_{name}"))
