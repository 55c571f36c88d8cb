"""Textbook filters of a person's keypoints: Butterworth, Savitzky–Golay, one euro.

These filters need evenly spaced values without holes. So lines first bridge the short gaps, and each stretch of rows
without a longer gap is filtered by itself. Where a stretch has uneven steps (variable frame rate, lost frames), it is
interpolated to its median step, filtered, and interpolated back. L rows, K keypoints, px and seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
from scipy import signal
from scipy.ndimage import gaussian_filter1d

from pipeline.core.settings import SmoothConfig
from pipeline.motion.repair import bridge
from pipeline.motion.smooth import ACCELERATION_NEEDS, Smoothed

_EVEN = 0.02  # share of the median step by which even steps may differ
NEAR_S = 0.1  # standard deviation of the window over which the motion that a filter cuts off is averaged
_LEAST = 4  # rows that a stretch needs; shorter ones stay as they are
FloatOrArray = TypeVar("FloatOrArray", float, np.ndarray)
SPEED_HZ = 1.0  # one euro: cutoff of the speed (Casiez et al. 2012)


class _Stretch(NamedTuple):
    """A filtered stretch of one keypoint, and what is left of white noise."""

    path: np.ndarray  # (n, 2) px
    gain: float | np.ndarray  # () or (n,) share of the noise's variance that is left
    own: float | np.ndarray  # () or (n,) weight of a row's own measurement


def filtered(
    time_s: np.ndarray,
    keypoints_px: np.ndarray,
    measured: np.ndarray,
    std_px: np.ndarray,
    size_px: np.ndarray,
    config: SmoothConfig,
    max_gap_s: float,
) -> Smoothed:
    """Paths filtered by ``config.method``, one of `FILTERS`.

    The standard deviation has two parts: what the filter leaves of the measurement noise, taken to be white, and the
    motion that the filter cuts off (`_cut_off`). Bridged rows have NaN. Velocity and acceleration are central
    differences of the filtered path on real times.

    Args:
        time_s: (L,) rising.
        keypoints_px, measured: (L, K, 2), (L, K) bool; unmeasured values do not matter.
        std_px: (L, K) standard deviation of a measurement, per axis.
        size_px: (L,) body length.
    """
    out = Smoothed.empty(measured.shape, keypoints_px.dtype.type)
    out.used[:] = measured
    run = FILTERS[config.method]
    for k in range(measured.shape[1]):
        path, bridged = bridge(time_s, keypoints_px[:, k].astype(np.float64), measured[:, k], max_gap_s)
        for rows in stretches(time_s, measured[:, k] | bridged, max_gap_s):
            t = time_s[rows]
            length = float(np.median(size_px[rows]))
            smooth, gain, own = run(t, path[rows], length, config) if len(t) >= _LEAST else (path[rows], 1.0, 1.0)
            velocity = slope(t, smooth)
            out.position[rows, k], out.velocity[rows, k] = smooth, velocity
            out.acceleration[rows, k] = bend(t, velocity)
            var, known = np.square(std_px[rows, k].astype(np.float64)), measured[rows, k]
            lost = _cut_off(t, path[rows] - smooth, known, (1 - 2 * own + gain) * var)
            out.std[rows, k] = np.where(known, np.sqrt(gain * var + lost), np.nan)
    return out


def _cut_off(time_s: np.ndarray, off_px: np.ndarray, known: np.ndarray, var_px2: np.ndarray) -> np.ndarray:
    """(n,) px² of motion that a filter cuts off, per axis: squared residuals beyond the variance that noise makes.

    The residuals are averaged under a Gaussian of `NEAR_S`.

    Args:
        off_px: (n, 2) what was measured less what the filter made of it.
        known: (n,) bool, measured.
        var_px2: (n,) variance of ``off_px`` that noise makes, per axis.
    """
    more = np.where(known, np.square(off_px).mean(1) - var_px2, 0.0)
    rows = NEAR_S / float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0
    total = gaussian_filter1d(known.astype(np.float64), rows, mode="constant")
    out: np.ndarray = np.maximum(gaussian_filter1d(more, rows, mode="constant") / np.maximum(total, 1e-9), 0.0)
    return out


def stretches(time_s: np.ndarray, known: np.ndarray, max_gap_s: float) -> list[slice]:
    """Runs of known rows (L,) without a step longer than ``max_gap_s``."""
    breaks = np.diff(time_s, prepend=-np.inf) > max_gap_s + 1e-6
    number = np.cumsum(breaks | ~known | np.append(True, ~known[:-1]))
    edges = np.append(np.flatnonzero(np.diff(number, prepend=-1)), len(known))
    return [slice(int(a), int(b)) for a, b in pairwise(edges) if known[a]]


def slope(time_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Derivative of ``values (n, 2)`` by central differences on real times; NaN for a single row."""
    return np.gradient(values, time_s, axis=0) if len(time_s) > 1 else np.full_like(values, np.nan)


def bend(time_s: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Acceleration from the `slope (n, 2)` of a path; NaN for two rows, whose slope is that of one line."""
    return slope(time_s, velocity) if len(time_s) >= ACCELERATION_NEEDS else np.full_like(velocity, np.nan)


def butterworth(values: np.ndarray, rate_hz: float, cutoff_hz: float, order: int) -> np.ndarray:
    """Zero-phase Butterworth low-pass of evenly spaced ``values (n, …)``: there and back, half of the order each way.

    The cutoff of each pass is raised so that both together have −3 dB at ``cutoff_hz`` (Winter 2009). Where
    the raised cutoff reaches half of the rate, the values stay as they are. ``scipy.signal.filtfilt``.
    """
    share = cutoff_hz / (np.sqrt(2) - 1) ** (1 / order) / (rate_hz / 2)
    if share >= 1:
        return values.copy()
    b, a = signal.butter(order // 2, share)
    return signal.filtfilt(b, a, values, axis=0, padlen=min(3 * max(len(a), len(b)), len(values) - 1))


def _butterworth(time_s: np.ndarray, path: np.ndarray, length_px: float, config: SmoothConfig) -> _Stretch:
    def run(values: np.ndarray, rate: float) -> np.ndarray:
        return butterworth(values, rate, config.cutoff_hz, config.order)

    return _evenly(time_s, path, run)


def _savgol(time_s: np.ndarray, path: np.ndarray, length_px: float, config: SmoothConfig) -> _Stretch:
    def run(values: np.ndarray, rate: float) -> np.ndarray:
        window = min(round(config.window_s * rate) // 2 * 2 + 1, (len(values) - 1) // 2 * 2 + 1)
        return signal.savgol_filter(values, window, 3, axis=0) if window > 3 else values.copy()

    return _evenly(time_s, path, run)


def _evenly(time_s: np.ndarray, path: np.ndarray, run: Callable[[np.ndarray, float], np.ndarray]) -> _Stretch:
    """``path (n, 2)`` filtered by ``run(values, rate in Hz)`` at even steps."""
    steps = np.diff(time_s)
    step = float(np.median(steps))
    pulse = np.zeros((2 * round(2 / step) + 1, 1))
    pulse[len(pulse) // 2] = 1.0
    answer = run(pulse, 1 / step) if len(pulse) > 5 else np.ones((1, 1))
    gain, own = float(np.square(answer).sum()), float(answer[len(answer) // 2, 0])
    if np.abs(steps - step).max() <= _EVEN * step:
        return _Stretch(run(path, 1 / step), gain, own)
    count = max(round((time_s[-1] - time_s[0]) / step) + 1, 4)
    even = np.linspace(time_s[0], time_s[-1], count)
    values = np.stack([np.interp(even, time_s, path[:, d]) for d in range(2)], 1)
    values = run(values, (count - 1) / (time_s[-1] - time_s[0]))
    return _Stretch(np.stack([np.interp(time_s, even, values[:, d]) for d in range(2)], 1), gain, own)


def _one_euro(time_s: np.ndarray, path: np.ndarray, length_px: float, config: SmoothConfig) -> _Stretch:
    """The one euro filter (Casiez, Roussel and Vogel, CHI 2012) on real times: causal, its cutoff rises with speed."""
    out, gain, own = path.copy(), np.ones(len(path)), np.ones(len(path))
    speed = np.zeros(2)
    for i in range(1, len(path)):
        dt = time_s[i] - time_s[i - 1]
        speed = speed + weight(SPEED_HZ, dt) * ((path[i] - out[i - 1]) / dt - speed)
        own[i] = weight(config.cutoff_hz + config.beta_len * np.hypot(*speed) / length_px, dt)
        out[i] = out[i - 1] + own[i] * (path[i] - out[i - 1])
        gain[i] = (1 - own[i]) ** 2 * gain[i - 1] + own[i] ** 2
    return _Stretch(out, gain, own)


def weight(cutoff_hz: FloatOrArray, dt: float) -> FloatOrArray:
    """Weight of a new value in a first-order low-pass over ``dt`` s."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff_hz * dt))


FILTERS: dict[str, Callable[[np.ndarray, np.ndarray, float, SmoothConfig], _Stretch]] = {
    "butterworth": _butterworth,
    "savgol": _savgol,
    "one_euro": _one_euro,
}
