"""Curves of a person's quantities over time, as a picture."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.errors import PoselineError
from pipeline.render.draw.angles import JOINTS
from pipeline.render.plot_states import flags, hatch, known_share, states_of, valid_kind
from pipeline.store.atomic import atomic
from pipeline.store.checked import TableFile
from pipeline.store.columns import VIDEO_TIME, person_name, unit_of
from pipeline.store.folder import RunFolder

FORMATS = (".png", ".svg", ".pdf")
NO_CURVES = ("frame", "time_s", VIDEO_TIME)
# Okabe & Ito 2008: apart for every kind of colour blindness. Left is blue and right vermilion, as in the video.
LEFT, RIGHT = "#0072B2", "#D55E00"
_OTHERS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_FIRST = (  # default columns: the first pair with known values in enough rows
    ("left_knee_flexion_deg", "right_knee_flexion_deg"),  # or in space, see `valid_kind`
    ("ground_speed_m_s",),
    ("path_speed_m_s",),
    ("com_speed_px_s",),
)
_FRONTAL: dict[str, tuple[str, str, tuple[str, ...]]] = {  # as `JOINTS` has the angles that are drawn in the video
    "shoulder_abduction": ("shoulder", "hip", ("elbow",)),
    "hip_abduction": ("hip", "knee", ()),
    "knee_valgus": ("knee", "hip", ("ankle",)),
}
_ENOUGH = 0.2  # share of the rows
_BAND = 2.0  # standard deviations to either side
_SIZE_IN, _PANEL_IN, DPI = 9.0, 2.6, 120


def plot_person(
    folder: RunFolder,
    person_id: int,
    what: Sequence[str] = (),
    out: Path | None = None,
    span_s: tuple[float | None, float | None] = (None, None),
) -> Path:
    """Draw columns of a person's table over time into ``out`` (PNG, SVG or PDF); returns its path.

    Each unit has a panel. Gaps stay gaps, values from interpolated points are dotted, a band shows ± 2 standard
    deviations where the table has them, and bars below show when feet are on the ground. A panel is hatched where none
    of its angles is known, and crosses mark angles that change faster than joints can.

    Args:
        what: columns; without ``left_`` or ``right_`` both; without a unit, angles of the picture plane or in space,
            whichever are known in more rows; none: knee flexion, or else a speed.
        span_s: seconds on the container's clock, None: from the start, to the end.

    Raises:
        PoselineError: no such person or column, or the file cannot be written.
    """
    path = folder.people / f"{person_name(person_id)}.parquet"
    if not path.is_file():
        raise PoselineError(
            f"--person {person_id}: {folder.path} has no such person; see poseline people {folder.path}"
        )
    out = out or folder.path / f"{person_name(person_id)}.png"
    if out.suffix.lower() not in FORMATS:
        raise PoselineError(f"--out {out}: unknown kind of picture; end its name in {', '.join(FORMATS)}")
    with TableFile(path) as file:
        schema = file.schema
    names = [f.name for f in schema if f.name not in NO_CURVES and not pa.types.is_dictionary(f.type)]
    columns = [c for name in what for c in _chosen(path, name, names)] or _default(path, names)
    sides = [side for side in ("left", "right") if any(c.startswith(side) for c in columns)]
    contacts = [f"{side}_foot_contact" for side in sides or ("left", "right") if f"{side}_foot_contact" in names]
    std = {c: s for c in columns if (s := _std_of(c)) in names}
    states = {c: [f"{joint}_state" for joint in _joints_of(c) if f"{joint}_state" in schema.names] for c in columns}
    angles = states_of(columns, schema.names)
    wanted = dict.fromkeys(["frame", "time_s", "score", *columns, *std.values(), *contacts])
    with TableFile(path) as file:
        further = dict.fromkeys([*(s for some in states.values() for s in some), *angles.values()])
        table = file.whole([*wanted, *further])
    values = flags(table, angles) | {name: table[name].to_numpy().astype(np.float64) for name in wanted}
    alone = ~np.isfinite(values["score"])
    for column, some in states.items():
        bridged = [table[name].cast(pa.string()).to_numpy() == "interpolated" for name in some]
        values[f"{column} bridged"] = np.any([alone, *bridged], 0).astype(np.float64)
    inside = _inside(values["time_s"], span_s)
    values = _with_breaks({name: v[inside] for name, v in values.items()})
    contacts = [c for c in contacts if (values[c] > 0.5).any()]
    name = folder.names().get(person_id, "")
    title = f"{folder.path.resolve().name}, person {person_id}" + (f" ({name})" if name else "")
    figure = _figure(values, columns, std, contacts, title)
    with atomic(out) as temporary:
        figure.savefig(temporary, format=out.suffix[1:].lower(), dpi=DPI)
    return out


def _columns(name: str, names: list[str]) -> list[str]:
    """The column of this name, or those of both sides; else a PoselineError that names similar columns."""
    both = [f"{side}_{name}" for side in ("left", "right")]
    if name in names:
        return [name]
    if set(both) <= set(names):
        return both
    with_unit = [n for n in names if n in [f"{b}_deg" for b in (name, *both)]]
    if with_unit:
        return with_unit
    if "_3d" in name and not any("_3d" in column for column in names):
        raise PoselineError(f"--what {name}: there is no 3D in this run; poseline track RUN --lifter poseline makes it")
    near = difflib.get_close_matches(name, names, 5, 0.5) or names[:5]
    raise PoselineError(f"--what {name}: no such column; near are {', '.join(near)}")


def _chosen(path: Path, name: str, names: list[str]) -> list[str]:
    """`_columns`, in the picture plane or in space where ``name`` leaves that open."""
    found = _columns(name, names)
    return found if name.endswith("_deg") else valid_kind(path, found, names)


def _joints_of(column: str) -> list[str]:
    """The joints that a column rests on."""
    side, _, rest = column.partition("_")
    for angle, (joint, near, far) in (JOINTS | _FRONTAL).items():
        if rest.startswith(angle):
            return [f"{side}_{name}" for name in (joint, near, *far)]
    found = re.match(r"(.+?)_(world_)?(x|y|z|vx|vy|speed|acceleration|std|score)_", column + "_")
    return [found[1]] if found else []


def _default(path: Path, names: list[str]) -> list[str]:
    for columns in _FIRST:
        if set(columns) <= set(names):
            chosen = valid_kind(path, list(columns), names)
            if known_share(path, chosen) >= _ENOUGH:
                return chosen
    return [n for n in names if n.endswith("_y_px")][:2]


def _std_of(column: str) -> str:
    """The column of a coordinate's, an angle's or a speed's standard deviation."""
    if column.endswith(("_deg", "_deg_s", "_speed_px_s", "_speed_m_s")):
        return f"{column}_std"
    for unit in ("px", "m"):
        for axis in ("_x_", "_y_", "_z_", "_world_x_", "_world_y_", "_world_z_"):
            if column.endswith(f"{axis}{unit}"):
                return column.removesuffix(f"{axis}{unit}").removesuffix("_world") + f"_std_{unit}"
    return ""


def _inside(time_s: np.ndarray, span_s: tuple[float | None, float | None]) -> np.ndarray:
    low, high = (-np.inf if span_s[0] is None else span_s[0]), (np.inf if span_s[1] is None else span_s[1])
    inside = (time_s >= low) & (time_s < high)
    if not inside.any():
        raise PoselineError(
            f"--start {low:g} --end {high:g}: the person is not there then; only between {time_s[0]:.2f} and"
            f" {time_s[-1]:.2f} s"
        )
    return inside


def _with_breaks(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The values with an empty row wherever frames are missing, so that no line crosses the gap."""
    gaps = np.flatnonzero(np.diff(values["frame"]) > 1) + 1
    middle = (values["time_s"][gaps - 1] + values["time_s"][gaps]) / 2
    out = {name: np.insert(v, gaps, np.nan) for name, v in values.items()}
    out["time_s"] = np.insert(values["time_s"], gaps, middle)
    return out


def _figure(
    values: dict[str, np.ndarray], columns: list[str], std: dict[str, str], contacts: list[str], title: str
) -> Any:
    from matplotlib.figure import Figure  # the drawing itself, without a window or a state of the module

    units = list(dict.fromkeys(unit_of(c) for c in columns))
    height = _PANEL_IN * len(units) + 0.7
    figure = Figure(figsize=(_SIZE_IN, height), layout="constrained")
    axes = figure.subplots(len(units), 1, sharex=True, squeeze=False)[:, 0]
    others = iter(_OTHERS * len(columns))
    used: set[str] = set()
    for axis, unit in zip(axes, units, strict=True):
        for column in (c for c in columns if unit_of(c) == unit):
            side = LEFT if column.startswith("left_") else RIGHT if column.startswith("right_") else None
            colour = side if side and side not in used else next(others)
            used.add(colour)
            bridged = values[f"{column} bridged"] == 1
            _draw(axis, values["time_s"], values[column], bridged, values.get(std.get(column, "")), colour, column)
        hatch(axis, values, [c for c in columns if unit_of(c) == unit])
        axis.set_ylabel("" if unit == "1" else unit)
        axis.grid(alpha=0.3, linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize=8, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
        used.clear()
    for i, column in enumerate(contacts):
        _draw_contacts(axes[-1], values["time_s"], values[column], i, column)
    axes[-1].set_xlabel("time, s" + ("   (bars: foot known to be on the ground)" if contacts else ""))
    figure.suptitle(title, fontsize=11)
    return figure


def _draw(
    axis: Any,
    time_s: np.ndarray,
    curve: np.ndarray,
    bridged: np.ndarray,
    std: np.ndarray | None,
    colour: str,
    label: str,
) -> None:
    """Draw a curve with its band; values from unseen points are dotted."""
    near = bridged | np.roll(bridged, 1) | np.roll(bridged, -1)  # dots reach to the next measured value
    axis.plot(time_s, np.where(near, curve, np.nan), ":", color=colour, linewidth=1.2)
    axis.plot(time_s, np.where(bridged, np.nan, curve), color=colour, linewidth=1.5, label=label)
    if std is not None:
        axis.fill_between(time_s, curve - _BAND * std, curve + _BAND * std, color=colour, alpha=0.18, linewidth=0)


def _draw_contacts(axis: Any, time_s: np.ndarray, contact: np.ndarray, row: int, column: str) -> None:
    """Bars along the lower edge while a foot is on the ground."""
    colour = LEFT if column.startswith("left") else RIGHT
    base = 0.0 + 0.025 * row
    axis.fill_between(
        time_s, base, base + 0.02, where=contact > 0.5, color=colour, alpha=0.8, linewidth=0,
        transform=axis.get_xaxis_transform(), step="mid",
    )  # fmt: skip
