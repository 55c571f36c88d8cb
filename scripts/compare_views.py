"""How far two views of one person differ in 3D: python scripts/compare_views.py RUN_A RUN_B

Both videos were started together. Of each pair of people the twelve large joints about the middle of the hips are
brought together by one rotation for the whole sequence; the pair that differs the least is printed, in mm.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from pipeline.evaluate.lifting import aligned_as_one, distance
from pipeline.export.person import PersonTable, everybody
from pipeline.store.folder import RunFolder

PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
NAMES = [f"{side}_{part}" for part in PARTS for side in ("left", "right")]
HIPS = [NAMES.index("left_hip"), NAMES.index("right_hip")]
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


first, second = (everybody(RunFolder.existing(Path(run))) for run in sys.argv[1:3])
found = {(a.person_id, b.person_id): difference(a, b) for a in first for b in second}
pairs = {pair: apart for pair, apart in found.items() if apart is not None}
if not pairs:
    raise SystemExit("nobody is in both")
best = min(pairs, key=lambda pair: float(pairs[pair].mean()))
print(f"people {best[0]} and {best[1]}: {pairs[best].mean():.1f} mm")
for name, apart in zip(NAMES, pairs[best], strict=True):
    print(f"  {name:15} {apart:.0f}")
