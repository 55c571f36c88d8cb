"""Measurements that are not the person's own joints, however slowly they came: they count as not measured.

Three signs tell them.

- A limb lies on another person's limb (`pipeline.motion.claims` measures where), while it comes from elsewhere and the
  other's is surer: for a while knee and ankle (elbow and wrist) both do, or one of the joints jumps there and back.
  Hands that are held, and feet that pass each other in the picture, stay.
- It makes a limb longer than the person's limbs are. A picture shortens limbs and never lengthens them, so a short limb
  is no sign.
- A point of a foot or of the face leaves its way and comes back, while its neighbours, which move with it, go on.

L rows of one person, K keypoints, px and seconds; lengths are in body lengths.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter1d

from pipeline.core.rows import quantile
from pipeline.core.skeleton import Skeleton
from pipeline.motion.limbs import Limb, limbs_of, rigid_groups
from pipeline.motion.trajectories import Trajectories

OWN, THEIRS, TOO_LONG, OFF_ITS_WAY = range(4)

_ON = 0.035  # from which two joints are one: twice RTMPose-s's jitter at a score of .6
_STAYS_S = 0.12  # for which a whole limb lies on the other's; two people's legs that pass do so for .07 s at most
_PAUSE_S = 0.1  # pauses of the above that count as none
_COMES_S = 0.3  # longest way from the person's own limb to the other's
_SLACK = 0.01  # by which it may seem to come nearer on its way back: jitter
_JUMPS = 0.1  # from the other's joint just before and after, where one joint alone jumps there
_JUMPS_S = 0.3  # longest stay of one joint alone
_LEAVES = 0.06  # off the line from before to after: a joint that has left its way
_NEAR_S = 1.0  # within which a measurement before or after gives the line
_STILL = 0.02  # its neighbours are off their lines by less
_LAGS_S = (0.1, 0.2, 0.35)  # before and after, between which a point's way is a line

_LONGER = 1.35  # usual lengths from which a limb is too long; 3 of 1,000 limbs of eight clips are
_USUAL = 0.9  # quantile of a limb's length over both sides that is usual
# Usual lengths: medians over 60 people of eight clips by RTMPose-s. Nobody's are taken to be shorter: arms that point
# to the camera throughout would else be too long once they do not.
_LEAST_LEN = {"upper arm": 0.16, "forearm": 0.136, "thigh": 0.22, "shank": 0.21}
_FOOT_LEN = {"heel": 0.12, "toe": 0.2}  # from the ankle, below which it is never too long; 99.9 % are nearer
_FAR_FOOT = 1.5  # usual lengths, and
_ONE_ANKLE = (
    0.05  # between both ankles where they lie on one foot, and the network has found the other foot all the same
)
_LEAST_ROWS = 30  # rows with the limb from which its length is known
_SIZE_S = 3.0  # before and after, over which the person's size is the largest: crouched and cut-off people look small
_BLAME = 3.0  # times as far off its line as the other end, from which one end alone is the wrong one; else both go


def put_aside(one: Trajectories, claimed: np.ndarray | None, skeleton: Skeleton) -> tuple[Trajectories, np.ndarray]:
    """A person's measurements without those that are not their own, and why not: (L, K) u8, `OWN` for all others.

    Args:
        one: with exchanges of left and right undone.
        claimed: (L, K) of `pipeline.motion.claims.claims` for these rows, exchanged likewise; None: nobody is near.
    """
    why = np.zeros(one.measured.shape, np.uint8)
    if len(one.time_s) >= 3:
        signs = ((THEIRS, _theirs), (TOO_LONG, _too_long), (OFF_ITS_WAY, _off_their_way))
        for code, sign in signs:
            known = one.measured & (why == OWN)
            found = sign(one._replace(measured=known), claimed, skeleton)
            why[found & known] = code
    return one._replace(measured=one.measured & (why == OWN)), why


def _theirs(one: Trajectories, claimed: np.ndarray | None, skeleton: Skeleton) -> np.ndarray:
    """(L, K) bool points on somebody else's limb."""
    out = np.zeros(one.measured.shape, bool)
    if claimed is None:
        return out
    for limb in limbs_of(skeleton):
        near = np.where(one.measured, claimed, np.inf)
        joints = [limb.middle, limb.end]
        on = near[:, joints] <= _ON
        if not on.any():
            continue
        both = near[:, joints].max(1)
        for begin, end in _stays(one.time_s, np.asarray(on.all(1))):
            begin, end = _came(one.time_s, both, begin, end)
            out[begin:end, [*joints, *limb.beyond]] = True
        for k, its in zip(joints, on.T, strict=True):
            for begin, end in _runs(its & ~out[:, k]):
                if _jumped(one, near[:, k], k, begin, end):
                    hangs = (limb.end, *limb.beyond) if k == limb.middle else limb.beyond
                    out[begin:end, k] = True
                    for point in hangs:
                        out[begin:end, point] |= near[begin:end, point] <= 2 * _ON
    return out


def _runs(where: np.ndarray) -> np.ndarray:
    """(R, 2) begins and ends of the runs of True in (L,)."""
    return np.flatnonzero(np.diff(where, prepend=False, append=False)).reshape(-1, 2)


def _stays(time_s: np.ndarray, on: np.ndarray) -> list[tuple[int, int]]:
    """Runs of rows that last, with short pauses closed."""
    step = float(np.median(np.diff(time_s)))
    closed: list[list[int]] = []
    for begin, end in _runs(on).tolist():
        if closed and time_s[begin] - time_s[closed[-1][1] - 1] <= _PAUSE_S + step:
            closed[-1][1] = end
        else:
            closed.append([begin, end])
    return [(a, b) for a, b in closed if on[a:b].sum() >= 2 and time_s[b - 1] - time_s[a] + step >= _STAYS_S]


def _came(time_s: np.ndarray, near: np.ndarray, begin: int, end: int) -> tuple[int, int]:
    """The run with the rows before and after it in which the limb comes from elsewhere, and goes."""

    def reach(row: int, step: int) -> int:
        start_s = time_s[row]
        while 0 <= row + step < len(near) and abs(time_s[row + step] - start_s) <= _COMES_S:
            if not near[row] - _SLACK < near[row + step] < np.inf:
                break
            row += step
        return row

    return reach(begin, -1), reach(end - 1, 1) + 1


def _jumped(one: Trajectories, near: np.ndarray, k: int, begin: int, end: int) -> bool:
    """Whether a point comes to the other's joint from one row to the next, and goes likewise."""
    before, after = _around(one, k, begin, end)
    if before < 0 or after < 0 or one.time_s[after] - one.time_s[before] > _JUMPS_S:
        return False
    return bool(min(near[before], near[after]) >= _JUMPS and _off_line(one, k, begin, end) > _LEAVES)


def _around(one: Trajectories, k: int, begin: int, end: int) -> tuple[int, int]:
    """The rows just before and after a run in which a point is measured, −1 where there is none within a second."""
    time_s, known = one.time_s, one.measured[:, k]
    before, after = begin - 1, end
    while before >= 0 and not known[before] and time_s[begin] - time_s[before] <= _NEAR_S:
        before -= 1
    while after < len(known) and not known[after] and time_s[after] - time_s[end - 1] <= _NEAR_S:
        after += 1
    found = before if before >= 0 and known[before] else -1
    return found, after if after < len(known) and known[after] else -1


def _off_line(one: Trajectories, k: int, begin: int, end: int) -> float:
    """Mean distance of a point in a run from the line between just before and just after; ∞ where there is no line."""
    before, after = _around(one, k, begin, end)
    if before < 0 or after < 0:
        return np.inf
    rows = begin + np.flatnonzero(one.measured[begin:end, k])
    u = ((one.time_s[rows] - one.time_s[before]) / (one.time_s[after] - one.time_s[before]))[:, None]
    place, start, stop = (one.keypoints_px[at, k].astype(np.float64) for at in (rows, before, after))
    off = np.linalg.norm(place - (1 - u) * start - u * stop, axis=1)
    return float((off / one.size_px[rows]).mean()) if len(rows) else 0.0


def _too_long(one: Trajectories, claimed: np.ndarray | None, skeleton: Skeleton) -> np.ndarray:
    """(L, K) bool points that make limbs or feet too long."""
    del claimed
    out = np.zeros(one.measured.shape, bool)
    limbs = limbs_of(skeleton)
    if not limbs:
        return out
    size = _largest(one)
    upper = [_shares(one, size, [(x.root, x.middle) for x in limbs[i : i + 2]], limbs[i].leg, 0) for i in _pairs(limbs)]
    lower = [_shares(one, size, [(x.middle, x.end) for x in limbs[i : i + 2]], limbs[i].leg, 1) for i in _pairs(limbs)]
    share = np.concatenate([np.stack(both, -1) for both in zip(upper, lower, strict=True)], 1)  # (L, limbs, 2)
    for c, limb in enumerate(limbs):
        others = np.delete(share, c, 1).reshape(len(share), -1)
        long = share[:, c] > _LONGER * np.maximum(_second(others), 1.0)[:, None]
        for begin, end in _runs(long.any(1)):
            for k in _blamed(one, limb, long[begin:end].any(0), begin, end):
                out[begin:end, k] = True
    return out | _far_feet(one, size, out, skeleton)


def _pairs(limbs: tuple[Limb, ...]) -> range:
    return range(0, len(limbs), 2)


def _largest(one: Trajectories) -> np.ndarray:
    """(L,) px the person's size, the largest over a few seconds."""
    step = max(float(np.median(np.diff(one.time_s))), 1e-3)
    return maximum_filter1d(one.size_px, 2 * min(round(_SIZE_S / step), len(one.size_px)) + 1)


def _shares(one: Trajectories, size_px: np.ndarray, sides: list[tuple[int, int]], leg: bool, part: int) -> np.ndarray:
    """(L, 2) lengths of left and right as shares of the usual one, 0 where they are not known."""
    a, b = np.array(sides).T
    known = one.measured[:, a] & one.measured[:, b]
    if known.sum() < _LEAST_ROWS:
        return np.zeros(known.shape)
    gap = one.keypoints_px[:, a].astype(np.float64) - one.keypoints_px[:, b]
    length = np.where(known, np.sqrt(np.square(gap).sum(2)) / size_px[:, None], 0.0)
    name = (("upper arm", "forearm"), ("thigh", "shank"))[leg][part]
    return length / max(float(quantile(length[known][None], _USUAL)[0]), _LEAST_LEN[name])


def _second(shares: np.ndarray) -> np.ndarray:
    """(L,) the second largest share of (L, M): a person of whom two other limbs are long is larger than thought."""
    return np.sort(shares, axis=1)[:, -2] if shares.shape[1] > 1 else np.zeros(len(shares))


def _blamed(one: Trajectories, limb: Limb, long: np.ndarray, begin: int, end: int) -> tuple[int, ...]:
    """The points that make a limb's upper part, its lower part, or both (2,) too long in a run of rows."""
    if long.all():
        return (limb.middle,)
    if long[0]:
        return (limb.middle, limb.end, *limb.beyond)
    middle, last = (_off_line(one, k, begin, end) for k in (limb.middle, limb.end))
    if middle > _BLAME * last:
        return (limb.middle,)
    gone = tuple(k for k in limb.beyond if _off_line(one, k, begin, end) > _LEAVES)
    return (limb.end, *gone) if last > _BLAME * middle else (limb.middle, limb.end, *gone)


def _far_feet(one: Trajectories, size_px: np.ndarray, aside: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(L, K) bool points of feet too far from their ankle; where both ankles are one, the ankle instead."""
    out = np.zeros(one.measured.shape, bool)
    legs = [limb for limb in limbs_of(skeleton) if limb.leg]
    place = one.places([limb.end for limb in legs])
    together = np.linalg.norm(np.diff(place, axis=1), axis=2).min(1, initial=np.inf) < _ONE_ANKLE * size_px
    for limb in legs:
        for k in limb.beyond:
            kind = "heel" if "heel" in skeleton.names[k] else "toe"
            known = one.measured[:, k] & one.measured[:, limb.end] & ~aside[:, k] & ~aside[:, limb.end]
            if known.sum() < _LEAST_ROWS:
                continue
            gap = one.keypoints_px[known, k].astype(np.float64) - one.keypoints_px[known, limb.end]
            length = np.sqrt(np.square(gap).sum(1)) / size_px[known]
            far = length > max(_FAR_FOOT * float(quantile(length[None], _USUAL)[0]), _FOOT_LEN[kind])
            out[known, k] = far & ~together[known]
            out[known, limb.end] |= far & together[known]
    return out


def _off_their_way(one: Trajectories, claimed: np.ndarray | None, skeleton: Skeleton) -> np.ndarray:
    """(L, K) bool points of feet and face that leave their way while at least two neighbours go on and none leaves."""
    del claimed
    out = np.zeros(one.measured.shape, bool)
    step = max(float(np.median(np.diff(one.time_s))), 1e-3)
    for points in rigid_groups(skeleton):
        path = one.places(points)
        for h in sorted({max(round(lag / step), 1) for lag in _LAGS_S}):
            if len(path) <= 2 * h:
                continue
            even = np.abs(one.time_s[2 * h :] - one.time_s[: -2 * h] - 2 * h * step) <= step
            off = np.linalg.norm(path[h:-h] - (path[2 * h :] + path[: -2 * h]) / 2, axis=2) / one.size_px[h:-h, None]
            goes_on = (off < _STILL).sum(1) >= 2
            alone = (off >= _STILL).sum(1) == 1
            out[h:-h, list(points)] |= (off > _LEAVES) & (goes_on & alone & even)[:, None]
        for k in points:  # rows whose line ends at a wrong point are off it, too
            for begin, end in _runs(out[:, k]):
                out[begin:end, k] = _off_line(one, k, begin, end) > _LEAVES / 2
    return out
