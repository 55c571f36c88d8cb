"""A network's own description of its keypoints as a `Skeleton`."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17, Skeleton

# For data sets that state no sigmas: COCO-WholeBody's for hands and faces, and a joint's, lie around it (.01 to .1).
SIGMA = 0.05


def skeleton(meta: dict[str, Any]) -> Skeleton:
    """The keypoint set of an mmpose ``dataset_meta``. PoselineError when it names no keypoints.

    Names become column names, hence letters, digits and underscores; pairs are (left, right) where the names say so.
    """
    by_id = meta.get("keypoint_id2name")
    if not by_id:
        raise PoselineError("this network does not say what its keypoints are; give a checkpoint with dataset_meta")
    names = _unique([_column(str(by_id[k])) for k in sorted(by_id, key=int)])
    if names == COCO17.names:
        return COCO17
    limbs = tuple((int(a), int(b)) for a, b in (meta.get("skeleton_links") or ()) if int(a) != int(b))
    sigmas = np.asarray(meta.get("sigmas") if meta.get("sigmas") is not None else [], np.float64).ravel()
    if len(sigmas) != len(names):
        sigmas = np.full(len(names), SIGMA)
    return Skeleton(
        _column(str(meta.get("dataset_name") or f"points{len(names)}")),
        names,
        limbs,
        tuple(float(s) for s in np.where(sigmas > 0, sigmas, SIGMA)),
        _pairs(names, meta.get("flip_indices")),
    )


def _column(name: str) -> str:
    """A name of letters, digits and underscores."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "point"


def _unique(names: list[str]) -> tuple[str, ...]:
    """The names, with a number behind those that are taken."""
    out: list[str] = []
    for name in names:
        numbered = (f"{name}_{n}" for n in count(2))
        out.append(name if name not in out else next(other for other in numbered if other not in {*names, *out}))
    return tuple(out)


def _pairs(names: tuple[str, ...], flip: Any) -> tuple[tuple[int, int], ...]:
    """(left, right) pairs from the permutation that mirrors the set."""
    if flip is None or len(flip) != len(names):
        return ()
    pairs = [(i, int(j)) for i, j in enumerate(flip) if i < int(j)]
    return tuple((b, a) if _is_left(names[b]) and not _is_left(names[a]) else (a, b) for a, b in pairs)


def _is_left(name: str) -> bool:
    return bool(re.search(r"(^|_)(left|l)(_|$)", name, re.IGNORECASE))
