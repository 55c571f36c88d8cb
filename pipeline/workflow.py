"""run: the whole pipeline from top to bottom. `pipeline.prepare` is before observing, `pipeline.finish` after it."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from pipeline.core.config import Config, load_config
from pipeline.core.errors import PoselineError
from pipeline.core.progress import Progress, Silent, WallClock
from pipeline.core.types import VideoInfo
from pipeline.engines.base import Job, Options
from pipeline.engines.start import start_engine
from pipeline.lift.registry import lifter_facts
from pipeline.measure.scales import check_length
from pipeline.models.protocols import NetworkFacts
from pipeline.models.registry import decided, run_facts
from pipeline.observe import tiles
from pipeline.observe.choice import check_region
from pipeline.observe.process import frame_range, plan_chunks
from pipeline.prepare import choose_folder, folder_name, folders_of, prepare, remove_other_parts, start_over
from pipeline.store.cloud import Store, is_remote
from pipeline.store.folder import RunFolder
from pipeline.store.index import decoded_before
from pipeline.store.lock import locked
from pipeline.store.parts import part_is_whole
from pipeline.video.index import index_video
from pipeline.video.inputs import find_inputs, is_photo, is_pipe, keep, spool


def run(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path = "outputs",
    config: Config | str | Path = "default",
    *,
    fps: Fraction | float | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    render: bool = True,
    report: bool = True,
    force: bool = False,
    recursive: bool = False,
    progress: Progress | None = None,
    engine: Options = Options(),  # noqa: B008
    work: str | Path | None = None,
) -> list[RunFolder]:
    """Run the pipeline on videos, photographs, or folders of videos or of images; returns one run folder per video.

    With ``fps`` a folder of images is one video; without, its images are photographs, each with a run folder.

    A run that was stopped goes on where it stopped. ``force`` starts over. ``start_s`` and ``end_s`` are seconds after
    the first frame. ``recursive``: folders inside folders are searched, too. A video that fails does not stop the
    others; all failures are raised together at the end as one PoselineError. ``engine`` says where the work is done:
    `pipeline.engines.start`.
    ``out`` may be an address such as s3://bucket/prefix; runs are then made in ``work`` (`pipeline.store.cloud`).
    """
    progress = progress or Silent()
    asked = _asked(inputs, str(out), config, fps, (start_s, end_s), render, report, force, work, recursive)
    results = _Results(len(asked.videos), progress)
    # Workers stop before the run folders are given back.
    with closing(_jobs(asked, results, progress)) as jobs, closing(start_engine(engine, asked.config)) as workers:
        for line in (*_of_photos(asked.videos, inputs), *asked.networks.warnings, *lifter_facts(asked.config).warnings):
            progress.say(line)
        for job, error in workers.map(jobs, asked.config, asked.render, progress):
            results.add(job, error, asked.store)
    return results.folders()


class _Asked(NamedTuple):
    """The checked request for a run."""

    videos: list[Path]
    out: Path  # where run folders are made
    store: Store | None  # where finished run folders are uploaded
    config: Config
    networks: NetworkFacts
    fps: Fraction | None
    span_s: tuple[float | None, float | None]
    render: bool
    force: bool


def _asked(
    inputs: str | Path | Sequence[str | Path],
    out: str,
    config: Config | str | Path,
    fps: Fraction | float | None,
    span_s: tuple[float | None, float | None],
    render: bool,
    report: bool,
    force: bool,
    work: str | Path | None,
    recursive: bool,
) -> _Asked:
    """The requested videos, settings and networks; PoselineError where one of them is not usable."""
    if out.encode(errors="ignore").decode() != out:
        raise PoselineError(f"--out {out}: this name is no UTF-8, which tables' files must have; choose another")
    config = config if isinstance(config, Config) else load_config(config)
    config = decided(config)
    networks = run_facts(config)
    names = [str(inputs)] if isinstance(inputs, str | Path) else [str(i) for i in inputs]
    videos = find_inputs(names, recursive, photos=fps is None)
    _check_pipes(videos)
    rate = Fraction(fps).limit_denominator(100_000) if fps is not None else None
    if not report:
        config = config.model_copy(update={"report": config.report.model_copy(update={"enabled": False})})
    store = Store(out, work) if is_remote(out) else None
    place = store.work if store else Path(out)
    return _Asked(videos, place, store, config, networks, rate, span_s, render and config.render.enabled, force)


def _of_photos(videos: list[Path], inputs: str | Path | Sequence[str | Path]) -> list[str]:
    """A line where a folder was taken as photographs, which the images of a video are not."""
    given = {str(inputs)} if isinstance(inputs, str | Path) else {str(i) for i in inputs}
    photos = [video for video in videos if is_photo(video) and str(video) not in given]
    if len(photos) < 2:
        return []
    where = photos[0].parent
    return [f"{where}: {len(photos)} photographs, each a run of its own; --fps makes one video of a folder of images"]


class _Results:
    """The results of the videos: their run folders, and the errors of the videos that failed."""

    def __init__(self, videos: int, progress: Progress) -> None:
        self._videos, self._progress = videos, progress
        self._folders: dict[Path, RunFolder] = {}
        self._failures: list[str] = []

    def failed(self, error: PoselineError) -> None:
        """A video failed; the others go on."""
        self._failures.append(str(error))
        if self._videos > 1:
            self._progress.say(f"failed: {error}")

    def add(self, job: Job, error: PoselineError | None, store: Store | None) -> None:
        """A job has ended. Its run folder is given back."""
        try:
            if error:
                raise error
            self._folders[job.folder.path] = store.upload(job.folder) if store else job.folder
        except PoselineError as failure:
            self.failed(failure)
        finally:
            job.held.close()

    def folders(self) -> list[RunFolder]:
        """The run folders; PoselineError where a video failed."""
        if self._failures:
            rest = f" ({len(self._failures)} of {self._videos} inputs failed)" if self._videos > 1 else ""
            raise PoselineError(self._failures[0] + rest)
        return list(self._folders.values())


def _check_pipes(videos: list[Path]) -> None:
    """PoselineError where two pipes would be kept in the same file."""
    seen: set[tuple[str, str]] = set()
    for video in filter(is_pipe, videos):
        kept = folder_name(video), video.name
        if kept in seen:
            raise PoselineError(f"{video}: another pipe of this name is given; give one of them another name")
        seen.add(kept)


def _jobs(asked: _Asked, results: _Results, progress: Progress) -> Generator[Job, None, None]:
    """The prepared videos, one after another; those that cannot be prepared have failed."""
    of: dict[Path, Path] = {}  # run folder → its video, for this run
    with ExitStack() as held:
        for video in asked.videos:
            try:
                job = _job(video, asked, of, progress)
            except PoselineError as error:
                results.failed(error)
                continue
            if job is not None:
                of[job.folder.path] = video
                held.push(job.held)
                yield job


def _job(video: Path, asked: _Asked, of: dict[Path, Path], progress: Progress) -> Job | None:
    """Index a video and prepare its run folder; None where ``of`` already has a run folder for the same video."""
    clock = WallClock()
    with ExitStack() as held:
        if is_pipe(video):
            held.enter_context(locked(asked.out / folder_name(video), progress.say))
        copied = spool(video, asked.out / folder_name(video))
        if is_pipe(video):
            held.callback(copied.unlink, missing_ok=True)  # unless it is kept in its run folder
        info = _indexed(copied, video, asked)
        check_region(asked.config, video, info.size_px)
        check_length(asked.config.metres.length, video, info.size_px)
        tiles.asked(asked.config.detect.tiles, info.size_px, video)
        frames = frame_range(info, *asked.span_s)
        folder = _own_folder(video, info, asked, of, held, progress)
        stages = {"index": clock.seconds()}
        if folder.path in of:
            progress.say(f"{video}: the same video as {of[folder.path]}; done once, in {folder.path}")
            return None
        if is_pipe(video):
            info = dataclasses.replace(info, path=keep(info.path, video, folder.path, info.digest))
        job = _prepared(folder, info, frames, stages, asked, progress)
        job.held = held.pop_all()
    return job


def _indexed(path: Path, given: Path, asked: _Asked) -> VideoInfo:
    """The index of the video at ``path``; errors and warnings name it as it was ``given``."""

    def known(digest: str) -> VideoInfo | None:
        return decoded_before(folders_of(asked.out, given, digest), digest)

    if path == given:
        return index_video(path, asked.fps, asked.config.video, known)
    try:
        info = index_video(path, asked.fps, asked.config.video, known)
    except PoselineError as error:
        raise PoselineError(str(error).replace(str(path), str(given))) from error
    return dataclasses.replace(info, warnings=tuple(w.replace(str(path), str(given)) for w in info.warnings))


def _own_folder(
    video: Path, info: VideoInfo, asked: _Asked, of: dict[Path, Path], held: ExitStack, progress: Progress
) -> RunFolder:
    """The video's run folder, locked; a folder in ``of`` belongs to this run and is locked already.

    Before the lock is taken another process may give the folder to another video: then a folder is chosen again.
    """
    fetch = asked.store.fetch_manifest if asked.store else None
    while True:
        folder = choose_folder(asked.out, video, info, progress, fetch)
        if folder.path in of:
            return folder
        with ExitStack() as lock:
            lock.enter_context(locked(folder.path, progress.say))
            if choose_folder(asked.out, video, info, Silent()).path == folder.path:
                held.push(lock.pop_all())
                return folder


def _prepared(
    folder: RunFolder,
    info: VideoInfo,
    frames: tuple[int, int],
    stages: Mapping[str, float],
    asked: _Asked,
    progress: Progress,
) -> Job:
    """The job of a prepared run folder, with the chunks that are still missing."""
    store, config = asked.store, asked.config
    for line in info.warnings:
        progress.say(line)
    info = dataclasses.replace(info, path=info.path.resolve())  # workers in other processes need the absolute path
    if store:
        store.fetch(folder, parts=not asked.force, video=asked.render)
    if asked.force and folder.path.exists():
        start_over(folder)
    digest = prepare(folder, info, config, asked.networks, frames, progress)
    chunks = plan_chunks(frames, config.observe.chunk_frames)
    missing = [c for c in chunks if not part_is_whole(folder.part(c.number), (c.start, c.stop), digest)]
    remove_other_parts(folder, {folder.part(c.number) for c in chunks})
    job = Job(folder, info, frames, digest, missing, stages)
    if store:
        store.keep(folder.manifest_file, progress.say)  # the stored manifest marks the run as unfinished
        job.kept = lambda path: store.keep(path, progress.say)
    return job
