"""Mean curves of strides or repetitions over 0 to 100 %, with a band of one standard deviation, as a picture."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import PoselineError
from pipeline.render.plot import DPI, FORMATS, LEFT, RIGHT
from pipeline.store.atomic import atomic
from pipeline.store.checked import TableFile
from pipeline.store.columns import person_name
from pipeline.store.cycles_table import unit_of_cycles
from pipeline.store.folder import RunFolder

# Default quantities: of each row the first that is known.
_LEG = (
    ("hip_flexion_deg", "hip_flexion_3d_deg"),
    ("knee_flexion_deg", "knee_flexion_3d_deg"),
    ("ankle_dorsiflexion_deg", "ankle_dorsiflexion_3d_deg"),
)
_ARM = (
    ("shoulder_flexion_deg", "shoulder_flexion_3d_deg"),
    ("shoulder_abduction_deg", "shoulder_abduction_3d_deg"),
    ("elbow_flexion_deg", "elbow_flexion_3d_deg"),
)
# What grows upwards, beside the unit, as the clinic's charts have it.
_ENDS = {"dorsiflexion": ("plantar", "dorsal"), "flexion": ("extension", "flexion"), "abduction": ("add.", "abd.")}
_AXES = {"walk": "gait cycle", "walk_backward": "gait cycle, backward", "run": "running cycle"}
_LANDED = 10  # % after which the foot is on the ground
_PANEL_IN, _HEIGHT_IN, _ROW = 3.3, 3.1, 3  # width and height of a panel, and panels in a row


def plot_cycles(
    folder: RunFolder,
    person_id: int | None = None,
    what: Sequence[str] = (),
    movement: str = "",
    out: Path | None = None,
) -> Path:
    """Draw mean ± one standard deviation of a person's strides or repetitions into ``out``; returns its path.

    Left is blue, right vermilion. A dashed line stands at each side's mean toe-off.

    Args:
        person_id: None: whoever has most cycles.
        what: quantities of gait_means.parquet, without a side; none: hip, knee and ankle, of arm raises the arm.
        movement: walk, run, squat …; "": the one of which the person has most cycles.

    Raises:
        PoselineError: no cycles, no such person, movement or quantity, or the file cannot be written.
    """
    table = _of(folder, person_id, movement)
    person_id, movement = table["person_id"][0].as_py(), table["movement"][0].as_py()
    out = out or folder.path / f"{person_name(person_id)}_{movement}.png"
    if out.suffix.lower() not in FORMATS:
        raise PoselineError(f"--out {out}: unknown kind of picture; end its name in {', '.join(FORMATS)}")
    known = [n.removesuffix("_mean") for n in table.column_names if n.endswith("_mean")]
    chosen = [_column(name, known) for name in what] or _default(table, movement)
    name = folder.names().get(person_id, "")
    title = f"{folder.path.resolve().name}, person {person_id}" + (f" ({name})" if name else "")
    figure = _figure(table, chosen, movement, title)
    with atomic(out) as temporary:
        figure.savefig(temporary, format=out.suffix[1:].lower(), dpi=DPI)
    return out


def _of(folder: RunFolder, person_id: int | None, movement: str) -> pa.Table:
    """The rows of gait_means.parquet of one person and movement."""
    path = folder.gait_means
    if not path.is_file():
        raise PoselineError(f"{path}: missing; poseline track {folder.path} makes it")
    with TableFile(path) as file:
        table = file.whole()
    if not len(table):
        raise PoselineError(f"{folder.path}: nobody has strides or repetitions for --cycles; {_why()}")
    if person_id is not None:
        table = table.filter(pc.equal(table["person_id"], person_id))
        if not len(table):
            raise PoselineError(f"--person {person_id}: has no strides or repetitions for --cycles; {_why()}")
    if movement:
        names = sorted(set(table["movement"].to_pylist()))
        table = table.filter(pc.equal(table["movement"], movement))
        if not len(table):
            raise PoselineError(f"--movement {movement}: none was found; there are {', '.join(names)}")
    most = pc.index(table["cycles"], pc.max(table["cycles"])).as_py()
    for key in ("person_id", "movement"):
        table = table.filter(pc.equal(table[key], table[key][most]))
        most = pc.index(table["cycles"], pc.max(table["cycles"])).as_py()
    return table


def _column(name: str, known: list[str]) -> str:
    """The quantity of this name, whose unit may be left out; else a PoselineError that names similar ones."""
    for found in (name, f"{name}_deg"):
        if found in known:
            return found
    near = difflib.get_close_matches(name, known, 5, 0.5) or known[:5]
    raise PoselineError(f"--what {name}: no such quantity of cycles; near are {', '.join(near)}")


def _why() -> str:
    return "see cycles.csv, and docs/kinematics.md for what counts"


def _default(table: pa.Table, movement: str) -> list[str]:
    """The usual quantities of a movement, of each the first that is known for most of the cycle."""
    chosen = []
    for names in _ARM if movement == "arm_raise" else _LEG:
        there = [n for n in names if f"{n}_mean" in table.column_names]
        known = [n for n in there if np.isfinite(_curve(table, f"{n}_mean")).mean() > 0.5]
        chosen += (known or there)[:1]
    return chosen


def _curve(table: pa.Table, column: str) -> np.ndarray:
    return table[column].to_numpy().astype(np.float64)


def _figure(table: pa.Table, chosen: Sequence[str], movement: str, title: str) -> Any:
    from matplotlib.figure import Figure  # the drawing itself, without a window or a state of the module

    columns = min(len(chosen), _ROW)
    rows = -(-len(chosen) // _ROW)
    figure = Figure(figsize=(_PANEL_IN * columns + 0.4, _HEIGHT_IN * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for axis, name in zip(axes, chosen, strict=False):
        for side, colour in (("left", LEFT), ("right", RIGHT)):
            mine = table.filter(pc.equal(table["side"], side))
            if len(mine):
                _draw(axis, mine, name, colour, side)
        _dress(axis, name, _AXES.get(movement, movement.replace("_", " ")))
    for axis in axes[len(chosen) :]:
        axis.set_visible(False)
    axes[0].legend(fontsize=8, frameon=False)
    figure.suptitle(f"{title}: {movement.replace('_', ' ')}, mean ± standard deviation", fontsize=11)
    return figure


def _draw(axis: Any, table: pa.Table, name: str, colour: str, side: str) -> None:
    """One side's mean, its band and its toe-off."""
    percent, mean, sd = (_curve(table, c) for c in ("percent", f"{name}_mean", f"{name}_sd"))
    axis.plot(percent, mean, color=colour, linewidth=1.6, label=f"{side}, n = {table['cycles'][0].as_py()}")
    axis.fill_between(percent, mean - sd, mean + sd, color=colour, alpha=0.2, linewidth=0)
    if "foot_contact_mean" in table.column_names:
        contact = _curve(table, "foot_contact_mean")[_LANDED:]  # a row before the contact counts for some percent
        off = np.flatnonzero(contact < 0.5)
        if len(off) and contact[0] >= 0.5:
            axis.axvline(float(percent[_LANDED + off[0]]), color=colour, linestyle="--", linewidth=0.9)


def _dress(axis: Any, name: str, what: str) -> None:
    unit = unit_of_cycles(name)
    words = name.removesuffix("_deg").removesuffix("_3d").replace("_", " ") + (", in space" if "_3d_" in name else "")
    axis.set_title(words[:1].upper() + words[1:], fontsize=10)
    shown = {"1": "", "deg": "°", "deg/s": "°/s"}.get(unit, unit)
    ends = next((e for word, e in _ENDS.items() if word in name and unit == "deg"), None)
    axis.set_ylabel(f"{ends[0]}  ←  {shown}  →  {ends[1]}" if ends else shown, fontsize=9)
    axis.set_xlabel(f"{what}, %", fontsize=9)
    axis.set_xlim(0, 100)
    axis.axhline(0, color="0.5", linewidth=0.7)
    axis.grid(alpha=0.3, linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)
