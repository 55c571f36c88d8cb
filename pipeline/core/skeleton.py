"""Keypoint sets as data: names, limbs, left/right pairs, OKS sigmas; maps between sets by name.

The OKS sigmas of the 17 COCO points are those of the COCO keypoint evaluation (Lin et al. 2014, pycocotools); points
that COCO lacks take the value of the nearest comparable COCO-WholeBody point (Jin et al. 2020: feet .066–.092).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

MANY = 40  # keypoints; sets with more are whole bodies with hands and face
LEAST_BODY = 8  # COCO points from which a set has a body
_NAME = re.compile(r"\w[\w .()/-]{0,79}")


@dataclass(frozen=True)
class Skeleton:
    """A keypoint set. ``limbs`` and ``swaps`` hold indices into ``names``."""

    name: str
    names: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]  # OKS standard deviations as fractions of √area
    swaps: tuple[tuple[int, int], ...] | None = None  # (left, right); None: left_x and right_x by name

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"skeleton {self.name}: names must differ")
        if len(self.sigmas) != len(self.names):
            raise ValueError(f"skeleton {self.name}: {len(self.names)} names but {len(self.sigmas)} sigmas")

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Index of a keypoint by name; ValueError when the set lacks it."""
        return self.names.index(name)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(left, right) index pairs."""
        if self.swaps is not None:
            return self.swaps
        right = {n: i for i, n in enumerate(self.names)}
        return tuple(
            (i, right["right_" + n[5:]])
            for i, n in enumerate(self.names)
            if n.startswith("left_") and "right_" + n[5:] in right
        )

    @cached_property
    def flip(self) -> np.ndarray:
        """(K,) permutation that exchanges left and right."""
        order = np.arange(len(self))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return order

    def side(self, k: int) -> int:
        """-1 for a left point, 1 for a right one, 0 for the middle."""
        return self._sides[k]

    @cached_property
    def _sides(self) -> dict[int, int]:
        sides = dict.fromkeys(range(len(self)), 0)
        for left, right in self.pairs:
            sides[left], sides[right] = -1, 1
        return sides

    @cached_property
    def tracked(self) -> np.ndarray:
        """(K',) indices of the points that tell people apart: the body's points of a whole-body set, else all points.

        The 110 points of hands and face move with the body and would outvote it.
        """
        body = np.array([k for k, name in enumerate(self.names) if name in _COCO], np.int64)
        return body if len(self) > MANY and len(body) >= LEAST_BODY else np.arange(len(self))

    def spec(self) -> dict[str, Any]:
        """The set as plain data, for JSON."""
        return {
            "name": self.name,
            "names": list(self.names),
            "limbs": [list(limb) for limb in self.limbs],
            "pairs": [list(pair) for pair in self.pairs],
            "sigmas": list(self.sigmas),
        }

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> Skeleton:
        """The set that `spec` described; KeyError or ValueError when it describes none.

        Names become columns of CSV files, hence characters with a meaning in CSV are refused.
        """
        names = tuple(str(n) for n in spec["names"])
        odd = next((n for n in names if not _NAME.fullmatch(n)), None)
        if odd is not None:
            raise ValueError(f"{odd[:40]!r} is no name of a point")
        if not all(0 <= int(k) < len(names) for pair in (*spec["limbs"], *spec["pairs"]) for k in pair):
            raise ValueError("a limb of points that it lacks")
        return cls(
            str(spec["name"]),
            names,
            tuple((int(a), int(b)) for a, b in spec["limbs"]),
            tuple(float(s) for s in spec["sigmas"]),
            tuple((int(a), int(b)) for a, b in spec["pairs"]),
        )


def _limbs(names: tuple[str, ...], text: str) -> tuple[tuple[int, int], ...]:
    return tuple((names.index(a), names.index(b)) for a, b in (pair.split("-") for pair in text.split()))


_COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
_BODY_LIMBS = (
    "left_ankle-left_knee left_knee-left_hip right_ankle-right_knee right_knee-right_hip left_hip-right_hip "
    "left_shoulder-left_hip right_shoulder-right_hip left_shoulder-right_shoulder left_shoulder-left_elbow "
    "right_shoulder-right_elbow left_elbow-left_wrist right_elbow-right_wrist "
)
_COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
    0.089,
)  # fmt: skip

_BLAZE = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb",
    "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel",
    "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip
_BLAZE_SIGMAS = (
    0.026, 0.025, 0.025, 0.025, 0.025, 0.025, 0.025, 0.035, 0.035, 0.026, 0.026, 0.079, 0.079, 0.072, 0.072, 0.062,
    0.062, 0.066, 0.066, 0.066, 0.066, 0.066, 0.066, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.092, 0.092, 0.068,
    0.068,
)  # fmt: skip

COCO17 = Skeleton(
    "coco17",
    _COCO,
    _limbs(_COCO, _BODY_LIMBS + "nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear"),
    _COCO_SIGMAS,
)
BLAZEPOSE33 = Skeleton(
    "blazepose33",
    tuple({"mouth_left": "left_mouth", "mouth_right": "right_mouth"}.get(n, n) for n in _BLAZE),
    _limbs(
        _BLAZE,
        _BODY_LIMBS + "left_ankle-left_heel left_heel-left_foot_index left_ankle-left_foot_index "
        "right_ankle-right_heel right_heel-right_foot_index right_ankle-right_foot_index left_wrist-left_index "
        "left_wrist-left_pinky left_wrist-left_thumb right_wrist-right_index right_wrist-right_pinky "
        "right_wrist-right_thumb nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear "
        "mouth_left-mouth_right",
    ),
    _BLAZE_SIGMAS,
)

SKELETONS: dict[str, Skeleton] = {s.name: s for s in (COCO17, BLAZEPOSE33)}


def mapping(source: Skeleton, target: Skeleton) -> np.ndarray:
    """(K_target,) index of each target keypoint in the source set, by name; -1 where the source lacks it."""
    where = {n: i for i, n in enumerate(source.names)}
    return np.array([where.get(n, -1) for n in target.names])
