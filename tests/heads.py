"""People with heads of known place and size in a synthetic video, and what a run would say of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.core.types import INTERPOLATED, MEASURED, Motion, VideoInfo
from pipeline.video.decode import open_reader
from pipeline.video.index import index_video
from tests import synthetic

HEAD = 0.075  # radius with hair and chin, as a share of the height
FACE = slice(0, 5)  # nose, eyes, ears of COCO's set


@dataclass(frozen=True)
class Walker:
    """Where a head really is, and the table that a run has of the person."""

    centre_px: np.ndarray  # (T, 2)
    radius_px: float
    there: np.ndarray  # (T,) bool, whether the person is to be seen at all
    motion: Motion


def walker(
    info: VideoInfo,
    person_id: int,
    start_px: tuple[float, float],
    velocity_px_s: tuple[float, float],
    height_px: float,
    *,
    there: slice = slice(None),
    known: slice = slice(None),
    absent: tuple[slice, ...] = (),
    bridged: tuple[slice, ...] = (),
    turned: tuple[slice, ...] = (),
    hidden: tuple[slice, ...] = (),
    noise: float = 0.006,
    seed: int = 0,
) -> Walker:
    """Somebody who walks through the frames of a video, with what goes wrong in which frames.

    Args:
        there: the person is in the picture.
        known: the table has rows (late found, early lost).
        absent: no rows, though the person is there.
        bridged: rows over a gap, all of them interpolated on a line.
        turned: no point of the face.
        hidden: no points at all, a box only.
        noise: standard deviation of keypoints, in heights.
    """
    rng = np.random.default_rng(seed)
    n = len(info)
    xy = synthetic.walker(info.time_s, height_px=height_px, start_px=start_px, velocity_px_s=velocity_px_s)
    side = 1.0 if velocity_px_s[0] >= 0 else -1.0
    centre = xy[:, 0] + np.array([-0.03 * side, 0.002]) * height_px
    box = synthetic.boxes(xy)
    top = centre[:, 1] - HEAD * height_px
    box[:, 1] = np.minimum(box[:, 1], top)
    seen = xy + rng.normal(0, noise * height_px, xy.shape)
    state, measured = np.full((n, 17), MEASURED, np.uint8), np.ones(n, bool)
    for gap in bridged:
        rows = np.arange(n)[gap]
        a, b = rows[0] - 1, rows[-1] + 1
        share = ((rows - a) / (b - a))[:, None, None]
        seen[rows] = (1 - share) * seen[a] + share * seen[b]
        box[rows] = (1 - share[:, 0]) * box[a] + share[:, 0] * box[b]
        state[rows], measured[rows] = INTERPOLATED, False
    for some in turned:
        seen[some, FACE] = np.nan
    for some in hidden:
        seen[some] = np.nan
    rows_known = np.zeros(n, bool)
    rows_known[known] = True
    for some in absent:
        rows_known[some] = False
    rows = np.flatnonzero(rows_known)
    visible = np.zeros(n, bool)
    visible[there] = True
    lost = ~np.isfinite(seen[rows]).all(2)
    motion = Motion(
        person_id=person_id,
        frame=rows,
        time_s=info.time_s[rows],
        box_px=box[rows].astype(np.float32),
        score=np.where(measured[rows], 0.8, np.nan).astype(np.float32),
        state=np.where(measured[rows], MEASURED, INTERPOLATED).astype(np.uint8),
        keypoints_px=seen[rows].astype(np.float32),
        keypoint_score=np.where(lost, 0, 0.8).astype(np.float32),
        keypoint_std_px=np.ones((len(rows), 17), np.float32),
        provenance=np.where(lost, 0, state[rows]).astype(np.uint8),
        raw_px=seen[rows].astype(np.float32),
    )
    return Walker(centre, HEAD * height_px, visible, motion)


def disc(size_px: tuple[int, int], centre: np.ndarray, radius: float) -> np.ndarray:
    """(h, w) bool: px whose centres lie in a circle."""
    y, x = np.mgrid[: size_px[1], : size_px[0]] + 0.5
    return np.hypot(x - centre[0], y - centre[1]) <= radius


def draw_heads(image: np.ndarray, walkers: list[Walker], frame: int) -> None:
    """Heads with a strong pattern of 3 px, on an image (h, w, 3) u8 RGB, in place."""
    rng = np.random.default_rng(frame)
    h, w = image.shape[:2]
    pattern = np.repeat(np.repeat(rng.integers(0, 2, (h // 3 + 1, w // 3 + 1)) * 200 + 25, 3, 0), 3, 1)[:h, :w]
    for walker in walkers:
        if walker.there[frame]:
            inside = disc((w, h), walker.centre_px[frame], walker.radius_px)
            image[inside] = pattern[inside, None]


def luma_of(path: Path) -> np.ndarray:
    """(T, h, w) luma of a video."""
    info = index_video(path)
    with open_reader(info) as reader:
        return np.concatenate([part.image.mean(3) for part in reader.read(0, len(info), 64)])


def fine(luma: np.ndarray, inside: np.ndarray) -> float:
    """Standard deviation of neighbours' differences within a mask, where heads of `draw_heads` have theirs."""
    both = inside[:, 1:] & inside[:, :-1]
    return float(np.diff(luma, axis=1)[both].std()) if both.any() else 0.0
