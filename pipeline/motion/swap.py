"""Left and right exchanged by the network, found and undone: legs, arms, parts of them, or the whole body.

What is seen of a pair is the vector from right to left; an exchange turns its sign. So the question is which signs make
these vectors move on smoothly: a bit per frame and group of pairs, found exactly by a dynamic programme
(`pipeline.motion.viterbi`) over

- motion: the vector's second difference on real times, against how much it varies about then anyway,
- limb lengths: the lower part against the joint above it,
- facing: legs against hips and shoulders where these are seen wide apart, shoulders against what is seen of the face,
- what the network said, which is right more often than not, and does not change its mind in every frame.

Groups are tried from the whole body down to single pairs. L rows of one person, K keypoints, P pairs, px and seconds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter1d

from pipeline.motion.evidence import PARENT, SAID_S, pair_motion, rows_apart
from pipeline.motion.viterbi import best_bits
from pipeline.skeleton import Skeleton

_CHANGE = 5.0  # nats against each beginning and end of an exchange
# Nats per second for what the network said, and the most for one exchange, when two ways to explain it are compared
_FIRM_S, _FIRM_MOST = 15.0, 6.0
_MARGIN = 3  # rows around what speaks for an exchange in which one may begin or end
_FAST = 50.0  # nats against one elsewhere
_AROUND = 30  # pressed rows around what one pass finds that are looked at again
_ROUNDS = 2
_FEET = ("ankle", "heel", "foot_index", "big_toe", "small_toe", "toe")
_HEAD = ("eye", "ear", "mouth", "face")
_LEGS, _ARMS = ("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")
# Parts that are exchanged together, in the order in which that is tried; from the larger to the smaller ones and the
# other way, as either may end where only several moves at once would help.
_LARGE = (_LEGS, (*_ARMS, "head"), (*_LEGS, *_ARMS, "head"), _ARMS)
_SMALL = (("knee", "ankle"), ("elbow", "wrist"), ("ankle",), ("wrist",))
_SINGLE = (("hip",), ("knee",), ("shoulder",), ("elbow",), ("head",))
_MOVES = ((*_LARGE, *_SMALL, *_SINGLE), (*_SMALL[:2], *_LARGE[::-1], *_SMALL[2:], *_SINGLE))


class Unswapped(NamedTuple):
    """A person's measurements with left and right put right."""

    keypoints_px: np.ndarray  # (L, K, 2)
    keypoint_score: np.ndarray  # (L, K)
    measured: np.ndarray  # (L, K) bool
    swapped: np.ndarray  # (L, K) bool: the point comes from the other side


def unswap(
    time_s: np.ndarray,
    keypoints_px: np.ndarray,
    keypoint_score: np.ndarray,
    measured: np.ndarray,
    size_px: np.ndarray,
    noise_px: np.ndarray,
    skeleton: Skeleton,
) -> Unswapped:
    """Measurements with exchanges of left and right undone.

    Args:
        time_s: (L,) rising.
        keypoints_px, keypoint_score, measured: (L, K, 2), (L, K), (L, K) bool; unmeasured positions do not matter.
        size_px: (L,) body length.
        noise_px: (L, K) standard deviation of a measurement, per axis.
    """
    pairs = _parts(skeleton)
    if len(time_s) < 3 or not {"hip", "shoulder"} <= set(pairs):
        return Unswapped(keypoints_px, keypoint_score, measured, np.zeros(measured.shape, bool))
    position = np.where(measured[..., None], keypoints_px, np.nan).astype(np.float64)
    motion = {part: [pair_motion(time_s, position, noise_px, pair) for pair in pairs[part]] for part in pairs}
    apart = rows_apart(time_s, position, keypoint_score, measured, size_px, skeleton, pairs)
    stretch, motion, apart = _pressed(motion, apart)
    first, _ = _descend(_MOVES[0], motion, apart, 1)
    if not any(bits.any() for bits in first.values()):
        return Unswapped(keypoints_px, keypoint_score, measured, np.zeros(measured.shape, bool))
    near = maximum_filter1d(np.any(list(first.values()), axis=0), 2 * _AROUND + 1)
    again, motion, apart = _pressed(motion, apart, near)
    sign = min((_descend(moves, motion, apart, _ROUNDS) for moves in _MOVES), key=lambda found: found[1])[0]
    firm = {part: nats + (_FIRM_S - SAID_S) * apart["seconds"] * (part in pairs) for part, nats in apart.items()}
    sign = _better(sign, _descend(_MOVES[0], motion, firm, 1)[0], motion, apart)
    sign = {part: bits[again[stretch]] for part, bits in sign.items()}
    order = np.tile(np.arange(len(skeleton)), (len(time_s), 1))
    for part, bits in sign.items():
        for a, b in pairs[part]:
            order[bits, a], order[bits, b] = b, a
    rows = np.arange(len(time_s))[:, None]
    swapped = order != np.arange(len(skeleton))
    return Unswapped(keypoints_px[rows, order], keypoint_score[rows, order], measured[rows, order], swapped)


def _pressed(
    motion: dict[str, list[np.ndarray]], apart: dict[str, np.ndarray], near: np.ndarray | bool = True
) -> tuple[np.ndarray, dict[str, list[np.ndarray]], dict[str, np.ndarray]]:
    """Stretches of rows not ``near``, or in which no motion speaks for an exchange, pressed into a row each.

    No exchange begins or ends in pressed rows. Returns the pressed row of each row, (L,), then ``motion`` and ``apart``
    of the M pressed rows.
    """
    every = [evidence for values in motion.values() for evidence in values]
    speaks = sum(evidence[:, 0, 0] - evidence.min((1, 2)) for evidence in every)
    around = np.convolve(speaks, np.ones(3), "same") >= 0.7 * _CHANGE
    loose = maximum_filter1d(around, 2 * _MARGIN + 1) & near
    stretch = np.cumsum(loose | np.append(True, loose[:-1])) - 1
    first = np.flatnonzero(np.diff(stretch, prepend=-1))
    still = np.array([[0.0, _FAST], [_FAST, _FAST]])
    pressed = {
        part: [np.where(loose[first, None, None], evidence[first], still) for evidence in values]
        for part, values in motion.items()
    }
    return stretch, pressed, {part: np.add.reduceat(values, first) for part, values in apart.items()}


def _descend(
    moves: tuple[tuple[str, ...], ...], motion: dict[str, list[np.ndarray]], apart: dict[str, np.ndarray], rounds: int
) -> tuple[dict[str, np.ndarray], float]:
    """Exchanged rows (L,) bool of each part, move by move to less cost until none helps, and minus the nats saved."""
    sign = {part: np.zeros(len(values[0]), bool) for part, values in motion.items()}
    saved = 0.0
    for _ in range(rounds):
        before = saved
        for move in moves:
            parts = [part for part in move if part in sign]
            if not parts:
                continue
            bits, nats = best_bits(_cost(parts, sign, motion, apart))
            saved += nats
            for part in parts if bits.any() else ():
                sign[part] = sign[part] ^ bits
        if saved > before - 1e-6:
            break
    return sign, saved


def _better(
    one: dict[str, np.ndarray],
    other: dict[str, np.ndarray],
    motion: dict[str, list[np.ndarray]],
    apart: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Of two sets of exchanges, wherever they differ, the likelier when networks err for short: the cost of a time in
    exchange rises fast and then no more.

    With a plain cost per second, two short exchanges at crossing legs, whose beginnings hardly show, look like the time
    between them exchanged. With a high one, no long exchange would be found.
    """
    differ = maximum_filter1d(np.any([one[part] != other[part] for part in one], axis=0), 5)
    place = np.cumsum(np.diff(differ, prepend=False))  # odd numbers are places where they differ
    gain = np.bincount(place, _nats_by_row(one, motion, apart) - _nats_by_row(other, motion, apart))
    take = (gain > 0)[place] & differ
    return {part: np.where(take, other[part], one[part]) for part in one}


def _nats_by_row(
    sign: dict[str, np.ndarray], motion: dict[str, list[np.ndarray]], apart: dict[str, np.ndarray]
) -> np.ndarray:
    """(M,) nats against each row of a set of exchanges."""
    rows, seconds = np.arange(len(apart["seconds"])), apart["seconds"]
    out = (sign["hip"] ^ sign["shoulder"]) * apart["torso"]
    for part, parent in PARENT.items():
        if part not in sign:
            continue
        now = sign[part]
        before = np.append(now[:1], now[:-1])
        two = np.append(before[:1], before[:-1])
        for evidence in motion[part]:
            out = out + evidence[rows, (two ^ before).astype(int), (before ^ now).astype(int)]
        rest = now ^ sign[parent] if parent else now
        run = np.cumsum(np.diff(rest, prepend=False))
        last = np.bincount(run, seconds)[run]
        said = np.minimum(_FIRM_S * last, _FIRM_MOST) * seconds / np.maximum(last, 1e-9)
        out = out + rest * (apart[part] - SAID_S * seconds + said) + _CHANGE * np.diff(rest, prepend=False)
    return out


def _parts(skeleton: Skeleton) -> dict[str, list[tuple[int, int]]]:
    """The pairs (left, right) of each part; feet go with ankles, hands with wrists, eyes and ears with the head."""
    out: dict[str, list[tuple[int, int]]] = {}
    for a, b in skeleton.pairs:
        name = skeleton.names[a].removeprefix("left_")
        if name not in PARENT:
            head = any(word in name for word in _HEAD)
            name = "ankle" if name in _FEET else "head" if head else "wrist"
        out.setdefault(name, []).append((a, b))
    return out


def _cost(
    parts: list[str],
    sign: dict[str, np.ndarray],
    motion: dict[str, list[np.ndarray]],
    apart: dict[str, np.ndarray],
) -> np.ndarray:
    """(L, 2, 2, 2) nats against bits two and one row ago and now, of exchanging some parts on top of ``sign``."""
    bit = np.arange(2)
    cost = np.zeros((len(sign["hip"]), 2, 2, 2), np.float32)
    for part in parts:
        for evidence in motion[part]:
            _add_turned(cost, evidence, sign[part])
    for part, parent in PARENT.items():
        if part not in sign or (part in parts) == (parent in parts):
            continue  # what is exchanged with what it hangs on stays as it was to it
        rest = sign[part] ^ sign[parent] if parent else sign[part]
        before = np.append(False, rest[:-1])
        now = rest[:, None] ^ bit.astype(bool)  # (L, b0)
        changes = (before[:, None] ^ bit.astype(bool))[:, :, None] != now[:, None]  # (L, b1, b0)
        cost += (_CHANGE * changes + (now * apart[part][:, None])[:, None])[:, None]
    if ("hip" in parts) != ("shoulder" in parts):
        cost += ((sign["hip"] ^ sign["shoulder"])[:, None] ^ bit.astype(bool))[:, None, None] * apart["torso"][
            :, None, None, None
        ]
    return cost


def _add_turned(cost: np.ndarray, evidence: np.ndarray, sign: np.ndarray) -> None:
    """Add to costs (L, 2, 2, 2) of bits two rows ago, one and now those of a pair exchanged by ``sign (L,)``."""
    cost[:, 0, 0] += evidence[:, 0]
    cost[:, 0, 1] += evidence[:, 1, ::-1]
    cost[:, 1, 0] += evidence[:, 1]
    cost[:, 1, 1] += evidence[:, 0, ::-1]
    before = np.append(sign[:1], sign[:-1])
    two = np.append(before[:1], before[:-1])
    rows = np.flatnonzero((two != before) | (before != sign))
    if len(rows):  # where the exchanges of before begin and end
        bit = np.arange(2)
        f2, f0 = bit[:, None, None] ^ bit[:, None], bit[:, None] ^ bit
        mine = evidence[rows]
        cost[rows] -= mine[:, f2, f0]
        turned2, turned0 = (two ^ before)[rows], (before ^ sign)[rows]
        each = np.arange(len(rows))[:, None, None, None]
        cost[rows] += mine[each, f2 ^ turned2[:, None, None, None], f0 ^ turned0[:, None, None, None]]
