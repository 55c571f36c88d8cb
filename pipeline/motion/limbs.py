"""Arms and legs of a keypoint set, as chains of three joints and what hangs on their ends."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pipeline.core.skeleton import Skeleton

_CHAINS = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
_BEYOND = {
    "wrist": ("hand", "thumb", "finger", "forefinger", "index", "middle_finger", "ring_finger", "pinky"),
    "ankle": ("heel", "big_toe", "small_toe", "foot_index", "toe"),
}
_FACE = ("nose", "left_eye", "right_eye")  # hidden ears have no place of their own


class Limb(NamedTuple):
    """An arm or a leg, by indices of keypoints."""

    root: int  # shoulder or hip
    middle: int  # elbow or knee
    end: int  # wrist or ankle
    beyond: tuple[int, ...]  # points of the hand or foot
    leg: bool


@lru_cache(maxsize=8)
def limbs_of(skeleton: Skeleton) -> tuple[Limb, ...]:
    """Left arm, right arm, left leg, right leg; a pair of which a joint is missing from the set is left out."""
    where = {name: k for k, name in enumerate(skeleton.names)}
    out = []
    for chain in _CHAINS:
        if not all(f"{side}_{part}" in where for side in ("left", "right") for part in chain):
            continue
        for side in ("left", "right"):
            root, middle, end = (where[f"{side}_{part}"] for part in chain)
            own = {name.removeprefix(f"{side}_"): k for name, k in where.items() if name.startswith(f"{side}_")}
            beyond = tuple(own[name] for name in sorted(own) if name.startswith(_BEYOND[chain[2]]))
            out.append(Limb(root, middle, end, beyond, chain[0] == "hip"))
    return tuple(out)


@lru_cache(maxsize=8)
def rigid_groups(skeleton: Skeleton) -> tuple[tuple[int, ...], ...]:
    """Points that move nearly as one, three at least: each ankle with its foot, and the face."""
    feet = [(limb.end, *limb.beyond) for limb in limbs_of(skeleton) if limb.leg]
    face = tuple(k for k, name in enumerate(skeleton.names) if name in _FACE)
    return tuple(group for group in (*feet, face) if len(group) >= 3)
