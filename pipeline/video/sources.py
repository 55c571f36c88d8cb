"""Where frames come from: a video file read by PyAV. A folder of images is in `pipeline.video.images`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import dropwhile
from typing import Generic, Protocol, TypeVar

import av
import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.types import VideoInfo
from pipeline.video.convert import ToRGB
from pipeline.video.media import limit_pixels, open_media, video_stream
from pipeline.video.seen import numbered, packets_from, seek_seen

STEPS_BACK = 4  # key frames to go back when a seek lands too late
T = TypeVar("T")
Picture = tuple[int, np.ndarray]  # row of the pts table, stored (not yet turned) picture (h, w, 3) u8 RGB


class Source(Protocol):
    """Frames of one video; consecutive ranges are read without seeking."""

    def frames(self, start: int, stop: int) -> Iterator[Picture]: ...

    def close(self) -> None: ...


def stored_size_px(info: VideoInfo) -> tuple[int, int]:
    """(w, h) of square pixels, before the pictures are turned upright."""
    return info.size_px if info.rotation_deg % 180 == 0 else info.size_px[::-1]


def refuse_live(info: VideoInfo) -> None:
    """PoselineError for a segment of a stream: a file of the source's name holds other frames, at other times."""
    if info.kind == "live":
        raise PoselineError(
            f"{info.path}: its pictures came live and were not kept; the segment's annotated.mp4 stays as it is,"
            " and --skeleton-only --out FILE draws on black"
        )


def open_video(info: VideoInfo) -> tuple[av.container.InputContainer, av.VideoStream]:
    refuse_live(info)
    try:
        container = open_media(info.path)
    except (av.FFmpegError, OSError) as error:
        raise PoselineError(f"{info.path}: cannot be opened any more ({error.strerror}); was it moved?") from error
    stream = video_stream(container, info.stream)
    assert stream is not None  # the index found one
    limit_pixels(stream)
    return container, stream


def key_frames(info: VideoInfo) -> np.ndarray:
    """Frames that decoding may start from; the first always may, by reading the file from its start."""
    keys = np.flatnonzero(info.is_key)
    return keys if len(keys) and keys[0] == 0 else np.concatenate([[0], keys])


def _rows_of(packet: np.ndarray) -> dict[int, int]:
    """The row of the table by the number of its packet."""
    return {int(number): row for row, number in enumerate(packet)}


class DecodedSource(Generic[T]):
    """Frames matched to the pts table one by one, from the nearest key frame on, each as ``convert`` makes it."""

    def __init__(self, info: VideoInfo, threads: int, convert: Callable[[av.VideoFrame], T]) -> None:
        self._info, self._threads = info, threads
        self._keys = key_frames(info)
        self._rows = {} if info.seen is None else _rows_of(info.seen.packet)
        self._convert = convert
        self._container, self._stream = open_video(info)
        self._decoded: Iterator[tuple[int, av.VideoFrame]] = iter(())
        self._next = len(info)  # no frame before this one will come out of _decoded
        self._held: tuple[int, av.VideoFrame] | None = None  # decoded, not requested yet
        # After lost pictures a decoder reuses earlier pictures, so the next range must start afresh: its pictures must
        # not depend on the ranges read before.
        self.damaged = False

    def frames(self, start: int, stop: int) -> Iterator[tuple[int, T]]:
        key = int(self._keys[int(np.searchsorted(self._keys, start, "right")) - 1])
        if self.damaged or not key <= self._next <= start:
            self._seek(start)
        while self._next < stop:
            held = self._held or next(self._decoded, None)
            self._held = held
            if held is None:
                self._next = len(self._info)
                return
            index, frame = held
            if index >= stop:
                # All missing frames lie before this frame, so the next range may continue without a seek.
                self._next = stop
                return
            self._held, self._next = None, index + 1
            if index >= start:
                yield index, self._convert(frame)

    def _seek(self, start: int) -> None:
        """Move to the last key frame from which ``start`` decodes, where one exists."""
        self.damaged = False
        nearest = int(np.searchsorted(self._keys, start, "right")) - 1
        tried = [int(self._keys[k]) for k in range(nearest, max(nearest - STEPS_BACK, 0) - 1, -1)]
        for key in tried if self._info.seen is None or tried[-1] == 0 else [*tried, 0]:
            self._restart(key)
            self._held = next(self._decoded, None)
            if self._held is not None and self._held[0] <= start:
                break
        self._next = min(start, self._held[0]) if self._held else start

    def _restart(self, key: int) -> None:
        if key == 0:  # needs no seek, so it works in every container
            self._container.close()
            self._container, self._stream = open_video(self._info)
        elif self._info.seen is not None:
            seek_seen(self._container, self._stream, self._info.seen, key)
        else:
            try:
                self._container.seek(int(self._info.pts[key]), stream=self._stream, backward=True)
            except (av.FFmpegError, OSError):  # not every format seeks: its start leads everywhere
                self._container.close()
                self._container, self._stream = open_video(self._info)
        context = self._stream.codec_context
        if not context.is_open:
            # No frame threads: with them, damaged packets give other pictures than with one thread.
            context.thread_count, context.thread_type = self._threads, "SLICE"
        self._decoded = self._decode(key)

    def _decode(self, key: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """(row, frame) ascending; damaged packets and frames that are not in the table are skipped."""
        last = key - 1
        packets: Iterator[av.Packet] = self._container.demux(self._stream)
        if (seen := self._info.seen) is not None:
            packets = numbered(packets) if key == 0 else numbered(packets_from(packets, seen, key), seen.packet[key])
        elif key:  # a seek may land anywhere, and some decoders give grey pictures until a key packet comes
            packets = dropwhile(lambda packet: not packet.is_keyframe, packets)
        while True:
            try:
                frames = next(packets).decode()
            except StopIteration:
                return
            except av.error.InvalidDataError:
                self.damaged = True
                continue
            except av.FFmpegError:
                return
            for frame in frames:
                row = self._row(frame.pts, last)
                if row is not None:
                    self.damaged |= row > last + 1
                    last = row
                    yield row, frame

    def _row(self, pts: int | None, last: int) -> int | None:
        """The row after ``last`` that has this pts (several may), or the next row without a pts; None: no such row."""
        table = self._info.pts
        if self._info.seen is not None:
            row = last + 1 if pts is None else self._rows.get(pts, -1)
            return row if last < row < len(table) else None
        if pts is None:
            return last + 1 if last + 1 < len(table) else None
        row = max(int(np.searchsorted(table, pts)), last + 1 if last >= 0 and table[last] == pts else 0)
        return row if row < len(table) and table[row] == pts and row > last else None

    def close(self) -> None:
        self._decoded, self._held = iter(()), None
        self._container.close()


class PyAVSource(DecodedSource[np.ndarray]):
    """RGB pictures decoded by PyAV."""

    def __init__(self, info: VideoInfo, threads: int, to_rgb: ToRGB) -> None:
        super().__init__(info, threads, to_rgb)
