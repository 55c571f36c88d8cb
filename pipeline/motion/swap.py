"""Left and right exchanged by the network, found and undone: legs, arms, parts of them, or the whole body.

The search sees each pair of joints as the vector from right to left; an exchange turns the vector's sign. The signs
sought are those with which these vectors move smoothly, limb by limb: first both legs, then both arms, then the head.
`pipeline.motion.beam` searches for the signs, with

- motion: each hypothesis carries a Kalman filter on real times over rows in which little is seen,
- limb lengths: the lower part against the joint above it,
- the side to which the knees bend, where the toes show the way,
- facing: legs against hips and shoulders where these are seen wide apart, shoulders against what is seen of the face,
  and throughout a track against face and feet,
- the network's own sides, which are right more often than not and do not change in every frame.

Knees or ankles exchanged alone for a few frames, and not found so, are found by `pipeline.motion.alone`.

Heels and toes take the sign of their ankle. As further vectors of the ankle they made the search worse, since a cause
that puts one point of a foot on the other leg does the same to the foot's other points. RTMPose-s's scores do not tell
which leg is nearer.

L rows of one person, K keypoints, px and seconds; evidence is in nats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.motion.alone import alone
from pipeline.motion.beam import Limbs, exchanged
from pipeline.motion.evidence import LINK_S, PARENT, rows_apart
from pipeline.motion.merged import FOOT, merged, strayed
from pipeline.motion.trajectories import Trajectories
from pipeline.motion.turns import motion, starts
from pipeline.motion.viterbi import best_states

_CHANGE = 5.0  # nats against each beginning and end of an exchange
_INVERT = 20.0  # nats against exchanging a whole limb, from some row on
_INVERTED = np.arange(4)[:, None] >> np.arange(2) & 1 > 0  # (4, 2) legs, arms
# Over a whole track: nats per second where face and feet agree, and the factor for hips against shoulders.
_FITS, _TORSO = 80.0, 5.0
# The network puts two limbs that pass each other both on the one in front: so vectors shorter than _NEAR body lengths
# have a larger error, _ON_ONE. Measured with RTMPose-s on walks, in body lengths: σ .013 for ankles from .02 to .06
# apart, .004 beyond, one in ten above .05.
_NEAR, _ON_ONE = 0.04, 0.03
_TOES = ("foot_index", "big_toe", "small_toe", "toe")
_HEAD = ("eye", "ear", "mouth", "face")
_LEGS, _ARMS = ("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")
_PASSING = ("knee", "ankle", "heel", "toe")
_MERGED = (*_PASSING, "elbow", "wrist")

Pairs = dict[str, list[tuple[int, int]]]
Signs = dict[str, np.ndarray]  # (L,) bool exchanged rows of each part
Vectors = tuple[np.ndarray, np.ndarray]  # (L, J, 2) px from the right to the left joints, and their variance (L, J)


class _Seen(NamedTuple):
    """One person's measurements, and what speaks against exchanges."""

    points: Trajectories
    noise_px: np.ndarray  # (L, K)
    apart: dict[str, np.ndarray]  # (L,) nats against each part being exchanged while the part on which it hangs is not


def unswap_all(
    people: Sequence[Trajectories], noise_px: Sequence[np.ndarray], skeleton: Skeleton
) -> list[Trajectories]:
    """All people's measurements with exchanges of left and right undone; no person's depend on the others.

    Measurements of a limb that belong to the other limb count as unmeasured. Nothing is changed where the median step
    between rows is above `LINK_S`.

    Args:
        noise_px: (L, K) of each person, standard deviation of a measurement, per axis.
    """
    pairs = _parts(skeleton)
    out = list(people)
    told = [i for i, one in enumerate(people) if {"hip", "shoulder"} <= set(pairs) and _linked(one.time_s)]
    if not told:
        return out
    seen = [_Seen(people[i], noise_px[i], rows_apart(people[i], skeleton, pairs)) for i in told]
    limbs = (_LEGS, _ARMS)
    signs = _searched(seen, [[_vectors(one, limb, pairs) for limb in limbs] for one in seen], limbs)
    signs = [_facing(sign, one.apart) for sign, one in zip(signs, seen, strict=True)]
    if "head" in pairs:
        vectors = [[_head(one, pairs["head"], sign["shoulder"])] for one, sign in zip(seen, signs, strict=True)]
        heads = _searched(seen, vectors, (("head",),))
        signs = [sign | {"head": its["head"] ^ sign["shoulder"]} for sign, its in zip(signs, heads, strict=True)]
    for i, sign, one in zip(told, signs, seen, strict=True):
        out[i] = _righted(people[i], _alone(one, sign, pairs), pairs)
    return out


def _linked(time_s: np.ndarray) -> bool:
    """Whether rows are near enough to tell something of one another."""
    return len(time_s) >= 3 and bool(np.median(np.diff(time_s)) <= LINK_S)


def _righted(one: Trajectories, sign: Signs, pairs: Pairs) -> Trajectories:
    """The measurements with the exchanged rows of each part exchanged."""
    right, score, known = one.keypoints_px.copy(), one.keypoint_score.copy(), one.measured.copy()
    swapped = np.zeros(known.shape, bool)
    for part, bits in (sign | dict.fromkeys(FOOT, sign["ankle"])).items():
        for pair in pairs.get(part, ()):
            there = np.ix_(bits, np.array(pair))
            for values in (right, score, known):
                values[there] = values[there][:, ::-1]
            swapped[there] = True
    for part, longest in FOOT.items() if "ankle" in pairs else ():
        known &= ~strayed(right, known, one.size_px, pairs["ankle"][0], pairs.get(part, []), longest)
    for parts, passing in ((_MERGED, False), (_PASSING, True)):
        looked = [pair for part in parts for pair in pairs.get(part, ())]
        known &= ~merged(one.time_s, right, known, one.size_px, looked, passing)
    return one._replace(keypoints_px=right, keypoint_score=score, measured=known, swapped=swapped)


def _searched(people: list[_Seen], vectors: list[list[Vectors]], limbs: tuple[tuple[str, ...], ...]) -> list[Signs]:
    """Exchanged rows of each part of the limbs, from the vectors of each limb's pairs, of each person."""
    bit = _bits(len(limbs[0]))
    found = exchanged([_limbs(one, its, limbs) for one, its in zip(people, vectors, strict=True)])
    return [
        {part: bit[state[:, c], j] for c, limb in enumerate(limbs) for j, part in enumerate(limb)} for state in found
    ]


def _alone(seen: _Seen, sign: Signs, pairs: Pairs) -> Signs:
    """The signs with knees and ankles exchanged where `pipeline.motion.alone` finds it of them alone."""
    out = dict(sign)
    for part, hung in (("knee", "ankle"), ("ankle", "")):
        if not {part, PARENT[part]} <= set(pairs):
            continue
        against = seen.apart[part] * np.where(out[part] ^ out[PARENT[part]], -1, 1)
        if hung in pairs:
            against = against + seen.apart[hung] * np.where(out[part] ^ out[hung], -1, 1)
        left, right = (seen.points.places(k) for k in pairs[part][0])
        now = out[part][:, None]
        points = np.where(now, right, left), np.where(now, left, right)
        out[part] = out[part] ^ alone(seen.points.time_s, *points, seen.points.size_px, against)
    return out


def _bits(joints: int) -> np.ndarray:
    """(S, J) bool which joints are exchanged in each configuration."""
    return (np.arange(2**joints)[:, None] >> np.arange(joints) & 1).astype(bool)


def _limbs(seen: _Seen, vectors: list[Vectors], limbs: tuple[tuple[str, ...], ...]) -> Limbs:
    """One person's limbs, as the search takes them."""
    time_s, size_px, bit = seen.points.time_s, seen.points.size_px, _bits(len(limbs[0]))
    n = len(time_s)
    rest = bit.copy()  # bits of joints that are exchanged while the joint on which they hang is not
    rest[:, 1:] ^= bit[:, :-1]
    z, var = np.stack([z for z, _ in vectors], 1), np.stack([var for _, var in vectors], 1)
    density, against = np.empty(var.shape), np.zeros((n, len(limbs), len(bit)), np.float32)
    begins = np.empty((n, len(limbs)), bool)
    for c, limb in enumerate(limbs):
        var[:, c], density[:, c] = motion(time_s, z[:, c], var[:, c], size_px)
        var[:, c] += _on_one(z[:, c], size_px)
        for j, part in enumerate(limb):
            if part in seen.apart:
                against[:, c] += (seen.apart[part][:, None] * rest[:, j]).astype(np.float32)
        begins[:, c] = starts(time_s, z[:, c], var[:, c])
    change = _CHANGE * (rest[:, None] ^ rest).sum(-1)
    return Limbs(time_s, z, var, density, size_px, begins, against, change)


def _on_one(z: np.ndarray, size_px: np.ndarray) -> np.ndarray:
    """(L, J) px² by which short vectors (L, J, 2) of pairs are noisier than others, per axis."""
    near = np.square(z).sum(-1) / np.square(_NEAR * size_px)[:, None]
    return np.nan_to_num(np.square(_ON_ONE * size_px)[:, None] * np.exp(-near))


def _vectors(seen: _Seen, limb: tuple[str, ...], pairs: Pairs) -> Vectors:
    """(L, J, 2) px from the right to the left joint and (L, J) px² their variance; NaN and 1 where the set has none."""
    n = len(seen.noise_px)
    z, var = np.full((n, len(limb), 2), np.nan), np.ones((n, len(limb)))
    for j, part in enumerate(limb):
        if part in pairs:
            a, b = pairs[part][0]
            z[:, j] = seen.points.places(a) - seen.points.places(b)
            var[:, j] = np.square(seen.noise_px[:, a]) + np.square(seen.noise_px[:, b])
    return z, var


def _head(seen: _Seen, pairs: list[tuple[int, int]], turned: np.ndarray) -> Vectors:
    """(L, 1, 2) px from right to left in the mean of the head's pairs, and its variance (L, 1).

    Rows ``turned (L,)``, as the shoulders are exchanged there, change their sign.
    """
    a, b = np.array(pairs).T
    z = seen.points.places(a) - seen.points.places(b)
    known = np.isfinite(z[..., 0])
    count = known.sum(1)
    var = np.where(known, np.square(seen.noise_px[:, a]) + np.square(seen.noise_px[:, b]), 0.0).sum(1)
    mean = np.where(known[..., None], z, 0.0).sum(1) / np.where(count, count, np.nan)[:, None]
    z = np.where(turned[:, None], -mean, mean)[:, None]
    return z, (np.where(count, var, 1.0) / np.square(np.maximum(count, 1)))[:, None]


def _facing(sign: Signs, apart: dict[str, np.ndarray]) -> Signs:
    """The signs of legs and arms, kept or exchanged as a whole, as the facing of hips and shoulders makes likelier.

    A limb that is exchanged as a whole moves as smoothly as before, except where the exchange begins. In stretches, an
    exchange is undone where the network's own sides are likelier; where nothing was exchanged, they are. Over the whole
    track, face and feet can outweigh the network's sides.
    """
    if sign["hip"].any() or sign["shoulder"].any():
        row = _apart(sign, apart, 0.0, 1.0)
        change = _INVERT * (_INVERTED[:, None] ^ _INVERTED).sum(-1)
        state, _ = best_states((row[:, None] + change).astype(np.float32))
        sign = _inverted(sign, *_INVERTED[state].T)
    total = _apart(sign, apart, _FITS, _TORSO).sum(0) + _INVERT * _INVERTED.sum(1)
    if np.where(sign["hip"] ^ sign["shoulder"], -apart["torso"], apart["torso"]).sum() >= 0:
        total[1:3] = np.inf  # hips and shoulders fit each other: exchange both legs and arms, or none
    best = int(total.argmin())
    return _inverted(sign, *_INVERTED[best]) if best else sign


def _apart(sign: Signs, apart: dict[str, np.ndarray], fits: float, torso: float) -> np.ndarray:
    """(L, 4) nats against legs, arms or both (`_INVERTED`) the other way round than the signs are.

    ``fits`` and ``torso`` are the weights of face with feet, and of hips against shoulders.
    """
    hips, shoulders = (sign[part][:, None] ^ _INVERTED[:, i] for i, part in enumerate(("hip", "shoulder")))
    out = apart["hip"][:, None] * hips + (apart["shoulder"] + fits * apart["fits"])[:, None] * shoulders
    return np.asarray(out + torso * apart["torso"][:, None] * (hips ^ shoulders))


def _inverted(sign: Signs, legs: np.ndarray, arms: np.ndarray) -> Signs:
    """The signs with legs and arms exchanged in the rows that ``legs`` and ``arms`` mark."""
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
