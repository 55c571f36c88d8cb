"""Points of the ground as they are given on the command line, how well a plane fits them, and their ground file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.pitches import PITCHES, check_pitch
from pipeline.core.texts import parse_toml
from pipeline.measure.floor import Floor, fitted

_EXAMPLE = "write X,Y=METRES,METRES or X,Y=NAME, such as 412,873=0,9 or 412,873=left_near_corner"
ENOUGH = 4
_SAME_TIME_S = 1e-3


class Marks(NamedTuple):
    """Points of one picture."""

    px: np.ndarray  # (N, 2)
    m: np.ndarray  # (N, 2)
    said: tuple[str, ...]  # (N,) what was written behind the =


def parse_points(texts: list[str], pitch: str | None) -> Marks:
    """Points from texts such as 412,873=0,9; raises PoselineError that names the text."""
    if pitch is not None:
        check_pitch(pitch)
    known = PITCHES[pitch].points if pitch is not None else {}
    px, m, said = [], [], []
    for text in texts:
        left, equals, right = (part.strip() for part in text.partition("="))
        at, place = _pair(left), known.get(right) or _pair(right)
        if not equals or at is None or place is None:
            if equals and at is not None and pitch is None:
                raise PoselineError(f"--point {text}: {right} is a name; give --pitch, such as --pitch football")
            names = f"; points of {pitch} are {', '.join(sorted(known))}" if known else ""
            raise PoselineError(f"--point {text}: {_EXAMPLE}{names}")
        px.append(at)
        m.append(place)
        said.append(right)
    return Marks(np.array(px).reshape(-1, 2), np.array(m).reshape(-1, 2), tuple(said))


def _pair(text: str) -> tuple[float, float] | None:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        return None
    return (x, y) if np.isfinite([x, y]).all() else None


def errors(points: Marks) -> tuple[Floor, np.ndarray]:
    """The plane of at least four points, and how far off it each is, (N,) m; PoselineError where they fix none."""
    try:
        floor = Floor(fitted(points.px, points.m))
    except ValueError as reason:
        raise PoselineError(f"--point: {reason}; spread the points over the floor, no three on a line") from reason
    return floor, np.linalg.norm(floor.to_m(points.px) - points.m, axis=1)


def report(points: Marks, off_m: np.ndarray) -> list[str]:
    """Lines: the error of each point in cm."""
    rows = zip(points.px, points.said, off_m, strict=True)
    lines = [f"{x:g},{y:g} = {said}: off by {100 * off:.1f} cm" for (x, y), said, off in rows]
    if len(points.px) == ENOUGH:
        lines.append("four points fit any plane: a fifth shows how good they are")
    return lines


def with_those_before(file: Path, time_s: float, points: Marks) -> Marks:
    """The points with those that a ground file, if it is there, has already at that time."""
    try:
        at_once = [s for s in _stored(file).get("set", []) if abs(float(s["time_s"]) - time_s) < _SAME_TIME_S]
        old = [(point["px"], point["m"]) for s in at_once for point in s["point"] if "m" in point]
        px, m = np.array(old, np.float64).reshape(-1, 2, 2).transpose(1, 0, 2)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PoselineError(f"{file}: is no file of this command ({error}); give another file with --out") from error
    said = tuple(f"{x:g},{y:g}" for x, y in m)
    return Marks(np.concatenate([px, points.px]), np.concatenate([m, points.m]), said + points.said)


def _stored(file: Path) -> dict[str, Any]:
    """What a ground file holds; nothing where there is none."""
    try:
        return parse_toml(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (OSError, ValueError) as error:
        raise PoselineError(f"{file}: is no ground file ({error}); give another file with --out") from error


def add_set(file: Path, time_s: float, points: Marks, pitch: str | None) -> None:
    """Add the points of one time to a ground file, which is made where there is none."""
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    if before and "[[set]]" not in before:
        raise PoselineError(f"{file}: has no [[set]], so that no other time can be added; give another file with --out")
    told = _stored(file).get("pitch")
    if pitch is not None and told is not None and told != pitch:
        raise PoselineError(f"{file}: is of --pitch {told}, not {pitch}; give another file with --out")
    head = before or (f'pitch = "{pitch}"\n' if pitch is not None else "")
    rows = [
        f"  {{ px = [{x:g}, {y:g}], m = [{a:g}, {b:g}] }}," for (x, y), (a, b) in zip(points.px, points.m, strict=True)
    ]
    body = "\n".join(["[[set]]", f"time_s = {time_s:.6g}", "point = [", *rows, "]", ""])
    file.write_text(f"{head}\n{body}" if head else body, encoding="utf-8")
