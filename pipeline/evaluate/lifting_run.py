"""The 3D of a run against truth in the camera's axes, such as that of calibrated cameras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.errors import PoselineError
from pipeline.evaluate.lifting import aligned, aligned_as_one, distance
from pipeline.export.people import Person, everybody
from pipeline.store import RunFolder

LEAST_JOINTS = 4  # in common, for an alignment
LEAST_AHEAD_M = 0.3  # people nearer to the camera are not placed before it, but about their hips
_CALLED = {"names": ("names", "joints", "joint_names"), "frames": ("frames", "frame"), "positions": ("positions",)}
_WANTED = "names (J,), frames (n,) and positions (n, J, 3) or (people, n, J, 3) in metres, NaN where not known"


class Truth(NamedTuple):
    """People in space."""

    names: tuple[str, ...]
    frames: np.ndarray  # (n,)
    positions: np.ndarray  # (P, n, J, 3) m


def read_truth(path: Path) -> Truth:
    """Read an .npz; arrays that are not called as `_CALLED` says are known by their kind and shape.

    Raises PoselineError when it does not hold what is wanted.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: np.asarray(file[key]) for key in file.files}
    except (OSError, ValueError, BadZipFile, EOFError) as error:
        raise PoselineError(f"{path}: cannot be read ({error}); give an .npz with {_WANTED}") from error
    found = {key: f"{a.dtype} {a.shape}" for key, a in arrays.items()}
    names = _only(arrays, "names", lambda a: a.ndim == 1 and a.dtype.kind in "US")
    places = _only(arrays, "positions", lambda a: a.ndim in (3, 4) and a.shape[-1] == 3 and a.dtype.kind == "f")
    if names is None or places is None or places.ndim not in (3, 4) or places.shape[-2:] != (len(names), 3):
        raise PoselineError(f"{path}: holds {found or 'nothing'}; give {_WANTED}")
    positions = (places if places.ndim == 4 else places[None]).astype(np.float64)
    n = positions.shape[1]
    frames = _only(arrays, "frames", lambda a: a.ndim == 1 and a.dtype.kind in "iu" and len(a) == n)
    frames = np.arange(n) if frames is None else frames
    if frames.shape != (n,) or frames.dtype.kind not in "iu" or len(np.unique(frames)) != n:
        raise PoselineError(f"{path}: frames {frames.shape} are not {n} different whole numbers; give {_WANTED}")
    said = [str(name, "utf-8") if isinstance(name, bytes) else str(name) for name in names.tolist()]
    if len(set(said)) != len(said):
        raise PoselineError(f"{path}: has a name twice among {', '.join(said)}; give {_WANTED}")
    return Truth(tuple(said), frames.astype(int), positions)


def _only(arrays: dict[str, np.ndarray], what: str, fits: Callable[[np.ndarray], bool]) -> np.ndarray | None:
    """The array that is called so, else the only one that fits."""
    called = [arrays[name] for name in _CALLED[what] if name in arrays]
    fitting = called[:1] or [a for a in arrays.values() if fits(a)]
    return fitting[0] if len(fitting) == 1 else None


def score_run(run: Path, gt: Path) -> dict[str, Any]:
    """Errors of the true people, mean over them, each against one of the run's people.

    About the middle of the hips where both have hips, else about the mean of the joints: ``mpjpe_mm``, after a
    similarity per frame ``pa_mpjpe_mm``, after one similarity over the sequence ``pa_sequence_mm``, after one rotation
    ``rotated_mpjpe_mm``; of velocities ``mpjve_mm_s``.

    One true person is the one whose movements are the most alike; several are told apart by where the camera sees
    them; ``missed`` is how many of them are nobody's match.
    """
    truth = read_truth(gt)
    people = everybody(RunFolder.existing(run))
    scores = [[_score(person, truth, p) for person in people] for p in range(len(truth.positions))]
    chosen = _matched(scores)
    if not any(chosen):
        raise PoselineError(
            f"{run}: nobody has {LEAST_JOINTS} joints in metres in common with {gt} in any frame; "
            "lift it first (poseline track RUN --lifter poseline), and compare the names"
        )
    rows = [row for row in chosen if row is not None]
    numbers = ("mpjpe_mm", "pa_mpjpe_mm", "pa_sequence_mm", "rotated_mpjpe_mm", "mpjve_mm_s")
    out: dict[str, Any] = {key: float(np.mean([r[key] for r in rows])) for key in numbers}
    out |= {"frames": sum(r["frames"] for r in rows), "people": [r["person_id"] for r in rows]}
    out["missed"] = len(chosen) - len(rows)
    joints = {name: [r["joints"][name] for r in rows if name in r["joints"]] for name in truth.names}
    return {**out, "joints": {name: round(float(np.mean(values)), 1) for name, values in joints.items() if values}}


def _matched(scores: list[list[dict[str, Any] | None]]) -> list[dict[str, Any] | None]:
    """For each true person one row of scores; None where there is none. Nobody of the run stands for two."""
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


def _score(person: Person, truth: Truth, p: int) -> dict[str, Any] | None:
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
    f, t = _rooted(f, names), _rooted(t, names)
    known = np.isfinite(f).all(-1) & np.isfinite(t).all(-1)
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
    """Median angle at which the camera sees two people (n, J, 3) apart; NaN where the truth is not before it."""
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


def _rooted(places: np.ndarray, names: list[str]) -> np.ndarray:
    """Places (n, J, 3) about the middle of the hips, or about their mean where there are not both."""
    if {"left_hip", "right_hip"} <= set(names):
        return places - (places[:, [names.index("left_hip")]] + places[:, [names.index("right_hip")]]) / 2
    known = np.isfinite(places).all(-1, keepdims=True)
    middle = np.where(known, places, 0).sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
    out: np.ndarray = places - middle
    return out
