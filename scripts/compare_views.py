"""How far two views of one person differ in 3D: python scripts/compare_views.py RUN_A RUN_B [CALIBRATION]

Both videos were started together. Of each pair of people the twelve large joints about the middle of the hips are
brought together by one rotation for the whole sequence; the pair that differs the least is printed, in mm.

With a calibration of Qualisys, whose cameras have the names of the runs, the points of both views are triangulated. Two
errors are printed for each view, in mm after the best rotation, scale and shift of each frame: of the run, and of the
triangulated points seen by that camera, which fit together exactly, lifted again; of the twelve joints, and of those of
trunk and legs alone. By how much the rays of both views miss each other says how true the triangulation is.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from coverage_views import Camera, cameras

from pipeline.evaluate.lifting import aligned, aligned_as_one, distance, lift_whole
from pipeline.export.person import PersonTable, everybody
from pipeline.lift.joints import JOINTS, POINTS
from pipeline.lift.network import Network
from pipeline.models.runtime import pick_device
from pipeline.store.folder import RunFolder

PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
NAMES = [f"{side}_{part}" for part in PARTS for side in ("left", "right")]
HIPS = [NAMES.index("left_hip"), NAMES.index("right_hip")]
ALL = list(range(len(NAMES)))
TRUNK_AND_LEGS = [i for i, name in enumerate(NAMES) if not name.endswith(("elbow", "wrist"))]
LEAST_FRAMES = 20


def joints_of(person: PersonTable) -> tuple[np.ndarray, np.ndarray]:
    """Frames (L,) and joints (L, 12, 3) m about the middle of the hips."""
    if f"{NAMES[0]}_x_m" not in person.columns:
        raise SystemExit(f"{person.file}: has no joints in metres")
    at = np.stack([np.stack([person.column(f"{name}_{axis}_m") for axis in "xyz"], -1) for name in NAMES], 1)
    return person.column("frame").astype(int), (at - at[:, HIPS].mean(1, keepdims=True)).astype(float)


def difference(a: PersonTable, b: PersonTable) -> np.ndarray | None:
    """(12,) mm by joint; None where they are hardly ever seen together."""
    (frames_a, at_a), (frames_b, at_b) = joints_of(a), joints_of(b)
    _, rows_a, rows_b = np.intersect1d(frames_a, frames_b, return_indices=True)
    at_a, at_b = at_a[rows_a], at_b[rows_b]
    known = np.isfinite(at_a).all(-1) & np.isfinite(at_b).all(-1)
    if known.all(1).sum() < LEAST_FRAMES:
        return None
    at_a, at_b = (np.where(known[..., None], at, 0) for at in (at_a, at_b))
    apart = distance(aligned_as_one(at_a, at_b, rotation_only=True, known=known), at_b)
    return 1000 * np.nanmean(np.where(known, apart, np.nan), 0)


def rays_of(person: PersonTable, camera: Camera) -> np.ndarray:
    """(L, K, 2) x / z and y / z of the points of the lifter; NaN where the table has none."""
    px = np.full((len(person.column("frame")), len(POINTS), 2), np.nan)
    for k, name in enumerate(POINTS):
        named = next((n for n in (name, name.replace("_toe", "_big_toe")) if f"{n}_x_px" in person.columns), None)
        if named:
            px[:, k] = np.stack([person.column(f"{named}_{axis}_px") for axis in "xy"], -1)
    flat = px.reshape(-1, 1, 2) - 0.5
    return cv2.undistortPoints(flat, camera.matrix, camera.lens)[:, 0].reshape(px.shape)


def against_both(people: list[PersonTable], seen_by: list[Camera]) -> None:
    """Print how far each view is from the triangulation of both."""
    frames = [p.column("frame").astype(int) for p in people]
    _, *rows = np.intersect1d(frames[0], frames[1], return_indices=True)
    rays = [rays_of(p, c)[r] for p, c, r in zip(people, seen_by, rows, strict=True)]
    sight = [np.concatenate([c.turn, c.shift_m[:, None]], 1) for c in seen_by]
    space = cv2.triangulatePoints(*sight, *(r.reshape(-1, 2).T for r in rays))
    space = (space[:3] / space[3]).T.reshape(*rays[0].shape[:2], 3)
    large = space[:, [POINTS.index(name) for name in NAMES]]
    network = Network(pick_device("cpu"))
    print("against the triangulation of both, mm: the run; the triangulated points lifted")
    for person, camera, row in zip(people, seen_by, rows, strict=True):
        before = space @ camera.turn.T + camera.shift_m
        seen = np.isfinite(before).all(-1)
        again, _ = lift_whole(network, person.column("time_s")[row], before[..., :2] / before[..., 2:], seen * 1.0)
        found = (joints_of(person)[1][row], again[:, [JOINTS.index(name) for name in NAMES]])
        every, some = ([off_mm(joints[:, of], large[:, of]) for joints in found] for of in (ALL, TRUNK_AND_LEGS))
        name = person.file.parent.parent.name
        print(f"  {name:15} {every[0]:.1f}; {every[1]:.1f}; trunk and legs {some[0]:.1f}; {some[1]:.1f}")
    missed = 1000 * np.nanmedian(missed_m(space, rays[0], seen_by[0]), 0)
    print("rays from the points between them, mm, left and right:")
    for i, part in enumerate(PARTS):
        print(f"  {part:15} {' '.join(f'{missed[POINTS.index(name)]:.0f}' for name in NAMES[2 * i : 2 * i + 2])}")


def off_mm(found: np.ndarray, true: np.ndarray) -> float:
    """The mean distance of joints (L, N, 3), each frame aligned; frames of which more than half is known."""
    both = np.isfinite(found).all(-1) & np.isfinite(true).all(-1)
    some = both.sum(1) > both.shape[1] // 2
    at, there = (np.where(both[..., None], x, 0)[some] for x in (found, true))
    return float(1000 * distance(aligned(at, there, both[some]), there)[both[some]].mean())


def missed_m(space: np.ndarray, rays: np.ndarray, camera: Camera) -> np.ndarray:
    """(L, K) m from points (L, K, 3) to their rays (L, K, 2)."""
    before = space @ camera.turn.T + camera.shift_m
    return np.linalg.norm((before[..., :2] / before[..., 2:] - rays) * before[..., 2:], axis=-1)


first, second = (everybody(RunFolder.existing(Path(run))) for run in sys.argv[1:3])
found = {(a.person_id, b.person_id): difference(a, b) for a in first for b in second}
pairs = {pair: apart for pair, apart in found.items() if apart is not None}
if not pairs:
    raise SystemExit("nobody is in both")
best = min(pairs, key=lambda pair: float(pairs[pair].mean()))
print(f"people {best[0]} and {best[1]}: {pairs[best].mean():.1f} mm")
for name, apart in zip(NAMES, pairs[best], strict=True):
    print(f"  {name:15} {apart:.0f}")
if len(sys.argv) > 3:
    at = cameras(Path(sys.argv[3]))
    lacking = [Path(run).name for run in sys.argv[1:3] if Path(run).name not in at]
    if lacking:
        raise SystemExit(f"{sys.argv[3]}: has no camera {lacking[0]}; name the videos after the cameras {list(at)}")
    pair = [next(p for p in side if p.person_id == i) for side, i in zip((first, second), best, strict=True)]
    against_both(pair, [at[Path(run).name] for run in sys.argv[1:3]])
