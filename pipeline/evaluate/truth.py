"""Truth of people in space, as motion capture or several calibrated cameras give it, from an .npz."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from pipeline.core.errors import PoselineError

NAMES, FRAMES, PLACES = ("names", "joint_names", "joints"), ("frames", "frame"), ("positions", "joints", "joints_m")
WANTED = "names (J,), frames (n,) and positions (n, J, 3) or (people, n, J, 3) in metres, NaN where not known"
MOST_M = 20.0  # largest distance between two joints of a person: larger values are not in metres


class Truth(NamedTuple):
    """People in space."""

    names: tuple[str, ...]  # (J,)
    frames: np.ndarray  # (n,) of the video, the first is 0
    positions: np.ndarray  # (P, n, J, 3) f64 m, NaN where not known


def read_truth(path: Path) -> Truth:
    """Read names, frames and positions, in any order; arrays with other names are recognised by kind and shape.

    Missing frames are 0 to n - 1. Instead of names and positions there may be an array (n, 3) or (people, n, 3) for
    each joint, with the joint's name. ``LeftHip``, ``L_Hip``, ``left hip`` and the like are ``left_hip``.

    Raises:
        PoselineError: the file lacks these arrays.
    """
    arrays = _arrays(path)
    found = ", ".join(f"{key} {a.dtype}{a.shape}" for key, a in arrays.items()) or "nothing"
    names = _only(arrays, NAMES, lambda a: a.ndim == 1 and a.dtype.kind in "US")
    places = _only(arrays, PLACES, lambda a: a.ndim in (3, 4) and a.shape[-1] == 3 and a.dtype.kind in "fiu")
    if names is None and places is None:
        names, places = _by_joint(arrays)
    if names is None or places is None or places.shape[-2] != len(names):
        raise PoselineError(f"{path}: holds {found}; give {WANTED}")
    lengths = places.shape[:-2]
    frames = _only(arrays, FRAMES, lambda a: a.ndim == 1 and a.dtype.kind in "fiu" and len(a) in lengths)
    if frames is None and any(key in arrays for key in FRAMES):
        raise PoselineError(f"{path}: frames are not as many whole numbers as positions; holds {found}; give {WANTED}")
    places = places[None] if places.ndim == 3 else places
    if frames is not None and len(frames) == places.shape[0] != places.shape[1]:
        places = places.swapaxes(0, 1)  # (n, people, J, 3)
    said = [name_of(str(n, "utf-8", "replace") if isinstance(n, bytes) else str(n)) for n in names.tolist()]
    twice = sorted({name for name in said if said.count(name) > 1})
    if twice:
        raise PoselineError(f"{path}: has {', '.join(twice)} more than once among its names; give each joint once")
    positions = np.where(np.isfinite(places), places, np.nan).astype(np.float64)
    _check_metres(path, positions)
    return Truth(tuple(said), _whole(path, frames, positions.shape[1]), positions)


def name_of(text: str) -> str:
    """A joint's name as tables have it: ``LHip``, ``Left Hip`` and ``hip_l`` are left_hip."""
    words = [w.lower() for w in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", text)]
    sides = {"l": "left", "r": "right", "left": "left", "right": "right"}
    side = [sides[w] for w in words if w in sides]
    rest = [w for w in words if w not in sides]
    return "_".join(side + rest) if len(side) == 1 and rest else text


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: np.asarray(file[key]) for key in file.files}
    except (OSError, ValueError, BadZipFile, EOFError, AttributeError, TypeError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PoselineError(f"{path}: cannot be read ({why}); give an .npz with {WANTED}") from error


def _only(
    arrays: dict[str, np.ndarray], called: tuple[str, ...], fits: Callable[[np.ndarray], bool]
) -> np.ndarray | None:
    """The first array with one of the names that fits, else the only array that fits."""
    named = [arrays[name] for name in called if name in arrays and fits(arrays[name])]
    fitting = named[:1] or [a for a in arrays.values() if fits(a)]
    return fitting[0] if len(fitting) == 1 else None


def _by_joint(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Names and positions of arrays (n, 3) or (people, n, 3), one for each joint."""
    own = {key: a for key, a in arrays.items() if a.ndim in (2, 3) and a.shape[-1] == 3 and a.dtype.kind in "fiu"}
    if len({a.shape for a in own.values()}) != 1:
        return None, None
    return np.array(list(own)), np.stack(list(own.values()), -2)


def _whole(path: Path, frames: np.ndarray | None, n: int) -> np.ndarray:
    """The frames as whole numbers."""
    if frames is None:
        return np.arange(n)
    if len(frames) != n or not np.isfinite(frames).all() or (frames != np.round(frames)).any():
        raise PoselineError(f"{path}: frames are not {n} whole numbers; give {WANTED}")
    if len(np.unique(frames)) != n:
        raise PoselineError(f"{path}: has a frame twice; give each frame once, several people as (people, n, J, 3)")
    return frames.astype(np.int64)


def _check_metres(path: Path, positions: np.ndarray) -> None:
    """Raise PoselineError where people are too large for positions in metres."""
    known = np.isfinite(positions).all(-1)
    some = known.sum(-1) >= 2
    if not some.any():
        return
    low = np.where(known[..., None], positions, np.inf).min(-2)[some]
    high = np.where(known[..., None], positions, -np.inf).max(-2)[some]
    size = float(np.median((high - low).max(-1)))
    if size > MOST_M:
        raise PoselineError(f"{path}: a person's joints are {size:.0f} m apart; give positions in metres")
