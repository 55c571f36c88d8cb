"""Left and right exchanged by the network, found and undone: legs, arms, parts of them, or the whole body.

What is seen of a pair is the vector from right to left; an exchange turns its sign. So the question is which signs make
these vectors move on smoothly, limb by limb: the joints of both legs, those of both arms, then the head. It is searched
for by `pipeline.motion.beam`, with

- motion: each hypothesis carries a Kalman filter on real times over rows in which little is seen,
- limb lengths: the lower part against the joint above it,
- the side to which the knees bend, where the toes show the way,
- facing: legs against hips and shoulders where these are seen wide apart, shoulders against what is seen of the face,
- what the network said, which is right more often than not, and does not change its mind in every frame.

Heels and toes go with their ankle: as vectors of their own, with its sign, they made the search worse, for what puts
one point of a foot on the other leg does so to the rest of it. RTMPose-s's scores do not tell which leg is nearer.

L rows of one person, K keypoints, px and seconds; evidence is in nats.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.motion.beam import Limbs, exchanged
from pipeline.motion.evidence import LINK_S, PARENT, rows_apart
from pipeline.motion.merged import FOOT, merged, strayed
from pipeline.motion.together import Steps, for_one
from pipeline.motion.turns import motion, starts
from pipeline.motion.viterbi import best_states

_CHANGE = 5.0  # nats against each beginning and end of an exchange
_INVERT = 20.0  # nats against calling left right, from some row on, in all of a limb
# Limbs that pass each other are both put on the one in front: vectors shorter than _NEAR body lengths are off by more,
# _ON_ONE. Measured with RTMPose-s on walks: σ .013 for ankles from .02 to .06, .004 beyond, one in ten above .05.
_NEAR, _ON_ONE = 0.04, 0.03
_TOES = ("foot_index", "big_toe", "small_toe", "toe")
_HEAD = ("eye", "ear", "mouth", "face")
_LEGS, _ARMS = ("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")
_PASSING = ("knee", "ankle", "heel", "toe")
_MERGED = (*_PASSING, "elbow", "wrist")

Pairs = dict[str, list[tuple[int, int]]]
Signs = dict[str, np.ndarray]  # (L,) bool exchanged rows of each part


class Unswapped(NamedTuple):
    """A person's measurements with left and right put right."""

    keypoints_px: np.ndarray  # (L, K, 2)
    keypoint_score: np.ndarray  # (L, K)
    measured: np.ndarray  # (L, K) bool
    swapped: np.ndarray  # (L, K) bool: the point comes from the other side


class _Seen(NamedTuple):
    """One person's measurements; unmeasured positions are NaN."""

    time_s: np.ndarray  # (L,)
    position: np.ndarray  # (L, K, 2)
    noise_px: np.ndarray  # (L, K)
    size_px: np.ndarray  # (L,)


def unswap_steps(
    time_s: np.ndarray,
    keypoints_px: np.ndarray,
    keypoint_score: np.ndarray,
    measured: np.ndarray,
    size_px: np.ndarray,
    noise_px: np.ndarray,
    skeleton: Skeleton,
) -> Steps[Unswapped]:
    """Measurements with exchanges of left and right undone; a limb's that are the other limb's are no longer measured.

    Nothing is changed in rows too far apart to tell: `LINK_S` in the median.

    Args:
        time_s: (L,) rising.
        keypoints_px, keypoint_score, measured: (L, K, 2), (L, K), (L, K) bool; unmeasured positions do not matter.
        size_px: (L,) body length.
        noise_px: (L, K) standard deviation of a measurement, per axis.
    """
    pairs = _parts(skeleton)
    if len(time_s) < 3 or np.median(np.diff(time_s)) > LINK_S or not {"hip", "shoulder"} <= set(pairs):
        return Unswapped(keypoints_px, keypoint_score, measured, np.zeros(measured.shape, bool))
    position = np.where(measured[..., None], keypoints_px, np.nan).astype(np.float64)
    seen = _Seen(time_s, position, noise_px, size_px)
    apart = rows_apart(time_s, position, keypoint_score, measured, size_px, skeleton, pairs)
    sign = yield from _searched(seen, [_vectors(seen, limb, pairs) for limb in (_LEGS, _ARMS)], (_LEGS, _ARMS), apart)
    sign = _facing(sign, apart)
    if "head" in pairs:
        z, var = _head(seen, pairs["head"])
        z = np.where(sign["shoulder"][:, None, None], -z, z)
        head = yield from _searched(seen, [(z, var)], (("head",),), apart)
        sign["head"] = head["head"] ^ sign["shoulder"]
    order = np.tile(np.arange(len(skeleton)), (len(time_s), 1))
    for part, bits in (sign | dict.fromkeys(FOOT, sign["ankle"])).items():
        for a, b in pairs.get(part, ()):
            order[bits, a], order[bits, b] = b, a
    rows = np.arange(len(time_s))[:, None]
    right, known = keypoints_px[rows, order], measured[rows, order]
    for part, longest in FOOT.items() if "ankle" in pairs else ():
        known &= ~strayed(right, known, size_px, pairs["ankle"][0], pairs.get(part, []), longest)
    for parts, passing in ((_MERGED, False), (_PASSING, True)):
        looked = [pair for part in parts for pair in pairs.get(part, ())]
        known &= ~merged(time_s, right, known, size_px, looked, passing)
    return Unswapped(right, keypoint_score[rows, order], known, order != np.arange(len(skeleton)))


unswap = for_one(unswap_steps)


def _searched(
    seen: _Seen, vectors: list[tuple[np.ndarray, np.ndarray]], limbs: tuple[tuple[str, ...], ...], apart: Signs
) -> Steps[Signs]:
    """Exchanged rows of each part of the limbs, from their pairs' vectors (L, J, 2) and variances (L, J)."""
    n, joints = len(seen.time_s), len(limbs[0])
    bit = (np.arange(2**joints)[:, None] >> np.arange(joints) & 1).astype(bool)  # (S, J)
    rest = bit.copy()  # exchanged when what it hangs on is not
    rest[:, 1:] ^= bit[:, :-1]
    z, var = np.stack([z for z, _ in vectors], 1), np.stack([var for _, var in vectors], 1)
    density, against = np.empty(var.shape), np.zeros((n, len(limbs), len(bit)), np.float32)
    begins = np.empty((n, len(limbs)), bool)
    for c, limb in enumerate(limbs):
        var[:, c], density[:, c] = motion(seen.time_s, z[:, c], var[:, c], seen.size_px)
        var[:, c] += _on_one(z[:, c], seen.size_px)
        for j, part in enumerate(limb):
            if part in apart:
                against[:, c] += (apart[part][:, None] * rest[:, j]).astype(np.float32)
        begins[:, c] = starts(seen.time_s, z[:, c], var[:, c])
    change = _CHANGE * (rest[:, None] ^ rest).sum(-1)
    found = yield from exchanged(Limbs(seen.time_s, z, var, density, seen.size_px, begins, against, change))
    return {part: bit[found[:, c], j] for c, limb in enumerate(limbs) for j, part in enumerate(limb)}


def _on_one(z: np.ndarray, size_px: np.ndarray) -> np.ndarray:
    """(L, J) px² by which short vectors (L, J, 2) of pairs are noisier than others, per axis."""
    near = np.square(z).sum(-1) / np.square(_NEAR * size_px)[:, None]
    return np.nan_to_num(np.square(_ON_ONE * size_px)[:, None] * np.exp(-near))


def _vectors(seen: _Seen, limb: tuple[str, ...], pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """(L, J, 2) px from the right to the left joint and (L, J) px² their variance; NaN and 1 where the set has none."""
    z, var = np.full((len(seen.time_s), len(limb), 2), np.nan), np.ones((len(seen.time_s), len(limb)))
    for j, part in enumerate(limb):
        if part in pairs:
            a, b = pairs[part][0]
            z[:, j] = seen.position[:, a] - seen.position[:, b]
            var[:, j] = np.square(seen.noise_px[:, a]) + np.square(seen.noise_px[:, b])
    return z, var


def _head(seen: _Seen, pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """(L, 1, 2) px from right to left in the mean of the head's pairs, and its variance (L, 1)."""
    a, b = np.array(pairs).T
    z = seen.position[:, a] - seen.position[:, b]
    known = np.isfinite(z[..., 0])
    count = known.sum(1)
    var = np.where(known, np.square(seen.noise_px[:, a]) + np.square(seen.noise_px[:, b]), 0.0).sum(1)
    mean = np.where(known[..., None], z, 0.0).sum(1) / np.where(count, count, np.nan)[:, None]
    return mean[:, None], (np.where(count, var, 1.0) / np.square(np.maximum(count, 1)))[:, None]


def _facing(sign: Signs, apart: Signs) -> Signs:
    """Legs, arms or both as they were found or the other way round, whichever the facing of hips and shoulders says.

    All of a limb the other way round moves as well, but for where that begins.
    """
    hip, shoulder = sign["hip"], sign["shoulder"]
    if not (hip.any() or shoulder.any()):
        return sign
    inverted = np.arange(4)[:, None] >> np.arange(2) & 1 > 0  # (4, 2) legs, arms
    hips, shoulders = hip[:, None] ^ inverted[:, 0], shoulder[:, None] ^ inverted[:, 1]
    row = apart["hip"][:, None] * hips + apart["shoulder"][:, None] * shoulders
    row = row + apart["torso"][:, None] * (hips ^ shoulders)
    change = _INVERT * (inverted[:, None] ^ inverted).sum(-1)
    state, _ = best_states((row[:, None] + change).astype(np.float32))
    legs, arms = inverted[state].T
    return {part: bits ^ (legs if part in _LEGS else arms) for part, bits in sign.items()}


def _parts(skeleton: Skeleton) -> Pairs:
    """The pairs (left, right) of each part, the joint first; feet go with ankles, hands with wrists, and so on."""
    out: Pairs = {}
    for a, b in skeleton.pairs:
        name = skeleton.names[a].removeprefix("left_")
        part = name
        if name not in PARENT:
            head = any(word in name for word in _HEAD)
            part = "toe" if name in _TOES else "head" if head else "wrist"
        out.setdefault(part, []).insert(0 if name == part else len(out[part]), (a, b))
    return out
