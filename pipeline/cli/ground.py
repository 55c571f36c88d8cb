"""poseline ground: help to find points of the ground."""

from __future__ import annotations

from pathlib import Path

from pipeline.cli.options import Given, Option, takes
from pipeline.core.errors import PoselineError
from pipeline.core.words import counted


@takes(
    "run_folder",
    Option("time", float, "Time of the picture on the video's own clock, s; by default where the run begins."),
    Option("point", list[str], "X,Y=MX,MY (px, then metres) or X,Y=NAME on --pitch. Repeatable.", metavar="X,Y=M"),
    "pitch",
    Option("out", Path, "The ground file to which the points are added: RUN/ground.toml."),
    "quiet debug",
)
def ground_command(given: Given) -> None:
    """Write a picture with a grid to read points from; --point adds them to a ground file and tells their errors."""
    from pipeline.core.pitches import check_pitch
    from pipeline.measure.ground_points import ENOUGH, add_set, errors, parse_points, report, with_those_before
    from pipeline.render.ground_picture import drawn, frame_at, write_picture
    from pipeline.render.privacy import Privacy
    from pipeline.store.folder import RunFolder
    from pipeline.store.settings import stored_config

    folder = RunFolder.existing(given.run_folder)
    if given.pitch is not None:
        check_pitch(given.pitch)
    if not given.point:
        given.refuse("out pitch", "has no effect without --point")
    points = parse_points(given.point or [], given.pitch)
    privacy = Privacy.of_run(stored_config(folder).render, folder.manifest())
    image, time_s = frame_at(folder, given.time, privacy)
    height, width = image.shape[:2]
    for (x, y), said in zip(points.px, points.said, strict=True):
        if not (0 <= x <= width and 0 <= y <= height):
            raise PoselineError(f"--point {x:g},{y:g}={said}: is outside the picture of {width}×{height} px")
    lines, floor, file = [], None, given.out or folder.path / "ground.toml"
    whole = with_those_before(file, time_s, points) if len(points.px) else points
    if len(whole.px) >= ENOUGH:
        floor, off_m = errors(whole)
        lines = report(whole, off_m)
    elif len(whole.px):
        some = counted(len(whole.px), "point")
        lines = [f"{some} alone cannot fix a plane: with those of other times there must be {ENOUGH}"]
    picture = folder.path / f"ground_{time_s:.2f}s.png"
    write_picture(picture, drawn(image, whole.px, floor))
    if len(points.px):
        add_set(file, time_s, points, given.pitch)
        lines.append(
            f"{file}: has these points now; with {ENOUGH} and more, poseline track {folder.path} --ground {file}"
        )
    if not given.quiet:
        print("\n".join([f"{picture}: the picture at {time_s:.2f} s", *lines]))
