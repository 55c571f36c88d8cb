"""After a video was observed: tracks and tables, the annotated video, the report, the manifest of a finished run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core.config import Config
from pipeline.core.progress import Progress, Silent, WallClock
from pipeline.core.types import VideoInfo
from pipeline.export.stale import set_aside, tables_digest
from pipeline.lift.registry import build_lifter, lifter_facts
from pipeline.observe import tiles
from pipeline.observe.activity import counted
from pipeline.observe.process import frame_range
from pipeline.people import build_people, scene_of
from pipeline.prepare import versions
from pipeline.store.folder import RunFolder, skeleton_of_run
from pipeline.store.index import stored_video
from pipeline.store.lock import locked, locked_for
from pipeline.store.parts import check_parts, part_activity, part_tiles, part_warnings, sightings
from pipeline.store.settings import later_config, render_digest, stored_config, video_is_current
from pipeline.tracking.edits_file import digest as edits_digest


def track(folder: RunFolder | str | Path, config: Config | None = None, progress: Progress | None = None) -> RunFolder:
    """Track and smooth again from the stored observations, with other settings if given; nothing is rendered."""
    folder = folder if isinstance(folder, RunFolder) else RunFolder.existing(folder)
    progress = progress or Silent()
    with locked(folder.path, progress.say):
        config = later_config(folder, config) if config else stored_config(folder)
        check_parts(folder, content=True)
        finish(folder, config, stored_video(folder), False, {}, progress)
    return folder


def finish(
    folder: RunFolder, config: Config, info: VideoInfo, render: bool, stages: Mapping[str, float], progress: Progress
) -> None:
    """Do everything after observe and write the manifest of the finished run. The caller holds the run folder."""
    check_parts(folder)  # somebody may have deleted parts since
    info = info.recorded_at(config.time.recorded_fps, config.time.zero_s)
    low, high = folder.begun().frames
    clock = WallClock()
    progress.start("track", high - low, 0)
    lifter = build_lifter(config, skeleton_of_run(folder))
    scene = scene_of(folder, info, config)  # what is told wrongly ends here, and the tables stay as they are
    # A run that is stopped here would leave tables of two different settings beside each other.
    made = tables_digest(folder.begun().told["observe_digest"], config, edits_digest(folder))
    others = folder.begun().told.get("tables_digest") != made
    folder.write_manifest(folder.begun().but(finished=False).without("tables_digest"))
    for line in set_aside(folder) if others else ():
        progress.say(line)
    people, said, found = build_people(folder, info, config, progress.stage, lifter, scene=scene)
    stages = {**stages, "track": clock.seconds()}
    lines = [*_of_the_lens(said.get("field_of_view", {})), *said["edits_skipped"], *_of_nobody(folder, config, people)]
    lines += found
    lines += [*_of_heights(config, people), *zero_warnings(info)]
    for line in lines:
        progress.say(line)
    lifts = lifter_facts(config)
    lines = [*lifts.warnings, *lines, *(line for path in folder.parts() for line in part_warnings(path))]
    said |= {"table_versions": versions(config)} | tiles.told([part_tiles(path) for path in folder.parts()])
    manifest = folder.begun().after(stages).finished(config, lifts.digests, people, said, lines)
    manifest = manifest.but(tables_digest=made, activity=counted([part_activity(path) for path in folder.parts()]))
    folder.write_manifest(manifest)
    if not render:
        write_page(folder, config, progress)
    elif video_is_current(folder, dict(manifest.told), config):
        progress.say(f"{folder.drawn}: is up to date")
        write_page(folder, config, progress)
    else:
        _render(folder, config, progress)


def _of_nobody(folder: RunFolder, config: Config, people: list[dict[str, Any]]) -> list[str]:
    """Warnings for a run without people: an empty video, a network that does not fit, or thresholds."""
    if people:
        return []
    seen = sum(sightings(path) for path in folder.parts())
    if not seen and (config.detect.roi or config.detect.min_height_px):
        return [
            "nobody was found in any frame in what --roi and --min-height leave; give a larger area or a lower height"
        ]
    if not seen:
        return [
            f"nobody was found in any frame by {config.detect.name} with {config.pose.name}; if people are there, lower"
            " detect.score, or check the network (an onnx: file may need detect.layout)"
        ]
    return [f"nobody was followed: {seen} sightings are too few or too unsure; lower track.high_score"]


def _of_heights(config: Config, people: list[dict[str, Any]]) -> list[str]:
    """Warnings about heights that were given for nobody, or for a name that several people have."""
    lines = []
    for who, height_m in config.metres.heights_m.items():
        owners = [p["person_id"] for p in people if who == (str(p["person_id"]) if who.isdecimal() else p["name"])]
        if not owners:
            what = f"there is no person {who}" if who.isdecimal() else f"nobody is called {who}"
            lines.append(f"--height {who}={height_m:g}: {what}; nobody gets this height")
        elif len(owners) > 1:
            said = " and ".join(str(i) for i in owners)
            lines.append(f"--height {who}={height_m:g}: people {said} are called {who}; all of them get this height")
    return lines


def zero_warnings(info: VideoInfo) -> list[str]:
    """A line where the time that is to be 0 lies outside the video."""
    if not info.zero_s or info.time_s[0] <= info.zero_s <= info.time_s[-1]:
        return []
    return [
        f"--time-zero {info.zero_s:g}: the video goes from {info.time_s[0]:.2f} to {info.time_s[-1]:.2f} s,"
        f" so all times are {'above' if info.zero_s < info.time_s[0] else 'below'} 0"
    ]


def _of_the_lens(field: dict[str, Any]) -> list[str]:
    """Warnings about a field of view that the user did not give."""
    if field.get("from") == "assumed":
        shown = f"3D: a field of view of {field['deg']:.0f}° across the picture is assumed"
    elif field.get("from") == "estimated":
        shown = f"3D: a field of view of {field['deg']:.0f}° across the picture is estimated from the people in it"
    elif field.get("from") == "turns":
        shown = f"3D: a field of view of {field['deg']:.0f}° across the first picture fits the camera's turns best"
    else:
        return []
    return [f"{shown}; give --fov or a calibration (--ground) if you know it"]


def render_run(
    folder: RunFolder | str | Path,
    config: Config | None = None,
    progress: Progress | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    out: Path | None = None,
) -> Path:
    """Draw annotated.mp4, annotated.jpg of a photograph, or ``out``, from a finished run's tables; returns its path.

    ``start_s`` and ``end_s`` are seconds after the first frame.
    """
    folder = folder if isinstance(folder, RunFolder) else RunFolder.existing(folder)
    config, progress = config or stored_config(folder), progress or Silent()
    with locked_for(folder.path, out, progress.say):
        return _render(folder, config, progress, (start_s, end_s), out)


def _render(
    folder: RunFolder,
    config: Config,
    progress: Progress,
    span_s: tuple[float | None, float | None] = (None, None),
    out: Path | None = None,
) -> Path:
    """Do the work of `render_run` for a caller that holds the run folder."""
    from pipeline.render.privacy import Privacy
    from pipeline.render.video import render

    low, high = folder.begun().frames
    if part := span_s != (None, None):
        asked = frame_range(stored_video(folder), *span_s)
        low, high = max(low, asked[0]), min(high, asked[1])
    progress.start("render", max(high - low, 1), 0)
    for line in Privacy.of(config.render).remark(stored_config(folder).render, folder.manifest()):
        progress.say(line)
    privacy, before = Privacy.of(config.render).facts(), folder.begun().told.get("rendered_privacy")
    if out is None and before not in (None, privacy):  # a kill may leave the new video beside the old facts
        folder.write_manifest(folder.begun().without("rendered_privacy"))
    clock = WallClock()
    drawn = render(folder, config, progress.advance, low, high, out)
    took_s = clock.seconds()
    for line in drawn["notes"]:
        progress.say(line)
    if out is not None:
        return out
    manifest = folder.begun().after({"render": took_s})
    digest = render_digest(dict(manifest.told), config) + (f" {low} {high}" if part else "")
    # The observe stage has already warned about frames that do not decode.
    manifest = manifest.but(rendered=digest, rendered_frames=[low, high], rendered_privacy=privacy)
    folder.write_manifest(manifest.warned(drawn["warnings"]))
    write_page(folder, config, progress)
    return folder.drawn


def write_page(folder: RunFolder, config: Config, progress: Progress) -> None:
    """Write report.html, if the settings ask for it, and renew methods.md and methods.txt if they are there.

    An error is reported as a warning and does not fail the run.
    """
    from pipeline.render.privacy import Privacy
    from pipeline.report.methods import renew_methods
    from pipeline.report.write import write_report

    try:
        renew_methods(folder)
    except Exception as error:
        progress.say(
            f"{folder.methods_md}: older than the run ({error}); poseline methods {folder.path} writes it again"
        )
    if not config.report.enabled:
        return
    clock = WallClock()
    try:
        write_report(folder, Privacy.of_run(config.render, folder.manifest()), config.report.max_mb)
    except Exception as error:
        progress.say(f"{folder.report}: not written ({error}); poseline report {folder.path} writes it")
        return
    folder.write_manifest(folder.begun().after({"report": clock.seconds()}))
