"""poseline live."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.cli import wanted
from pipeline.cli.options import METRES, Argument, Given, Option, takes
from pipeline.cli.values import parse_duration
from pipeline.core.words import counted


@takes(
    Argument("source", str, "rtsp://…, http://…, udp://…, /dev/video0, a file, - ; or a live folder", metavar="SOURCE"),
    Option("out", Path, "Folder that gets the live folder.", default=Path("outputs")),
    Option("name", str, "Name of the live folder; else by the source."),
    "config set roi min_height max_people",
    Option("segment", str, "Length of a segment, such as 10m, 90s or 1h.", "live.segment_s", read=parse_duration),
    Option("max_seconds", str, "Stop after so long: 90, 10m, 8h.", read=parse_duration),
    Option("jsonl", str, "A line of JSON per frame to this file, or -."),
    Option("render", bool, "Make annotated.mp4 of each segment.", default=True, flags=("--render/--no-render",)),
    f"detector pose lifter no_3d classes reid drop_still {METRES} roll fov random_weights trust_checkpoint",
    f"device threads {wanted.OPTIONS} quiet debug",
)
def live_command(given: Given) -> None:
    """Follow people in a camera or a stream; Ctrl-C ends it and leaves whole files."""
    from pipeline.core.progress import Lines, Silent
    from pipeline.live.run import live

    settings = given.settings()
    wanted.provide(given, settings, given.quiet)
    folder = live(
        given.source,
        given.out,
        settings,
        render=given.render,
        max_seconds=given.max_seconds,
        jsonl=given.jsonl,
        name=given.name,
        progress=Silent() if given.quiet else Lines(),
    )
    if not given.quiet and given.jsonl != "-":
        _print(folder)


def _print(folder: Path) -> None:
    """Print the contents of the live folder."""
    books = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    reasons = ", ".join(f"{n} {reason}" for reason, n in books["dropped_by_reason"].items())
    print(
        f"{folder}: {counted(books['received'], 'frame')} received, {books['processed']} processed,"
        f" {books['dropped']} dropped"
        + (f" ({reasons})" if reasons else "")
        + f"; {counted(books['gap_count'], 'gap')}, {counted(books['reconnects'], 'reconnect')}"
    )
    for name in books["segments"]:
        print(f"  {folder / 'segments' / name}")
