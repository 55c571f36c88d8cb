"""Interlaced frames become whole pictures by FFmpeg's bwdif, one a frame or one a field.

A picture depends on the frames beside it. So reading starts one frame early and ends one frame late, and a picture is
the same wherever reading began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Generic, TypeVar

import av
import numpy as np

from pipeline.core.types import SeenPackets, VideoInfo
from pipeline.video.convert import FilterChain
from pipeline.video.sources import DecodedSource

DEINTERLACE = ("auto", "off", "frame", "field")
T = TypeVar("T")


def by_fields(info: VideoInfo) -> VideoInfo:
    """The table with two pictures a frame: frame i becomes rows 2i and 2i + 1, half of the way to the next frame."""
    step = int(np.median(np.diff(info.pts))) if len(info) > 1 else max(1, round(1 / (info.fps * info.time_base)))
    pts = np.empty(2 * len(info), np.int64)
    pts[::2] = 2 * info.pts
    pts[1::2] = info.pts + np.append(info.pts[1:], info.pts[-1] + step)
    is_key = np.zeros(len(pts), bool)
    is_key[::2] = info.is_key
    time_base = info.time_base / 2
    return replace(
        info,
        time_base=time_base,
        fps=2 * info.fps,
        pts=pts,
        time_s=pts.astype(np.float64) * time_base.numerator / time_base.denominator,
        is_key=is_key,
        deinterlace="field",
        seen=None if info.seen is None else SeenPackets(*(np.repeat(column, 2) for column in _columns(info.seen))),
    )


def by_frames(info: VideoInfo) -> VideoInfo:
    """The table of the frames as they are stored, of a table with two pictures a frame; another one as it is."""
    if info.deinterlace != "field":
        return info
    return replace(
        info,
        time_base=2 * info.time_base,
        fps=info.fps / 2,
        pts=info.pts[::2] // 2,
        time_s=info.time_s[::2],
        is_key=info.is_key[::2],
        seen=None if info.seen is None else SeenPackets(*(column[::2] for column in _columns(info.seen))),
    )


def _columns(seen: SeenPackets) -> tuple[np.ndarray, ...]:
    return seen.packet, seen.pos, seen.size, seen.stamp


class DeinterlacedSource(Generic[T]):
    """Pictures matched to the table one by one as `DecodedSource` gives them, each as ``convert`` makes it."""

    def __init__(self, info: VideoInfo, threads: int, convert: Callable[[av.VideoFrame], T]) -> None:
        self._each = 2 if info.deinterlace == "field" else 1  # pictures a frame
        self._which = "all" if info.deinterlace == "all" else "interlaced"
        self._frames = by_frames(info)
        self._source: DecodedSource[av.VideoFrame] = DecodedSource(self._frames, threads, lambda frame: frame)
        self._convert = convert
        self._pictures: Iterator[tuple[int, av.VideoFrame]] = iter(())
        self._held: tuple[int, av.VideoFrame] | None = None
        self._next = -1  # the row that the next range goes on with

    def frames(self, start: int, stop: int) -> Iterator[tuple[int, T]]:
        if start != self._next or self._source.damaged:
            first = max(start // self._each - 1, 0)
            self._pictures, self._held = self._deinterlaced(self._source.frames(first, len(self._frames))), None
        self._next = stop
        while (held := self._held or next(self._pictures, None)) is not None:
            self._held = held
            row, frame = held
            if row >= stop:
                return
            self._held = None
            if row >= start:
                yield row, self._convert(frame)

    def _deinterlaced(self, frames: Iterator[tuple[int, av.VideoFrame]]) -> Iterator[tuple[int, av.VideoFrame]]:
        """(row, picture) ascending; bwdif gives the first field of a frame at twice the frame's time."""
        mode = "send_field:deint=all" if self._each == 2 else f"send_frame:deint={self._which}"
        chain, last = FilterChain(("bwdif", f"mode={mode}")), -1
        for row, frame in frames:
            frame.pts = row
            for picture in chain.push(frame):
                last = self._row(picture, last)
                yield last, picture
        for picture in chain.flush():
            last = self._row(picture, last)
            yield last, picture

    def _row(self, picture: av.VideoFrame, last: int) -> int:
        assert picture.pts is not None  # the filter keeps it
        if self._each == 1:
            return picture.pts // 2
        return last + 1 if last % 2 == 0 else picture.pts

    def close(self) -> None:
        self._pictures, self._held = iter(()), None
        self._source.close()
