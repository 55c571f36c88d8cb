"""From a closed segment, or one that a kill left open, to a whole run folder: tables, and a video for any player.

As a program, ``python -m pipeline.live.finish SEGMENT``, it works beside the stream and survives its end.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.progress import Lines, Progress, Silent
from pipeline.core.types import VideoInfo
from pipeline.finish import write_page
from pipeline.lift.registry import build_lifter, lifter_facts
from pipeline.live.segment import ids_file, usual_rate
from pipeline.observe import tiles
from pipeline.people import PeopleMade, build_people
from pipeline.prepare import versions
from pipeline.store.atomic import atomic, remove_leftovers
from pipeline.store.folder import RunFolder, skeleton_of_run
from pipeline.store.index import stored_video
from pipeline.store.lock import locked as held
from pipeline.store.manifest import video_facts
from pipeline.store.parts import part_tiles, part_warnings
from pipeline.store.settings import stored_config

SEGMENTS = "segments"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Lock the file ``path`` during the block; yields whether the lock was free."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def finish_segment(path: Path, progress: Progress | None = None) -> bool:
    """Make the tables, the video and the page of a segment; returns False where another process is making them.

    A segment without any flushed data is removed. PoselineError when the segment cannot be finished.
    """
    folder = RunFolder.existing(path)
    with locked(path / ".finishing") as mine, held(path) if mine else contextlib.nullcontext():
        if not mine:
            return False
        if folder.manifest().get("finished"):
            return True
        if not folder.parts():
            shutil.rmtree(path)
            return True
        config, info = stored_config(folder), _cut_index(folder)
        made = _tables(folder, info, config)
        if (video := _open_video(path)) is not None:
            remux(video, folder.video)
            video.unlink()
        remove_leftovers(path)
        for left in path.glob(".live.mp4.*.partial"):
            left.unlink()
        _finish_manifest(folder, config, made)
        write_page(folder, config, progress or Silent())
    (path / ".finishing").unlink(missing_ok=True)
    return True


def _cut_index(folder: RunFolder) -> VideoInfo:
    """Remove frames without flushed observations from the table of frames, and update run.json to match."""
    manifest = folder.begun()
    meta = pq.read_schema(folder.parts()[-1]).metadata or {}
    stop = int(json.loads(meta[b"frames"])[1])
    index = folder.observations / "index.parquet"
    table = pq.read_table(index)
    if len(table) > stop:
        with atomic(index) as temporary:
            pq.write_table(table.slice(0, stop), temporary, compression="zstd")
    folder.write_manifest(manifest.but(video={**manifest.told["video"], "frames": stop}))
    info = stored_video(folder)
    info = replace(info, fps=usual_rate(info.time_s))
    path = manifest.told["video"]["path"]
    folder.write_manifest(manifest.but(video={**video_facts(info), "path": path}, frames_observed=[0, stop]))
    return info


def _tables(folder: RunFolder, info: VideoInfo, config: Config) -> PeopleMade:
    tracklets: list[np.ndarray] = []
    person_of: dict[int, int] = {}
    for part in range(len(folder.parts())):
        table = pq.read_table(ids_file(folder, part))
        tracklets.append(table["tracklet"].to_numpy())
        person_of |= {int(t): p for t, p in json.loads(table.schema.metadata[b"people"]).items()}
    ids = np.array([person_of.get(int(t), -1) for t in np.concatenate(tracklets)], np.int32)
    lifter = build_lifter(config, skeleton_of_run(folder))
    return build_people(folder, info, config, lambda what, done: None, lifter, ids)


def _open_video(path: Path) -> Path | None:
    """The video as the stream wrote it, whether it was closed or not."""
    found = [path / "live.mp4", *path.glob(".live.mp4.*.partial")]
    found = [file for file in found if file.is_file() and file.stat().st_size]
    return max(found, key=lambda file: file.stat().st_size) if found else None


def remux(source: Path, target: Path) -> None:
    """The same pictures in an MP4 file with its index in front; a source cut short gives what it holds, or no file."""
    options = {"movflags": "+faststart"}
    try:
        with av.open(str(source)) as container:
            stream = container.streams.video[0]
            packets = _whole_packets(container, stream)
            first = next(packets, None)
            if first is None:  # killed before the first fragment
                return
            with atomic(target) as temporary, av.open(str(temporary), "w", format="mp4", options=options) as out:
                copy = out.add_stream_from_template(stream)
                for packet in chain([first], packets):
                    packet.stream = copy
                    out.mux(packet)
    except (av.FFmpegError, IndexError) as error:
        raise PoselineError(f"{source}: the video of this segment cannot be read ({error})") from error


def _whole_packets(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet]:
    with contextlib.suppress(av.error.InvalidDataError, EOFError):
        for packet in container.demux(stream):
            if packet.is_corrupt:  # cut short
                return
            if packet.dts is not None:
                yield packet


def _finish_manifest(folder: RunFolder, config: Config, made: PeopleMade) -> None:
    lifts = lifter_facts(config)
    lines = [*lifts.warnings, *(line for path in folder.parts() for line in part_warnings(path)), *made.lines]
    in_tiles = tiles.told([part_tiles(path) for path in folder.parts()])
    facts = made.said | {"table_versions": versions(config)} | in_tiles
    folder.write_manifest(folder.begun().finished(config, lifts.digests, made.rows, facts, lines))


class Finishers:
    """Finishes closed segments one after another, each in a process of its own that yields to the stream."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._paths: list[Path] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._path = Path()

    def add(self, path: Path) -> None:
        self._paths.append(path)
        self.poll()

    def poll(self) -> None:
        """Check the running process, and start the next one when it has ended."""
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            if status:
                self._say(f"{self._path}: could not be finished; poseline live on its folder tries again")
            self._process = None
        if self._paths:
            self._path = self._paths.pop(0)
            command = [sys.executable, "-m", "pipeline.live.finish", str(self._path)]
            # A session of its own, so that Ctrl-C stops the stream and not this process.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
            )

    def wait(self) -> None:
        """Wait until all segments are finished."""
        while self._process is not None:
            self._process.wait()
            self.poll()


def unfinished(live_folder: Path) -> list[Path]:
    """Segments of a live folder that a kill left open, in order."""
    found = sorted(p for p in (live_folder / SEGMENTS).glob("*") if (p / "run.json").is_file())
    return [p for p in found if not RunFolder(p).manifest().get("finished")]


def main() -> None:
    with contextlib.suppress(OSError):
        os.nice(10)
    try:
        finish_segment(Path(sys.argv[1]), Lines())
    except PoselineError as error:
        print(f"poseline: {error}", file=sys.stderr)
        raise SystemExit(error.status) from None


if __name__ == "__main__":
    main()
