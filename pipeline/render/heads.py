"""Capsules around people's heads, for blurring: when in doubt too large, so that the whole head is covered.

Lengths are shares of a standing height: a head with hair reaches about .07 from its middle in each direction (Winter
2009: from chin to vertex .130), the middle of the shoulders lies .13 below its middle, the trunk is .288 long. The top
of the head and a neck, which in Halpe lies at the throat, are .14 apart, with the head between them.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import Skeleton

RADIUS = 0.092  # of the blurred disc: a head with hair and chin, and a margin
_TRUNK, _NECK = 0.288, 0.135  # hips to shoulders; shoulders to the middle of the head
# Head radius per distance between two points, for the view in which that distance looks longest.
_RATIOS = {("ear", "ear"): 1.1, ("eye", "eye"): 2.5, ("shoulder", "shoulder"): 0.42}
_EYE_EAR, _NOSE_EAR = 1.6, 1.35  # from the side
_UPRIGHT, _MIDDLE = 0.14, 0.54  # top of the head to the neck, and the head's middle on the way from the neck
_ASTRAY = 2.0  # radii; a middle by top and neck that is farther from the place by all other points is misplaced
_NOD, _BY_NECK = 0.03, 1.15  # from the shoulders alone the head may be so much higher or lower; factor of the radius
_TRUNK_RATIO = RADIUS / _TRUNK
_OF_BOX = RADIUS / 1.04  # a standing person's box is a little higher than the person
_MOST_OF_BODY = 1.35  # largest radius, times the radius from the body
# Largest radius as a share of the box's longer side: in general, and for a box over `_SLENDER` times as long as wide.
_MOST_OF_BOX, _MOST_OF_SLENDER, _SLENDER = 0.35, 0.22, 1.5
_REACH = 0.075  # how far a head reaches beyond its points
_MOST_TRUNK = 0.62  # longest trunk as a share of the box, for people whose legs are not in the box
_SURE = 0.5  # score from which on the points of a face need no support by the shoulders

FACE = ("nose", "eye", "ear", "mouth")


def head_capsules(
    keypoints: np.ndarray, score: np.ndarray, box: np.ndarray, measured: np.ndarray, skeleton: Skeleton
) -> np.ndarray:
    """(L, 5) x1, y1, x2, y2, radius px of a capsule that holds the head in each row; NaN where nothing is known.

    A capsule comes from the face's points and, where the set has them, the top of the head and the neck. Where these
    are unsure or missing it comes from the shoulders; without shoulders it is the upper part of the box in full width.

    Args:
        keypoints: (L, K, 2) px, NaN = missing.
        score: (L, K).
        box: (L, 4) px, NaN = missing.
        measured: (L,) bool, whether the person was seen in the row.
    """
    face = [k for k, name in enumerate(skeleton.names) if _is_face(name)]
    at = {name: keypoints[:, k].astype(np.float64) for k, name in enumerate(skeleton.names)}
    longer = np.fmax(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]).astype(np.float64)
    neck, up, trunk = _trunk(at, len(keypoints))
    shorter = np.fmin(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
    most = np.where(longer > _SLENDER * shorter, _MOST_OF_SLENDER, _MOST_OF_BOX) * longer
    radius = _radius(_face_radius(at, len(keypoints)), trunk, longer, most)
    height = radius / RADIUS
    low, high, sure = _face_extent(keypoints[:, face], score[:, face], measured, radius)
    radius = np.fmax(radius, np.hypot(*(high - low).T) / 2 + _REACH * height)
    middle = (low + high) / 2
    by_neck = [neck + up * ((_NECK + across) * height)[:, None] for across in (-_NOD, _NOD)]
    upper = np.stack([box[:, 0] + radius, box[:, 1] + 0.9 * radius, box[:, 2] - radius, box[:, 1] + 0.9 * radius], 1)
    narrow = upper[:, 0] > upper[:, 2]
    upper[narrow, 0] = upper[narrow, 2] = (box[narrow, 0] + box[narrow, 2]) / 2
    of_neck, of_face = (np.asarray(np.isfinite(place).all(1)) for place in (by_neck[0], middle))
    other = np.where((of_neck & ~sure)[:, None], by_neck[0], middle)
    crown = _below_top(at, np.where(of_neck[:, None], by_neck[0], middle), radius)
    other, by_neck[1] = (np.where(np.isfinite(crown), crown, place) for place in (other, by_neck[1]))
    out = np.where(of_face[:, None], np.concatenate([middle, other], 1), np.concatenate(by_neck, 1))
    out = np.where((of_face | of_neck)[:, None], out, upper)
    radius = np.where(of_neck & ~of_face, _BY_NECK * radius, radius)
    return np.concatenate([out, radius[:, None]], 1)


def _is_face(name: str) -> bool:
    return name.startswith("face_") or any(part in FACE for part in name.split("_"))


def _radius(face: np.ndarray, trunk: np.ndarray, longer: np.ndarray, most: np.ndarray) -> np.ndarray:
    """(L,) px, the largest radius that the parts give; a face enlarged by a misplaced point does not count.

    The person's body and box bound the radius; where the hips are not seen the face may fill ``most`` (L,) of the box.
    """
    trunk = np.where(trunk > _MOST_TRUNK * longer, _MOST_TRUNK * longer, trunk)
    body = np.fmax(_TRUNK_RATIO * trunk, _OF_BOX * longer)
    most = np.where(np.isfinite(trunk), _MOST_OF_BODY * body, most)
    found = np.fmax(face, _TRUNK_RATIO * trunk)
    found = np.where(np.isfinite(found), found, _OF_BOX * longer)
    return np.where(np.isfinite(most), np.fmin(found, most), found)


def _face_extent(
    points: np.ndarray, score: np.ndarray, measured: np.ndarray, radius: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Least and greatest coordinates (L, 2) of the face's points, NaN without any; and whether (L,) they are sure.

    Points (L, F, 2) much farther than ``radius`` from the median point are misplaced and do not count.
    """
    known = np.isfinite(points).all(2)
    rows = known.any(1)
    middle = np.full((len(points), 2), np.nan)
    middle[rows] = np.nanmedian(np.where(known[..., None], points, np.nan)[rows], 1)
    with np.errstate(invalid="ignore"):
        known &= np.hypot(*np.moveaxis(points - middle[:, None], 2, 0)) <= 1.2 * radius[:, None]
    low = np.where(known[..., None], points, np.inf).min(1, initial=np.inf).astype(np.float64)
    high = np.where(known[..., None], points, -np.inf).max(1, initial=-np.inf).astype(np.float64)
    none = ~known.any(1)
    low[none] = high[none] = np.nan
    good = (known & (score >= _SURE)).sum(1)
    return low, high, measured & (good >= 2)


def _face_radius(at: dict[str, np.ndarray], rows: int) -> np.ndarray:
    """(L,) px, the least radius by the distances between points of head and shoulders; NaN without any."""
    out = np.full(rows, np.nan)
    for (a, b), ratio in _RATIOS.items():
        out = np.fmax(out, ratio * _distance(at, f"left_{a}", f"right_{b}", rows))
    out = np.fmax(out, RADIUS / _UPRIGHT * _distance(at, "head", "neck", rows))
    for side in ("left", "right"):
        out = np.fmax(out, _EYE_EAR * _distance(at, f"{side}_eye", f"{side}_ear", rows))
        out = np.fmax(out, _NOSE_EAR * _distance(at, "nose", f"{side}_ear", rows))
    return out


def _below_top(at: dict[str, np.ndarray], near: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """(L, 2) the head's middle from its top and the neck; NaN where these are not known, or disagree with ``near``
    (L, 2), the head's place by all other points."""
    if "head" not in at or "neck" not in at:
        return np.full(near.shape, np.nan)
    middle = at["neck"] + _MIDDLE * (at["head"] - at["neck"])
    with np.errstate(invalid="ignore"):
        astray = np.hypot(*(middle - near).T) > _ASTRAY * radius
    return np.where(astray[:, None], np.nan, middle)


def _distance(at: dict[str, np.ndarray], a: str, b: str, rows: int) -> np.ndarray:
    if a not in at or b not in at:
        return np.full(rows, np.nan)
    return np.hypot(*(at[a] - at[b]).T)


def _trunk(at: dict[str, np.ndarray], rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle of the shoulders (L, 2), the direction (L, 2) from the hips to it, and the distance (L,), NaN unknown.

    Where there are no hips the head is taken to be above.
    """
    unknown = np.full((rows, 2), np.nan)
    neck = _either(at.get("left_shoulder", unknown), at.get("right_shoulder", unknown))
    hips = _either(at.get("left_hip", unknown), at.get("right_hip", unknown))
    along = neck - hips
    length = np.hypot(*along.T)
    up = np.where(np.isfinite(length)[:, None], along / np.maximum(length, 1e-6)[:, None], (0.0, -1.0))
    return neck, up, length


def _either(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The middle of two points, or the one that is known."""
    return np.where(np.isfinite(a) & np.isfinite(b), (a + b) / 2, np.where(np.isfinite(a), a, b))
