"""The work on a video: observe its chunks into parts, then do all later stages. Every engine does the same work."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.progress import Progress
from pipeline.core.types import Frames, VideoInfo
from pipeline.models.registry import Models, build_models, computes
from pipeline.observe.activity import Activity
from pipeline.observe.cadence import graded
from pipeline.observe.camera import CameraMotion
from pipeline.observe.estimate import PICTURES, estimated
from pipeline.observe.faint import Faint
from pipeline.observe.process import Chunk, process_chunk
from pipeline.observe.thumbs import Thumbs
from pipeline.observe.tiles import Tiles, asked, is_large
from pipeline.observe.tiling import Tiling, decided, some_frames
from pipeline.store.folder import RunFolder
from pipeline.store.index import stored_video
from pipeline.store.parts import write_part
from pipeline.video.decode import Reader, open_reader, prefetch


class Networks:
    """Loads the networks when the first chunk needs them, once for all videos."""

    def __init__(self, config: Config):
        self._config = config
        self._models: Models | None = None
        self._judged: tuple[str, Models] | None = None  # the digest of a video, and the networks for it
        self._tiling: tuple[tuple[str, tuple[int, int]], Tiling] | None = None  # a video's digest and frames, and tiles

    def of(self, info: VideoInfo) -> Models:
        """The networks for a video: what their scores mean is estimated from its pictures where it is not known."""
        models = self.get()
        if not models.unknown:
            return models
        if self._judged is None or self._judged[0] != info.digest:
            wanted = np.unique(np.linspace(0, len(info) - 1, PICTURES + 2)[1:-1].astype(int)).tolist()
            self._judged = info.digest, estimated(models, self._config, _some(info, self._config, wanted))
        return self._judged[1]

    def tiling(self, info: VideoInfo, frames: Callable[[], tuple[int, int]]) -> Tiling:
        """The tiles for the frames [first, last) of a video, decided by some of its pictures where auto must decide."""
        if not is_large(self._config, info.size_px):
            return Tiling(asked(self._config.detect.tiles, info.size_px, info.path))
        key = info.digest, frames()
        if self._tiling is None or self._tiling[0] != key:
            images = _some(info, self._config, some_frames(info, key[1]))
            look = partial(graded, self.of(info))
            self._tiling = key, decided(look, self._config, images) if images else Tiling(None)
        return self._tiling[1]

    def get(self) -> Models:
        if self._models is None:
            self._models = build_models(self._config, laned=True)
        return self._models

    def release(self) -> None:
        """Free the networks' memory; the next chunk loads them again."""
        self._models = self._judged = None
        # glibc keeps freed memory; other C libraries lack this call.
        with contextlib.suppress(OSError, AttributeError, TypeError):
            ctypes.CDLL(None).malloc_trim(0)


def observe(
    folder: RunFolder,
    info: VideoInfo,
    config: Config,
    chunks: list[Chunk],
    networks: Networks,
    digest: str,
    progress: Progress,
    kept: Callable[[Path], None] = lambda path: None,
) -> None:
    """Make the parts of these chunks, decoding ahead across their borders."""
    if not chunks:
        return
    models, tiling = networks.of(info), networks.tiling(info, lambda: folder.begun().frames)
    if chunks[0].number == 0 and tiling.said(info.path, info.size_px):  # once a run, whoever works on it
        progress.say(tiling.said(info.path, info.size_px))
    with (
        _no_threads_of_cv2() if models.laned else contextlib.nullcontext(),
        open_reader(info, config.runtime.decoder) as reader,
        closing(prefetch(_read(reader, chunks, config), config.runtime.queue_batches)) as stream,
    ):
        for chunk, items in groupby(stream, key=lambda item: item[0]):
            frames, camera, faint, thumbs = _FramesOf(items, progress), CameraMotion(), Faint(), Thumbs()
            activity, tiles = Activity(config.observe.activity == "auto"), Tiles(tiling.layout, config)
            obs = process_chunk(frames, chunk, models, config, camera, faint, thumbs, activity, tiles)
            span, path = (chunk.start, chunk.stop), folder.part(chunk.number)
            kept_of = camera.stored(), faint.cut(), thumbs.cut(), activity.stored(), tiles.cut()
            write_part(path, obs, span, digest, frames.warnings, *kept_of)
            kept(folder.part(chunk.number))
            progress.people(float((obs.score >= config.track.high_score).sum()) / (chunk.stop - chunk.start))
            for line in frames.warnings:
                progress.say(line)


def _some(info: VideoInfo, config: Config, wanted: list[int]) -> list[np.ndarray]:
    """The pictures (H, W, 3) of these frames of a video, without those that do not decode."""
    with open_reader(info, config.runtime.decoder) as reader:
        return [image for n in wanted for shown in reader.read(n, n + 1, 1) for image in shown.image]


@contextlib.contextmanager
def _no_threads_of_cv2() -> Iterator[None]:
    """OpenCV works in the calling thread: lanes keep all cores busy, and its own threads would wait for them."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _read(reader: Reader, chunks: list[Chunk], config: Config) -> Iterator[tuple[Chunk, Frames | list[str]]]:
    """The frames of each chunk, then the decoder's warnings. Runs in the decoding thread."""
    for chunk in chunks:
        said = len(reader.warnings)
        for frames in reader.read(chunk.start, chunk.stop, config.runtime.batch_frames):
            yield chunk, frames
        yield chunk, reader.warnings[said:]


class _FramesOf:
    """The frames of a chunk, in order; once they are all read, ``warnings`` has the decoder's."""

    def __init__(self, items: Iterator[tuple[Chunk, Frames | list[str]]], progress: Progress) -> None:
        self._items, self._progress = items, progress
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[Frames]:
        for _, item in self._items:
            if isinstance(item, Frames):
                yield item
                self._progress.advance(len(item))
            else:
                self.warnings = item


# --- one task, far from the run that asked for it --------------------------------------------------------------------


class Task(NamedTuple):
    """A chunk to observe, or, without one, a video to finish. Paths, not frames: a worker reads the video itself."""

    folder: str  # run folder, absolute
    digest: str
    chunk: Chunk | None
    render: bool
    stages: Mapping[str, float]  # seconds so far

    @property
    def about(self) -> str:
        """The task's name in messages to the user."""
        if self.chunk is None:
            return f"{self.folder}: tracking and tables"
        return f"{self.folder}: frames {self.chunk.start} to {self.chunk.stop - 1}"


class Outcome(NamedTuple):
    """The result of a task."""

    people: float = float("nan")  # clearly seen people a frame
    lines: tuple[str, ...] = ()  # messages for the user
    error: str = ""  # one line
    final: bool = False  # a PoselineError, which would recur: do not try again
    trace: str = ""


class _Heard(Progress):
    """Keeps the messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.mean = float("nan")

    def people(self, per_frame: float) -> None:
        self.mean = per_frame

    def say(self, line: str) -> None:
        self.lines.append(line)


class Worker:
    """Holds the networks and does one task after another. Nothing is kept between tasks but the networks."""

    def __init__(self, config: Config) -> None:
        import cv2

        cv2.setNumThreads(config.runtime.threads)
        self._config, self._networks = config, Networks(config)

    def do(self, task: Task) -> Outcome:
        """Never raises."""
        heard = _Heard()
        try:
            self._do(task, heard)
        except PoselineError as error:
            return Outcome(heard.mean, tuple(heard.lines), str(error), True, traceback.format_exc())
        except Exception as error:
            line = f"{type(error).__name__}: {error}".split("\n")[0]
            return Outcome(heard.mean, tuple(heard.lines), line, False, traceback.format_exc())
        return Outcome(heard.mean, tuple(heard.lines))

    def _do(self, task: Task, heard: _Heard) -> None:
        from pipeline.finish import finish

        folder = RunFolder(task.folder)
        if not folder.manifest_file.is_file():
            raise PoselineError(
                f"{task.folder}: not there on {socket.gethostname()}; --out and the videos must lie on a file system"
                " that all machines share, under the same path"
            )
        info = stored_video(folder)
        if task.chunk is None:
            finish(folder, self._config, info, task.render, task.stages, heard)
        else:
            self._check_bits(folder)
            observe(folder, info, self._config, [task.chunk], self._networks, task.digest, heard)

    def _check_bits(self, folder: RunFolder) -> None:
        """PoselineError where networks on this machine would return other bits than those of the run."""
        told, here = folder.manifest().get("computes", ""), computes(self._config)
        if told != here:
            raise PoselineError(
                f"{folder.path}: the run computes with {told or 'ONNX Runtime'} and {socket.gethostname()} with "
                f"{here or 'ONNX Runtime'}; use machines of one kind, or --device cpu"
            )
