"""The keypoint sets of whole bodies, as data: COCO-WholeBody's 133 points, its hands alone and its face alone.

Jin et al. 2020, "Whole-Body Human Pose Estimation in the Wild": order of the points, and their OKS sigmas. The face
follows the 68 points of 300-W (Sagonas et al. 2013): jaw from the person's right ear to the left, brows, nose, eyes,
mouth.
"""

from __future__ import annotations

from pipeline.core.skeleton import COCO17, Skeleton

BODY, FEET, FACE = slice(0, 17), slice(17, 23), slice(23, 91)
HANDS = slice(91, 133)  # left, then right

FOOT_NAMES = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel"))
FACE_NAMES = tuple(f"face_{i}" for i in range(68))
_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
_HAND = ("hand_root", *(f"{finger}{i}" for finger in _FINGERS for i in range(1, 5)))
HAND_NAMES = tuple(f"{side}_{part}" for side in ("left", "right") for part in _HAND)

_FOOT_SIGMAS = (0.068, 0.066, 0.066, 0.092, 0.094, 0.094)
_FACE_SIGMAS = (
    0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041,
    0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012,
    0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034,
    0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008,
    0.008, 0.008, 0.010, 0.008,
)  # fmt: skip
_HAND_SIGMAS = (
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021, 0.021,
    0.032, 0.020, 0.019, 0.022, 0.031,
)  # fmt: skip

# Lines of the face: (first, last, closed).
_FACE_LINES = (
    (0, 16, False), (17, 21, False), (22, 26, False), (27, 30, False), (31, 35, False), (36, 41, True), (42, 47, True),
    (48, 59, True), (60, 67, True),
)  # fmt: skip
# Face lines that are their own mirror image: (first, last, sum of a point and its mirror); eyes and mouth turn around.
_FACE_MIRROR = ((0, 16, 16), (17, 26, 43), (31, 35, 66), (48, 54, 102), (55, 59, 114), (60, 64, 124), (65, 67, 132))
_EYES = ((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46))


def _face_limbs(start: int) -> list[tuple[int, int]]:
    limbs = []
    for first, last, closed in _FACE_LINES:
        limbs += [(start + i, start + i + 1) for i in range(first, last)]
        limbs += [(start + last, start + first)] * closed
    return limbs


def _face_swaps(start: int) -> list[tuple[int, int]]:
    """(left, right) pairs: the person's right half has the lower numbers in the jaw, brows, nose, and upper lips."""
    pairs = [(right, left) for right, left in _EYES]
    for first, last, total in _FACE_MIRROR:
        pairs += [(i, total - i) for i in range(first, last + 1) if 2 * i < total]
    # Along the lower lips the numbers run from the person's left to the right.
    return [(start + b, start + a) if a not in (55, 56, 65) else (start + a, start + b) for a, b in pairs]


def _hand_limbs(start: int) -> list[tuple[int, int]]:
    roots = [(start, start + 1 + 4 * f) for f in range(5)]
    return roots + [(start + 4 * f + i, start + 4 * f + i + 1) for f in range(5) for i in range(1, 4)]


def _hand_swaps(left: int, right: int) -> list[tuple[int, int]]:
    return [(left + i, right + i) for i in range(21)]


_FOOT_LIMBS = ((15, 19), (19, 17), (15, 17), (17, 18), (16, 22), (22, 20), (16, 20), (20, 21))

WHOLEBODY133 = Skeleton(
    "wholebody133",
    (*COCO17.names, *FOOT_NAMES, *FACE_NAMES, *HAND_NAMES),
    (*COCO17.limbs, *_FOOT_LIMBS, *_face_limbs(23), *_hand_limbs(91), *_hand_limbs(112)),
    (*COCO17.sigmas, *_FOOT_SIGMAS, *_FACE_SIGMAS, *_HAND_SIGMAS, *_HAND_SIGMAS),
    (*COCO17.pairs, (17, 20), (18, 21), (19, 22), *_face_swaps(23), *_hand_swaps(91, 112)),
)
HANDS42 = Skeleton(
    "hands42",
    HAND_NAMES,
    (*_hand_limbs(0), *_hand_limbs(21)),
    _HAND_SIGMAS * 2,
    tuple(_hand_swaps(0, 21)),
)
FACE68 = Skeleton("face68", FACE_NAMES, tuple(_face_limbs(0)), _FACE_SIGMAS, tuple(_face_swaps(0)))
