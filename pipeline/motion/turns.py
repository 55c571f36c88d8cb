"""Where exchanges of left and right may begin, and what noise and motion the vectors of pairs have.

What is seen of a pair of joints is the vector from the right to the left one; an exchange turns its sign. What is told
here is told without knowing the signs.

L rows of one person, J pairs, px and seconds.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from pipeline.motion.repair import neighbours

_LINK_S = 0.25  # rows further apart tell nothing of one another
_WINDOW_S = 1.0  # over which a pair's usual variation is taken
_SHARP = 6.0  # a turn against the row before shows by −dot / variance
_GAP = 3  # rows of a gap before that in which an exchange may begin
_WEAK, _APART_S = 8.0, 0.06  # one may also begin where signs are least clear, not nearer to others than that
_LAGS_S = (0.15, 0.1, 0.067, 0.04)  # of the third differences that tell the jerk
_SPLINE = 0.55  # third differences of white jerk of density q over a lag h have variance .55 q h⁵
_EXCESS, _PEAK = 1.2, 3.0  # noise is taken off with a margin; jerk comes in bursts
_USUAL_ROWS = 6  # rows of the usual that are added to those of the window
_LEAST_JERK = 3.0  # √ density of a calm person, body lengths / s³ / √Hz
_SIGNS = (1.0, -1.0)
_RAYLEIGH = 2 * np.log(2)  # median of the square of a vector whose axes have variance 1
_CLEAR = 24.0  # square of a pair's vector, in variances, from which its noise can be told
_LEAST_ROWS = 30  # that tell a noise


def starts(time_s: np.ndarray, z: np.ndarray, var: np.ndarray) -> np.ndarray:
    """(L,) bool rows with which an exchange may begin or end: where a pair turns, and where signs are least clear.

    Args:
        z: (L, J, 2) vectors of a limb's pairs, NaN where not seen; the lower joints come last.
        var: (L, J) variance of their noise, per axis.
    """
    out, clear = np.zeros(len(z), bool), np.zeros(z.shape[:2])
    out[0] = True
    for j in range(z.shape[1]):
        turns, clear[:, j] = _turns(time_s, z[:, j], var[:, j])
        out |= turns
    near = 2 * max(_rows(time_s, _APART_S), 1) + 1
    for upper in range(z.shape[1]):  # all joints are exchanged, or the lower ones
        total = clear[:, upper:].sum(1)
        least = (total <= minimum_filter1d(total, near)) & (total < _WEAK)
        out |= least & ~maximum_filter1d(out, near)
    return out


def _turns(time_s: np.ndarray, z: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (L,) bool in which a vector (L, 2) clearly turns, or may do so in the gap before; and how clear its sign is
    against the row before: the product of both over noise and usual steps, 0 where not known."""
    n, known = len(z), np.isfinite(z[:, 0])
    before = np.append(-1, neighbours(known)[0][:-1])
    known = known & (before >= 0) & (time_s - time_s[before] <= _LINK_S)
    now, then, before = z[known], z[before[known]], before[known]
    dot = (now * then).sum(-1)
    window = _rows(time_s, _WINDOW_S)
    step = np.zeros(n)
    step[known] = np.minimum(np.square(now - then).sum(-1), np.square(now + then).sum(-1))
    share = uniform_filter1d(known.astype(float), window, mode="nearest")[known]
    usual = uniform_filter1d(step, window, mode="nearest")[known] / np.maximum(share, 1e-9)
    clear, turns = np.zeros(n), np.zeros(n, bool)
    clear[known] = dot / (var[known] + usual / 2)
    sharp = dot < -_SHARP * var[known]
    row = np.flatnonzero(known)[sharp]
    for back in range(_GAP + 1):
        gap = row - back
        turns[gap[gap > before[sharp]]] = True
    return turns, clear


def jerk(time_s: np.ndarray, z: np.ndarray, var: np.ndarray, size_px: np.ndarray) -> np.ndarray:
    """(L,) px²/s⁵ spectral density of the jerk of a pair's vector (L, 2), whichever rows are exchanged."""
    n = len(z)
    out = np.square(_LEAST_JERK * size_px.astype(np.float64))
    window = _rows(time_s, _WINDOW_S)
    for lag in {_rows(time_s, lag_s) for lag_s in _LAGS_S}:
        if n <= 3 * lag:
            continue
        least, noise, h = _third_differences(time_s, z, var, lag)
        known = np.isfinite(least)
        count = uniform_filter1d(known.astype(float), window, mode="constant") * window

        def usual(values: np.ndarray, known: np.ndarray = known, count: np.ndarray = count) -> np.ndarray:
            """Mean over the window, with the mean over all rows as so many more."""
            values = np.where(known, values, 0.0)
            total = uniform_filter1d(values, window, mode="constant") * window
            return (total + _USUAL_ROWS * values.sum() / max(known.sum(), 1)) / (count + _USUAL_ROWS)

        size = np.square(usual(np.sqrt(least))) * 2 / np.pi
        excess = size - (_EXCESS + 2 / np.sqrt(count + _USUAL_ROWS)) * usual(noise)
        out = np.maximum(out, _PEAK * excess * usual(h) / _SPLINE)
    return out


def noise_excess(time_s: np.ndarray, z: np.ndarray, var: np.ndarray) -> float:
    """By how much the noise of pairs (L, J, 2) is greater than ``var (L, J)``, at least 1: what third differences
    over one or two frames are, where a pair is clearly apart, and least where it moves least."""
    ratio = []
    for j in range(z.shape[1]):
        if np.nanmedian(np.square(z[:, j]).sum(-1) / var[:, j]) < _CLEAR or np.isfinite(z[:, j, 0]).sum() < _LEAST_ROWS:
            continue
        for lag in (1, 2):
            least, noise, _ = _third_differences(time_s, z[:, j], var[:, j], lag)
            known = np.isfinite(least)
            if known.sum() > 10:
                ratio.append(np.square(np.median(np.sqrt(least[known] / noise[known]))) / _RAYLEIGH)
    return max(min(ratio, default=1.0), 1.0)


def _third_differences(
    time_s: np.ndarray, z: np.ndarray, var: np.ndarray, lag: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(L,) third derivatives over ``lag`` rows, squared: the least for any signs of z (L, 2); what noise makes of them
    per axis; and the lag in s. NaN where not known."""
    n = len(z)
    rows = [slice(i * lag, max(n - (3 - i) * lag, 0)) for i in range(4)]
    t = np.stack([time_s[r] for r in rows])
    weight = [6 / np.prod([t[i] - t[j] for j in range(4) if j != i], axis=0) for i in range(4)]
    a, b, c, d = (weight[i][:, None] * z[rows[i]] for i in range(4))
    least = np.min(
        [np.square(a + p * b + q * c + r * d).sum(-1) for p in _SIGNS for q in _SIGNS for r in _SIGNS], axis=0
    )
    noise = sum(np.square(weight[i]) * var[rows[i]] for i in range(4))
    out = np.full((3, n), np.nan)
    out[:, (3 * lag) // 2 : (3 * lag) // 2 + len(least)] = least, noise, (t[3] - t[0]) / 3
    return out[0], out[1], out[2]


def _rows(time_s: np.ndarray, span_s: float) -> int:
    return max(round(span_s / max(float(np.median(np.diff(time_s))), 1e-4)), 1)
