"""poseline run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import (
    BlurOption,
    ClassesOption,
    ConfigOption,
    DebugOption,
    DetectorOption,
    DeviceOption,
    FovOption,
    GroundOption,
    HeightOption,
    LengthOption,
    LifterOption,
    PeopleOption,
    PoseOption,
    QuietOption,
    RandomOption,
    ReidOption,
    SetOption,
    StyleOption,
    ThreadsOption,
    TrustOption,
    config_of,
    parse_classes,
    parse_rate,
    parse_seconds,
    progress_of,
    with_metres,
)


def run_command(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Videos, folders of videos or of images, -")],
    out: Annotated[
        str, typer.Option("--out", help="Folder, or s3://BUCKET/PREFIX, that gets one run folder per video.")
    ] = "outputs",
    work: Annotated[
        Path | None, typer.Option("--work", help="Folder in which runs bound for s3:// are made: outputs/.work.")
    ] = None,
    config: ConfigOption = "default",
    sets: SetOption = None,
    detector: DetectorOption = None,
    pose: PoseOption = None,
    lifter: LifterOption = None,
    classes: ClassesOption = None,
    reid: ReidOption = None,
    people: PeopleOption = None,
    height: HeightOption = None,
    length: LengthOption = None,
    ground: GroundOption = None,
    fov: FovOption = None,
    random_weights: RandomOption = None,
    trust_checkpoint: TrustOption = False,
    device: DeviceOption = None,
    decoder: Annotated[str | None, typer.Option("--decoder", help="decord or pyav.")] = None,
    threads: ThreadsOption = None,
    fps: Annotated[
        str | None, typer.Option("--fps", help="Frame rate of a folder of images, such as 30000/1001.")
    ] = None,
    start: Annotated[str | None, typer.Option("--start", help="Seconds, or m:s, after the first frame.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Seconds, or m:s, after the first frame.")] = None,
    render: Annotated[bool, typer.Option("--render/--no-render", help="Make annotated.mp4.")] = True,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
    engine: Annotated[
        str, typer.Option("--engine", help="local, process (worker processes on this machine) or ray (a cluster).")
    ] = "local",
    workers: Annotated[int | None, typer.Option("--workers", help="Of --engine process and ray.")] = None,
    ray_address: Annotated[
        str | None, typer.Option("--ray-address", help="Of a running cluster; else Ray is started on this machine.")
    ] = None,
    gpus_per_worker: Annotated[
        float | None, typer.Option("--gpus-per-worker", min=0, help="Of --engine ray; .5: two share a GPU.")
    ] = None,
    style: StyleOption = None,
    blur: BlurOption = None,
    force: Annotated[bool, typer.Option("--force", help="Start over instead of going on.")] = False,
    recursive: Annotated[bool, typer.Option("--recursive", help="Search folders inside folders.")] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Find people in videos, track them, write one table per person and an annotated video."""
    from pipeline.engines.base import Options
    from pipeline.workflow import run

    settings = config_of(
        config,
        sets,
        detector=("detect.name", detector),
        pose=("pose.name", pose),
        lifter=("lift.name", lifter),
        fov=("lift.fov_deg", fov),
        classes=("detect.classes", parse_classes(classes)),
        reid=("observe.reid", reid),
        people=("track.people", people),
        random_weights=("runtime.random_weights", random_weights),
        trust=("runtime.trust_checkpoint", trust_checkpoint or None),
        device=("runtime.device", device),
        decoder=("runtime.decoder", decoder),
        threads=("runtime.threads", threads),
        style=("render.style", style),
        blur=("render.blur", blur),
    )
    settings = with_metres(settings, height, length, ground)
    progress = progress_of(quiet)
    try:
        folders = run(
            inputs,
            out,
            settings,
            fps=parse_rate(fps),
            start_s=parse_seconds("--start", start),
            end_s=parse_seconds("--end", end),
            render=render,
            report=report,
            force=force,
            recursive=recursive,
            progress=progress,
            engine=Options(engine, workers, ray_address, gpus_per_worker),
            work=work,
        )
    finally:
        progress.close()
    if not quiet:
        for folder in folders:
            print_run(folder)


def print_run(folder: Any) -> None:
    manifest = folder.manifest()
    low, high = manifest["frames_observed"]
    where = getattr(folder, "url", folder.path)  # of one that was uploaded
    people, frames = manifest.get("people", 0), high - low
    print(f"{where}: {people} {_plural(people, 'person', 'people')} in {frames} {_plural(frames, 'frame', 'frames')}")
    for path in (folder.people_csv, folder.people, folder.tracks, folder.video, folder.report):
        if path.exists():
            print(f"  {path}")


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
