"""The whole story, top to bottom: index, observe, track, per person, render. A reader starts here."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.config import Config, load_config
from pipeline.engines import Job, Options, start_engine
from pipeline.errors import HIDDEN, PoselineError
from pipeline.lock import locked
from pipeline.models.registry import Facts, build_lifter, lifter_facts, run_facts
from pipeline.observe import frame_range, plan_chunks
from pipeline.people import build_people, skeleton_of_run
from pipeline.progress import Progress, Silent
from pipeline.storage import Store, is_remote
from pipeline.store import (
    FORMAT_VERSION,
    OBSERVED_VERSION,
    RunFolder,
    check_parts,
    indexed_digest,
    part_digest,
    part_is_whole,
    part_warnings,
    stored_video,
    video_facts,
    write_index,
)
from pipeline.types import VideoInfo
from pipeline.video.index import find_inputs, index_video, is_pipe, spool

VERSIONED = ("poseline", "numpy", "onnxruntime", "av", "decord2", "opencv-python-headless", "pyarrow", "scipy", "lap")
VERSIONED_IF_USED = ("torch", "mmengine", "mmdet", "mmpose")  # of networks of the model zoo


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
    PoselineError. ``engine`` says where the work is done: `pipeline.engines`.
    ``out`` may be an address such as s3://bucket/prefix; runs are then made in ``work`` (`pipeline.storage`).
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
    facts: Facts,
    fps: Fraction | None,
    span_s: tuple[float | None, float | None],
    force: bool,
    progress: Progress,
) -> Job:
    """Index a video and prepare its run folder."""
    stages: dict[str, float] = {}
    out, store = place.out, place.store
    with _timed(stages, "index"):
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
            _start_over(folder)
        digest = prepare(folder, info, config, facts, frames, progress)
        chunks = plan_chunks(frames, config.observe.chunk_frames)
        missing = [c for c in chunks if not part_is_whole(folder.part(c.number), (c.start, c.stop), digest)]
        _remove_other_parts(folder, {folder.part(c.number) for c in chunks})
        job = Job(folder, info, frames, digest, missing, stages)
        if store:
            store.keep(folder.manifest_file, progress.say)  # says that the run is not finished
            job.kept = lambda path: store.keep(path, progress.say)
        job.held = held.pop_all()
    return job


MOST_NAME_BYTES = 200  # of a run folder's name: file systems take 255, and a digest may be put behind it


def folder_name(video: Path) -> str:
    """A run folder's name: the video's without its suffix, as one plain name that cannot lead out of the folder."""
    name = "stdin" if str(video) == "-" else video.resolve().name if video.is_dir() else video.stem
    name = "".join("_" if unicodedata.category(c) in HIDDEN else c for c in name)
    name = name.encode()[:MOST_NAME_BYTES].decode(errors="ignore")
    return name if name.strip(".") else f"video{name}"  # "..mp4" would be ".", and "...mp4" ".."


def choose_folder(
    out: Path, video: Path, info: VideoInfo, progress: Progress, fetch: Callable[[RunFolder], None] | None = None
) -> RunFolder:
    """``out/<video stem>``, or with the video's digest behind it where another video has that name already.

    ``fetch`` is given each folder before it is looked at.
    """
    name = folder_name(video)
    folder, other = RunFolder(out / name), RunFolder(out / f"{name}-{info.digest[:8]}")
    if fetch:
        fetch(folder)
        fetch(other)
    try:
        known = folder.manifest().get("video", {})
        taken = known and known["digest"] != info.digest and known["path"] != str(info.path.resolve())
    except PoselineError as error:
        progress.say(f"{error}, now")
        taken = indexed_digest(folder) not in ("", info.digest)
    return other if taken else folder


def _start_over(folder: RunFolder) -> None:
    """Remove what a run makes, and nothing else that a user may have put beside it."""
    for path in (folder.observations, folder.people):
        if path.is_dir():  # a part that cannot be deleted is an error: it would be taken for new
            shutil.rmtree(path)
    for path in (folder.manifest_file, folder.tracks, folder.people_csv, folder.video, folder.report):
        path.unlink(missing_ok=True)


# --- observe ---------------------------------------------------------------------------------------------------------


def prepare(
    folder: RunFolder,
    info: VideoInfo,
    config: Config,
    facts: Facts,
    frames: tuple[int, int],
    progress: Progress,
) -> str:
    """Make the run folder ready for observations made under these settings; returns the digest of those settings.

    Observations made under other settings are moved aside, and taken back when their settings return.
    """
    try:
        manifest = folder.manifest()
    except PoselineError:  # said by choose_folder; what is in it can be made again, and parts know what they are
        manifest = {}
    settings = config.digest("observe", "detect", "pose")
    content = [FORMAT_VERSION, OBSERVED_VERSION, info.digest, str(info.fps), frames, settings, facts.digests]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    _set_aside(folder, digest, progress, folder.manifest_file.is_file())
    write_index(folder, info)
    folder.write_manifest(
        {
            "poseline": FORMAT_VERSION,
            "finished": False,
            "video": {**video_facts(info), "path": str(info.path.resolve())},
            "skeleton": facts.skeleton.name,
            "keypoints": facts.skeleton.spec(),
            "frames_observed": list(frames),
            "observe_digest": digest,
            "config_digest": config.digest(),
            "config": config.model_dump(mode="json"),
            "networks": facts.digests,
            "network_warnings": list(facts.warnings),
            "video_warnings": list(info.warnings),
            "versions": {name: _version(name) for name in _packages(config)},
            **{key: manifest[key] for key in ("stages_s", "rendered") if key in manifest},
        }
    )
    return digest


def _set_aside(folder: RunFolder, digest: str, progress: Progress, going_on: bool) -> None:
    """Have observations of these settings, or none, in their place; those of others in a folder of their own.

    What the parts say of themselves counts, as a run may have been killed between these renames and the next manifest.
    Without ``going_on`` the run starts over, and takes nothing back.
    """
    digests = [known for known in map(part_digest, folder.parts()) if known]
    if digests and digest not in digests:
        aside = folder.path / f"observations-{digests[0][:8]}"
        shutil.rmtree(aside, ignore_errors=True)
        folder.observations.rename(aside)
        progress.say(f"{folder.path}: observations made under other settings are kept in {aside.name}")
    back = folder.path / f"observations-{digest[:8]}"
    if going_on and back.is_dir() and digest not in map(part_digest, folder.parts()):
        shutil.rmtree(folder.observations, ignore_errors=True)  # holds no whole part
        back.rename(folder.observations)


def _remove_other_parts(folder: RunFolder, wanted: set[Path]) -> None:
    for path in folder.parts():
        if path not in wanted:
            path.unlink()


# --- after observe ---------------------------------------------------------------------------------------------------


def track(folder: RunFolder | str | Path, config: Config | None = None, progress: Progress | None = None) -> RunFolder:
    """Track and smooth again from the stored observations, with other settings if given; nothing is rendered."""
    folder = folder if isinstance(folder, RunFolder) else RunFolder.existing(folder)
    progress = progress or Silent()
    with locked(folder.path, progress.say):
        config = later_config(folder, config) if config else stored_config(folder)
        check_parts(folder, content=True)
        finish(folder, config, stored_video(folder), False, {}, progress)
    return folder


def stored_config(folder: RunFolder) -> Config:
    """The settings a run was made with."""
    try:
        return Config.model_validate(folder.manifest()["config"])
    except (KeyError, ValueError) as error:
        raise PoselineError(f"{folder.manifest_file}: settings of another version; run again with --force") from error


def later_config(folder: RunFolder, config: Config) -> Config:
    """A run's settings with those of ``config`` for all that comes after observe, which stays as it was made."""
    later = {
        name: getattr(config, name) for name in ("track", "smooth", "lift", "metres", "render", "report", "runtime")
    }
    return stored_config(folder).model_copy(update=later)


def finish(
    folder: RunFolder, config: Config, info: VideoInfo, render: bool, stages: dict[str, float], progress: Progress
) -> None:
    """Everything after observe, and the manifest of the finished run. Whoever asks for it holds the run folder."""
    check_parts(folder)  # they may be gone by now
    low, high = folder.facts()["frames_observed"]
    with _timed(stages, "track"):
        progress.start("track", high - low, 0)
        edits: dict[str, Any] = {}
        lifter = build_lifter(config, skeleton_of_run(folder))
        # Tables of two settings would stand beside each other if this were stopped.
        folder.write_manifest({**folder.facts(), "finished": False})
        people = build_people(folder, info, config, config.digest(), progress.stage, lifter, edits)
    said = [*_of_the_lens(edits.get("field_of_view", {})), *edits["edits_skipped"]]
    for line in said:
        progress.say(line)
    lifts = lifter_facts(config)
    manifest = folder.facts()
    manifest |= {
        "finished": True,
        "config_digest": config.digest(),
        "config": config.model_dump(mode="json"),
        "people": len(people),
        "rows": int(sum(p["frames_measured"] + p["frames_interpolated"] for p in people)),
        "stages_s": {**manifest.get("stages_s", {}), **stages},
        "lifter": {"name": config.lift.name, "networks": lifts.digests},
        **edits,
        "names": {str(p["person_id"]): p["name"] for p in people if p["name"]},
        "suspicious": [f"person {p['person_id']}: {p['suspicious']}" for p in people if p["suspicious"]],
        "warnings": [
            *manifest.get("video_warnings", []),
            *manifest.get("network_warnings", []),
            *lifts.warnings,
            *said,
        ]
        + [line for path in folder.parts() for line in part_warnings(path)]
        + [f"person {p['person_id']}: {p['warnings']}" for p in people if p["warnings"]],
    }
    folder.write_manifest(manifest)
    if not render:
        write_page(folder, config, progress)
    elif video_is_current(folder, manifest, config):
        progress.say(f"{folder.video}: is up to date")
        write_page(folder, config, progress)
    else:
        _render(folder, config, progress)


def video_is_current(folder: RunFolder, manifest: dict[str, Any], config: Config) -> bool:
    """Whether annotated.mp4 is there and was made from the tables as they are."""
    return folder.video.is_file() and manifest.get("rendered") == _render_digest(manifest, config)


def _of_the_lens(field: dict[str, Any]) -> list[str]:
    """What is to be said of a field of view that nobody gave."""
    if field.get("from") == "assumed":
        shown = f"3D: a field of view of {field['deg']:.0f}° across the picture is assumed"
    elif field.get("from") == "estimated":
        shown = f"3D: a field of view of {field['deg']:.0f}° across the picture is estimated from the people in it"
    else:
        return []
    return [f"{shown}; give --fov or a calibration (--ground) if you know it"]


def _render_digest(manifest: dict[str, Any], config: Config) -> str:
    """Stands for all that annotated.mp4 is made from."""
    content = [manifest["observe_digest"], manifest["config_digest"], config.digest("render")]
    content += [manifest["edits_digest"]] if manifest.get("edits_digest") else []
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def render_run(
    folder: RunFolder | str | Path,
    config: Config | None = None,
    progress: Progress | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    out: Path | None = None,
) -> Path:
    """Draw annotated.mp4, or ``out``, from the tables of a finished run; returns its path.

    ``start_s`` and ``end_s`` are seconds after the first frame.
    """
    folder = folder if isinstance(folder, RunFolder) else RunFolder.existing(folder)
    config, progress = config or stored_config(folder), progress or Silent()
    with locked(folder.path, progress.say) if out is None else nullcontext():  # elsewhere it needs no rights in the run
        return _render(folder, config, progress, (start_s, end_s), out)


def _render(
    folder: RunFolder,
    config: Config,
    progress: Progress,
    span_s: tuple[float | None, float | None] = (None, None),
    out: Path | None = None,
) -> Path:
    """The same by one who holds the run folder."""
    from pipeline.render import render

    low, high = folder.facts()["frames_observed"]
    if part := span_s != (None, None):
        asked = frame_range(stored_video(folder), *span_s)
        low, high = max(low, asked[0]), min(high, asked[1])
    progress.start("render", max(high - low, 1), 0)
    stages: dict[str, float] = {}
    with _timed(stages, "render"):
        drawn = render(folder, config, progress.advance, low, high, out)
    for line in drawn["notes"]:
        progress.say(line)
    if out is not None:
        return out
    manifest = folder.facts()
    manifest["rendered"] = _render_digest(manifest, config) + (f" {low} {high}" if part else "")
    manifest["rendered_frames"] = [low, high]
    manifest["stages_s"] = {**manifest.get("stages_s", {}), **stages}
    # Frames that do not decode were said when they were observed.
    manifest["warnings"] = list(dict.fromkeys([*manifest.get("warnings", []), *drawn["warnings"]]))
    folder.write_manifest(manifest)
    write_page(folder, config, progress)
    return folder.video


def write_page(folder: RunFolder, config: Config, progress: Progress) -> None:
    """Write report.html, if it is wanted; whatever goes wrong there is said, and the run is as good as before."""
    if not config.report.enabled:
        return
    from pipeline.report import write_report

    stages: dict[str, float] = {}
    try:
        with _timed(stages, "report"):
            write_report(folder, config.report.max_mb)
    except Exception as error:
        progress.say(f"{folder.report}: not written ({error}); poseline report {folder.path} writes it")
        return
    manifest = folder.facts()
    manifest["stages_s"] = {**manifest.get("stages_s", {}), **stages}
    folder.write_manifest(manifest)


def _packages(config: Config) -> tuple[str, ...]:
    """The packages whose versions may decide a result."""
    names = (config.detect.name, config.pose.name, config.lift.name)
    return VERSIONED + (VERSIONED_IF_USED if any(n.startswith(("mmdet:", "mmpose:")) for n in names) else ())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


@contextmanager
def _timed(stages: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    stages[name] = round(time.perf_counter() - start, 3)
