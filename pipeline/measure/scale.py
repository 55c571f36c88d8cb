"""How large a person is in the picture, in px and px per metre; and how far and how fast they go.

The height is the sum of the legs (ankle–knee–hip) and the trunk (mid-hip–mid-shoulder) over their share of a standing
height, Winter 2009, *Biomechanics and Motor Control of Human Movement*, figure 4.1 (after Drillis and Contini 1966):
shank .246, thigh .245, trunk .288 (hip at .530, shoulder at .818); with a point on top of the head also the last .182.
Boxes are not used, since arms and shadows stretch them, nor are nose, eyes and ears: from the side, a head carried
forward makes the distance to the shoulders 10 to 20 % too long.

Projection only shortens a length. So each length is a high quantile over two seconds, less the part that noise adds to
that quantile.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pipeline.core.rows import in_blocks, quantile
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import MEASURED, SWAPPED, Motion

SHANK, THIGH, TRUNK, HEAD = 0.246, 0.245, 0.288, 0.182  # shares of the standing height
ANKLE = 0.039  # height of the ankle's joint above the floor, same table
_TOPS = ("head", "head_top", "top_head")  # names of a point on top of the head
_WINDOW_S, _WINDOW_ROWS = 2.0, 8  # two strides, in which legs straighten; more where frames are few
_LEAST_ROWS = 4  # least measurements of a length in a window
_QUANTILE, _NORMAL = 0.8, 0.8416  # the quantile, and its place in a normal distribution of standard deviation 1
_STRAIGHT = 0.97  # ankle–hip over ankle–knee–hip from which a knee counts as straight
_SHORT = 0.85  # a length whose height is below this share of the others' height was foreshortened throughout
SMOOTH_S = 0.3  # standard deviation of the Gaussian that smooths a path; a step, at 2 Hz, falls below 1 %
LINK_S = 1.0  # rows further apart are not linked
_SPEED_S = 0.1  # deviation of the Gaussian under which speed is taken from the distance,
_MOST_SPEED_S = 1.001 / 3 * LINK_S  # and the most where frames are few: it is cut at 3 deviations
PEAK_S = 0.2  # time over which the highest speed is a mean
_STRING, _LEAST_STRING_M = 2.5, 0.02  # length of the follower's string in scatters of places, and its least length
# Deviation of the distance in m, and of the speed in m/s, over the string: made walks, runs and stands
# (scripts/coverage.py gait).
_LEFT = 0.4
_UPRIGHT = 0.25  # if this share of the windows has nothing foreshortened, the other windows do not count


def standing_px(motion: Motion, skeleton: Skeleton) -> float:
    """Standing height in px, typical over the whole video; NaN where neither legs nor trunk were seen.

    The height is the median over windows of two seconds. Where enough windows have nothing foreshortened (nobody sat or
    bent), only those windows count.
    """
    return sizes(motion, skeleton)[0]


def sizes(motion: Motion, skeleton: Skeleton) -> tuple[float, float]:
    """`standing_px`, and how far it changes over the video: highest over lowest decile; both NaN unknown."""
    return sizes_and_course(motion, skeleton)[0]


def running_px(motion: Motion, skeleton: Skeleton) -> np.ndarray:
    """(L,) f64 standing height in px at each row, as people come nearer or go away; NaN where never known."""
    return sizes_and_course(motion, skeleton)[1]


def sizes_and_course(motion: Motion, skeleton: Skeleton) -> tuple[tuple[float, float], np.ndarray]:
    """`sizes` and `running_px`."""
    middle, height, whole = _windows(motion, skeleton)
    known = np.isfinite(height)
    if not known.any():
        return (float("nan"), float("nan")), np.full(len(motion), np.nan)
    course = np.interp(motion.time_s, middle[known], height[known])
    low, high = np.quantile(course, [0.1, 0.9])
    whole = whole & known
    typical = np.median(height[whole if whole.sum() >= _UPRIGHT * known.sum() else known])
    return (float(typical), float(high / low)), course


def px_per_m(motion: Motion, skeleton: Skeleton, height_m: float) -> float:
    """Scale of the picture plane in which a person of ``height_m`` moves; NaN where their size is not known."""
    return standing_px(motion, skeleton) / height_m


def px_per_m_of_length(length: tuple[float, float, float, float, float]) -> float:
    """Scale from a known length: x1, y1, x2, y2 in px, and metres."""
    x1, y1, x2, y2, metres = length
    return float(np.hypot(x2 - x1, y2 - y1)) / metres


def _windows(motion: Motion, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per window: its middle in s, the standing height in px (NaN unknown), and whether nothing was foreshortened."""
    time_s = motion.time_s
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0
    number = np.floor((time_s - time_s[0]) / max(_WINDOW_S, _WINDOW_ROWS * step)).astype(np.int64)
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    ends = np.append(starts[1:], len(time_s))
    window = np.repeat(np.arange(len(starts)), ends - starts)
    lengths = _lengths(motion, skeleton)
    share = np.array([share for share, _, _ in lengths])
    px = [_high(px, std, window) for _, px, std in lengths]
    height, whole = _heights(share, np.stack(px, 1) if px else np.full((len(starts), 0), np.nan))
    return (time_s[starts] + time_s[ends - 1]) / 2, height, whole


def _heights(share: np.ndarray, px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standing heights (W,) px from lengths (W, P) px and their shares (P,), without foreshortened lengths; and (W,)
    whether no length was foreshortened."""
    said = np.where(np.isfinite(px), px / share, -np.inf)
    kept = np.isfinite(said) & (said >= _SHORT * said.max(1, keepdims=True, initial=-np.inf))
    total = (share * kept).sum(1)
    height = np.where(total > 0, np.where(kept, px, 0).sum(1) / np.where(total > 0, total, 1), np.nan)
    known = np.isfinite(px)
    return height, (kept == known).all(1) & (known.sum(1) > 1)


def _high(px: np.ndarray, std: np.ndarray, window: np.ndarray) -> np.ndarray:
    """A length in each window from its measurements (L, sides) in px: a high quantile, less what their noise adds."""
    known = np.isfinite(px)
    values, noise = (in_blocks(np.where(known, x, np.nan), window) for x in (px, std))
    told = np.isfinite(values)
    count = np.maximum(told.sum(1), 1)
    off = np.where(told, values - (np.where(told, values, 0.0).sum(1) / count)[:, None], 0.0)
    spread = np.sqrt(np.square(off).sum(1) / count)
    high = quantile(values, _QUANTILE) - _NORMAL * np.fmin(quantile(noise, 0.5), spread)
    return np.where(told.sum(1) >= _LEAST_ROWS, high, np.nan)


def _lengths(motion: Motion, skeleton: Skeleton) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """(share of the height, px (L, sides), standard deviation (L, sides)) of each length that the keypoints tell."""
    index = {name: k for k, name in enumerate(skeleton.names)}

    def side(left: bool, *names: str) -> list[int]:
        wanted = [("left_" if left else "right_") + name for name in names]
        return [index[name] for name in wanted] if all(name in index for name in wanted) else []

    legs = [ids for left in (True, False) if (ids := side(left, "ankle", "knee", "hip"))]
    out = []
    if legs:
        px, std = zip(*(_leg(*_measured(motion, ids)) for ids in legs), strict=True)
        out.append((SHANK + THIGH, np.stack(px, 1), np.stack(std, 1)))
    pairs = [[i[0] for left in (True, False) if (i := side(left, n))] for n in ("hip", "shoulder")]
    ends = [_middle(*_measured(motion, ids)) for ids in pairs]
    tops = [index[name] for name in _TOPS if name in index]
    if tops:
        ends.append(_middle(*_measured(motion, tops[:1])))
    for share, (a, var_a), (b, var_b) in zip((TRUNK, HEAD), ends, ends[1:], strict=False):
        out.append((share, np.linalg.norm(a - b, axis=1)[:, None], np.sqrt(var_a + var_b)[:, None]))
    return out


def _measured(motion: Motion, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Some keypoints (L, n, 2) f64 px, NaN where they are not measured, and their variances (L, n) px²."""
    seen = np.isin(motion.provenance[:, ids], (MEASURED, SWAPPED))
    points = np.where(seen[..., None], motion.keypoints_px[:, ids], np.nan).astype(np.float64)
    return points, np.square(motion.jitter_px()[:, ids].astype(np.float64))


def _leg(points: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Length (L,) of ankle–knee–hip (L, 3, 2) and its deviation; of straight legs only, where these are enough.

    The knee is the hardest joint to place, but its noise hardly lengthens a straight leg.
    """
    px = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(1)
    with np.errstate(invalid="ignore"):
        straight = np.linalg.norm(points[:, 2] - points[:, 0], axis=1) >= _STRAIGHT * px
    if straight.sum() >= max(_LEAST_ROWS, 0.1 * np.isfinite(px).sum()):
        px = np.where(straight, px, np.nan)
    return px, np.sqrt(var[:, 0] + var[:, 2])


def _middle(points: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (L, 2) of points (L, n, 2) and its variance (L,), from theirs (L, n); NaN where one is not known."""
    n = var.shape[1]
    if not n:
        return np.full((len(points), 2), np.nan), np.full(len(points), np.nan)
    return points.mean(1), var.mean(1) / n


# --- the way a person goes -------------------------------------------------------------------------------------------


class Way(NamedTuple):
    """How a body moves along, as `path` finds it; L rows, f64, NaN = not known."""

    place_m: np.ndarray  # (L, 2) smoothed
    speed_m_s: np.ndarray  # (L,)
    distance_m: np.ndarray  # (L,) so far
    std: np.ndarray  # (L,) deviation of the speed in m/s, and of the distance in m; both without that of the scale

    def columns(self, of: str, scale_std: float = 0.0) -> dict[str, np.ndarray]:
        """Speed, distance and their deviations, (L,) f32, in columns that begin with ``of``.

        ``scale_std``: deviation of the scale as a share of it.
        """
        out: dict[str, np.ndarray] = {}
        for name, values in (("speed_m_s", self.speed_m_s), ("distance_m", self.distance_m)):
            std = np.hypot(self.std, np.nan_to_num(scale_std) * values)
            out |= {f"{of}_{name}": values.astype(np.float32), f"{of}_{name}_std": std.astype(np.float32)}
        return out


def path_columns(
    motion: Motion, skeleton: Skeleton, scale_px_per_m: float, scale_std: float = 0.0
) -> dict[str, np.ndarray]:
    """``path_speed_m_s``, ``path_distance_m`` and their deviations, (L,) f32, of the pelvis in the picture plane.

    The columns hold for people who move across the picture at one distance from a camera that stands still.
    ``scale_std`` is the deviation of the scale as a share of it.
    """
    hips = [skeleton.names.index(n) for n in ("left_hip", "right_hip") if n in skeleton.names]
    var = np.square(motion.jitter_px()[:, hips].astype(np.float64))
    pelvis, pelvis_var = _middle(motion.keypoints_px[:, hips].astype(np.float64), var)
    way = path(motion.time_s, pelvis / scale_px_per_m, np.sqrt(pelvis_var) / scale_px_per_m)
    return way.columns("path", scale_std)


def path(time_s: np.ndarray, place_m: np.ndarray, std_m: np.ndarray) -> Way:
    """A body's way from noisy places.

    Places are smoothed by lines fitted under a Gaussian of `SMOOTH_S`, in which single steps no longer show. A follower
    is then drawn along on a string, whose length covers the remaining noise: `_STRING` times the scatter. A person who
    stands still gains little more distance than the string's length, and a person who turns back loses at most twice
    that length. Rows more than `LINK_S` apart are not linked: no distance is added between them.

    Args:
        time_s: (L,) rising.
        place_m: (L, 2), NaN = not known; the results are NaN there too.
        std_m: (L,) standard deviation of a place, per axis; less certain places weigh less.
    """
    known = np.flatnonzero(np.isfinite(place_m).all(1) & np.isfinite(std_m))
    smooth = np.full(place_m.shape, np.nan)
    speed, distance, left = (np.full(len(time_s), np.nan) for _ in range(3))
    if len(known):
        t = time_s[known]
        smooth[known] = line_fits(t, place_m[known], 1 / np.square(np.maximum(std_m[known], 1e-4)), SMOOTH_S)[0]
        # The scatter of places is the better measure where a network's noise is larger than the deviations say.
        scatter = np.square(place_m[known] - smooth[known]).sum(1)
        var = line_fits(t, np.stack([np.square(std_m[known]), scatter], 1), np.ones(len(t)), SMOOTH_S)[0].max(1)
        string = _STRING * np.sqrt(np.maximum(var, 0.0))
        distance[known] = _drawn(t, smooth[known], np.maximum(string, _LEAST_STRING_M))
        left[known] = _LEFT * string
        step = float(np.median(np.diff(t))) if len(t) > 1 else 0.0
        reach = min(max(_SPEED_S, step / 2), _MOST_SPEED_S)  # where frames are few, the neighbours are farther apart
        speed[known] = np.maximum(line_fits(t, distance[known, None], np.ones(len(t)), reach)[1][:, 0], 0.0)
    return Way(smooth, speed, distance, left)


def row_seconds(time_s: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(L,) s that each known row stands for: half of the step to each known row next to it, if at most `LINK_S`."""
    out = np.zeros(len(time_s))
    rows = np.flatnonzero(known)
    step = np.diff(time_s[rows])
    step = np.where(step <= LINK_S, step, 0.0) / 2
    out[rows[1:]] += step
    out[rows[:-1]] += step
    return out


def summary(columns: dict[str, np.ndarray], time_s: np.ndarray) -> dict[str, float]:
    """``distance_m``, ``mean_speed_m_s`` over the known time, ``max_speed_m_s`` as a mean over 0.2 s; NaN unknown.

    A window that a gap or an end cuts short is no mean over 0.2 s and does not count. ``distance_std_m`` and so on are
    the deviations at the end of the way and where the speed is highest.
    """
    speed, distance = (of_way(columns, end).astype(np.float64) for end in ("speed_m_s", "distance_m"))
    known = np.isfinite(speed)
    spent = float(row_seconds(time_s, known).sum())
    if spent <= 0:
        figures = ("distance_m", "mean_speed_m_s", "max_speed_m_s")
        return dict.fromkeys((*figures, "distance_std_m", "mean_speed_std_m_s", "max_speed_std_m_s"), float("nan"))
    total = float(distance[known][-1])
    means = _whole_means(time_s[known], speed[known])
    fastest = float(means.max()) if len(means) else float("nan")
    far_std = float(of_way(columns, "distance_m_std")[known][-1])
    fast_std = float(of_way(columns, "speed_m_s_std")[known][np.argmax(speed[known])]) + 0 * fastest
    out = {"distance_m": total, "mean_speed_m_s": total / spent, "max_speed_m_s": fastest}
    return out | {"distance_std_m": far_std, "mean_speed_std_m_s": far_std / spent, "max_speed_std_m_s": fast_std}


def _whole_means(time_s: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """(n,) means of ``speed (L,)`` over the windows of `PEAK_S` that no gap and no end cuts short."""
    steps = np.diff(time_s)
    step = float(np.median(steps))  # that the last row of a window stands for, and those beside a gap
    gap = (steps > PEAK_S) & (steps <= LINK_S)
    near = np.append(0.0, np.cumsum(np.where(gap, step, steps)))
    w = np.maximum(row_seconds(near, np.ones(len(near), bool)), 1e-9)
    ends = np.searchsorted(time_s, time_s + PEAK_S, "right")
    sums = np.cumsum(np.concatenate([np.zeros((2, 1)), [speed * w, w]], 1), 1)
    means = (sums[0, ends] - sums[0, :-1]) / (sums[1, ends] - sums[1, :-1])
    return np.asarray(means[time_s[ends - 1] - time_s + step >= PEAK_S - 1e-6])


def of_way(columns: dict[str, np.ndarray], end: str) -> np.ndarray:
    """The column whose name ends in ``end``: that of the floor, else that of the picture plane."""
    return columns[f"ground_{end}"] if f"ground_{end}" in columns else columns[f"path_{end}"]


def _drawn(time_s: np.ndarray, place_m: np.ndarray, string_m: np.ndarray) -> np.ndarray:
    """(N,) m, the way to each ``place_m (N, 2)``: that of a follower on a string ``string_m (N,)``, plus the string."""
    went, total, farthest = np.zeros(len(time_s)), 0.0, 0.0
    x, y = place_m[0].tolist()
    last = float(time_s[0])
    rows = zip(time_s.tolist(), *place_m.T.tolist(), string_m.tolist(), strict=True)
    for i, (now, to_x, to_y, string) in enumerate(rows):
        if now - last > LINK_S:
            x, y, total = to_x, to_y, farthest
        apart = math.hypot(to_x - x, to_y - y)
        if apart > string:
            share = 1 - string / apart
            x, y, total, apart = x + share * (to_x - x), y + share * (to_y - y), total + apart - string, string
        farthest = max(farthest, total + apart)
        went[i], last = farthest, now
    return went


def line_fits(
    time_s: np.ndarray, values: np.ndarray, weight: np.ndarray, sigma_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Values (N, D) and slopes (N, D) at each time of lines fitted under a Gaussian of ``sigma_s``, cut at 3 of these.

    Local linear regression (Fan and Gijbels 1996): no bias at the ends, and none where times are irregular. A row
    without another within 3 ``sigma_s`` keeps its value and has no slope (NaN).

    Args:
        time_s: (N,) rising.
        values: (N, D), all known.
        weight: (N,) of each row, more than 0.
    """
    n, weight = len(time_s), weight / np.max(weight, initial=1e-300)
    sums = np.zeros((3, n))  # of weights, weights × dt, weights × dt²
    tops = np.zeros((2, *values.shape))  # of weights × value, weights × dt × value
    span = np.searchsorted(time_s, time_s + 3 * sigma_s, "right") - np.arange(n)
    for step in range(int(span.max(initial=1))):
        for sign in (1, -1) if step else (1,):
            to = slice(0, n - step) if sign > 0 else slice(step, n)
            of = slice(step, n) if sign > 0 else slice(0, n - step)
            dt = time_s[of] - time_s[to]
            w = np.where(np.abs(dt) <= 3 * sigma_s, weight[of] * np.exp(-0.5 * np.square(dt / sigma_s)), 0.0)
            for i in range(3):
                sums[i, to] += w * dt**i
            for i in range(2):
                tops[i, to] += (w * dt**i)[:, None] * values[of]
    det = sums[0] * sums[2] - sums[1] ** 2
    alone = det <= 1e-9 * np.square(sums[0] * sigma_s)  # one row only: no line through it
    det = np.where(alone, 1.0, det)
    at = (sums[2][:, None] * tops[0] - sums[1][:, None] * tops[1]) / det[:, None]
    slope = (sums[0][:, None] * tops[1] - sums[1][:, None] * tops[0]) / det[:, None]
    return np.where(alone[:, None], tops[0] / sums[0][:, None], at), np.where(alone[:, None], np.nan, slope)
