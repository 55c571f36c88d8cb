"""The 3D of a run against truth in the camera's axes, such as that of calibrated cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.core.errors import PoselineError
from pipeline.evaluate.lifting import aligned, aligned_as_one, distance
from pipeline.evaluate.truth import Truth, read_truth
from pipeline.export.person import PersonTable, everybody
from pipeline.store.folder import RunFolder

LEAST_JOINTS = 4  # fewest common joints for an alignment
LEAST_AHEAD_M = 0.3  # nearer people have no place in front of the camera; their joints are about their hips


def score_run(run: Path, gt: Path) -> dict[str, Any]:
    """Errors of the true people, mean over them, each against one of the run's people.

    About the middle of the hips where both have hips, else about the mean of the joints: ``mpjpe_mm``, after a
    similarity per frame ``pa_mpjpe_mm``, after one similarity over the sequence ``pa_sequence_mm``, after one rotation
    ``rotated_mpjpe_mm``; of velocities ``mpjve_mm_s``.

    A single true person is matched with the person of the run who moves most alike; several are matched by where the
    camera sees them. ``missed`` counts the true people without a match. ``ignored`` are joint names that only the
    truth has. A figure is None where the data to compute it are missing.

    Raises:
        PoselineError: no run, no truth, or nothing in common.
    """
    truth = read_truth(gt)
    people = everybody(RunFolder.existing(run))
    scores = [[_score(person, truth, p) for person in people] for p in range(len(truth.positions))]
    chosen = _matched(scores)
    if not any(chosen):
        raise PoselineError(_nothing_common(run, gt, people, truth))
    rows = [row for row in chosen if row is not None]
    numbers = ("mpjpe_mm", "pa_mpjpe_mm", "pa_sequence_mm", "rotated_mpjpe_mm", "mpjve_mm_s")
    values = {key: [r[key] for r in rows if np.isfinite(r[key])] for key in numbers}
    out: dict[str, Any] = {key: float(np.mean(known)) if known else None for key, known in values.items()}
    out |= {"frames": sum(r["frames"] for r in rows), "people": [r["person_id"] for r in rows]}
    out |= {"missed": len(chosen) - len(rows), "ignored": [n for n in truth.names if n not in _joints_of(people)]}
    joints = {name: [r["joints"][name] for r in rows if name in r["joints"]] for name in truth.names}
    return {**out, "joints": {name: round(float(np.mean(values)), 1) for name, values in joints.items() if values}}


def _joints_of(people: list[PersonTable]) -> set[str]:
    """Names of the joints that somebody has in metres."""
    return {c.removesuffix("_x_m") for p in people for c in p.columns if c.endswith("_x_m")}


def _nothing_common(run: Path, gt: Path, people: list[PersonTable], truth: Truth) -> str:
    """Why a run cannot be compared with the truth, in one line."""
    mine = _joints_of(people)
    if not mine:
        return f"{run}: has no joints in metres; lift it first (poseline track {run} --lifter poseline)"
    common = [name for name in truth.names if name in mine]
    if len(common) < LEAST_JOINTS:
        return (
            f"{gt}: has {len(common)} of the run's joints ({', '.join(common) or 'none'}) among "
            f"{', '.join(truth.names)}; give {LEAST_JOINTS} or more, named as the columns of {run} are"
        )
    return (
        f"{run}: nobody has {LEAST_JOINTS} known joints in common with {gt} in any frame; the truth's "
        f"{len(truth.frames)} frames are {_range(truth.frames)}, counted from 0 at the video's start"
    )


def _range(frames: np.ndarray) -> str:
    return f"{frames.min()} to {frames.max()}" if len(frames) else "none"


def _matched(scores: list[list[dict[str, Any] | None]]) -> list[dict[str, Any] | None]:
    """The scores of each true person's match, None without a match. No person of the run is matched twice."""
    cost = np.full((len(scores), max(len(row) for row in scores) if scores else 0), np.inf)
    key = "pa_sequence_mm" if len(scores) == 1 else "apart_deg"
    for p, row in enumerate(scores):
        most = max((s["frames"] for s in row if s), default=0)
        for i, score in enumerate(row):
            if score and 2 * score["frames"] >= most:
                cost[p, i] = score[key] if np.isfinite(score[key]) else score["pa_sequence_mm"]
    worst = 1e6
    mine, theirs = linear_sum_assignment(np.where(np.isfinite(cost), cost, worst))
    out: list[dict[str, Any] | None] = [None] * len(scores)
    for p, i in zip(mine.tolist(), theirs.tolist(), strict=True):
        out[p] = scores[p][i] if np.isfinite(cost[p, i]) else None
    return out


def _score(person: PersonTable, truth: Truth, p: int) -> dict[str, Any] | None:
    """Errors of one person against one of the truth; None where they have too little in common."""
    columns = set(person.columns)
    common = [j for j, name in enumerate(truth.names) if f"{name}_x_m" in columns]
    if len(common) < LEAST_JOINTS:
        return None
    names = [truth.names[j] for j in common]
    found = np.stack([np.stack([person.column(f"{n}_{axis}_m") for axis in "xyz"], -1) for n in names], 1)
    _, mine, other = np.intersect1d(person.column("frame"), truth.frames, return_indices=True)
    f, t = found[mine].astype(np.float64), truth.positions[p][other][:, common]
    apart = _apart_deg(f, t)
    known: np.ndarray = np.isfinite(f).all(-1) & np.isfinite(t).all(-1)
    f, t = _rooted(f, known, names), _rooted(t, known, names)
    known = known & np.isfinite(f).all(-1)
    rows = known.sum(1) >= LEAST_JOINTS
    if not rows.any():
        return None
    known, frame, time_s = known[rows], truth.frames[other][rows], person.column("time_s")[mine][rows]
    f, t = np.where(known[..., None], f[rows], 0), np.where(known[..., None], t[rows], 0)
    error = np.where(known, distance(f, t), np.nan)
    both = known[1:] & known[:-1] & (np.diff(frame) == np.diff(frame).min(initial=1 << 60))[:, None]
    change = (np.linalg.norm(np.diff(f - t, axis=0), axis=-1) / np.diff(time_s)[:, None])[both]

    def mean_mm(moved: np.ndarray) -> float:
        return 1000 * float(distance(moved, t)[known].mean())

    return {
        "person_id": int(person.person_id),
        "apart_deg": apart,
        "frames": len(f),
        "mpjpe_mm": 1000 * float(np.nanmean(error)),
        "pa_mpjpe_mm": mean_mm(aligned(f, t, known)),
        "pa_sequence_mm": mean_mm(aligned_as_one(f, t, known=known)),
        "rotated_mpjpe_mm": mean_mm(aligned_as_one(f, t, rotation_only=True, known=known)),
        "mpjve_mm_s": 1000 * float(change.mean()) if change.size else float("nan"),
        "joints": {
            n: round(1000 * float(np.nanmean(error[:, j])), 1) for j, n in enumerate(names) if known[:, j].any()
        },
    }


def _apart_deg(found: np.ndarray, truth: np.ndarray) -> float:
    """Median angle between two people (n, J, 3) seen from the camera; NaN where the truth is not in front of it."""
    known = np.isfinite(found).all(-1) & np.isfinite(truth).all(-1)
    rows = known.any(1)
    if not rows.any():
        return float("nan")
    weight = known[rows][..., None]
    a, b = ((np.where(weight, p[rows], 0).sum(1) / weight.sum(1)) for p in (found, truth))
    if np.median(b[:, 2]) < LEAST_AHEAD_M or np.median(a[:, 2]) < LEAST_AHEAD_M:
        return float("nan")
    cosine = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    return float(np.median(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))


def _rooted(places: np.ndarray, known: np.ndarray, names: list[str]) -> np.ndarray:
    """Places (n, J, 3) about the middle of the hips, or where those are never ``known (n, J)`` the mean of all joints.

    NaN in frames without hips where there are hips in others.
    """
    hips = [names.index(name) for name in ("left_hip", "right_hip") if name in names]
    both = np.asarray(known[:, hips].all(1))
    if len(hips) == 2 and both.any():
        return np.where(both[:, None, None], places - places[:, hips].mean(1, keepdims=True), np.nan)
    weight = known[..., None]
    middle = np.where(weight, places, 0).sum(1, keepdims=True) / np.maximum(weight.sum(1, keepdims=True), 1)
    out: np.ndarray = places - middle
    return out
