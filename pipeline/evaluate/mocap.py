"""Motion capture as truth for the lifter: joint centres from a file, the points a pose network sees, random cameras.

A file holds ``joints`` (names), ``root_m (n, 3)``, ``offset_m (n, joints, 3)`` about it, ``length`` of each trial in
frames, ``trial`` (``subject_trial``) and ``fps``; metres, y up.
"""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.evaluate.mocap_files import from_folder
from pipeline.evaluate.mocap_types import AT, FACE, NAMES, Mocap
from pipeline.lift.joints import JOINTS

_HEEL = (-0.14, -0.57)  # along the line from ankle to ball and square to it towards the knee, in lengths of that line


def load(path: str | Path) -> Mocap:
    """Read a file of motion capture, or a folder of AMC and BVH files (`pipeline.evaluate.mocap_files`).

    PoselineError when it is none, or lacks joints.
    """
    if Path(path).is_dir():
        return from_folder(Path(path))
    try:
        with np.load(path, allow_pickle=False) as file:
            names = [str(n) for n in file["joints"]]
            points = file["root_m"].astype(np.float32)[:, None] + file["offset_m"].astype(np.float32)
            length, fps = file["length"].astype(int), float(file["fps"])
            subject = np.array([str(t).split("_")[0] for t in file["trial"]])
    except (OSError, KeyError, ValueError, BadZipFile, EOFError) as error:
        wanted = "joints, root_m, offset_m, length, trial, fps"
        raise PoselineError(f"{path}: no motion capture ({error}); it must be an .npz file with {wanted}") from error
    lacking = [n for n in NAMES if n not in names]
    if lacking:
        raise PoselineError(f"{path}: lacks the joints {', '.join(lacking)}; see docs/lifting.md for those of the file")
    if length.sum() != len(points) or not np.isfinite(points).all():
        raise PoselineError(f"{path}: {len(points)} frames, {length.sum()} in its trials, or gaps; make it again")
    start = np.concatenate([[0], np.cumsum(length)[:-1]])
    return Mocap(np.ascontiguousarray(points[:, [names.index(n) for n in NAMES]]), start, length, subject, fps)


def heights(points: np.ndarray) -> np.ndarray:
    """(...) m, the height of a person whose joints (..., 23, 3) are given: the chain of legs, trunk and neck, enlarged.

    Hip to ankle, pelvis to neck and neck to the head joint are .245 + .246, .288 and .130 of the height (Drillis and
    Contini 1966; the head joint lies at the ears).
    """

    def long(a: str, b: str) -> np.ndarray:
        return np.linalg.norm(points[..., AT[a], :] - points[..., AT[b], :], axis=-1)

    legs = [long(f"{s}_hip", f"{s}_knee") + long(f"{s}_knee", f"{s}_ankle") for s in ("left", "right")]
    middle = (points[..., AT["left_hip"], :] + points[..., AT["right_hip"], :]) / 2
    shoulders = (points[..., AT["left_shoulder"], :] + points[..., AT["right_shoulder"], :]) / 2
    trunk = np.linalg.norm(shoulders - middle, axis=-1)
    return (np.mean(legs, 0) + trunk) / (0.245 + 0.246 + 0.288)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


def joints_of(points: np.ndarray, turn_rad: np.ndarray | None = None, face_m: np.ndarray | None = None) -> np.ndarray:
    """(N, T, J, 3) m, the lifter's joints from those of motion capture (N, T, 23, 3).

    Nose, eyes and ears lie about the head joint, heels about the ankle.

    Args:
        turn_rad: (N, T) the head's turn to the left against the shoulders.
        face_m: (N, 5, 3) what is added to FACE.
    """
    out = np.empty((*points.shape[:2], len(JOINTS), 3), np.float32)
    for j, name in enumerate(JOINTS):
        if name in AT:
            out[..., j, :] = points[..., AT[name], :]
    left, up, forward = _head(points, np.zeros(points.shape[:2]) if turn_rad is None else turn_rad)
    for i, (name, place) in enumerate(FACE.items()):
        x = np.asarray(place, np.float32) + (np.zeros((1, 3), np.float32) if face_m is None else face_m[:, i])
        x = x[:, None, :, None].astype(np.float32)
        out[..., JOINTS.index(name), :] = (
            points[..., AT["head_top"], :] + x[..., 0, :] * left + x[..., 1, :] * up + x[..., 2, :] * forward
        )
    for side in ("left", "right"):
        out[..., JOINTS.index(f"{side}_heel"), :] = _heel(points, side)
    return out


def _head(points: np.ndarray, turn_rad: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, T, 3) each: the head's axes to the left, up and forward."""
    up = _unit(points[..., AT["head_top"], :] - points[..., AT["neck"], :])
    across = points[..., AT["left_shoulder"], :] - points[..., AT["right_shoulder"], :]
    left = _unit(across - up * (across * up).sum(-1, keepdims=True))
    forward = np.cross(left, up)
    c, s = np.cos(turn_rad)[..., None].astype(np.float32), np.sin(turn_rad)[..., None].astype(np.float32)
    return left * c - forward * s, up, forward * c + left * s


def _heel(points: np.ndarray, side: str) -> np.ndarray:
    """(N, T, 3) the heel, which lies behind and under the ankle."""
    ankle, ball = points[..., AT[f"{side}_ankle"], :], points[..., AT[f"{side}_ball"], :]
    along = ball - ankle
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    along = along / np.maximum(length, 1e-6)
    shank = points[..., AT[f"{side}_knee"], :] - ankle
    square = _unit(shank - along * (shank * along).sum(-1, keepdims=True))
    return ankle + length * (_HEEL[0] * along + _HEEL[1] * square)
