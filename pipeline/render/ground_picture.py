"""A frame of the source video with a grid in px, on which points of the ground can be read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.measure.floor import Floor
from pipeline.render.draw.canvas import Canvas
from pipeline.render.privacy import Privacy
from pipeline.store.atomic import atomic
from pipeline.store.folder import RunFolder, skeleton_of_run
from pipeline.store.index import stored_video
from pipeline.video.decode import open_reader
from pipeline.video.moved import at_hand, gone

_STEPS = (10, 20, 50, 100, 200, 500, 1000)
_LINES = 14  # of the grid along the longer side, at most
_GRID, _INK, _POINT, _METRES = (255, 255, 255), (0, 0, 0), (40, 40, 230), (60, 200, 255)  # BGR
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def frame_at(folder: RunFolder, time_s: float | None, privacy: Privacy) -> tuple[np.ndarray, float]:
    """The upright picture (H, W, 3) u8 BGR nearest to a time on the video's own clock, by default the run's first; and
    its time in s.

    The regions that ``privacy`` hides in the annotated video are hidden here, too. On a black background no points
    could be read: people are hidden as a whole instead.
    """
    info = at_hand(folder, stored_video(folder))
    if not info.path.exists():
        raise PoselineError(gone(folder, info))
    if privacy.black:
        privacy = Privacy("people")
    if time_s is not None and not info.time_s[0] - 1 <= time_s <= info.time_s[-1] + 1:
        raise PoselineError(
            f"--time {time_s:g}: the video goes from {info.time_s[0]:.2f} to {info.time_s[-1]:.2f} s; give a time in it"
        )
    index = folder.begun().frames[0] if time_s is None else int(np.abs(info.time_s - time_s).argmin())
    with open_reader(info) as reader:
        for batch in reader.read(index, index + 1, 1):
            image = batch.image[0]
            regions = next(privacy.regions(folder, skeleton_of_run(folder), info.real_s, range(index, index + 1)))
            privacy.hide(Canvas.of(image), regions)
            return np.ascontiguousarray(image[..., ::-1]), float(info.time_s[index])
    raise PoselineError(f"{info.path}: the frame at {info.time_s[index]:.2f} s does not decode; give another --time")


def drawn(image: np.ndarray, points_px: np.ndarray, floor: Floor | None = None, step_m: float = 1.0) -> np.ndarray:
    """The picture with lines every so many px and their numbers, and the points (N, 2) px; with ``floor`` also lines of
    the ground every ``step_m`` around the points."""
    out, (height, width) = image.copy(), image.shape[:2]
    step = next((s for s in _STEPS if max(width, height) / s <= _LINES), _STEPS[-1])
    size = max(width, height) / 1920
    over = out.copy()
    for x in range(step, width, step):
        cv2.line(over, (x, 0), (x, height), _GRID, 1)
    for y in range(step, height, step):
        cv2.line(over, (0, y), (width, y), _GRID, 1)
    out = cv2.addWeighted(over, 0.45, out, 0.55, 0)
    if floor is not None:
        _metres(out, floor, floor.to_m(points_px), step_m)
    for x in range(step, width, step):
        _word(out, str(x), (x + 3, round(18 * max(size, 0.6))), size)
    for y in range(step, height, step):
        _word(out, str(y), (3, y - 4), size)
    for number, (x, y) in enumerate(points_px, 1):
        cv2.drawMarker(out, (round(x), round(y)), _POINT, cv2.MARKER_CROSS, round(24 * max(size, 0.6)), 2)
        _word(out, str(number), (round(x) + 8, round(y) - 8), size)
    return out


def _metres(image: np.ndarray, floor: Floor, places: np.ndarray, step_m: float) -> None:
    """Draw lines of the ground every ``step_m`` around places (N, 2)."""
    low, high = (f(places, axis=0) for f in (np.nanmin, np.nanmax))
    xs, ys = (np.arange(np.floor(a / step_m), np.ceil(b / step_m) + 1) * step_m for a, b in zip(low, high, strict=True))
    lines = [np.stack([np.full(50, x), np.linspace(ys[0], ys[-1], 50)], 1) for x in xs]
    lines += [np.stack([np.linspace(xs[0], xs[-1], 50), np.full(50, y)], 1) for y in ys]
    for line in lines:
        px = floor.to_px(line)
        seen = np.isfinite(px).all(1) & (np.abs(px) < 1e5).all(1)
        cv2.polylines(image, [px[seen].round().astype(np.int32)], False, _METRES, 1, cv2.LINE_AA)


def _word(image: np.ndarray, text: str, at: tuple[int, int], size: float) -> None:
    for ink, width in ((_INK, 3), (_GRID, 1)):
        cv2.putText(image, text, at, _FONT, 0.6 * max(size, 0.6), ink, width, cv2.LINE_AA)


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write a PNG file, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", image)[1].tobytes())
