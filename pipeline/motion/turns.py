"""Where exchanges of left and right may begin, and what noise and motion the vectors of pairs have.

A pair of joints is the vector from the right joint to the left one; an exchange turns the vector's sign. The results
of this module do not depend on the signs.

L rows of one person, J pairs, px and seconds.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from pipeline.motion.evidence import LINK_S
from pipeline.motion.repair import neighbours

_WINDOW_S = 1.0  # window over which a pair's usual variation is taken
_SHARP = 6.0  # a turn against the row before shows by −dot / variance
_GAP = 3  # rows of a gap before a turn in which an exchange may begin
_WEAK, _APART_S = 8.0, 0.06  # an exchange may also begin where a sign is least clear (below 8), at least .06 s apart
_LAGS_S = (0.15, 0.1, 0.067, 0.04)  # lags of the third differences that tell the jerk
_SPLINE = 0.55  # third differences of white jerk of density q over a lag h have variance .55 q h⁵
_EXCESS, _PEAK = 1.2, 3.0  # noise is taken off with a margin; jerk comes in bursts
_USUAL_ROWS = 6  # rows of usual size that are added to the rows of the window
_LEAST_JERK = 3.0  # √ density of a calm person, body lengths / s³ / √Hz
_SIGNS = (1.0, -1.0)
_RAYLEIGH = 2 * np.log(2)  # median of the square of a vector whose axes have variance 1
_CLEAR = 24.0  # square of a pair's vector, in variances, from which its noise can be told
_LEAST_ROWS = 30  # rows from which a noise can be told


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
    parts = [slice(upper, None) for upper in range(z.shape[1])]  # all joints are exchanged, or the lower ones,
    for part in [*parts, *(slice(j, j + 1) for j in range(1, z.shape[1] - 1))]:  # or a knee or an elbow alone
        total = clear[:, part].sum(1)
        least = (total <= minimum_filter1d(total, near)) & (total < _WEAK)
        out |= least & ~maximum_filter1d(out, near)
    return out


def _turns(time_s: np.ndarray, z: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (L,) bool in which a vector (L, 2) clearly turns, or may have turned in the gap before; and how clear its
    sign is against the row before: the product of the two vectors over noise and usual steps, 0 where not known."""
    n, known = len(z), np.isfinite(z[:, 0])
    before = np.append(-1, neighbours(known)[0][:-1])
    known = known & (before >= 0) & (time_s - time_s[before] <= LINK_S)
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


def motion(time_s: np.ndarray, z: np.ndarray, var: np.ndarray, size_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much a limb's vectors (L, J, 2) vary, whichever of their rows are exchanged.

    Returns:
        (L, J) px² the variance of the vectors' noise: ``var (L, J)``, or more where all pairs that are clearly apart
        vary more from frame to frame. (L, J) px²/s⁵ the spectral density of the jerk, over windows of a second.
    """
    lags = sorted({1, 2, *(_rows(time_s, lag_s) for lag_s in _LAGS_S)})
    least = {lag: _third_differences(time_s, z, var, lag) for lag in lags if 3 * lag < len(z)}
    var = var * max(min(_noise_ratios(z, var, [least[lag] for lag in (1, 2) if lag in least]), default=1.0), 1.0)
    density = np.repeat(np.square(_LEAST_JERK * size_px.astype(np.float64))[:, None], z.shape[1], 1)
    step, window = float(np.median(np.diff(time_s))), _rows(time_s, _WINDOW_S)
    for lag, (square, noise) in least.items():
        if lag * step < _LAGS_S[-1] / 2 and lag < max(lags):
            continue  # noise only
        known = np.isfinite(square)
        count = _summed(known, window) + _USUAL_ROWS
        usual = np.where(known, np.sqrt(square), 0.0)
        share = 1 / np.maximum(known.sum(0), 1)
        size = np.square((_summed(usual, window) + _USUAL_ROWS * usual.sum(0) * share) / count) * 2 / np.pi
        usual = np.where(known, noise, 0.0) * var
        noise_var = (_summed(usual, window) + _USUAL_ROWS * usual.sum(0) * share) / count
        excess = size - (_EXCESS + 2 / np.sqrt(count)) * noise_var
        density = np.maximum(density, _PEAK * lag * step / _SPLINE * excess)
    return var, density


def _summed(values: np.ndarray, window: int) -> np.ndarray:
    return uniform_filter1d(values.astype(np.float32), window, axis=0, mode="constant") * np.float32(window)


def _noise_ratios(z: np.ndarray, var: np.ndarray, least: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    """Third differences over a frame or two, as ratios to those that noise alone makes, for pairs clearly apart."""
    out = []
    for j in range(z.shape[1]):
        known = np.isfinite(z[:, j, 0])
        clear = known.sum() >= _LEAST_ROWS and np.median(np.square(z[known, j]).sum(-1) / var[known, j]) > _CLEAR
        for square, noise in least if clear else ():
            told = np.isfinite(square[:, j])
            if told.sum() >= _LEAST_ROWS / 3:
                out.append(float(np.median(square[told, j] / (noise * var)[told, j])) / _RAYLEIGH)
    return out


def _third_differences(time_s: np.ndarray, z: np.ndarray, var: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """(L, J) squared third derivatives over ``lag`` rows, the least over all signs of the vectors; and (L, 1) the same
    from noise of variance 1, per axis. NaN where not known."""
    n = len(z)
    rows = [slice(i * lag, n - (3 - i) * lag) for i in range(4)]
    t = np.stack([time_s[r] for r in rows])
    weight = [6 / np.prod([t[i] - t[j] for j in range(4) if j != i], axis=0) for i in range(4)]
    part = [(weight[i][:, None, None] * z[r]).astype(np.float32) for i, r in enumerate(rows)]
    ab, ac, ad, bc, bd, cd = (x[..., 0] * y[..., 0] + x[..., 1] * y[..., 1] for x, y in combinations(part, 2))
    # |a ± b ± c ± d|²; for each choice of the other signs, the sign of a is the best one
    turned = [p * bc + q * bd + p * q * cd - abs(ab + p * ac + q * ad) for p in _SIGNS for q in _SIGNS]
    least = sum(x[..., 0] * x[..., 0] + x[..., 1] * x[..., 1] for x in part)
    least = np.maximum(least + 2 * np.minimum(np.minimum(*turned[:2]), np.minimum(*turned[2:])), 0)
    out, noise = np.full(z.shape[:2], np.nan, np.float32), np.full((n, 1), np.nan)
    middle = slice((3 * lag) // 2, (3 * lag) // 2 + len(least))
    out[middle], noise[middle, 0] = least, sum(w * w for w in weight)
    return out, noise


def _rows(time_s: np.ndarray, span_s: float) -> int:
    return max(round(span_s / max(float(np.median(np.diff(time_s))), 1e-4)), 1)
