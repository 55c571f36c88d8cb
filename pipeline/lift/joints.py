"""The points that the lifter reads and the joints that it gives, and where other keypoint sets have them."""

from __future__ import annotations

import numpy as np

from pipeline.skeleton import COCO17, Skeleton

FEET = ("left_heel", "left_toe", "right_heel", "right_toe")
POINTS = (*COCO17.names, *FEET)  # K points of the picture that go in
JOINTS = (*POINTS, "neck", "thorax", "head_top")  # J joints that come out, about the middle of the hips
K, J = len(POINTS), len(JOINTS)
HIPS = (POINTS.index("left_hip"), POINTS.index("right_hip"))
# What other sets call the tip of the foot.
_ALSO = {"left_toe": ("left_foot_index", "left_big_toe"), "right_toe": ("right_foot_index", "right_big_toe")}


def flipped(names: tuple[str, ...]) -> np.ndarray:
    """(n,) the index of each name's other side."""
    other = {"left_": "right_", "right": "left_"}
    turned = [other["left_"] + n[5:] if n.startswith("left_") else n for n in names]
    turned = [other["right"] + n[6:] if n.startswith("right_") else t for n, t in zip(names, turned, strict=True)]
    return np.array([names.index(n) for n in turned])


def liftable(skeleton: Skeleton) -> bool:
    """Whether the set has what a body's place in space needs: hips, shoulders and knees."""
    needed = {f"{side}_{part}" for side in ("left", "right") for part in ("hip", "shoulder", "knee")}
    return needed <= set(skeleton.names)


def sources(skeleton: Skeleton) -> np.ndarray:
    """(K,) index in the set of each of POINTS, -1 where the set lacks it."""
    where = {n: i for i, n in enumerate(skeleton.names)}
    return np.array([next((where[n] for n in (p, *_ALSO.get(p, ())) if n in where), -1) for p in POINTS])
