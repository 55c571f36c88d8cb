"""Foot contacts of walking and running seen from the side, and the gait's figures that follow from the contacts.

After Zeni, Richards & Higginson 2008 ("Two simple methods for determining gait events during treadmill and overground
walking using kinematic data", Gait & Posture 27): a foot comes to the ground when it is farthest ahead of the pelvis in
the direction of progress, and leaves it when it is farthest behind. That holds overground, on a treadmill, and with a
camera that pans. Only sequences of steps count: the feet must move far enough, and in turn, in a walker's or a runner's
rhythm.
L rows of one person, E contacts, S the person's size (longer side of the box).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, sosfiltfilt

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.measure.angles import SIDES, State, mid, points
from pipeline.measure.gait_errors import durations_std_s, event_std_s, feet_std_px
from pipeline.measure.gait_sides import even, exchanged, extremes, hurried
from pipeline.measure.kinematics import decide, drift, facing
from pipeline.motion.person import body_length

STEP_COLUMNS = (
    "side", "contact_time_s", "off_time_s", "stance_s", "swing_s", "stride_s", "step_s", "running", "step_length_m",
    "contact_time_std_s", "off_time_std_s", "backward", "stance_std_s", "swing_std_s", "stride_std_s", "step_std_s",
    "step_length_std_m",
)  # fmt: skip
_GRID_S = 1 / 60  # step of the even times at which events are looked for
_LOW_PASS = butter(2, 8.0, fs=1 / _GRID_S, output="sos")  # run before the search for events, without phase shift
_LONGEST_GAP_S, _SHORTEST_S = 0.25, 0.8  # longest gap without feet that is bridged; a shorter path has no gait
LEAST_REACH = 0.12  # S that a foot moves to and fro against the pelvis
SHORTEST_STEP_S, LONGEST_STEP_S = 0.2, 0.9  # 0.55…2.5 strides a second
_APART = round(SHORTEST_STEP_S / _GRID_S)  # samples
LEAST_CONTACTS, UNEVEN = 3, 2.0  # contacts in a row; steps are at most so much longer or shorter than the usual one
# Walking gives way to running at a Froude number v²/(g·leg) of about .5 (Alexander 1989; Hum. Mov. Sci. 90:103117,
# 2023): 1.24 S/s for people of 1.7 m with legs of .53 of that. Between the two speeds the pelvis decides: while the
# feet are apart, a runner's is high.
_SURELY_RUNS, _MAY_RUN = 1.24, 0.9  # S/s
_PLATEAU = 0.7  # share of a runner's greatest backward foot speed above which the foot is on the ground
_PLANTED = 0.3  # share of the stance after which the foot lies still
_MOVES = 0.5  # a pelvis slower than this share of the feet's speed below: a treadmill, or a camera that follows
_TURN_S = 0.05  # evidence · s for a change of the direction of progress
_SAMPLES = 33  # samples of a stance


@dataclass(frozen=True)
class _Path:
    """Pelvis and feet over one stretch, on n even times."""

    time_s: np.ndarray  # (n,)
    size: np.ndarray  # (n,) px
    pelvis: np.ndarray  # (2, n) px
    heel: np.ndarray  # (2, 2, n) side, axis; px against the pelvis
    toe: np.ndarray  # (2, 2, n)
    way: np.ndarray  # (n,) ±1 direction of progress in the picture
    faces: np.ndarray  # (n,) −1…1 the side the person faces, 0 = neither
    std: np.ndarray  # (3, 2, n) px by side: `pipeline.measure.gait_errors.feet_std_px`
    frame_s: float  # between frames


def contacts(
    motion: Motion,
    skeleton: Skeleton,
    px_per_m: float | None,
    side: np.ndarray | None = None,
    scale_std: float = 0.0,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """When each foot is on the ground, and the table of steps.

    Args:
        px_per_m: scale of the picture plane at the person; None: no lengths.
        side: (L,) from `pipeline.measure.kinematics.facing`, if it has been computed before.
        scale_std: standard deviation of the scale, as a share of it.

    Returns:
        ``left_foot_contact`` and ``right_foot_contact``, (L,) f32: 1 on the ground, 0 in the air, NaN where the person
        does not walk or run, or is not seen from the side; no columns when the set has no hips or ankles.
        The steps, arrays (E,) by ``STEP_COLUMNS``, in order of time; ``side`` is "left" or "right", the times are
        f64 on ``motion.time_s``'s clock, NaN = not known, see docs/kinematics.md.
    """
    feet = _feet(points(motion, skeleton, places_only=True))
    if feet is None:
        return {}, _table([])
    tables = []
    side = facing(motion, skeleton) if side is None else side
    for path in _paths(motion, *feet, side, feet_std_px(motion, skeleton)):
        turns = np.flatnonzero(np.diff(path.way)) + 1
        for rows in np.split(np.arange(len(path.way)), turns):
            tables += _bouts(path, slice(rows[0], rows[-1] + 1), px_per_m, scale_std)
    if tables:
        known = np.isfinite(side)
        tables = [steps for steps in tables if _aside(motion.time_s, known, steps["contact_time_s"])]
    steps = _table(tables)
    return {f"{s}_foot_contact": _column(motion.time_s, steps, s) for s in SIDES}, steps


# --- paths of the feet -----------------------------------------------------------------------------------------------


def _feet(p: dict[str, State]) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Pelvis (2, L), heels and toes (2, 2, L) side, axis; ankles where a set, or most rows, lack heels or toes."""
    pelvis = mid(p.get("left_hip"), p.get("right_hip"))
    if pelvis is None or not all(f"{s}_ankle" in p for s in SIDES):
        return None
    ankle = np.stack([p[f"{s}_ankle"][:2] for s in SIDES])
    ends = []
    for name in ("heel", "toe"):
        end = np.stack([p.get(f"{s}_{name}", p[f"{s}_ankle"])[:2] for s in SIDES])
        both = np.isfinite(end).all((0, 1)).sum() >= 0.9 * np.isfinite(ankle).all((0, 1)).sum()
        ends.append(end if both else ankle)
    return pelvis[:2], ends[0], ends[1]


def _paths(
    motion: Motion, pelvis: np.ndarray, heel: np.ndarray, toe: np.ndarray, side: np.ndarray, std: np.ndarray
) -> list[_Path]:
    """The stretches in which pelvis and both feet are known, on even times and low-passed."""
    values = np.concatenate([pelvis, heel.reshape(4, -1), toe.reshape(4, -1)])
    known = np.flatnonzero(np.isfinite(values).all(0))
    if not len(known):
        return []
    size = body_length(motion.box_px)
    cuts = np.flatnonzero(np.diff(motion.time_s[known]) > _LONGEST_GAP_S) + 1
    paths = []
    for rows in np.split(known, cuts):
        t = motion.time_s[rows]
        if t[-1] - t[0] < _SHORTEST_S:
            continue
        grid = np.arange(t[0], t[-1], _GRID_S)
        even = CubicSpline(t, values[:, rows], axis=1)(grid)  # lines between frames would cut and shift the extremes
        even[2:] -= np.tile(even[:2], (4, 1))
        even = sosfiltfilt(_LOW_PASS, even)
        length = uniform_filter1d(np.interp(grid, t, size[rows]), round(2 / _GRID_S), mode="nearest")
        faces = np.interp(grid, t, np.nan_to_num(side[rows]))
        doubt = np.stack([np.interp(grid, t, v) for v in std[..., rows].reshape(6, -1)]).reshape(3, 2, -1)
        paths.append(_path(grid, length, even, faces, doubt, float(np.median(np.diff(t)))))
    return paths


def _path(
    grid: np.ndarray, size: np.ndarray, even: np.ndarray, faces: np.ndarray, std: np.ndarray, frame_s: float
) -> _Path:
    """The path with its direction of progress: the way the pelvis goes, and the way a foot goes while it is lifted."""
    feet = even[2:6].reshape(2, 2, -1) / size
    lift = uniform_filter1d(feet[:, 1], round(1.5 / _GRID_S), mode="nearest") - feet[:, 1]
    swing = np.sum(np.gradient(feet[:, 0], _GRID_S, axis=-1) * lift, 0)  # about .1 S²/s in a slow walk
    evidence = np.clip(4 * swing + 0.5 * drift(grid, even[0], 0.25) / size, -1, 1)
    start = np.zeros(len(grid), bool)
    start[0] = True
    way = decide(evidence, np.full(len(grid), _GRID_S), start, _TURN_S)
    heel, toe = even[2:6].reshape(2, 2, -1), even[6:].reshape(2, 2, -1)
    return _Path(grid, size, even[:2], heel, toe, way, faces, std, frame_s)


# --- events ----------------------------------------------------------------------------------------------------------


def _bouts(path: _Path, rows: slice, px_per_m: float | None, scale_std: float) -> list[dict[str, np.ndarray]]:
    """The steps of each bout in rows of one direction of progress; feet that take too many are made to lead in turn."""
    if path.way[rows.start] * path.faces[rows].sum() < 0:  # backward the toe lands first, and the heel leaves last
        path = replace(path, heel=path.toe, toe=path.heel, std=path.std[::-1])
    found = _found(path, rows, px_per_m, scale_std)
    if any(hurried(path.time_s, path.heel[:, 0] / path.size, steps) for steps in found):
        turned = _in_turn(path, rows)
        other = _found(turned, rows, px_per_m, scale_std)
        if other and not any(hurried(path.time_s, turned.heel[:, 0] / path.size, steps) for steps in other):
            return other
    return found


def _found(path: _Path, rows: slice, px_per_m: float | None, scale_std: float) -> list[dict[str, np.ndarray]]:
    """The steps of each bout, of feet as they are called."""
    way, first = path.way[rows.start], path.time_s[rows.start]
    if rows.stop - rows.start < 3:
        return []
    heel = way * path.heel[:, 0, rows] / path.size[rows]
    toe = way * path.toe[:, 0, rows] / path.size[rows]
    on = [first + _GRID_S * extremes(heel[i], LEAST_REACH, _APART) for i in (0, 1)]
    off = [first + _GRID_S * extremes(-toe[i], LEAST_REACH, _APART) for i in (0, 1)]
    time, side = np.concatenate(on), np.repeat([0, 1], [len(on[0]), len(on[1])])
    order = np.argsort(time, kind="stable")
    time, side = time[order], side[order]
    step = np.diff(time)
    linked = (np.diff(side) != 0) & (step >= SHORTEST_STEP_S) & (step <= LONGEST_STEP_S)
    out = []
    for bout in even(time, linked, UNEVEN):
        if len(bout) >= LEAST_CONTACTS:
            steps = _steps(path, way, time[bout], side[bout], off, px_per_m)
            lengths = _length_std(path, steps, px_per_m, scale_std)
            std = durations_std_s(steps["contact_time_std_s"], steps["off_time_std_s"])
            out.append(steps | std | {"step_length_std_m": lengths})
    return out


def _in_turn(path: _Path, rows: slice) -> _Path:
    """The path with left and right exchanged where else the feet would not lead in turn."""
    wrong = np.zeros(path.heel.shape[2], bool)
    wrong[rows] = exchanged(path.way[rows] * path.heel[:, 0, rows] / path.size[rows], LEAST_REACH, _APART)
    heel, toe = (np.where(wrong, foot[::-1], foot) for foot in (path.heel, path.toe))
    return replace(path, heel=heel, toe=toe, std=np.where(wrong, path.std[:, ::-1], path.std))


def _aside(time_s: np.ndarray, known: np.ndarray, on: np.ndarray) -> bool:
    """Whether the person is seen from the side in a bout: from the front, jumping jacks take steps like a walker's."""
    rows = slice(*np.searchsorted(time_s, (on[0], on[-1])))
    return bool(2 * known[rows].sum() > len(known[rows]))


def _steps(
    path: _Path, way: float, on: np.ndarray, side: np.ndarray, offs: list[np.ndarray], px_per_m: float | None
) -> dict[str, np.ndarray]:
    """The table of one bout, from its contacts ``on (e,)`` of alternating ``side (e,)`` and all toe-offs."""
    off, stride = np.full(len(on), np.nan), np.full(len(on), np.nan)
    stride[:-2] = on[2:] - on[:-2]
    limit = np.where(np.isfinite(stride), stride, 1.6 * np.median(np.diff(on)))
    for i in (0, 1):
        mine = np.flatnonzero(side == i)
        where = np.searchsorted(offs[i], on[mine])
        later = np.append(offs[i], np.inf)[where]
        off[mine] = np.where(later - on[mine] < limit[mine], later, np.nan)
    running, speed = _runs(path, on, off, side)
    if running:
        on, off = _ground_time(path, way, on, off, side)
        stride[:-2] = on[2:] - on[:-2]
    ends = (path.heel[:, 0], path.heel[:, 0] if running else path.toe[:, 0])
    std = [
        event_std_s(path.time_s, place, path.std[end], time, side, path.frame_s)
        for end, (place, time) in enumerate(zip(ends, (on, off), strict=True))
    ]
    rows = slice(*np.searchsorted(path.time_s, (on[0], on[-1])))
    return {
        "side": np.array(SIDES)[side],
        "contact_time_s": on,
        "off_time_s": off,
        "stance_s": off - on,
        "swing_s": stride - (off - on),
        "stride_s": stride,
        "step_s": np.append(np.nan, np.diff(on)),
        "running": np.full(len(on), running),
        "step_length_m": _lengths(path, way, on, off, side, speed, px_per_m),
        "contact_time_std_s": std[0],
        "off_time_std_s": std[1],
        "backward": np.full(len(on), way * path.faces[rows].sum() < 0),
    }


def _at(path: _Path, values: np.ndarray, time: np.ndarray, side: np.ndarray) -> np.ndarray:
    """``values (2, n)`` of the sides at times of the shape of ``side``; NaN where the time is."""
    both = np.stack([np.interp(time, path.time_s, v) for v in values])
    return np.where(side == 0, both[0], both[1])


def _runs(path: _Path, on: np.ndarray, off: np.ndarray, side: np.ndarray) -> tuple[bool, float]:
    """Whether a bout is a run, and the speed of progress in S/s: how fast the feet go backward under the pelvis."""
    known = np.isfinite(off)
    if not known.any():
        return False, np.nan
    x = path.heel[:, 0] / path.size
    way = np.abs(_at(path, x, on[known], side[known]) - _at(path, x, off[known], side[known]))
    speed = float(way.sum() / (off - on)[known].sum())
    rows = slice(*np.searchsorted(path.time_s, (on[0], on[-1])))
    stride = max(round(2 * float(np.median(np.diff(on))) / _GRID_S), 1)
    height = -path.pelvis[1, rows] / path.size[rows]
    apart = np.abs(x[0, rows] - x[1, rows])
    bounce = [v - uniform_filter1d(v, stride, mode="nearest") for v in (height, apart)]
    return speed > _SURELY_RUNS or (speed > _MAY_RUN and float(np.sum(bounce[0] * bounce[1])) > 0), speed


def _ground_time(
    path: _Path, way: float, on: np.ndarray, off: np.ndarray, side: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A runner's contacts: the part of the foot's way back in which the foot has the speed of the ground.

    Runners pull the foot back before it lands, and lift it while it still goes back, so the foot's extremes lie outside
    the contact. A contact begins and ends where the backward speed passes ``_PLATEAU`` of its greatest value.
    """
    speed = -way * np.gradient(path.heel[:, 0] / path.size, _GRID_S, axis=-1)
    u = np.linspace(0, 1, _SAMPLES)
    time = on[:, None] + u * (off - on)[:, None]
    v = _at(path, speed, np.nan_to_num(time), np.broadcast_to(side[:, None], time.shape))
    fast = v >= _PLATEAU * v.max(1, keepdims=True)
    first, last = fast.argmax(1), _SAMPLES - 1 - fast[:, ::-1].argmax(1)
    known = np.isfinite(off)
    return np.where(known, time[np.arange(len(on)), first], on), time[np.arange(len(on)), last]


def _lengths(
    path: _Path, way: float, on: np.ndarray, off: np.ndarray, side: np.ndarray, speed: float, px_per_m: float | None
) -> np.ndarray:
    """(e,) m from the other foot's last place to this foot's place; NaN on a treadmill or without a scale."""
    none = np.full(len(on), np.nan)
    if px_per_m is None:
        return none
    ends = np.interp(on[[0, -1]], path.time_s, path.pelvis[0])
    size = float(np.interp(on.mean(), path.time_s, path.size))
    if not abs(ends[1] - ends[0]) / (on[-1] - on[0]) > _MOVES * speed * size:
        return none
    planted = _at(path, path.heel[:, 0] + path.pelvis[0], on + _PLANTED * (off - on), side)
    return np.append(np.nan, way * np.diff(planted)) / px_per_m


def _length_std(path: _Path, steps: dict[str, np.ndarray], px_per_m: float | None, scale_std: float) -> np.ndarray:
    """(e,) m deviations of the step lengths: of both feet's places and of the scale."""
    length, on, off = (steps[name] for name in ("step_length_m", "contact_time_s", "off_time_s"))
    side = (steps["side"] == SIDES[1]).astype(np.int64)
    place = _at(path, path.std[2], on + _PLANTED * (off - on), side) / (px_per_m or np.nan)
    std = np.append(np.nan, np.hypot(place[1:], place[:-1]))
    return np.where(np.isnan(length), np.nan, np.hypot(std, scale_std * length))


# --- tables ----------------------------------------------------------------------------------------------------------


def _table(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The tables of all bouts, one after another; without bouts, empty columns."""
    types = {"side": np.dtype("<U5"), "running": np.dtype(bool), "backward": np.dtype(bool)}
    empty = {name: np.zeros(0, types.get(name, np.float64)) for name in STEP_COLUMNS}
    return {name: np.concatenate([empty[name], *(p[name] for p in parts)]) for name in STEP_COLUMNS}


def _column(time_s: np.ndarray, steps: dict[str, np.ndarray], side: str) -> np.ndarray:
    """(L,) f32 1 from contact to toe-off, 0 from toe-off to the foot's next contact of the bout, NaN elsewhere."""
    mine = steps["side"] == side
    on, off = steps["contact_time_s"][mine], steps["off_time_s"][mine]
    again = on + steps["stride_s"][mine]
    if not len(on):
        return np.full(len(time_s), np.nan, np.float32)
    i = np.searchsorted(on, time_s, "right") - 1
    near = np.maximum(i, 0)
    held = np.where(time_s < off[near], 1.0, np.where(time_s < again[near], 0.0, np.nan))
    return np.where((i >= 0) & np.isfinite(off[near]), held, np.nan).astype(np.float32)
