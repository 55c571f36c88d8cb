"""run: the whole pipeline from top to bottom. `pipeline.prepare` is before observing, `pipeline.finish` after it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from pipeline.core.config import Config, load_config
from pipeline.core.errors import PoselineError
from pipeline.core.progress import Progress, Silent, timed
from pipeline.engines.start import Job, Options, start_engine
from pipeline.models.protocols import NetworkFacts
from pipeline.models.registry import lifter_facts, run_facts
from pipeline.observe.process import frame_range, plan_chunks
from pipeline.prepare import choose_folder, folder_name, prepare, remove_other_parts, start_over
from pipeline.store.cloud import Store, is_remote
from pipeline.store.folder import RunFolder, part_is_whole
from pipeline.store.lock import locked
from pipeline.video.index import find_inputs, index_video, is_pipe, spool


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
    progress: Progress | None = None,
    engine: Options = Options(),  # noqa: B008
    work: str | Path | None = None,
) -> list[RunFolder]:
    """Run the pipeline on videos, folders of videos or folders of images; returns one run folder per video.

    A run that was stopped goes on where it stopped. ``force`` starts over. ``start_s`` and ``end_s`` are seconds after
    the first frame. A video that fails does not stop the others; all failures are raised together at the end as one
    PoselineError. ``engine`` says where the work is done: `pipeline.engines.start`.
    ``out`` may be an address such as s3://bucket/prefix; runs are then made in ``work`` (`pipeline.store.cloud`).
    """
    progress = progress or Silent()
    if str(out).encode(errors="ignore").decode() != str(out):
        raise PoselineError(f"--out {out}: this name is no UTF-8, which tables' files must have; choose another")
    config = config if isinstance(config, Config) else load_config(config)
    facts, lifts = run_facts(config), lifter_facts(config)
    for line in facts.warnings + lifts.warnings:
        progress.say(line)
    names = [str(inputs)] if isinstance(inputs, str | Path) else [str(i) for i in inputs]
    videos = find_inputs(names)
    rate = Fraction(fps).limit_denominator(100_000) if fps is not None else None
    if not report:
        config = config.model_copy(update={"report": config.report.model_copy(update={"enabled": False})})
    store = Store(str(out), work) if is_remote(out) else None
    place = _Place(store.work if store else Path(out), store, render and config.render.enabled)
    folders: dict[Path, RunFolder] = {}
    failures: list[str] = []

    def failed(error: PoselineError) -> None:
        failures.append(str(error))
        if len(videos) > 1:
            progress.say(f"failed: {error}")

    def jobs() -> Iterator[Job]:
        for video in videos:
            try:
                job = _job(video, place, config, facts, rate, (start_s, end_s), force, progress)
            except PoselineError as error:
                failed(error)
            else:
                folders_held.push(job.held)
                yield job

    with ExitStack() as folders_held, closing(start_engine(engine, config)) as workers:
        for job, error in workers.map(jobs(), config, place.render, progress):
            try:
                if error:
                    raise error
                folders[job.folder.path] = store.upload(job.folder) if store else job.folder
            except PoselineError as failure:
                failed(failure)
            finally:
                job.held.close()
    if failures:
        rest = f" ({len(failures)} of {len(videos)} inputs failed)" if len(videos) > 1 else ""
        raise PoselineError(failures[0] + rest)
    return list(folders.values())


class _Place(NamedTuple):
    """Where run folders are made, where they go from there, and whether with videos."""

    out: Path
    store: Store | None
    render: bool


def _job(
    video: Path,
    place: _Place,
    config: Config,
    facts: NetworkFacts,
    fps: Fraction | None,
    span_s: tuple[float | None, float | None],
    force: bool,
    progress: Progress,
) -> Job:
    """Index a video and prepare its run folder."""
    stages: dict[str, float] = {}
    out, store = place.out, place.store
    with timed(stages, "index"):
        with locked(out / folder_name(video), progress.say) if is_pipe(video) else nullcontext():
            info = index_video(spool(video, out / folder_name(video)), fps)
        frames = frame_range(info, *span_s)
        folder = choose_folder(out, video, info, progress, store.fetch_manifest if store else None)
    for line in info.warnings:
        progress.say(line)
    info = dataclasses.replace(info, path=info.path.resolve())  # what workers elsewhere know it by
    with ExitStack() as held:
        held.enter_context(locked(folder.path, progress.say))
        if store:
            store.fetch(folder, parts=not force, video=place.render)
        if force and folder.path.exists():
            start_over(folder)
        digest = prepare(folder, info, config, facts, frames, progress)
        chunks = plan_chunks(frames, config.observe.chunk_frames)
        missing = [c for c in chunks if not part_is_whole(folder.part(c.number), (c.start, c.stop), digest)]
        remove_other_parts(folder, {folder.part(c.number) for c in chunks})
        job = Job(folder, info, frames, digest, missing, stages)
        if store:
            store.keep(folder.manifest_file, progress.say)  # says that the run is not finished
            job.kept = lambda path: store.keep(path, progress.say)
        job.held = held.pop_all()
    return job
