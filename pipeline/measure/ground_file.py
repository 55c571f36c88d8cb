"""Where metres come from: people's heights, a known length, or a ground plane, from the command line and from TOML.

What is read becomes plain data of the settings, so that a run does not need the files again. Ground files are of two
kinds: points of the picture with their places on the floor, and calibrations as Pose2Sim writes them.
"""

from __future__ import annotations

import math
import re
import reprlib
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.core.errors import PoselineError
from pipeline.core.texts import parse_toml, read_text

LEAST_HEIGHT_M, MOST_HEIGHT_M = 0.5, 2.5
ASSUMED_HEIGHT_M = 1.70
_LEAST_LENGTH_PX = 10.0  # of a known length; a click is good to about 2 px
_PADDING_PX = 16  # codecs pad sizes, as 1080 to 1088
_SAME_SHAPE = 0.01  # two pictures' ratios of width to height may differ by so much
_TOLERANCE, _TOLERANCE_PX = 0.01, 3.0  # of point pairs, in extents of the points and in px
_LENS_TERMS, _FISHEYE_TERMS = (0, 4, 5, 8, 12, 14), (0, 4)  # numbers of distortions that OpenCV knows
_CAMERA_KEYS = {"name", "size", "matrix", "distortions", "rotation", "translation", "fisheye"}
_HEIGHT_EXAMPLE = "give metres, such as --height 1.70 for everybody or --height 1=1.78 for person 1"
_LENGTH_EXAMPLE = "write X1,Y1,X2,Y2=METRES, such as --length 100,900,700,900=2.5"
_POINT_EXAMPLE = "write [[point]] px = [x, y]  m = [X, Y]"

Vector2 = tuple[float, float]
Vector3 = tuple[float, float, float]
Height = Annotated[float, Field(ge=LEAST_HEIGHT_M, le=MOST_HEIGHT_M)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Camera(_Section):
    """A calibrated camera, as OpenCV has it: x_camera = R x_world + t; world z is up and the floor is z = 0."""

    name: str = ""
    size_px: tuple[int, int]  # (w, h) of the pictures that matrix is for
    matrix: tuple[Vector3, Vector3, Vector3]
    distortions: tuple[float, ...] = ()  # k1, k2, p1, p2 [, k3 …]; of a fisheye k1, k2, k3, k4
    rotation: Vector3  # Rodrigues vector, world to camera
    translation_m: Vector3
    fisheye: bool = Field(False, strict=True)


class Ground(_Section):
    """The floor: either point pairs ``image_px`` and ``plane_m``, at least four, or a camera; and zones on it."""

    image_px: tuple[Vector2, ...] = ()
    plane_m: tuple[Vector2, ...] = ()
    camera: Camera | None = None
    zones: dict[str, tuple[Vector2, ...]] = {}  # polygons in metres


class MetresConfig(_Section):
    """Where metres come from. Nothing given: heights of 1.70 m are assumed where a scale cannot be done without."""

    height_m: Height | None = None  # everybody's
    heights_m: dict[str, Height] = {}  # by person's id or name
    length: tuple[float, float, float, float, float] | None = None  # x1, y1, x2, y2 in px, and metres
    ground: Ground | None = None

    def height_of(self, person_id: int, name: str = "") -> float | None:
        """The height in m given for a person: by name, else by id, else everybody's; None when none was given."""
        return self.heights_m.get(name) or self.heights_m.get(str(person_id)) or self.height_m


def parse_heights(texts: list[str]) -> tuple[float | None, dict[str, float]]:
    """``height_m`` and ``heights_m`` from the values of --height: "1.70", "1=1.78", "Ann=1.66"."""
    everybody: float | None = None
    people: dict[str, float] = {}
    for text in texts:
        who, equals, value = (part.strip() for part in text.rpartition("="))
        height = _number(value, f"--height {text}", _HEIGHT_EXAMPLE)
        if not LEAST_HEIGHT_M <= height <= MOST_HEIGHT_M:
            raise PoselineError(
                f"--height {text}: {value} m is no person's height ({LEAST_HEIGHT_M}–{MOST_HEIGHT_M} m); "
                f"{_HEIGHT_EXAMPLE}"
            )
        if equals and not who:
            raise PoselineError(f"--height {text}: names nobody before =; {_HEIGHT_EXAMPLE}")
        if people.get(who, height) != height or (not equals and everybody not in (None, height)):
            raise PoselineError(f"--height {text}: {who or 'everybody'} has another height already; give one of them")
        if equals:
            people[who] = height
        else:
            everybody = height
    return everybody, people


def parse_length(text: str) -> tuple[float, float, float, float, float]:
    """``length`` from the value of --length, "X1,Y1,X2,Y2=METRES"."""
    ends, _, metres = text.partition("=")
    numbers = [_number(part, f"--length {text}", _LENGTH_EXAMPLE) for part in (*ends.split(","), metres)]
    if len(numbers) != 5:
        raise PoselineError(f"--length {text}: has {len(numbers) - 1} coordinates, not 4; {_LENGTH_EXAMPLE}")
    x1, y1, x2, y2, length = numbers
    if length <= 0:
        raise PoselineError(f"--length {text}: {metres} m is no length; {_LENGTH_EXAMPLE}")
    px = math.hypot(x2 - x1, y2 - y1)
    if px < _LEAST_LENGTH_PX:
        raise PoselineError(f"--length {text}: is only {px:.1f} px long; take a longer one in the picture")
    return x1, y1, x2, y2, length


def _number(text: str, what: str, remedy: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise PoselineError(f"{what}: {text.strip() or 'nothing'!r} is not a number; {remedy}")
    return value


def read_ground(path: str | Path, size_px: tuple[int, int] | None = None) -> Ground:
    """The floor from a TOML file, ``FILE`` or ``FILE#CAMERA``, for a video of ``size_px`` (w, h).

    A calibration for pictures of the same shape but another size is scaled to ``size_px``.

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
    if "point" in data:
        if wanted:
            raise PoselineError(f"--ground {path}: {file} has points and no cameras; leave #{wanted} out")
        return _from_points(file, data, zones, size_px)
    cameras = {k: v for k, v in data.items() if isinstance(v, dict) and "matrix" in v}
    if not cameras:
        found = f"has {', '.join(data)}" if data else "is empty"
        raise PoselineError(f"{file}: {found}, but no [[point]] and no camera with a matrix; {_POINT_EXAMPLE}")
    section = _chosen(file, cameras, wanted, size_px)
    return Ground(camera=_camera(file, section, cameras[section], size_px), zones=zones)


def _from_points(file: str, data: dict[str, Any], zones: dict, size_px: tuple[int, int] | None) -> Ground:
    _known(file, data, {"point"}, "the file")
    points = data["point"]
    if not isinstance(points, list) or not all(isinstance(p, dict) for p in points):
        raise PoselineError(f"{file}: point is no list of tables; {_POINT_EXAMPLE}")
    for i, point in enumerate(points, 1):
        _known(file, point, {"px", "m"}, f"point {i}")
    image = [_vector(file, f"point {i} px", p.get("px"), 2) for i, p in enumerate(points, 1)]
    plane = [_vector(file, f"point {i} m", p.get("m"), 2) for i, p in enumerate(points, 1)]
    if len(points) < 4:
        raise PoselineError(f"{file}: has {len(points)} points; a plane takes at least 4, no three of them on a line")
    for i, (x, y) in enumerate(image, 1):
        if size_px is not None and not (0 <= x <= size_px[0] and 0 <= y <= size_px[1]):
            raise PoselineError(
                f"{file}: point {i} px = [{x:g}, {y:g}] is outside the picture of {size_px[0]}×{size_px[1]} px; "
                "give px of the upright picture"
            )
    ground = Ground(image_px=tuple(image), plane_m=tuple(plane), zones=zones)
    # pipeline.motion imports pipeline.core.config, which imports this module.
    from pipeline.measure.ground import fit_error_px

    try:
        error = fit_error_px(ground)
    except ValueError as reason:
        raise PoselineError(f"{file}: {reason}; spread the points over the floor, no three on a line") from reason
    extent = float(np.linalg.norm(np.ptp(np.array(image), axis=0)))
    worst = int(np.argmax(error))
    if error[worst] > max(_TOLERANCE * extent, _TOLERANCE_PX):
        raise PoselineError(
            f"{file}: no plane fits the points: the worst, point {worst + 1} px = [{image[worst][0]:g}, "
            f"{image[worst][1]:g}], is off by {error[worst]:.0f} px; check px and m of each point, or give a "
            "calibration if the lens bends lines"
        )
    return ground


def zone_column(name: str) -> str:
    """The column of a zone's seconds: ``zone_NAME_s``, in small letters, anything but letters and digits as _."""
    plain = re.sub(r"[\W_]+", "_", name.lower()).strip("_")
    return f"zone_{plain}_s"


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
    """The section of the wanted camera, by section or by name, else of the only one that can be meant."""
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


def _camera(file: str, section: str, table: dict[str, Any], size_px: tuple[int, int] | None) -> Camera:
    _known(file, table, _CAMERA_KEYS, f"camera {section}")
    size = _vector(file, f"camera {section} size", table.get("size"), 2)
    rows = table["matrix"] if isinstance(table["matrix"], list) and len(table["matrix"]) == 3 else [None] * 3
    matrix = np.array([_vector(file, f"camera {section} matrix", row, 3) for row in rows])
    if matrix[0, 0] <= 0 or matrix[1, 1] <= 0 or min(size) <= 0:
        raise PoselineError(f"{file}: camera {section} has no positive focal length and size; calibrate it again")
    shown = size_px or (round(size[0]), round(size[1]))
    scale = np.array(shown) / np.array(size)
    if np.abs(np.subtract(shown, size)).max() <= _PADDING_PX:
        scale = np.ones(2)  # cut off at the right or below, not shrunk
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
        camera = Camera(
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
    from pipeline.measure.ground import camera_height_m

    height = camera_height_m(camera)
    if height <= 0:
        raise PoselineError(
            f"{file}: camera {section} is at z = {height:.2f} m, not above the floor; calibrate it with z = 0 on the "
            "floor and z pointing up"
        )
    return camera


def _known(file: str, table: dict[str, Any], keys: set[str], where: str) -> None:
    """Raise PoselineError for a key that means nothing."""
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
