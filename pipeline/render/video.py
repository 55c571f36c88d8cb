"""render: the source video with its people drawn in, with the source's times and sound."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline.core.clock import clock
from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.homography import STILL
from pipeline.core.settings import RenderConfig
from pipeline.core.types import VideoInfo
from pipeline.observe.choice import polygon
from pipeline.observe.found_again import camera_motions
from pipeline.render.draw.canvas import Canvas, Colour
from pipeline.render.draw.colours import OWN, PALE, PANEL, side_colours
from pipeline.render.draw.figure import Person
from pipeline.render.draw.insets import FloorInset, SpaceInset, corners, emptiest
from pipeline.render.draw.labels import Placer
from pipeline.render.draw.overlay import draw_people
from pipeline.render.draw.teams import colours_of_teams
from pipeline.render.draw.text import plate
from pipeline.render.draw.trails import Trails
from pipeline.render.look import look_of
from pipeline.render.privacy import Privacy
from pipeline.render.scene import (
    Words,
    boxes_of,
    columns_of,
    extent_of_lines,
    floor_of,
    limbs_in_space,
    pitch_lines,
    table_columns,
)
from pipeline.store.columns import person_name
from pipeline.store.cursor import people_by_frame
from pipeline.store.folder import RunFolder, skeleton_of_run
from pipeline.store.index import stored_video
from pipeline.store.people_table import people_teams
from pipeline.video.containers import container_of
from pipeline.video.decode import prefetch
from pipeline.video.encode import VideoWriter
from pipeline.video.moved import at_hand, gone
from pipeline.video.photo import PhotoWriter, check_photo
from pipeline.video.planes import PlaneReader, black, colours_of, even_size, planes_of
from pipeline.video.sources import refuse_live

AHEAD = 4  # frames that wait between decoding and drawing, and between drawing and encoding
_MOST_PX = 16384  # a side of a picture that encoders take


def render(
    folder: RunFolder,
    config: Config,
    progress: Callable[[int], None] | None = None,
    start_frame: int | None = None,
    stop_frame: int | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Make ``annotated.mp4``, ``annotated.jpg`` of a photograph, or ``out``, from the source and the people tables.

    The frames are those that the run observed, limited to [start_frame, stop_frame) if given. The first one is shown at
    time 0, all time steps are the source's, and the sound is kept. A frame without people passes unchanged. Decoding,
    drawing and encoding run at the same time, a few frames apart, on the planes that the encoder takes.

    Args:
        progress: called with the number of frames written since the last call.

    Returns:
        frames (written), person_frames (people drawn, summed over frames), seconds, warnings of the decoder, and
        notes on requested items that the tables lack.

    Raises:
        PoselineError: no frames in the range, no such person, the source video is gone, or the file cannot be written.
    """
    started = time.perf_counter()
    info, settings, target = at_hand(folder, stored_video(folder)), config.render, out or folder.drawn
    start, stop = _range(folder, info, start_frame, stop_frame)
    size_px = _size(info, settings)
    _check(folder, info, settings, target)
    written = drawn = 0
    shown: int | None = None
    with contextlib.ExitStack() as stack:
        black_only = settings.background == "black"
        reader = None if black_only else stack.enter_context(PlaneReader(info, size_px))
        frames = reader.read(start, stop) if reader else ((i, black(size_px)) for i in range(start, stop))
        writer: VideoWriter | PhotoWriter = _writer(target, config, info, size_px, start, stop)
        stack.enter_context(writer)
        decoded = stack.enter_context(contextlib.closing(prefetch(frames, AHEAD)))
        painter = Painter(folder, info, settings, Privacy.of(settings), size_px, range(start, stop))
        pictures = painter.paint(decoded)
        for index, frame, n_people in stack.enter_context(contextlib.closing(prefetch(pictures, AHEAD))):
            if shown == (pts := int(info.pts[index])):
                continue  # two pictures at one time: the second is never seen
            writer.write_frame(frame, pts)
            shown = pts
            written, drawn = written + 1, drawn + n_people
            if progress is not None:
                progress(1)
    seconds = time.perf_counter() - started
    said = {"warnings": reader.warnings if reader else [], "notes": painter.notes}
    return {"frames": written, "person_frames": drawn, "seconds": seconds, **said}


def _range(folder: RunFolder, info: VideoInfo, start: int | None, stop: int | None) -> tuple[int, int]:
    """The frames [first, last) to render: those asked for that were observed."""
    first, last = folder.manifest().get("frames_observed") or (0, len(info))
    low, high = max(first, start if start is not None else first), min(last, stop if stop is not None else last)
    if low >= high:
        raise PoselineError(
            f"{folder.path}: no frame between {start} and {stop} was observed; choose some of {first} to {last - 1}"
        )
    return low, high


def _size(info: VideoInfo, settings: RenderConfig) -> tuple[int, int]:
    size_px = even_size(info.size_px, settings.scale)
    least = 2 if info.kind == "photo" else 16
    if not least <= min(size_px) <= max(size_px) <= _MOST_PX:
        who = f"{info.path}" if settings.scale == 1 else f"--scale {settings.scale:g}"
        raise PoselineError(
            f"{who}: {size_px[0]}x{size_px[1]} pixels are no video; sides from 16 to {_MOST_PX} pixels can be written:"
            " choose another --scale, or leave the video out by --no-render"
        )
    return size_px


def _check(folder: RunFolder, info: VideoInfo, settings: RenderConfig, target: Path) -> None:
    check_photo(target) if info.kind == "photo" else container_of(target, settings.codec)
    if settings.background == "video":
        refuse_live(info)
    if not info.path.exists() and settings.background == "video":
        raise PoselineError(
            f"{gone(folder, info)}; or draw on black with --skeleton-only (all tables are complete without it)"
        )
    if info.path.exists() and target.exists() and target.samefile(info.path):
        raise PoselineError(f"--out {target}: is the source video; choose another name")
    unknown = [i for i in settings.people if not (folder.people / f"{person_name(i)}.parquet").is_file()]
    if unknown:
        there = sorted(int(p.stem.split("_")[1]) for p in folder.people.glob("person_*.parquet"))
        some = ", ".join(map(str, there[:20])) + (" …" if len(there) > 20 else "") if there else "none"
        raise PoselineError(f"--people {unknown[0]}: {folder.path} has no such person; there are {some}")


def _writer(
    target: Path, config: Config, info: VideoInfo, size_px: tuple[int, int], start: int, stop: int
) -> VideoWriter | PhotoWriter:
    if info.kind == "photo":
        return PhotoWriter(target, info.size_px if config.render.scale == 1 else size_px, colours_of(info))
    return VideoWriter(
        target,
        size_px,
        info.time_base,
        info.fps,
        audio_from=info.path if info.has_audio and info.path.exists() else None,
        stop_s=float(info.time_s[stop]) if stop < len(info) else None,
        crf=config.render.crf,
        preset=config.render.preset,
        threads=config.runtime.threads,
        codec=config.render.codec,
        colours=colours_of(info),
    )


class Painter:
    """Draws the people of a run into its frames, in their order.

    Args:
        size_px: (w, h) of the frames, whatever the source's is.
        frames: rows of the pts table that will be drawn.
    """

    def __init__(
        self,
        folder: RunFolder,
        info: VideoInfo,
        settings: RenderConfig,
        privacy: Privacy,
        size_px: tuple[int, int],
        frames: range,
    ) -> None:
        self.notes = privacy.notes(folder)
        self._info, self._settings, self._size_px, self._frames = info, settings, size_px, frames
        self._privacy = privacy
        self._folder, self._skeleton, self._look = folder, skeleton_of_run(folder), look_of(settings)
        source = even_size(info.size_px) if settings.scale == 1 else info.size_px
        self._scale = np.array(size_px) / np.array(source)
        self._weights = colours_of(info).weights
        self._columns = columns_of(table_columns(folder.people), self._look, self._skeleton)
        names = folder.names()
        self._words, self._placer = Words(self._columns, names), Placer()
        teams = folder.manifest().get("teams") if settings.teams else None
        self._colours = colours_of_teams(people_teams(folder), teams) if teams else OWN
        self._trails = Trails(self._look.trail_s, self._colours) if self._look.trail_s > 0 else None
        self._camera = camera_motions(folder.parts(), len(info)) if self._trails else None
        observed = folder.manifest().get("config", {}).get("detect", {})
        self._region = self._scale * polygon(observed.get("roi", ()))
        self._insets(folder.people)

    def _insets(self, people: Path) -> None:
        """Prepare the requested insets for which the tables have data."""
        columns, look = self._columns, self._look
        self._floor: FloorInset | None = None
        self._space: SpaceInset | None = None
        self._taken: list[tuple[int, int, int, int]] = []
        places = corners(self._size_px)
        boxes_px = boxes_of(people, self._frames) * np.tile(self._scale, 2)
        free = iter(places[i] for i in emptiest(places, boxes_px))
        lines = pitch_lines(self._folder)
        if columns.place and (extent := extent_of_lines(lines) or floor_of(people, columns, self._frames)):
            self._taken.append(next(free))
            self._floor = FloorInset(self._taken[-1], extent, look.trail_s, lines, self._colours)
        if columns.joints:
            limbs, self._limb_sides = limbs_in_space(columns, self._skeleton)
            extent = floor_of(people, columns._replace(place=()), self._frames)
            if extent is not None and limbs:
                self._taken.append(next(free))
                self._space = SpaceInset(self._taken[-1], extent, limbs)
        self._clock_corner = next(i for i in (3, 2, 0, 1) if places[i] not in self._taken)
        if look.ground and self._floor is None and any(people.glob("person_*.parquet")):
            self.notes.append("nobody's place on the floor is known: the video has no map (see docs/metres.md)")
        if look.space and self._space is None and any(people.glob("person_*.parquet")):
            self.notes.append("there is no 3D in the tables: the video has no inset of it (see docs/lifting.md)")

    def paint(self, decoded: Iterator[tuple[int, av.VideoFrame]]) -> Iterator[tuple[int, av.VideoFrame, int]]:
        """(row, frame with people drawn in, number of people) of all decoded frames; rows may be missing there."""
        frames, settings = self._frames, self._settings
        rows = zip(
            frames,
            people_by_frame(self._folder.people, self._skeleton, frames, self._columns.names),
            self._privacy.regions(self._folder, self._skeleton, self._info.real_s, frames),
            strict=True,
        )
        chosen = set(settings.people)
        for index, frame in decoded:
            people, regions = next((people, regions) for at, people, regions in rows if at == index)
            canvas = Canvas(planes_of(frame), self._weights)
            self._privacy.hide(canvas, regions, self._scale)
            here = [self._scaled(Person(*row)) for row in people if not chosen or row[0] in chosen]
            self._draw(canvas, index, here)
            yield index, frame, len(here)

    def _scaled(self, person: Person) -> Person:
        if (self._scale == 1).all():
            return person
        scale = self._scale.astype(np.float32)
        return person._replace(box_px=person.box_px * np.tile(scale, 2), keypoints_px=person.keypoints_px * scale)

    def _draw(self, canvas: Canvas, index: int, people: list[Person]) -> None:
        now, real_s = float(self._info.time_s[index]), float(self._info.real_s[index])
        if self._trails is not None:
            motion = STILL if self._camera is None else self._camera[index]
            self._trails.add(real_s, people, motion, self._scale)
            self._trails.draw(canvas)
        if len(self._region):  # the part of the picture that was looked at
            border = np.concatenate([self._region, self._region[:1]])
            width = max(min(self._size_px) / 400, 1)
            canvas.lines([border], width, [PALE], edge=max(width / 2, 1))  # pale on a pale wall is not seen
        words = {p.person_id: self._words.label(p, now) for p in people} if self._look.labels else {}
        angles = {p.person_id: self._words.angles(p, now) for p in people} if self._look.angles else {}
        draw_people(canvas, people, self._skeleton, self._look, words, angles, self._placer, self._taken, self._colours)
        if self._floor is not None:
            self._floor.draw(canvas, real_s, {p.person_id: self._columns.place_m(p) for p in people})
        if self._space is not None:
            by_person = self._look.colour == "person"
            own = {p.person_id: self._colours.of(p.person_id) if by_person else None for p in people}
            figures: list[tuple[np.ndarray, dict[int, Colour], Sequence[int]]] = [
                (self._columns.joints_m(p), side_colours(own[p.person_id]), self._limb_sides) for p in people
            ]
            self._space.draw(canvas, now, figures)
        if self._look.clock and self._info.kind != "photo":
            self._draw_clock(canvas, index, now)

    def _draw_clock(self, canvas: Canvas, index: int, now: float) -> None:
        height = max(round(0.034 * min(self._size_px)), 14)
        shown = clock(now - float(self._info.time_s[0]), 2, hours=False)
        patch = plate(f"{shown}   {index}", height, PANEL, PALE, 0.75)
        right, upper = self._clock_corner in (0, 1), self._clock_corner in (1, 2)
        x = canvas.width - patch.size[0] - height // 2 if right else height // 2
        canvas.put(patch, x, height // 2 if upper else canvas.height - height - height // 2)
