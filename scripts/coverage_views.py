"""Coverage on two calibrated views: how far the rays of one joint miss each other, beside the stated deviations."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from coverage_angle import off_deg

from pipeline.core.lens import homogeneous
from pipeline.export.person import PersonTable, everybody
from pipeline.store.folder import RunFolder

DOWN = np.diag([1.0, -1.0, -1.0])  # Qualisys' cameras look along −z


class Camera(NamedTuple):
    """A camera of Qualisys: x_camera = turn x_world + shift."""

    matrix: np.ndarray  # (3, 3)
    lens: np.ndarray  # (4,) k1, k2, p1, p2
    turn: np.ndarray  # (3, 3)
    shift_m: np.ndarray  # (3,)


def cameras(file: Path) -> dict[str, Camera]:
    """The cameras of a calibration of Qualisys by their serial; its pictures have 64ths of pixels."""
    out = {}
    for camera in ElementTree.parse(file).getroot().iter("camera"):
        pose, lens = camera.find("transform"), camera.find("intrinsic")
        if pose is None or lens is None:
            raise SystemExit(f"{file}: a camera lacks transform or intrinsic; give a calibration of Qualisys")
        at = {key: float(value) for key, value in {**pose.attrib, **lens.attrib}.items()}
        turn = DOWN @ np.array([[at[f"r{i}{j}"] for j in "123"] for i in "123"])
        place = np.array([at[axis] for axis in "xyz"]) / 1000
        matrix = np.diag([at["focalLengthU"], at["focalLengthV"], 64.0]) / 64
        matrix[:2, 2] = at["centerPointU"] / 64, at["centerPointV"] / 64
        names = ("radialDistortion1", "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2")
        out[camera.attrib["serial"]] = Camera(matrix, np.array([at[n] for n in names]), turn, -turn @ place)
    return out


class View(NamedTuple):
    """One person in the frames that both views have, L, with K points."""

    names: list[str]
    rays: np.ndarray  # (L, K, 2) x / z and y / z
    std: np.ndarray  # (L, K) of them, per axis
    knee_deg: np.ndarray  # (L, 2) in space, as the table has it; NaN where it has none
    knee_std_deg: np.ndarray  # (L, 2)


def _view(person: PersonTable, camera: Camera, frames: np.ndarray) -> View:
    rows = np.isin(person.column("frame").astype(int), frames)
    names = [c.removesuffix("_std_px") for c in person.columns if c.endswith("_std_px")]
    px = np.stack([np.stack([person.column(f"{n}_{axis}_px") for axis in "xy"], -1) for n in names], 1)[rows]
    std = np.stack([person.column(f"{n}_std_px") for n in names], 1)[rows] / camera.matrix[0, 0]
    flat = px.reshape(-1, 1, 2).astype(np.float64) - 0.5
    rays = cv2.undistortPoints(flat, camera.matrix, camera.lens)[:, 0].reshape(px.shape)
    knees = []
    for name in ("{}_knee_flexion_3d_deg", "{}_knee_flexion_3d_deg_std"):
        columns = [name.format(side) for side in ("left", "right")]
        there = set(columns) <= set(person.columns)
        knees.append(np.stack([person.column(c) for c in columns], 1)[rows] if there else np.full((len(px), 2), np.nan))
    return View(names, rays, std, *knees)


def views(run_a: str, run_b: str, calibration: str) -> Iterator[str]:
    """A row for each point and for knee angles."""
    known = cameras(Path(calibration))
    runs = [Path(run) for run in (run_a, run_b)]
    lacking = [run.name for run in runs if run.name not in known]
    if lacking:
        raise SystemExit(f"{calibration}: has no camera {lacking[0]}; name the videos after the cameras {list(known)}")
    people = [max(everybody(RunFolder.existing(run)), key=lambda p: len(p.column("frame"))) for run in runs]
    frames = np.intersect1d(*(p.column("frame").astype(int) for p in people))
    a, b = (_view(p, known[run.name], frames) for p, run in zip(people, runs, strict=True))
    miss, std = missed(a, b, known[runs[0].name], known[runs[1].name])
    held = np.abs(miss) < 1.96 * std
    yield "| point | median miss | its deviation | holds |"
    yield "| --- | --- | --- | --- |"
    names = np.array(a.names)
    bare = np.array([n.removeprefix("left_").removeprefix("right_") for n in names])
    for kind in ("all", *dict.fromkeys(bare)):
        some = np.isfinite(miss) & ((bare == kind) | (kind == "all"))
        sizes = [1000 * np.median(x[some]) for x in (np.abs(miss), std)]
        yield f"| {kind} | {sizes[0]:.1f} | {sizes[1]:.1f} | {100 * held[some].mean():.1f} % |"
    yield from _knees(a, b, known[runs[0].name], known[runs[1].name])


def missed(a: View, b: View, camera_a: Camera, camera_b: Camera) -> tuple[np.ndarray, np.ndarray]:
    """How far the rays of both views miss each other (L, K), and its deviation, in thousandths of the distance.

    The epipolar constraint, to first order of the errors (Sampson), which are taken as independent.
    """
    turn = camera_b.turn @ camera_a.turn.T
    x, y, z = camera_b.shift_m - turn @ camera_a.shift_m
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ turn
    in_a, in_b = homogeneous(a.rays), homogeneous(b.rays)
    of_a, of_b = in_a @ essential.T, in_b @ essential
    steep_b, steep_a = (np.square(of[..., :2]).sum(-1) for of in (of_a, of_b))
    unit = np.sqrt(steep_a + steep_b)
    std = np.sqrt(steep_a * np.square(a.std) + steep_b * np.square(b.std)) / unit
    return (in_b * of_a).sum(-1) / unit, std


def _knees(a: View, b: View, camera_a: Camera, camera_b: Camera) -> Iterator[str]:
    """Knees in space of each view beside those of the triangulated points."""
    sight = [np.concatenate([c.turn, c.shift_m[:, None]], 1) for c in (camera_a, camera_b)]
    flat = [v.rays.reshape(-1, 2).T for v in (a, b)]
    space = cv2.triangulatePoints(*sight, *flat)
    space = (space[:3] / space[3]).T.reshape(*a.rays.shape[:2], 3)
    for view, name in ((a, "first"), (b, "second")):
        inside = []
        for i, side in enumerate(("left", "right")):
            leg = space[:, [view.names.index(f"{side}_{part}") for part in ("hip", "knee", "ankle")]]
            upper, lower = leg[:, 1] - leg[:, 0], leg[:, 2] - leg[:, 1]
            cosine = (upper * lower).sum(-1) / (np.linalg.norm(upper, axis=-1) * np.linalg.norm(lower, axis=-1))
            off = np.abs(off_deg(view.knee_deg[:, i], np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
            told = np.isfinite(off) & np.isfinite(view.knee_std_deg[:, i])
            inside.append(off[told] < 1.96 * view.knee_std_deg[told, i])
        held = np.concatenate(inside)
        yield f"| knee in space, {name} view | {len(held)} | | " + (f"{100 * held.mean():.1f} %" if len(held) else "–")
