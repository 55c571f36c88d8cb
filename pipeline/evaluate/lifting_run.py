"""The 3D of a run against truth in the camera's axes, such as that of calibrated cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from pipeline.errors import PoselineError
from pipeline.evaluate.lifting import aligned, aligned_as_one, distance
from pipeline.export.people import Person, everybody
from pipeline.store import RunFolder

LEAST_JOINTS = 4  # in common, for an alignment
_WANTED = "names (J,), frames (n,) and positions (n, J, 3) or (people, n, J, 3) in metres, NaN where not known"


class Truth(NamedTuple):
    """People in space."""

    names: tuple[str, ...]
    frames: np.ndarray  # (n,)
    positions: np.ndarray  # (P, n, J, 3) m


def read_truth(path: Path) -> Truth:
    """Read an .npz; its arrays are known by their kind and shape, whatever they are called.

    Raises PoselineError when it does not hold what is wanted.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [np.asarray(file[key]) for key in file.files]
    except (OSError, ValueError, BadZipFile, EOFError) as error:
        raise PoselineError(f"{path}: cannot be read ({error}); give an .npz with {_WANTED}") from error
    names = [a for a in arrays if a.ndim == 1 and a.dtype.kind == "U"]
    places = [a for a in arrays if a.ndim in (3, 4) and a.shape[-1] == 3 and a.dtype.kind == "f"]
    if len(names) != 1 or len(places) != 1 or places[0].shape[-2] != len(names[0]):
        found = ", ".join(f"{a.dtype} {a.shape}" for a in arrays)
        raise PoselineError(f"{path}: holds {found or 'nothing'}; give {_WANTED}")
    positions = places[0] if places[0].ndim == 4 else places[0][None]
    frames = [a for a in arrays if a.ndim == 1 and a.dtype.kind in "iu" and len(a) == positions.shape[1]]
    if len(frames) > 1:
        raise PoselineError(f"{path}: holds two arrays of frames; give {_WANTED}")
    frame = frames[0].astype(int) if frames else np.arange(positions.shape[1])
    return Truth(tuple(str(n) for n in names[0]), frame, positions.astype(np.float64))


def score_run(run: Path, gt: Path) -> dict[str, Any]:
    """Errors of each true person's best match among the run's people, mean over the people.

    About the middle of the hips where both have hips, else about the mean of the joints: ``mpjpe_mm``, after a
    similarity per frame ``pa_mpjpe_mm``, after one similarity over the sequence ``pa_sequence_mm``, after one rotation
    ``rotated_mpjpe_mm``.
    """
    truth = read_truth(gt)
    people = everybody(RunFolder.existing(run))
    rows: list[dict[str, Any]] = []
    for p in range(len(truth.positions)):
        scores = [s for person in people if (s := _score(person, truth, p)) is not None]
        if not scores:
            raise PoselineError(
                f"{run}: nobody has {LEAST_JOINTS} joints in metres in common with {gt} in any frame; "
                "lift it first (poseline track RUN --lifter poseline), and compare the names"
            )
        most = max(s["frames"] for s in scores)
        rows.append(min((s for s in scores if 2 * s["frames"] >= most), key=lambda s: s["pa_sequence_mm"]))
    numbers = ("mpjpe_mm", "pa_mpjpe_mm", "pa_sequence_mm", "rotated_mpjpe_mm", "mpjve_mm_per_frame")
    out: dict[str, Any] = {key: float(np.mean([r[key] for r in rows])) for key in numbers}
    out |= {"frames": sum(r["frames"] for r in rows), "people": [r["person_id"] for r in rows]}
    return {**out, "joints": rows[0]["joints"]}


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
    f, t = _rooted(f, names), _rooted(t, names)
    known = np.isfinite(f).all(-1) & np.isfinite(t).all(-1)
    rows = known.sum(1) >= LEAST_JOINTS
    if not rows.any():
        return None
    known, frame = known[rows], truth.frames[other][rows]
    f, t = np.where(known[..., None], f[rows], 0), np.where(known[..., None], t[rows], 0)
    error = np.where(known, distance(f, t), np.nan)
    both = known[1:] & known[:-1] & (np.diff(frame) == 1)[:, None]
    change = np.linalg.norm(np.diff(f - t, axis=0), axis=-1)[both]

    def mean_mm(moved: np.ndarray) -> float:
        return 1000 * float(distance(moved, t)[known].mean())

    return {
        "person_id": int(person.person_id),
        "frames": len(f),
        "mpjpe_mm": 1000 * float(np.nanmean(error)),
        "pa_mpjpe_mm": mean_mm(aligned(f, t, known)),
        "pa_sequence_mm": mean_mm(aligned_as_one(f, t, known=known)),
        "rotated_mpjpe_mm": mean_mm(aligned_as_one(f, t, rotation_only=True, known=known)),
        "mpjve_mm_per_frame": 1000 * float(change.mean()) if change.size else float("nan"),
        "joints": {
            n: round(1000 * float(np.nanmean(error[:, j])), 1) for j, n in enumerate(names) if known[:, j].any()
        },
    }


def _rooted(places: np.ndarray, names: list[str]) -> np.ndarray:
    """Places (n, J, 3) about the middle of the hips, or about their mean where there are not both."""
    if not {"left_hip", "right_hip"} <= set(names):
        return places - np.nanmean(places, 1, keepdims=True)
    return places - (places[:, [names.index("left_hip")]] + places[:, [names.index("right_hip")]]) / 2
