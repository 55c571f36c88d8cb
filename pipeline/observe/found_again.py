"""The camera's motion through a whole video, from what its chunks stored.

Chunks are joined by the last picture of one and the first of the next. Where the camera comes back to what it has seen
before, a stored picture is found again in the earliest one that shows most of it, so that errors do not add up over
minutes of panning to and fro. What was off is spread over the frames since the last picture that was found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.homography import STILL, corners, moved, normed, of_rows, poses, stands
from pipeline.observe.background import Small, between
from pipeline.observe.camera import scaled, unpacked
from pipeline.store.parts import part_camera

COMMON = 0.6  # share of the picture that two pictures must have in common to be compared
MOST_OFF = 0.06  # of the picture's longer side: a picture found farther from where it is expected is another thing
LEAST_OFF = 0.3  # small px: nearer than this, nothing is corrected
SURE = 0.5  # share of its corners that must be found
BORDER = 4  # small px around what a warped picture lacks in which corners come from the lack
_GRID = 8  # points along each side by which the common part is measured


class _View(NamedTuple):
    """A stored picture."""

    frame: int
    picture: Small


def camera_motions(parts: list[Path], frames: int, shots: Sequence[int] = ()) -> np.ndarray:
    """(T, 3, 3) motion of the camera into each frame, from the parts of a run; see `joined`."""
    return joined([part_camera(path) for path in parts], frames, shots)


def joined(stored: list[tuple[int, str]], frames: int, shots: Sequence[int] = ()) -> np.ndarray:
    """(T, 3, 3) motion of each frame of a video, from what its chunks stored in order, each with its first frame.

    The camera is taken to stand still in frames of which nothing is known. Parts of earlier versions hold similarities,
    and the earliest no frame numbers: their motions belong to consecutive frames, from the chunk's first frame on.
    ``shots`` are the first frames of shots, into which there is no motion; nothing is found again from shot to shot.
    """
    out = np.tile(STILL, (frames, 1, 1))
    views: list[_View] = []
    before: Small | None = None  # the last picture so far
    scale = 1.0
    for start, text in stored:
        if not text:  # no frame of the chunk decoded
            continue
        part = json.loads(text)
        rows, scale = of_rows(part["motions"]), part["scale"]
        numbers = np.array(part.get("frames", np.arange(start, start + len(rows))), np.int64)
        out[numbers] = rows
        edges = [unpacked(edge) for edge in part.get("edges", ())]
        if before is not None and edges:
            found = between(before, edges[0])
            out[numbers[0]] = STILL if found is None or found.motion is STILL else scaled(found.motion, scale)
        before = edges[1] if edges else None
        if not stands(rows).all():
            named = {int(numbers[0]): edges[0], int(numbers[-1]): edges[1]} if edges else {}
            named |= {int(n): unpacked(key) for n, key in part.get("keys", {}).items()}
            views += [_View(n, picture) for n, picture in sorted(named.items())]
    out[[s for s in shots if s < frames]] = STILL
    return _without_drift(out, views, scale, shots) if len(views) > 1 and not stands(out).all() else out


def _without_drift(motions: np.ndarray, views: list[_View], scale: float, shots: Sequence[int]) -> np.ndarray:
    """The motions (T, 3, 3) where pictures that were seen before are found where they were."""
    edges = np.unique([0, *(s for s in shots if 0 < s < len(motions)), len(motions)])
    out = motions.copy()
    for low, high in pairwise(edges):
        its = [v for v in views if low <= v.frame < high]
        if len(its) > 1 and not stands(motions[low:high]).all():
            out[low:high] = _corrected(motions[low:high], [v._replace(frame=v.frame - int(low)) for v in its], scale)
    return out


def _corrected(motions: np.ndarray, views: list[_View], scale: float) -> np.ndarray:
    """`_without_drift` of one shot."""
    place = _in_small(poses(motions), scale)  # from each frame to the first one
    size = views[0].picture.grey.shape[::-1]
    moves = np.cumsum(~stands(motions))
    known: list[tuple[_View, np.ndarray]] = [(views[0], place[views[0].frame])]  # where each picture truly is
    wrong, changed = STILL, False  # what is to be put before the places, as it is at the last picture
    after = np.tile(STILL, (len(motions), 1, 1))
    for last, view in pairwise(views):
        expected = normed(wrong @ place[view.frame])
        found = _found_again(view, expected, known, size)
        now = wrong
        if found is not None and _apart(found, expected, size) > LEAST_OFF:
            now, changed = normed(found @ np.linalg.inv(place[view.frame])), True
        rows = slice(last.frame + 1, view.frame + 1)
        steps = moves[rows] - moves[last.frame]
        share = steps / max(int(steps[-1]), 1) if len(steps) else steps
        after[rows] = wrong + share[:, None, None] * (now - wrong)
        wrong = now if len(steps) and steps[-1] else wrong
        known.append((view, normed(wrong @ place[view.frame])))
    if not changed:
        return motions
    after[views[-1].frame + 1 :] = wrong
    place = normed(after @ place)
    out = motions.copy()
    back = np.linalg.inv(place[1:]) @ place[:-1]
    for i in np.flatnonzero(~stands(motions[1:])):
        out[i + 1] = scaled(back[i], scale)
    return out


def _found_again(
    view: _View, expected: np.ndarray, known: list[tuple[_View, np.ndarray]], size: tuple[int, int]
) -> np.ndarray | None:
    """(3, 3) small px of the first frame: where the picture is, by the earliest one that shows most of it."""
    for other, its in known[:-1]:
        guess = normed(np.linalg.inv(its) @ expected)
        if _common(guess, size) < COMMON or _common(np.linalg.inv(guess), size) < COMMON:
            continue
        found = between(_warped(view.picture, guess, size), other.picture)
        if found is not None and found.share >= SURE and _apart(found.motion, STILL, size) < MOST_OFF * max(size):
            return normed(its @ found.motion @ guess)
    return None


def _warped(picture: Small, motion: np.ndarray, size: tuple[int, int]) -> Small:
    """The picture after a motion, as another one of the same size would show it."""
    grey = cv2.warpPerspective(picture.grey, motion, size, flags=cv2.INTER_LINEAR)
    free = cv2.warpPerspective(picture.free, motion, size, flags=cv2.INTER_NEAREST)
    return Small(grey, cv2.erode(free, np.ones((2 * BORDER + 1, 2 * BORDER + 1), np.uint8), borderValue=0))


def _common(motion: np.ndarray, size: tuple[int, int]) -> float:
    """Share of the picture that is inside the other one after a motion."""
    axes = [(np.arange(_GRID) + 0.5) / _GRID * side for side in size]
    points = moved(np.stack(np.meshgrid(*axes), -1).reshape(-1, 2), motion)
    with np.errstate(invalid="ignore"):
        return float(((points >= 0) & (points < size)).all(1).mean())


def _apart(one: np.ndarray, other: np.ndarray, size: tuple[int, int]) -> float:
    """How far a corner of the picture is between two motions to the same place, at most, in px of the picture."""
    ends = corners(size)
    off = np.abs(moved(ends, np.linalg.inv(other) @ one) - ends).max()
    return float(off) if np.isfinite(off) else float("inf")


def _in_small(motions: np.ndarray, scale: float) -> np.ndarray:
    """Motions (T, 3, 3) of small pictures."""
    to_small = np.array([[scale, 0, -0.5], [0, scale, -0.5], [0, 0, 1]])
    return normed(to_small @ motions @ np.linalg.inv(to_small))
