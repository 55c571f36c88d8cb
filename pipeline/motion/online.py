"""One person's keypoints smoothed row by row, as the frames arrive, with ``smooth.method`` fixed_lag or one_euro.

While a keypoint is measured without gaps, the results equal those of `pipeline.motion.person.smoothed_paths`, which has
all rows at once. Across gaps the results may differ, since `smoothed_paths` may know later rows. K keypoints, px and
seconds.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from pipeline.core.settings import SmoothConfig
from pipeline.core.types import INTERPOLATED, MEASURED, MISSING
from pipeline.motion import jerk
from pipeline.motion.filters import NEAR_S, SPEED_HZ, weight
from pipeline.motion.lanes import Filter, Filtered, Rows, told_until
from pipeline.motion.lasting import lasting_px
from pipeline.motion.repair import EPS_S
from pipeline.motion.smooth import noise_px
from pipeline.motion.stray import STRAY_LEN

_JERK_ROWS = 400  # rows remembered for the jerk at most: the window at 240 frames/s


class Point(NamedTuple):
    """A person's keypoints in one frame, smoothed."""

    keypoints_px: np.ndarray  # (K, 2) f32, NaN = not known
    std_px: np.ndarray  # (K,) f32, NaN = not known
    state: np.ndarray  # (K,) u8 MEASURED, INTERPOLATED where bridged, MISSING


class _Row(NamedTuple):
    """One row that waits to be smoothed: inputs and outputs of the filter, lanes last."""

    time_s: float
    z: np.ndarray
    measured: np.ndarray
    var: np.ndarray
    density: np.ndarray
    size_px: np.ndarray
    mean: np.ndarray
    cov: np.ndarray
    dt: np.ndarray
    linked: np.ndarray
    used: np.ndarray
    unseen_s: np.ndarray  # since a measurement was used
    euro: np.ndarray | None  # (2, K) what one_euro makes of it
    euro_std: np.ndarray | None  # (K,)
    lasts_px: np.ndarray  # (K,) standard deviation of the part of the error that lasts


class Smoother:
    """Smooths one person's rows: one row for each frame from the person's first on, also for frames without a sighting.

    ``config.method`` is fixed_lag, one_euro or none. ``share (K,)`` tells the errors that last
    (`pipeline.motion.lasting.shares`).
    """

    def __init__(self, share: np.ndarray, config: SmoothConfig, max_gap_s: float) -> None:
        keypoints = len(share)
        self._config, self._k, self._share = config, keypoints, share
        self._filter = Filter(keypoints, config.gate_sigma, config.bridge_s, max_gap_s)
        self._jerk = _CausalJerk(keypoints, config)
        self._euro = _OneEuro(keypoints, config, max_gap_s) if config.method == "one_euro" else None
        self._rows: deque[_Row] = deque()
        self._used_s = np.full(keypoints, -np.inf)
        self._place, self._speed = np.full((2, 2, keypoints), np.nan)  # of each point where it was last seen
        self._place_s, self._std, self._lasts = np.zeros((3, keypoints))

    def __len__(self) -> int:
        """Rows that wait."""
        return len(self._rows)

    def add(
        self, time_s: float, step_s: float, keypoints_px: np.ndarray, keypoint_score: np.ndarray, size_px: float
    ) -> None:
        """The next row: keypoints (K, 2), NaN where not seen, scores (K,), body length; ``step_s``: usual step."""
        c = self._config
        measured = (keypoint_score >= c.min_keypoint_score) & np.isfinite(keypoints_px).all(-1)
        size = np.full(self._k, size_px)
        noise = noise_px(keypoint_score, np.array(size_px), c.noise_len)
        z = np.where(measured[:, None], keypoints_px, 0.0).astype(np.float64).T.copy()
        density = np.zeros(self._k)
        if c.method != "none":
            density = self._jerk.add(time_s, step_s, keypoints_px, measured, size_px)
        now = np.full(self._k, time_s)
        out = self._filter.step(now, z, measured, np.square(noise), density, size)
        used = measured if c.method == "none" else out[-1]
        self._used_s = np.where(used, time_s, self._used_s)
        euro = self._euro.add(time_s, z, used, size_px) if self._euro is not None else None
        euro_std = self._euro.std(time_s, z, used, np.square(noise)) if self._euro is not None else None
        unseen_s = time_s - self._used_s
        self._lasts = np.where(used, lasting_px(self._share, keypoint_score, np.array(size_px)), self._lasts)
        self._rows.append(
            _Row(
                time_s,
                z,
                measured,
                np.square(noise),
                density,
                size,
                *out[:4],
                used,
                unseen_s,
                euro,
                euro_std,
                self._lasts,
            )
        )

    def pop(self) -> Point:
        """The oldest row that waits, smoothed with all rows after it."""
        row = self._rows[0]
        if self._config.method == "fixed_lag":
            mean, std = told_until(*self._stacked(), 0, len(self._rows) - 1)
            again = np.any([r.used for r in self._rows], axis=0)  # within the lag
            near = row.unseen_s <= self._config.bridge_s + EPS_S
            known = row.used | (near & np.isfinite(row.unseen_s))
            coasting, stray = self._coasting(row.time_s, row.size_px)
            place, std = np.where(again, mean[0], coasting), np.where(again, std, stray)
            self._place[:, row.used], self._speed[:, row.used] = mean[0][:, row.used], mean[1][:, row.used]
            self._place_s[row.used], self._std[row.used] = row.time_s, std[row.used]
        elif row.euro is not None and row.euro_std is not None:
            place, std, known = row.euro, row.euro_std, row.used
        else:
            place, std, known = row.z, np.sqrt(row.var), row.used
        self._rows.popleft()
        state = np.where(row.used, MEASURED, np.where(known, INTERPOLATED, MISSING)).astype(np.uint8)
        whole = np.where(known, np.hypot(std, row.lasts_px), np.nan)
        return Point(np.where(known, place, np.nan).T.astype(np.float32), whole.astype(np.float32), state)

    def _coasting(self, time_s: float, size_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places (2, K) of points no longer seen, which slow down, and their standard deviations (K,).

        The Kalman filter's own prediction would accelerate without end.
        """
        slow_s, since_s = max(self._config.bridge_s, EPS_S), time_s - self._place_s
        place = self._place + self._speed * slow_s * (1 - np.exp(-since_s / slow_s))
        return place, np.sqrt(self._std**2 + np.square(STRAY_LEN * size_px) * np.maximum(since_s, 0.0))

    def _stacked(self) -> tuple[Rows, Filtered]:
        def all_(name: str) -> np.ndarray:
            return np.stack([getattr(row, name) for row in self._rows])

        time_s = np.array([np.full(self._k, row.time_s) for row in self._rows])
        rows = Rows(time_s, all_("z"), all_("measured"), all_("var"), all_("density"), all_("size_px"))
        return rows, Filtered(all_("mean"), all_("cov"), all_("dt"), all_("linked"), all_("used"))


class _CausalJerk:
    """`pipeline.motion.jerk.jerk_density` for streams: (K,) px²/s⁵ of the newest row, from the rows before it."""

    def __init__(self, keypoints: int, config: SmoothConfig) -> None:
        self._noise, self._least, self._k = config.noise_len, config.least_jerk, keypoints
        self._rows: deque[tuple[float, np.ndarray, np.ndarray, float]] = deque(maxlen=_JERK_ROWS)
        self._motion: deque[np.ndarray] = deque(maxlen=_JERK_ROWS)  # (lags, K) of the rows from the first on
        self._count = 0  # rows so far
        self._made = 0  # rows whose motion is known

    def add(
        self, time_s: float, step_s: float, keypoints_px: np.ndarray, measured: np.ndarray, size_px: float
    ) -> np.ndarray:
        self._rows.append((time_s, np.asarray(keypoints_px, np.float64), measured, size_px))
        self._count += 1
        rows = max(round(jerk.WINDOW_S / max(step_s, 1e-3)) | 1, 3)
        reach = int(np.ceil(1.5 * max(jerk.LAGS[0][0], step_s) / step_s)) + 2
        if self._made < self._count - reach:
            self._measure(self._count - reach, step_s)
        row = self._count - 1 - (rows // 2 + reach)  # whose density is used now
        size2 = self._rows[max(len(self._rows) - self._count + row, 0)][3] ** 2 if row >= 0 else size_px**2
        density = np.full(self._k, np.square(self._least) * size2)
        if row < 0:
            return density
        window = np.abs(np.arange(row - rows // 2, row + rows // 2 + 1))  # mirrored at the first row
        first = self._made - len(self._motion)
        at = np.clip(window, first, self._made - 1) - first
        middle = np.median(np.stack([self._motion[i] for i in at]), axis=0)
        for (least_lag, noise), motion in zip(jerk.LAGS, middle, strict=True):
            excess = motion - noise * self._noise**2 * size2
            density = np.maximum(density, jerk.density_of(excess, max(least_lag, step_s)))
        return density.astype(np.float32)

    def _measure(self, stop: int, step_s: float) -> None:
        """Third differences at the rows up to ``stop``."""
        oldest = self._count - len(self._rows)
        start = max(self._made, oldest)
        first = max(start - oldest - 2 * int(0.2 / step_s) - 6, 0)  # of the rows that these depend on
        near = [self._rows[i] for i in range(first, len(self._rows))]
        time_s = np.array([r[0] for r in near])
        paths, known = np.stack([r[1] for r in near]), np.stack([r[2] for r in near])
        at_s = time_s[start - oldest - first : stop - oldest - first]
        made = np.zeros((len(at_s), len(jerk.LAGS), self._k))
        whole = known.all(0) if len(near) >= 4 else np.zeros(self._k, bool)
        for i, (least_lag, _) in enumerate(jerk.LAGS):
            lag = max(least_lag, step_s)
            if whole.any():
                made[:, i, whole] = jerk.third_differences2(at_s, time_s, paths[:, whole], lag)
            for k in np.flatnonzero(~whole & (known.sum(0) >= 4)):
                seen = known[:, k]
                made[:, i, k] = jerk.third_differences2(at_s, time_s[seen], paths[seen, k : k + 1], lag)[:, 0]
        self._motion.extend(made)
        self._made = stop


class _OneEuro:
    """`pipeline.motion.filters`' one euro filter for streams; a short gap is bridged by a line once it has ended."""

    def __init__(self, keypoints: int, config: SmoothConfig, max_gap_s: float) -> None:
        self._config, self._gap = config, max_gap_s + EPS_S
        self._place, self._raw = np.full((2, 2, keypoints), np.nan)
        self._speed = np.zeros((2, keypoints))
        self._gain, self._own = np.ones((2, keypoints))  # of white noise: variance left, weight of the newest value
        self._lost, self._told_s = np.zeros(keypoints), np.full(keypoints, -np.inf)  # px² of motion cut off, as of when
        self._seen_s = np.full(keypoints, -np.inf)
        self._times: deque[float] = deque()  # of the rows since the least recently seen point's last measurement

    def add(self, time_s: float, z: np.ndarray, used: np.ndarray, size_px: float) -> np.ndarray:
        """(2, K) filtered places of a row with values z (2, K); NaN where nothing was ``used``."""
        fresh = used & ~(time_s - self._seen_s <= self._gap)
        self._place[:, fresh], self._speed[:, fresh] = z[:, fresh], 0.0
        self._gain[fresh], self._own[fresh], self._lost[fresh] = 1.0, 1.0, 0.0
        going = used & ~fresh
        for bridged_s in [t for t in self._times if t > self._seen_s[going].min(initial=np.inf)]:
            late = going & (self._seen_s < bridged_s)
            share = (bridged_s - self._seen_s) / np.maximum(time_s - self._seen_s, EPS_S)
            before = max((t for t in self._times if t < bridged_s), default=bridged_s)
            self._step(late, self._raw + share * (z - self._raw), bridged_s - before, size_px)
        if self._times and going.any():
            self._step(going, z, time_s - self._times[-1], size_px)
        self._raw[:, used], self._seen_s[used] = z[:, used], time_s
        self._times.append(time_s)
        while len(self._times) > 1 and time_s - self._times[0] > self._gap:
            self._times.popleft()
        return np.where(used, self._place, np.nan)

    def std(self, time_s: float, z: np.ndarray, used: np.ndarray, var: np.ndarray) -> np.ndarray:
        """(K,) standard deviations of the row just added, whose values have the variance ``var (K,)``.

        As `pipeline.motion.filters.filtered` has them, but from the past alone.
        """
        more = np.square(z - self._place).mean(0) - (1 - 2 * self._own + self._gain) * var
        share = 1 - np.exp(-(time_s - self._told_s) / (2 * NEAR_S))
        self._lost = np.where(used, self._lost + share * (more - self._lost), self._lost)
        self._told_s = np.where(used, time_s, self._told_s)
        return np.where(used, np.sqrt(self._gain * var + np.maximum(self._lost, 0.0)), np.nan)

    def _step(self, which: np.ndarray, z: np.ndarray, dt: float, size_px: float) -> None:
        if dt <= 0 or not which.any():
            return
        speed = self._speed + weight(SPEED_HZ, dt) * ((z - self._place) / dt - self._speed)
        cutoff = self._config.cutoff_hz + self._config.beta_len * np.hypot(*speed) / size_px
        own = weight(cutoff, dt)
        place = self._place + own * (z - self._place)
        self._gain = np.where(which, (1 - own) ** 2 * self._gain + own**2, self._gain)
        self._own = np.where(which, own, self._own)
        self._speed = np.where(which, speed, self._speed)
        self._place = np.where(which, place, self._place)
