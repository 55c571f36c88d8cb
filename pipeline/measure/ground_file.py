"""The floor from a ground file, --ground.

The file's values become plain data of the settings, so that a run does not need the file again. There are two kinds of
ground files: points of the picture with their places on the floor, and calibrations as Pose2Sim writes them.
"""

from __future__ import annotations

import math
import reprlib
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from pipeline.core.errors import PoselineError
from pipeline.core.lens import camera_height_m
from pipeline.core.pitches import PITCHES
from pipeline.core.settings import Calibration, Ground, Vector2
from pipeline.core.texts import parse_toml, read_text
from pipeline.core.words import counted
from pipeline.measure.floor import fit_error_px
from pipeline.measure.zones import zone_column

_PADDING_PX = 16  # codecs pad sizes, as 1080 to 1088
_SAME_SHAPE = 0.01  # two pictures' ratios of width to height may differ by so much
_TOLERANCE, _TOLERANCE_PX = 0.01, 3.0  # largest error of point pairs, in extents of the points and in px
_LENS_TERMS, _FISHEYE_TERMS = (0, 4, 5, 8, 12, 14), (0, 4)  # numbers of distortions that OpenCV knows
_CAMERA_KEYS = {"name", "size", "matrix", "distortions", "rotation", "translation", "fisheye"}
_POINT_EXAMPLE = "write [[point]] px = [x, y]  m = [X, Y]"
_SET_EXAMPLE = "write [[set]] time_s = 3.6  point = [{ px = [x, y], m = [X, Y] }, …]"


def read_ground(path: str | Path, size_px: tuple[int, int] | None = None, pitch: str | None = None) -> Ground:
    """The floor from a TOML file, ``FILE`` or ``FILE#CAMERA``, for a video of ``size_px`` (w, h).

    A calibration for pictures of the same shape but another size is scaled to ``size_px``. ``pitch``, or that of the
    file, names points.

    Raises PoselineError that names the file, the value and the remedy.
    """
    file, _, wanted = str(path).partition("#")
    try:
        data = parse_toml(read_text(Path(file)))
    except OSError as error:
        raise PoselineError(f"--ground {file}: cannot be read; give a TOML file of points or cameras") from error
    except ValueError as error:
        raise PoselineError(f"{file}: not valid TOML: {error}; {_POINT_EXAMPLE}") from error
    zones = _zones(file, data.pop("zone", []))
    named = _pitch(file, data.pop("pitch", None), pitch)
    if "point" in data or "set" in data:
        if wanted:
            raise PoselineError(f"--ground {path}: {file} has points and no cameras; leave #{wanted} out")
        return _from_points(file, data, zones, size_px, named)
    time_s = data.pop("time_s", None)
    told = () if time_s is None else (_seconds(file, "the calibration's", time_s),)
    cameras = {k: v for k, v in data.items() if isinstance(v, dict) and "matrix" in v}
    if not cameras:
        found = f"has {', '.join(data)}" if data else "is empty"
        raise PoselineError(f"{file}: {found}, but no [[point]] and no camera with a matrix; {_POINT_EXAMPLE}")
    section = _chosen(file, cameras, wanted, size_px)
    return Ground(camera=_camera(file, section, cameras[section], size_px), zones=zones, time_s=told, pitch=named)


def _pitch(file: str, own: Any, given: str | None) -> str:
    """The name of the pitch, from the file or the command line; empty where there is none."""
    name = own if given is None else given
    if name is None:
        return ""
    if name not in PITCHES or own not in (None, name):
        where = f"{file}: pitch = {reprlib.repr(own)}" if given is None else f"--pitch {given}"
        said = f", and {file} says {reprlib.repr(own)}" if own not in (None, name) else ""
        raise PoselineError(f"{where}{said}: give one of {', '.join(PITCHES)}")
    return str(name)


def _place(file: str, number: int, point: dict[str, Any], pitch: str) -> Vector2:
    """A point's place in metres: its m, or that of its name on the pitch."""
    if "name" not in point:
        return _vector(file, f"point {number} m", point.get("m"), 2)
    if "m" in point:
        raise PoselineError(f"{file}: point {number} has name and m; give one of them")
    if not pitch:
        raise PoselineError(f"{file}: point {number} has a name, but no pitch is given; add --pitch football, or such")
    known = PITCHES[pitch].points
    if point["name"] not in known:
        raise PoselineError(
            f"{file}: point {number} name = {reprlib.repr(point['name'])} is no point of {pitch}; known are "
            + ", ".join(sorted(known))
        )
    return known[point["name"]]


def _from_points(
    file: str, data: dict[str, Any], zones: dict, size_px: tuple[int, int] | None, pitch: str = ""
) -> Ground:
    points = _points(file, data)
    image = [_vector(file, f"point {i} px", p.get("px"), 2) for i, p in enumerate(points, 1)]
    plane = [_place(file, i, p, pitch) for i, p in enumerate(points, 1)]
    times = [p.get("time_s") for p in points]
    if len(points) < 4:
        given = counted(len(points), "point")
        raise PoselineError(f"{file}: has {given}; a plane takes at least 4, no three of them on a line")
    if None in times and times != [None] * len(times):
        raise PoselineError(
            f"{file}: point {times.index(None) + 1} has no time_s and others have; give it to all or none"
        )
    for i, (x, y) in enumerate(image, 1):
        if size_px is not None and not (0 <= x <= size_px[0] and 0 <= y <= size_px[1]):
            raise PoselineError(
                f"{file}: point {i} px = [{x:g}, {y:g}] is outside the picture of {size_px[0]}×{size_px[1]} px; "
                "give px of the upright picture"
            )
    told = () if None in times else tuple(_seconds(file, f"point {i}", t) for i, t in enumerate(times, 1))
    for t in dict.fromkeys(times):
        _check_fit(file, [(i, a, b) for i, (a, b, its) in enumerate(zip(image, plane, times, strict=True)) if its == t])
    return Ground(image_px=tuple(image), plane_m=tuple(plane), zones=zones, time_s=told, pitch=pitch)


def _points(file: str, data: dict[str, Any]) -> list[dict[str, Any]]:
    """All points of the file as tables with px, m, and perhaps time_s: those of the file, then those of each set."""
    _known(file, data, {"point", "set", "time_s"}, "the file")
    groups = [("", data.get("time_s"), data.get("point", []))]
    sets = data.get("set", [])
    if not isinstance(sets, list) or not all(isinstance(s, dict) for s in sets):
        raise PoselineError(f"{file}: set is no list of tables; {_SET_EXAMPLE}")
    for i, one in enumerate(sets, 1):
        _known(file, one, {"time_s", "point"}, f"set {i}")
        if "time_s" not in one or "point" not in one:
            raise PoselineError(f"{file}: set {i} has no {'point' if 'time_s' in one else 'time_s'}; {_SET_EXAMPLE}")
        groups.append((f"set {i} ", one["time_s"], one["point"]))
    out = []
    for where, time_s, points in groups:
        if not isinstance(points, list) or not all(isinstance(p, dict) for p in points):
            raise PoselineError(f"{file}: {where}point is no list of tables; {_POINT_EXAMPLE}")
        for i, point in enumerate(points, 1):
            _known(file, point, {"px", "m", "name", "time_s"}, f"{where}point {i}")
            out.append(({} if time_s is None else {"time_s": time_s}) | point)
    return out


def _check_fit(file: str, points: list[tuple[int, Vector2, Vector2]]) -> None:
    """Raise PoselineError where the points (number, px, m) of one time fix no plane, or fit none."""
    if len(points) < 4:
        return
    image = [px for _, px, _ in points]
    try:
        error = fit_error_px(Ground(image_px=tuple(image), plane_m=tuple(m for _, _, m in points)))
    except ValueError as reason:
        raise PoselineError(f"{file}: {reason}; spread the points over the floor, no three on a line") from reason
    extent = float(np.linalg.norm(np.ptp(np.array(image), axis=0)))
    worst = int(np.argmax(error))
    if error[worst] > max(_TOLERANCE * extent, _TOLERANCE_PX):
        raise PoselineError(
            f"{file}: no plane fits the points: the worst, point {points[worst][0] + 1} px = [{image[worst][0]:g}, "
            f"{image[worst][1]:g}], is off by {error[worst]:.0f} px; check px and m of each point, or give a "
            "calibration if the lens bends lines"
        )


def _seconds(file: str, what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise PoselineError(f"{file}: {what} time_s = {reprlib.repr(value)} is no number; give seconds of the video")
    return float(value)


def _zones(file: str, tables: Any) -> dict[str, tuple[Vector2, ...]]:
    example = '[[zone]] name = "left half"  polygon_m = [[X, Y], …]'
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise PoselineError(f"{file}: zone is no list of tables; write {example}")
    zones: dict[str, tuple[Vector2, ...]] = {}
    for i, table in enumerate(tables, 1):
        _known(file, table, {"name", "polygon_m"}, f"zone {i}")
        name, corners = table.get("name"), table.get("polygon_m")
        taken = {"zone__s", *map(zone_column, zones)}
        if not isinstance(name, str) or zone_column(name) in taken:
            raise PoselineError(f"{file}: zone {i} name = {reprlib.repr(name)} is no name of its own; write {example}")
        if not isinstance(corners, list) or len(corners) < 3:
            raise PoselineError(f"{file}: zone {name} polygon_m has no three corners; write {example}")
        zones[name] = tuple(_vector(file, f"zone {name} polygon_m", c, 2) for c in corners)
    return zones


def _chosen(file: str, cameras: dict[str, Any], wanted: str, size_px: tuple[int, int] | None) -> str:
    """The section of the wanted camera, found by section or by name; else that of the only camera that fits."""
    names = ", ".join(cameras)
    if wanted:
        for section, table in cameras.items():
            if wanted in (section, table.get("name")):
                return section
        raise PoselineError(f"--ground {file}#{wanted}: there is no camera {wanted}; cameras are {names}")
    if len(cameras) == 1:
        return next(iter(cameras))
    fitting = [s for s, t in cameras.items() if size_px and t.get("size") == [*size_px]]
    if len(fitting) == 1:
        return fitting[0]
    raise PoselineError(f"--ground {file}: has cameras {names}; name the video's, as in {file}#{next(iter(cameras))}")


def _camera(file: str, section: str, table: dict[str, Any], size_px: tuple[int, int] | None) -> Calibration:
    _known(file, table, _CAMERA_KEYS, f"camera {section}")
    size = _vector(file, f"camera {section} size", table.get("size"), 2)
    rows = table["matrix"] if isinstance(table["matrix"], list) and len(table["matrix"]) == 3 else [None] * 3
    matrix = np.array([_vector(file, f"camera {section} matrix", row, 3) for row in rows])
    if matrix[0, 0] <= 0 or matrix[1, 1] <= 0 or min(size) <= 0:
        raise PoselineError(f"{file}: camera {section} has no positive focal length and size; calibrate it again")
    shown = size_px or (round(size[0]), round(size[1]))
    scale = np.array(shown) / np.array(size)
    if np.abs(np.subtract(shown, size)).max() <= _PADDING_PX:
        scale = np.ones(2)  # the picture is cut off at the right or below, not shrunk
    if abs(scale[0] / scale[1] - 1) > _SAME_SHAPE:
        raise PoselineError(
            f"{file}: camera {section} size = [{size[0]:g}, {size[1]:g}] has not the shape of the video, "
            f"{shown[0]}×{shown[1]} px; name the video's camera, or calibrate it at the video's size"
        )
    matrix[:2] *= scale[:, None]
    distortions, fisheye = table.get("distortions", []), table.get("fisheye", False)
    lens = len(distortions) if isinstance(distortions, list) else -1
    if lens not in (_FISHEYE_TERMS if fisheye is True else _LENS_TERMS):
        raise PoselineError(
            f"{file}: camera {section} distortions = {reprlib.repr(distortions)} are not OpenCV's 4, 5, 8, 12 or 14 "
            "numbers (of a fisheye 4); write [0.0, 0.0, 0.0, 0.0] for none"
        )
    try:
        camera = Calibration(
            name=str(table.get("name", section)),
            size_px=shown,
            matrix=matrix.tolist(),
            distortions=distortions,
            rotation=_vector(file, f"camera {section} rotation", table.get("rotation"), 3),
            translation_m=_vector(file, f"camera {section} translation", table.get("translation"), 3),
            fisheye=fisheye,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise PoselineError(
            f"{file}: camera {section} {first['loc'][0]} = {reprlib.repr(first['input'])}: {first['msg']}; "
            "calibrate it again"
        ) from error
    height = camera_height_m(camera)
    if height <= 0:
        raise PoselineError(
            f"{file}: camera {section} is at z = {height:.2f} m, not above the floor; calibrate it with z = 0 on the "
            "floor and z pointing up"
        )
    return camera


def _known(file: str, table: dict[str, Any], keys: set[str], where: str) -> None:
    """Raise PoselineError for an unknown key."""
    for key in table:
        if key not in keys:
            raise PoselineError(f"{file}: unknown {key} in {where}; known are {', '.join(sorted(keys))}")


def _vector(file: str, what: str, value: Any, n: int) -> Any:
    """``n`` finite numbers from a TOML array."""
    numbers = value if isinstance(value, list) else []
    good = all(isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in numbers)
    if len(numbers) != n or not good:
        found = "is missing" if value is None else f"= {reprlib.repr(value)} is not {n} numbers"
        raise PoselineError(f"{file}: {what} {found}; write [{', '.join('xyz'[:n])}]")
    return tuple(float(v) for v in numbers)
