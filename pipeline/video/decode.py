"""Upright RGB frames of any range of a video, by decord or by PyAV, with the same bytes from either.

The index (``VideoInfo``) decides which frames exist; a decoder only supplies their pictures.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Self, TypeVar, cast

import numpy as np

from pipeline.core.types import Frames, VideoInfo
from pipeline.video.convert import Fitted, ToRGB
from pipeline.video.deinterlace import DeinterlacedSource
from pipeline.video.images import ImageSource
from pipeline.video.runs import DecordSource, decord_reads
from pipeline.video.shape import square_size, upright
from pipeline.video.sources import PyAVSource, Source, stored_size_px
from pipeline.video.tone import tone_mapped

__all__ = ["DECODERS", "Reader", "decord_reads", "open_reader", "prefetch"]
DECODERS = ("decord", "pyav")
BATCH_BYTES = 256 << 20  # a batch holds more only if a single picture does
T = TypeVar("T")


class Reader:
    """Reads ranges of one video; a context manager. ``warnings`` grows by one line for each thing a user should know.

    Consecutive ranges continue where the last one stopped: the reader does not seek and decodes no frame twice.
    """

    def __init__(self, info: VideoInfo, decoder: str = "decord", threads: int = 1) -> None:
        self.info = info
        self.warnings: list[str] = []
        self._source: Source
        self._to_rgb = ToRGB(stored_size_px(info), info.pixel_aspect, tone_mapped(info.hdr, info.peak_nits))
        self._sizes = 0  # sizes of pictures that were met
        if info.kind in ("images", "photo"):
            self._source = ImageSource(info)
        elif info.deinterlace:
            self._source = DeinterlacedSource(info, threads, self._to_rgb)
        elif decoder == "decord" and decord_reads(info):
            self._source = DecordSource(info, threads, self.warnings.append, self._to_rgb)
        else:
            self._source = PyAVSource(info, threads, self._to_rgb)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the files. The reader cannot be used afterwards."""
        self._source.close()

    def read(self, start: int, stop: int, batch: int) -> Iterator[Frames]:
        """Frames [start, stop) of the pts table in order, up to ``batch`` at a time, image (B, h, w, 3) upright RGB.

        A frame that does not decode is left out, and counted with its time in ``warnings`` when the range ends.
        """
        if not (0 <= start <= stop <= len(self.info) and batch > 0):
            raise ValueError(f"range [{start}, {stop}) by {batch} does not lie in the {len(self.info)} frames")
        width, height = self.info.size_px
        batch = min(batch, max(1, BATCH_BYTES // (3 * width * height)))
        missing = set(range(start, stop))
        index: list[int] = []
        images: np.ndarray | None = None
        for i, picture in self._source.frames(start, stop):
            self._sizes = tell_sizes(self.info, self._to_rgb.fitted, self._sizes, i, self.warnings)
            if images is None:
                images = np.empty((min(batch, stop - start), height, width, 3), np.uint8)
            images[len(index)] = upright(picture, self.info.rotation_deg, self.info.mirrored)
            index.append(i)
            missing.discard(i)
            if len(index) == len(images):
                yield self._batch(index, images)
                index, images = [], None  # the batch belongs to the caller now
        if images is not None:
            yield self._batch(index, images[: len(index)])
        if missing:
            self.warnings.append(left_out(self.info, start, stop, missing))

    def _batch(self, index: list[int], images: np.ndarray) -> Frames:
        rows = np.array(index, np.int64)
        return Frames(index=rows, time_s=self.info.time_s[rows], image=images)


def left_out(info: VideoInfo, start: int, stop: int, missing: set[int]) -> str:
    """The warning about frames of [start, stop) that do not decode."""
    times = info.time_s[sorted(missing)]
    return (
        f"{info.path}: {len(missing)} of the frames {start} to {stop - 1} could not be decoded and are"
        f" left out, between {times[0]:.3f} s and {times[-1]:.3f} s"
    )


def tell_sizes(info: VideoInfo, fitted: Fitted, known: int, frame: int, warnings: list[str]) -> int:
    """Add a line to ``warnings`` for each stored size after the first ``known`` that is not the video's own.

    Returns the number of sizes that are known then; ``frame`` is the one that was read last.
    """
    for size in fitted.sizes[known:]:
        if square_size(size, info.pixel_aspect) != stored_size_px(info):
            warnings.append(
                f"{info.path}: its pictures are {size[0]}x{size[1]} at {info.time_s[frame]:.3f} s, and not always; they"
                f" are scaled with their proportions into {info.size_px[0]}x{info.size_px[1]}"
            )
    return len(fitted.sizes)


def open_reader(info: VideoInfo, decoder: str = "decord", threads: int = 1) -> Reader:
    """A Reader on an indexed video. ``threads`` are PyAV's, within a picture; the bytes do not depend on them.

    Raises PoselineError when the file is gone and ValueError for an unknown decoder.
    """
    if decoder not in DECODERS:
        raise ValueError(f"decoder must be one of {', '.join(DECODERS)}, got {decoder!r}")
    return Reader(info, decoder, threads)


def prefetch(iterator: Iterator[T], depth: int) -> Generator[T, None, None]:
    """The same items, made up to ``depth`` ahead in a thread of their own; what ``iterator`` raises is raised here.

    The thread starts with the first ``next`` and has ended, with ``iterator`` closed, when this generator is exhausted
    or closed.
    """
    items: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(max(depth, 1))
    stopped = threading.Event()

    def work() -> None:
        end: BaseException = StopIteration()
        try:
            for item in iterator:
                items.put((item, None))
                del item
                if stopped.is_set():
                    break
        except BaseException as error:
            end = error
        finally:
            if (close := getattr(iterator, "close", None)) is not None:
                close()
        if not stopped.is_set():
            items.put((None, end))

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, end = items.get()
            if isinstance(end, StopIteration):
                return
            if end is not None:
                raise end
            yield cast(T, item)  # None only beside an error
            del item
    finally:
        stopped.set()
        while thread.is_alive():  # the thread may put one more item before it checks `stopped`
            while not items.empty():
                items.get_nowait()
            thread.join(0.01)
