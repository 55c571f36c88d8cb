"""Which joints of a limb are exchanged when: a switching state space model, searched with a beam.

A limb has J joints (hip, knee, ankle). For each joint the search sees the vector from the right joint to the left one;
an exchange turns the vector's sign. A hypothesis is a history of exchanged joints. Each hypothesis carries a Kalman
filter for each vector (constant acceleration disturbed by white jerk), also over rows in which nothing was seen.
Hypotheses branch where a stretch begins (`pipeline.motion.turns.starts`); the best stay. The covariance does not depend
on signs, so all hypotheses share it. Blocks of rows and several limbs are worked on side by side.

L rows of one person, C limbs, J joints, S = 2^J configurations (bit j: joint j is exchanged), H hypotheses, px, s,
nats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from pipeline.motion.lanes import batches

HYPOTHESES = 24  # at most; 4 a configuration are plenty
_BLOCK, _WARM_S = 768, 2.0  # rows of a block, and seconds before and after the block that are searched with it
_CAP = 4.0  # nats against a hypothesis that one joint in one row gives at most: one in 50 is an outlier (RTMPose-s)
_GATE = 9.0  # squared Mahalanobis distance from all hypotheses beyond which a row counts less
_START = (1.0, 5.0, 40.0)  # standard deviation of the first state: body lengths, per s, per s²
_USUAL_S = 1.0  # over which the innovations' usual size is taken
_SWEEPS = 4
_DEAD = 1e6


@dataclass(frozen=True)
class Limbs:
    """What is known of the limbs of one person."""

    time_s: np.ndarray  # (L,)
    z: np.ndarray  # (L, C, J, 2) px left minus right joint, NaN where not seen
    var: np.ndarray  # (L, C, J) px² of its noise, per axis
    density: np.ndarray  # (L, C, J) px²/s⁵ spectral density of its jerk
    size_px: np.ndarray  # (L,)
    begins: np.ndarray  # (L, C) bool, rows with which a stretch begins
    against: np.ndarray  # (L, C, S) nats against each configuration, whatever the motion
    change: np.ndarray  # (S, S) nats against going from one configuration to another, the same for all people


def exchanged(people: Sequence[Limbs]) -> list[np.ndarray]:
    """For each person, (L, C) i64 the likeliest configuration of each limb in each row. There is at least one person.

    All people have the same number of limbs and joints.
    """
    ends = np.cumsum([len(limbs.time_s) for limbs in people])
    blocks = [_blocks(limbs.time_s) + end - len(limbs.time_s) for limbs, end in zip(people, ends, strict=True)]
    own, end, first, last = np.concatenate(blocks, 1)
    opens = np.concatenate([np.arange(part.shape[1]) == 0 for part in blocks])
    limbs = _joined(people)
    out = np.zeros(limbs.begins.shape, np.int64)
    start = np.zeros((len(own), limbs.begins.shape[1]), np.int64)
    todo = np.ones(start.shape, bool)
    for _ in range(_SWEEPS):
        block, limb = np.nonzero(todo)
        for some in batches((last - first)[block], 1):
            b, c = block[some], limb[some]
            found = _searched(limbs, first[b], last[b], c, start[b, c])
            for i, j, rows in zip(b, c, found, strict=True):
                out[own[i] : end[i], j] = rows[own[i] - first[i] :][: end[i] - own[i]]
        # A block begins with the configuration that the block before it found, since that block saw the earlier rows.
        wanted = out[first]
        wanted[opens] = 0
        todo, start = wanted != start, wanted
        if not todo.any():
            break
    return np.split(out, ends[:-1])


def _blocks(time_s: np.ndarray) -> np.ndarray:
    """(4, B) first row of each block and one past its last, then the same two with the rows around the block."""
    n = len(time_s)
    warm = max(round(_WARM_S / max(float(np.median(np.diff(time_s))), 1e-4)), 8)
    own = np.arange(0, n, _BLOCK) if n > _BLOCK + 2 * warm else np.zeros(1, np.int64)
    end = np.append(own[1:], n)
    return np.stack([own, end, np.maximum(own - warm, 0), np.minimum(end + warm, n)])


def _joined(people: Sequence[Limbs]) -> Limbs:
    """The rows of several people one after another."""
    if len(people) == 1:
        return people[0]
    names = [field.name for field in fields(Limbs) if field.name != "change"]
    rows = {name: np.concatenate([getattr(one, name) for one in people]) for name in names}
    return Limbs(**rows, change=people[0].change)


def _searched(
    limbs: Limbs, first: np.ndarray, last: np.ndarray, limb: np.ndarray, start: np.ndarray
) -> list[np.ndarray]:
    """The best configurations of rows ``first (B,)`` to ``last (B,)`` of limbs ``limb (B,)``, starting at ``start``."""
    steps, lanes = int((last - first).max()), len(first)
    joints, states = limbs.z.shape[2], limbs.change.shape[0]
    sign = np.where(np.arange(states)[:, None] >> np.arange(joints) & 1, -1.0, 1.0).astype(np.float32)  # (S, J)
    beam = _Beam(limbs.size_px[first], start, limbs.change, joints)
    came = np.zeros((steps, lanes, beam.count), np.int8)
    config = np.zeros((steps, lanes, beam.count), np.int8)
    before = limbs.time_s[first]
    seen_z = np.isfinite(limbs.z[..., 0])
    for t in range(steps):
        inside = first + t < last
        r = np.minimum(first + t, last - 1)
        dt = np.minimum(limbs.time_s[r] - before, 1.0)
        before = limbs.time_s[r]
        came[t] = np.arange(beam.count)
        new = np.flatnonzero(limbs.begins[r, limb] & inside & (t > 0))
        if len(new):
            came[t, new] = beam.branch(new, limbs.change)
        config[t] = beam.config
        beam.cost += np.take_along_axis(limbs.against[r, limb], beam.config, 1) * inside[:, None]
        beam.step(dt, limbs.z[r, limb], seen_z[r, limb] & inside[:, None], limbs.var[r, limb],
                  limbs.density[r, limb], sign)  # fmt: skip
    best = beam.cost.argmin(1)
    out = np.empty((lanes, steps), np.int64)
    lane = np.arange(lanes)
    for t in range(steps - 1, -1, -1):
        out[:, t] = config[t, lane, best]
        best = came[t, lane, best]
    return [out[i, : last[i] - first[i]] for i in range(lanes)]


class _Beam:
    """The hypotheses of B lanes."""

    def __init__(self, size_px: np.ndarray, start: np.ndarray, change: np.ndarray, joints: int) -> None:
        lanes, states = len(size_px), len(change)
        self.count = min(HYPOTHESES, 4 * states)
        self.config = np.tile(np.arange(self.count) % states, (lanes, 1))
        self.cost = change[start][:, self.config[0]].astype(np.float64)
        self.cost[:, states:] = _DEAD
        self.past = np.zeros((lanes, self.count), np.int64)
        self.mean = np.zeros((3, 2, lanes, self.count, joints), np.float32)
        size = np.repeat(np.square(size_px.astype(np.float64))[:, None], joints, 1)
        zero = np.zeros_like(size)
        s = np.square(_START)
        self.cov = [s[0] * size, zero, zero, s[1] * size, zero, s[2] * size]  # pp, pv, pa, vv, va, aa
        self.usual = np.full((lanes, joints), 1.0)

    def branch(self, new: np.ndarray, change: np.ndarray) -> np.ndarray:
        """Branch every hypothesis of lanes ``new`` to every configuration and keep the best; returns their parents."""
        cost, config, past = self.cost[new], self.config[new], self.past[new]
        states = len(change)
        key = past * states + config
        # Of two hypotheses that agree on the last stretches, the better one stays better.
        rank = cost + 1e-9 * np.arange(self.count)
        worse = ((key[:, :, None] == key[:, None]) & (rank[:, :, None] > rank[:, None])).any(2)
        cost = np.where(worse, _DEAD, cost)
        total = (cost[:, :, None] + change[config]).reshape(len(new), -1)
        pick = np.argpartition(total, self.count - 1, axis=1)[:, : self.count]
        parent = pick // states
        lane = np.arange(len(new))[:, None]
        self.cost[new] = total[lane, pick]
        self.past[new] = key[lane, parent] % states**_PAST
        self.config[new] = pick % states
        self.mean[:, :, new] = self.mean[:, :, new[:, None], parent]
        return parent

    def step(
        self,
        dt: np.ndarray,
        z: np.ndarray,
        seen: np.ndarray,
        var: np.ndarray,
        density: np.ndarray,
        sign: np.ndarray,
    ) -> None:
        """Predict over ``dt (B,)``, and take in the row's vectors ``z (B, J, 2)``."""
        mean, p = self.mean, self.cov
        d = dt[:, None]
        f = dt.astype(np.float32)[:, None, None]
        mean[0] += f * mean[1] + f * f / 2 * mean[2]
        mean[1] += f * mean[2]
        _predict(p, d, density * np.square(np.maximum(self.usual, 1.0)))
        s = p[0] + np.where(seen, var, 1.0)
        turned = sign[self.config]  # (B, H, J)
        value = np.where(seen[..., None], z, 0.0).astype(np.float32)
        error = np.moveaxis(value, -1, 0)[:, :, None] * turned - mean[0]  # (2, B, H, J)
        square = (error[0] * error[0] + error[1] * error[1]) / s[:, None].astype(np.float32)
        alive = square + np.where(self.cost - self.cost.min(1, keepdims=True) < 20, 0, np.float32(1e6))[..., None]
        least = alive.min(1)  # (B, J)
        share = np.clip(d / _USUAL_S, 0, 0.5)
        self.usual += np.where(seen, share * (np.minimum(least, 4 * _GATE) / 2 - self.usual), 0.0)
        scale = np.where(seen, 1 / (2 * np.maximum(self.usual, 1.0)), 0.0)
        self.cost += np.minimum(square * scale[:, None].astype(np.float32), np.float32(_CAP)).sum(-1)
        self.cost -= self.cost.min(1, keepdims=True)
        wide = np.maximum(least / _GATE, 1.0) * s
        gain = [np.where(seen, p[i] / wide, 0.0) for i in range(3)]
        for i in range(3):
            mean[i] += gain[i][:, None].astype(np.float32) * error
        p[5] = p[5] - gain[2] * p[2]
        p[4] = p[4] - gain[2] * p[1]
        p[3] = p[3] - gain[1] * p[1]
        p[2] = p[2] - gain[2] * p[0]
        p[1] = p[1] - gain[1] * p[0]
        p[0] = p[0] - gain[0] * p[0]


_PAST = 2  # configurations before the present one by which hypotheses are told apart


def _predict(p: list[np.ndarray], dt: np.ndarray, q: np.ndarray) -> None:
    """Covariance of constant acceleration disturbed by white jerk of density ``q``, in place."""
    pp, pv, pa, vv, va, aa = p
    h = dt * dt / 2
    p[0] = pp + 2 * dt * pv + 2 * h * pa + dt * dt * vv + 2 * dt * h * va + h * h * aa + q * dt**5 / 20
    p[1] = pv + dt * vv + dt * pa + (h + dt * dt) * va + dt * h * aa + q * dt**4 / 8
    p[2] = pa + dt * va + h * aa + q * dt**3 / 6
    p[3] = vv + 2 * dt * va + dt * dt * aa + q * dt**3 / 3
    p[4] = va + dt * aa + q * dt * dt / 2
    p[5] = aa + q * dt
