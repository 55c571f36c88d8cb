"""observe: frames to observations. A pure function of (video, chunk, networks, config): no state outside the chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.types import Frames, Observations, VideoInfo
from pipeline.models.registry import Models
from pipeline.observe.activity import Activity
from pipeline.observe.cadence import Detected, PeopleSearch
from pipeline.observe.camera import CameraMotion
from pipeline.observe.faint import Faint
from pipeline.observe.poses import nothing
from pipeline.observe.thumbs import Thumbs
from pipeline.observe.tiles import Tiles


class Chunk(NamedTuple):
    """A run of frames that one observation part holds."""

    number: int
    start: int  # first frame, a row of the pts table
    stop: int  # one past the last


def frame_range(info: VideoInfo, start_s: float | None, end_s: float | None) -> tuple[int, int]:
    """Frames shown from ``start_s`` up to and without ``end_s``, in seconds after the first frame.

    Raises PoselineError when nothing lies between them.
    """
    seconds = info.time_s - info.time_s[0]
    low = 0 if start_s is None else int(np.searchsorted(seconds, start_s, "left"))
    high = len(info) if end_s is None else int(np.searchsorted(seconds, end_s, "left"))
    if low >= high:
        wanted = f"--start {start_s or 0:g}" + ("" if end_s is None else f" --end {end_s:g}")
        raise PoselineError(f"{info.path}: no frame for {wanted}; its frames lie between 0 and {seconds[-1]:.3f} s")
    return low, high


def plan_chunks(frames: tuple[int, int], chunk_frames: int) -> list[Chunk]:
    """Chunks of at most ``chunk_frames`` frames that cover [first, last) in order."""
    starts = range(frames[0], frames[1], chunk_frames)
    return [Chunk(n, s, min(s + chunk_frames, frames[1])) for n, s in enumerate(starts)]


def process_chunk(
    batches: Iterable[Frames],
    chunk: Chunk,
    models: Models,
    config: Config,
    camera: CameraMotion | None = None,
    faint: Faint | None = None,
    thumbs: Thumbs | None = None,
    activity: Activity | None = None,
    tiles: Tiles | None = None,
) -> Observations:
    """Detect, pose and score the people of a chunk's frames, which arrive in order in batches of any size.

    ``camera`` and ``thumbs`` must be new and are shown all frames; ``faint`` must be new and takes the faint boxes,
    ``activity`` and ``tiles`` must be new and count what is searched.
    """
    faint = faint or Faint()
    parts = [nothing(models)]
    search = PeopleSearch(models, config, faint, activity, tiles)
    # The networks do not use all cores all the time: the camera's motion in a batch is measured, and the detector looks
    # at the next batch, while poses are estimated.
    with ThreadPoolExecutor(2, "beside") as beside:
        shown: Future[None] | None = None
        for batch, look in _looked_at(batches, search, beside if models.laned else None):
            found = search.posed(batch.image, batch.index, look)
            parts.append(found)
            if shown is not None:
                shown.result()
            if camera is not None or thumbs is not None:
                boxes = [faint.of(int(i)) for i in batch.index]
                shown = beside.submit(_show, camera, thumbs, batch, found, boxes, look.quiet)
        if shown is not None:
            shown.result()
    return Observations.concat(parts)


def _looked_at(
    batches: Iterable[Frames], search: PeopleSearch, beside: ThreadPoolExecutor | None
) -> Iterator[tuple[Frames, Detected]]:
    """Each batch with what the detector found in it; with ``beside`` the detector works one batch ahead there."""
    if beside is None:
        for batch in batches:
            yield batch, search.detected(batch.image, batch.time_s)
        return
    waiting: tuple[Frames, Future[Detected]] | None = None
    for batch in batches:
        # The look before this one must be over: each needs to know when the detector looked last.
        last = (waiting[0], waiting[1].result()) if waiting is not None else None
        waiting = batch, beside.submit(search.detected, batch.image, batch.time_s)
        if last is not None:
            yield last
    if waiting is not None:
        yield waiting[0], waiting[1].result()


def _show(
    camera: CameraMotion | None,
    thumbs: Thumbs | None,
    batch: Frames,
    found: Observations,
    faint: list[np.ndarray],
    quiet: np.ndarray,
) -> None:
    """Show the frames to those who follow them; a frame in which nothing happens, without people, moves no camera."""
    for index, image, boxes, still in zip(batch.index, batch.image, faint, quiet, strict=True):
        people = found.box_px[found.frame == index]
        if camera is not None and (len(people) or len(boxes) or not still):
            camera.show(index, image, people, boxes)
        if thumbs is not None:
            thumbs.show(index, image, np.concatenate([people, boxes]))
