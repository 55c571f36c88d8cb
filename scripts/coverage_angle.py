"""Errors of angles beside the standard deviations that follow from those of their points."""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.measure.angles import angles, sources
from pipeline.measure.deviations import Doubt, angle_std, share_of
from pipeline.measure.frontal import frontal

LEFT_OUT = ("head",)  # annotators mark one ear where networks find both
LEAST = 8  # angles of a kind


def angle_errors(
    found_px: np.ndarray,
    truth_px: np.ndarray,
    std_px: np.ndarray,
    jitter_px: np.ndarray,
    independent: bool = False,
    skeleton: Skeleton = COCO17,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Errors of each kind of angle, left and right together, and their deviations, in degrees.

    Args:
        found_px, truth_px: (P, K, 2), NaN where one is not there.
        std_px, jitter_px: (P, K) deviations, whole and what changes between frames.
        independent: deviations as if the points' errors were independent.
    """
    known = np.where(np.isfinite(truth_px), found_px, np.nan)
    sides = [_values(points, skeleton) for points in (known, truth_px)]
    by_point = [{n: s[:, k].astype(float) for n, k in sources(skeleton).items()} for s in (jitter_px, std_px)]
    std = angle_std(_points(known, skeleton), Doubt(by_point[0], by_point[0], by_point[1]))
    out: dict[str, list[np.ndarray]] = {}
    for name in (n for n in sides[0] if n.endswith("_deg")):
        kind = name.removeprefix("left_").removeprefix("right_").removesuffix("_deg")
        share = share_of(kind) if independent else 1.0
        row = np.stack([off_deg(sides[0][name], sides[1][name]), std[f"{name}_std"] / share])
        out.setdefault(kind, []).append(row[:, np.isfinite(row).all(0)])
    whole = {kind: np.concatenate(rows, 1) for kind, rows in out.items() if not kind.startswith(LEFT_OUT)}
    return {kind: (off, deviation) for kind, (off, deviation) in whole.items() if len(off) >= LEAST}


def _points(px: np.ndarray, skeleton: Skeleton) -> dict[str, np.ndarray]:
    still = np.zeros((4, len(px)))
    return {name: np.concatenate([px[:, k].T.astype(float), still]) for name, k in sources(skeleton).items()}


def _values(px: np.ndarray, skeleton: Skeleton) -> dict[str, np.ndarray]:
    p = _points(px, skeleton)
    return angles(p, np.ones(len(px))) | frontal(p)


def off_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Differences of angles, −180…180."""
    return (a - b + 180) % 360 - 180
