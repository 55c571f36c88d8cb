"""poseline live."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import (
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
    PoseOption,
    QuietOption,
    RandomOption,
    ReidOption,
    SetOption,
    ThreadsOption,
    TrustOption,
    config_of,
    parse_classes,
    with_metres,
)
from pipeline.core.errors import PoselineError

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def live_command(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="rtsp://…, http://…, udp://…, /dev/video0, a file, - ; or a live folder"),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder that gets the live folder.")] = Path("outputs"),
    name: Annotated[str | None, typer.Option("--name", help="Name of the live folder; else by the source.")] = None,
    config: ConfigOption = "default",
    sets: SetOption = None,
    segment: Annotated[
        str | None, typer.Option("--segment", help="Length of a segment, such as 10m, 90s or 1h.")
    ] = None,
    max_seconds: Annotated[str | None, typer.Option("--max-seconds", help="Stop after so long: 90, 10m, 8h.")] = None,
    jsonl: Annotated[str | None, typer.Option("--jsonl", help="A line of JSON per frame to this file, or -.")] = None,
    render: Annotated[bool, typer.Option("--render/--no-render", help="Make annotated.mp4 of each segment.")] = True,
    detector: DetectorOption = None,
    pose: PoseOption = None,
    lifter: LifterOption = None,
    classes: ClassesOption = None,
    reid: ReidOption = None,
    height: HeightOption = None,
    length: LengthOption = None,
    ground: GroundOption = None,
    fov: FovOption = None,
    random_weights: RandomOption = None,
    trust_checkpoint: TrustOption = False,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Follow people in a camera or a stream; Ctrl-C ends it and leaves whole files."""
    from pipeline.core.progress import Lines, Silent
    from pipeline.live.run import live

    settings = config_of(
        config,
        sets,
        detector=("detect.name", detector),
        pose=("pose.name", pose),
        lifter=("lift.name", lifter),
        fov=("lift.fov_deg", fov),
        classes=("detect.classes", parse_classes(classes)),
        reid=("observe.reid", reid),
        segment=("live.segment_s", parse_length("--segment", segment)),
        random_weights=("runtime.random_weights", random_weights),
        trust=("runtime.trust_checkpoint", trust_checkpoint or None),
        device=("runtime.device", device),
        threads=("runtime.threads", threads),
    )
    settings = with_metres(settings, height, length, ground)
    folder = live(
        source,
        out,
        settings,
        render=render,
        max_seconds=parse_length("--max-seconds", max_seconds),
        jsonl=jsonl,
        name=name,
        progress=Silent() if quiet else Lines(),
    )
    if not quiet and jsonl != "-":
        _print(folder)


def parse_length(option: str, text: str | None) -> float | None:
    """Seconds from ``90``, ``90s``, ``10m`` or ``1.5h``."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([smh]?)", text.strip().lower())
    if not found or float(found[1]) <= 0:
        raise PoselineError(f"{option} {text}: write a length of time above 0, such as 90, 90s, 10m or 1.5h")
    return float(found[1]) * _UNITS[found[2]]


def _print(folder: Path) -> None:
    """What the live folder holds."""
    books = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    reasons = ", ".join(f"{n} {reason}" for reason, n in books["dropped_by_reason"].items())
    print(
        f"{folder}: {books['received']} frames received, {books['processed']} processed, {books['dropped']} dropped"
        + (f" ({reasons})" if reasons else "")
        + f"; {books['gap_count']} gaps, {books['reconnects']} reconnects"
    )
    for name in books["segments"]:
        print(f"  {folder / 'segments' / name}")
