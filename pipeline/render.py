"""render: the source video with its people drawn in, with the source's times and sound."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pipeline.config import Config
from pipeline.draw import Person, draw_people
from pipeline.errors import PoselineError
from pipeline.people import skeleton_of_run
from pipeline.skeleton import Skeleton
from pipeline.store import RunFolder, stored_video
from pipeline.tables import people_by_frame
from pipeline.types import Frames, VideoInfo
from pipeline.video.decode import open_reader, prefetch
from pipeline.video.encode import VideoWriter

AHEAD = 3  # frames that wait between decoding and drawing, and between drawing and encoding


def render(
    folder: RunFolder,
    config: Config,
    progress: Callable[[int], None] | None = None,
    start_frame: int | None = None,
    stop_frame: int | None = None,
) -> dict[str, Any]:
    """Make ``annotated.mp4`` from the source video and the people tables of a run.

    Frames are those that the run observed, or those of them in [start_frame, stop_frame). The first one is shown at
    time 0, all distances are the source's, sound goes along. A frame that nobody is in passes unchanged. Decoding,
    drawing and encoding run at the same time, a few frames apart.

    Args:
        progress: called with the number of frames written since the last call.

    Returns:
        frames (written), person_frames (people drawn, summed over frames), seconds, and warnings of the decoder.

    Raises:
        PoselineError: no frames in the range, the source video is gone, or the file cannot be written.
    """
    started = time.perf_counter()
    info, skeleton = stored_video(folder), skeleton_of_run(folder)
    start, stop = _range(folder, info, start_frame, stop_frame)
    if not info.path.exists():
        raise PoselineError(
            f"{info.path}: the source video is gone; put it back there to draw on it (all tables of {folder.path}"
            " are complete without it)"
        )
    written = drawn = 0
    shown: int | None = None
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(open_reader(info, config.runtime.decoder))
        writer = stack.enter_context(_writer(folder, config, info, start, stop))
        decoded = stack.enter_context(contextlib.closing(prefetch(reader.read(start, stop, 1), AHEAD)))
        people = people_by_frame(folder.people, skeleton, range(start, stop))
        pictures = _draw(decoded, zip(range(start, stop), people, strict=True), skeleton)
        for frame, image, n_people in stack.enter_context(contextlib.closing(prefetch(pictures, AHEAD))):
            if shown == (pts := int(info.pts[frame])):
                continue  # two pictures at one time: the second is never seen
            writer.write(image, pts)
            shown = pts
            written, drawn = written + 1, drawn + n_people
            if progress is not None:
                progress(1)
    seconds = time.perf_counter() - started
    return {"frames": written, "person_frames": drawn, "seconds": seconds, "warnings": reader.warnings}


def _range(folder: RunFolder, info: VideoInfo, start: int | None, stop: int | None) -> tuple[int, int]:
    """The frames [first, last) to render: those asked for that were observed."""
    first, last = folder.manifest().get("frames_observed") or (0, len(info))
    low, high = max(first, start if start is not None else first), min(last, stop if stop is not None else last)
    if low >= high:
        raise PoselineError(
            f"{folder.path}: no frame between {start} and {stop} was observed; choose some of {first} to {last - 1}"
        )
    return low, high


def _writer(folder: RunFolder, config: Config, info: VideoInfo, start: int, stop: int) -> VideoWriter:
    return VideoWriter(
        folder.video,
        info.size_px,
        info.time_base,
        info.fps,
        audio_from=info.path if info.has_audio else None,
        stop_s=float(info.time_s[stop]) if stop < len(info) else None,
        crf=config.render.crf,
        preset=config.render.preset,
        threads=config.runtime.threads,
    )


def _draw(
    decoded: Iterator[Frames], people: Iterator[tuple[int, list[tuple]]], skeleton: Skeleton
) -> Iterator[tuple[int, np.ndarray, int]]:
    """(frame, its picture with people drawn in, how many) of all decoded frames; some may be left out there."""
    for batch in decoded:
        for frame, image in zip(batch.index, batch.image, strict=True):
            here = next(rows for at, rows in people if at == frame)
            draw_people(image, [Person(*row) for row in here], skeleton)
            yield int(frame), image, len(here)
