"""poseline run."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.cli import wanted
from pipeline.cli.options import METRES, Argument, Given, Option, takes
from pipeline.cli.values import parse_rate
from pipeline.core.errors import PoselineError
from pipeline.core.words import counted


@takes(
    Argument("inputs", list[str], "Videos, folders of videos or of images, -", metavar="INPUT..."),
    Option("out", str, "Folder, or s3://BUCKET/PREFIX, that gets one run folder per video.", default="outputs"),
    Option("work", Path, "Folder in which runs bound for s3:// are made: outputs/.work."),
    "config set detector pose lifter no_3d classes reid roi min_height max_people people drop_still shots teams",
    f"{METRES} roll fov random_weights trust_checkpoint device",
    Option("decoder", str, "decord or pyav.", "runtime.decoder"),
    "threads",
    Option("fps", str, "Frame rate of a folder of images, else photographs, or of a bare .h264.", read=parse_rate),
    Option("stream", int, "Which of several videos in a file, from 0; else the largest.", "video.stream", min=0),
    Option("deinterlace", str, "auto, off, frame, or field (a picture for each field).", "video.deinterlace"),
    "recorded_fps time_zero start end",
    Option("render", bool, "Make annotated.mp4; .jpg of a photograph.", default=True, flags=("--render/--no-render",)),
    Option("report", bool, "Write report.html.", default=True, flags=("--report/--no-report",)),
    Option("engine", str, "local, process (worker processes on this machine) or ray (a cluster).", default="local"),
    Option("workers", int, "Of --engine process and ray."),
    Option("ray_address", str, "Of a running cluster; else Ray is started on this machine."),
    Option("gpus_per_worker", float, "Of --engine ray; .5: two share a GPU.", min=0),
    "style blur",
    Option("force", bool, "Start over instead of going on.", default=False),
    Option("recursive", bool, "Search folders inside folders.", default=False),
    f"{wanted.OPTIONS} quiet debug",
)
def run_command(given: Given) -> None:
    """Find people in videos, track them, write one table per person and an annotated video."""
    from pipeline.engines.base import Options
    from pipeline.store.cloud import is_remote
    from pipeline.workflow import run

    if not is_remote(given.out):
        given.refuse("work", f"runs are made in --out {given.out}, which is on this machine")
    settings = given.settings()
    if given.offline:
        _refuse_addresses([*given.inputs, given.out])
    wanted.provide(given, settings, given.quiet)
    with closing(given.progress()) as progress:
        folders = run(
            given.inputs,
            given.out,
            settings,
            fps=given.fps,
            start_s=given.start,
            end_s=given.end,
            render=given.render,
            report=given.report,
            force=given.force,
            recursive=given.recursive,
            progress=progress,
            engine=Options(given.engine, given.workers, given.ray_address, given.gpus_per_worker),
            work=given.work,
        )
    if not given.quiet:
        for folder in folders:
            print_run(folder)


def _refuse_addresses(places: list[str]) -> None:
    for place in places:
        if "://" in place:
            raise PoselineError(f"{place}: --offline forbids it; give a path on this machine, or leave out --offline")


def print_run(folder: Any) -> None:
    manifest = folder.manifest()
    low, high = manifest["frames_observed"]
    where = getattr(folder, "url", folder.path)  # the address of an uploaded run
    people, frames = manifest.get("people", 0), high - low
    print(f"{where}: {counted(people, 'person', 'people')} in {counted(frames, 'frame')}")
    if (teams := manifest.get("teams") or {}).get("found"):
        told = [f"{name} ({kit['shirt']}): {kit['people']}" for name, kit in teams["kits"].items()]
        print(f"  teams {', '.join(told)}; others: {teams['others']} (docs/teams.md; --teams off leaves them out)")
    for path in (folder.people_csv, folder.people, folder.tracks, folder.drawn, folder.report):
        if path.exists():
            print(f"  {path}")
