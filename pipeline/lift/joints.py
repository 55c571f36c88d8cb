"""The points that the lifter reads, the joints that it gives, and their names in other keypoint sets."""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import COCO17, Skeleton

FEET = ("left_heel", "left_toe", "right_heel", "right_toe")
POINTS = (*COCO17.names, *FEET)  # K points of the picture that go in
JOINTS = (*POINTS, "neck", "thorax", "head_top")  # J joints that come out, about the middle of the hips
K, J = len(POINTS), len(JOINTS)
HIPS = (POINTS.index("left_hip"), POINTS.index("right_hip"))
# Points of other sets that the network does not give: each is as far away as the weighted mean of the joints named
# here. The top of the head lies beyond the head's middle, which head_top means here; a small toe lies beside the big
# toe.
FURTHER: dict[str, dict[str, float]] = {
    "hip": {"left_hip": 0.5, "right_hip": 0.5},
    "neck": {"neck": 1.0},
    "head": {"neck": -0.8, "head_top": 1.8},
    "left_small_toe": {"left_toe": 1.0, "left_hip": 0.35, "right_hip": -0.35},
    "right_small_toe": {"right_toe": 1.0, "right_hip": 0.35, "left_hip": -0.35},
}
# The names of the tip of the foot in other sets.
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


def name_in(joint: str, skeleton: Skeleton) -> str:
    """The name of one of JOINTS beside the points of a set, which may have a different point of the same name.

    Halpe's neck lies at the throat, .02 to .04 of the height above the lifter's neck. The lifter's neck is then named
    ``neck_joint``.
    """
    if joint in POINTS:
        source = sources(skeleton)[POINTS.index(joint)]
        return skeleton.names[source] if source >= 0 else joint
    return f"{joint}_joint" if joint in skeleton.names else joint


def further(skeleton: Skeleton) -> tuple[tuple[str, ...], np.ndarray]:
    """The names (F,) of the points of FURTHER that the set has, and weights (F, J) of the joints beside each point."""
    names = tuple(name for name in FURTHER if name in skeleton.names)
    weights = np.zeros((len(names), J), np.float32)
    for row, name in zip(weights, names, strict=True):
        for joint, weight in FURTHER[name].items():
            row[JOINTS.index(joint)] = weight
    return names, weights
