"""The index of a video: the pts of every displayed frame, key frames, size, rotation.

It is made without decoding where packets are sound. The pts table decides about frames and times; decoded frames are
matched with the table and never change it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.settings import VideoConfig
from pipeline.core.types import SeenPackets, VideoInfo
from pipeline.core.words import counted
from pipeline.video.deinterlace import by_fields, by_frames
from pipeline.video.first import FirstPicture, first_picture, in_squares, of_hdr
from pipeline.video.images import has_pages, index_images, index_photo
from pipeline.video.inputs import is_photo, refuse_spherical
from pipeline.video.media import check_size, digest_of, fraction, open_media, video_stream, video_streams
from pipeline.video.packets import (
    ASCENDING,
    AVI_TIMES,
    START,
    Packets,
    bare_rate,
    is_bare,
    joins,
    promised,
    read_packets,
    reason_of,
    why_doubtful,
)
from pipeline.video.rate import believable, created_of, timecode_of, times_of
from pipeline.video.seen import Decoded, decode_file, seen_frames, starts_in_order
from pipeline.video.shape import pixel_aspect


def index_video(
    path: Path | str,
    fps: Fraction | None = None,
    asked: VideoConfig = VideoConfig(),  # noqa: B008
    known: Callable[[str], VideoInfo | None] = lambda digest: None,
) -> VideoInfo:
    """Index a video file, a folder of images or a photograph.

    One pass over the packets and one decoded picture (FFmpeg attaches the rotation and the true pixel format to
    pictures only). ``fps`` is needed for a folder of images, where frame i is shown at i / fps, and overrides the rate
    of a bare H.264 or HEVC stream; other files have times. Packets that are never shown are not in the table: those
    an edit list discards, those before the first picture that decodes, hidden VP8 frames. Where packets do not tell
    the frames and their times (no times, times that contradict the order of pictures, fields, a clock that starts
    anew: `pipeline.video.packets.why_doubtful`) the file is decoded once, and the table holds the pictures that
    came out (``seen``). ``known`` gives the index of a file of this digest that was decoded earlier, so that it is not
    decoded again.

    Raises PoselineError when the path is missing, unreadable, empty, damaged or without pictures, or where ``fps`` is
    given for a file with times.
    """
    path = Path(path)
    try:
        refuse_spherical(path)
        if path.is_dir() or has_pages(path):
            return index_images(path, fps)
        if is_photo(path):
            return index_photo(path, fps)
        if path.stat().st_size == 0 and path.is_file():
            raise PoselineError(f"{path}: the file is empty; give a video file")
        digest = digest_of([path])
        with open_media(path) as container:
            return _deinterlaced(_index_file(path, container, digest, fps, asked, known(digest)), asked)
    except FileNotFoundError as error:
        raise PoselineError(f"{path}: no such file or folder; check the path") from error
    except PermissionError as error:
        raise PoselineError(f"{path}: permission denied; make the file readable") from error
    except (av.FFmpegError, OSError) as error:
        raise PoselineError(
            f"{path}: not a video, or its header is damaged ({reason_of(error)}); try to remux it"
        ) from error


def _index_file(
    path: Path,
    container: av.container.InputContainer,
    digest: str,
    fps: Fraction | None,
    asked: VideoConfig,
    known: VideoInfo | None,
) -> VideoInfo:
    number, said = _stream_number(path, container, asked.stream)
    stream = video_stream(container, number)
    if stream is None:
        what = (
            "only audio in this file" if container.streams.audio else "no video in this file, or its header is damaged"
        )
        raise PoselineError(f"{path}: {what}; give a file with pictures")
    check_size(path, stream.width, stream.height)
    packets = read_packets(container, stream)
    picture = first_picture(path, number, asked.hdr)
    if picture is None or not packets.shown.any():
        raise PoselineError(f"{path}: no picture in this video can be decoded; record or export it again")
    check_size(path, picture.width, picture.height)
    table = _table(path, container, stream, number, packets, picture, _decoded_before(known, number))
    table, time_base, rate = _timed(path, container, stream, packets, table, fps)
    time_s, more = times_of(path, table.pts, time_base, rate)
    rate, lines = believable(path, rate, stream.guessed_rate, time_s, table.seen is not None)
    more += lines
    aspect = pixel_aspect(stream)
    size_px, lines = in_squares(path, picture, aspect)
    more += [*lines, *of_hdr(path, picture)]
    return VideoInfo(
        path=path,
        size_px=size_px,
        rotation_deg=picture.rotation_deg,
        time_base=time_base,
        fps=rate,
        pts=table.pts,
        time_s=time_s,
        is_key=table.is_key,
        has_audio=bool(container.streams.audio) and not table.joined,
        digest=digest,
        codec=stream.codec_context.name,
        pixel_format=picture.pixel_format,
        warnings=(*said, *table.warnings, *more),
        pixel_aspect=aspect,
        mirrored=picture.mirrored,
        timecode=timecode_of(container, stream),
        created=created_of(container, stream),
        stream=number,
        deinterlace="frame" if picture.interlaced else "",
        hdr=picture.hdr,
        peak_nits=picture.peak_nits,
        seen=table.seen,
    )


def _timed(
    path: Path,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    packets: Packets,
    table: _Table,
    fps: Fraction | None,
) -> tuple[_Table, Fraction, Fraction]:
    """The table, its time base and rate: the file's own, or those of a bare stream, which has a rate alone."""
    time_base = fraction(stream.time_base or Fraction(1, 1_000_000))
    rate = fraction(stream.average_rate or stream.guessed_rate or Fraction(25))
    if table.seen is not None and is_bare(container, packets):
        rate, lines = bare_rate(path, stream, fps)
        return replace(table, pts=np.arange(len(table.pts)), warnings=table.warnings + lines), 1 / rate, rate
    if fps is not None:
        raise PoselineError(
            f"{path}: --fps {fps} is for folders of images and bare streams; this file has times of its own: leave"
            f" --fps out, or give --recorded-fps {fps} if that many frames were recorded in a second"
        )
    return table, time_base, rate


def _stream_number(path: Path, container: av.container.InputContainer, wanted: int | None) -> tuple[int, list[str]]:
    """The stream to read, as `video_stream` takes it, and a line where there is a choice."""
    streams = video_streams(container)
    if wanted is not None and wanted >= len(streams):
        raise PoselineError(f"{path}: --stream {wanted}: it has {len(streams)} videos, counted from 0; choose another")
    if len(streams) < 2:
        return -1, []
    chosen = video_stream(container)
    number = wanted if wanted is not None else next(i for i, s in enumerate(streams) if s is chosen)
    sizes = ", ".join(f"{i}: {s.width}x{s.height}" for i, s in enumerate(streams))
    return number, [f"{path}: it has {len(streams)} videos ({sizes}); number {number} is read, --stream takes another"]


def _deinterlaced(info: VideoInfo, asked: VideoConfig) -> VideoInfo:
    """As the user wants interlaced frames; a line where there are some."""
    found, wanted = bool(info.deinterlace), asked.deinterlace
    if wanted == "off" or (wanted == "auto" and not found):
        lines = [f"{info.path}: its frames are interlaced, and --deinterlace off leaves them so"] if found else []
        return replace(info, deinterlace="", warnings=(*info.warnings, *lines))
    each = "field" if wanted == "field" else "frame"
    more = "" if wanted == "field" else "; --deinterlace field makes one of each field"
    what = "its frames are interlaced" if found else "its frames do not say that they are interlaced"
    line = f"{info.path}: {what}; deinterlaced by bwdif, one picture of each {each}{more}"
    which = "frame" if wanted == "auto" else "all"
    info = replace(info, deinterlace=which, warnings=(*info.warnings, line))
    return by_fields(info) if wanted == "field" else info


@dataclass(frozen=True)
class _Table:
    """The frames of a stream: pts (T,) i64 strictly ascending, is_key (T,) bool; what a user should know."""

    pts: np.ndarray
    is_key: np.ndarray
    seen: SeenPackets | None
    warnings: list[str]
    joined: bool = False  # the clock starts anew on the way


def _table(
    path: Path,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    number: int,
    packets: Packets,
    picture: FirstPicture,
    decoded: Decoded | None,
) -> _Table:
    """From the packets where these can be trusted, else by decoding."""
    why = why_doubtful(packets, container, stream, picture.interlaced)
    if why and (table := _seen_table(path, container, stream, number, packets, why, decoded)) is not None:
        return table
    pts, is_key = packets.pts[packets.shown], packets.is_key[packets.shown]
    order = np.argsort(pts, kind="stable")
    pts, is_key = pts[order], is_key[order]
    first = np.append(True, pts[1:] != pts[:-1])[: len(pts)]  # of several pictures at one time only one is shown
    pts, is_key = pts[first], is_key[first]
    twice = counted(int((~first).sum()), "frame")
    warnings = [f"{path}: {twice} with the time of another left out"] * (not first.all())
    warnings += promised(path, container, stream, packets, pts)
    if picture.pts is not None and picture.pts in pts:
        shown = pts >= picture.pts
        if not shown.all():
            warnings.append(f"{path}: the first {counted(int((~shown).sum()), 'frame')} cannot be decoded: left out")
        pts, is_key = pts[shown], is_key[shown]
    return _Table(pts, is_key, None, warnings)


def _decoded_before(known: VideoInfo | None, number: int) -> Decoded | None:
    """What an earlier run found by decoding the same stream."""
    if known is None or known.seen is None or known.stream != number:
        return None
    frames = by_frames(known)
    assert frames.seen is not None  # as known has it
    return Decoded(frames.seen.packet, frames.is_key)


def _seen_table(
    path: Path,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    number: int,
    packets: Packets,
    why: str,
    decoded: Decoded | None,
) -> _Table | None:
    """The table of the pictures that decoding yields; None where it shows that the packets' times can be trusted."""
    joined = joins(packets, container, stream)
    time_base = fraction(stream.time_base or Fraction(1, 1_000_000))
    rate = fraction(stream.average_rate or stream.guessed_rate or Fraction(25))
    refutable = decoded is None and why in (AVI_TIMES, ASCENDING) and len(packets) > START
    if refutable and starts_in_order(decode_file(path, number, packets, START), packets, START):
        return None
    decoded = decoded or decode_file(path, number, packets)
    found = seen_frames(decoded, packets, joined, max(1, round(1 / (rate * time_base))))
    if found is None or (found.in_order and not len(found.joins)):
        return None
    warnings = [f"{path}: {why}; it was decoded once to find its {counted(len(found.pts), 'frame')}, and PyAV reads it"]
    tick = float(time_base)
    warnings += [
        f"{path}: its clock starts anew at {found.pts[j] * tick:.3f} s; time goes on by one frame there (a cut?)"
        for j in found.joins
    ]
    if len(found.joins) and container.streams.audio:
        warnings.append(f"{path}: its sound has no time of its own behind {found.pts[found.joins[0]] * tick:.3f} s")
        warnings[-1] += ", so that it is left out of videos"
    if found.damaged:
        warnings.append(f"{path}: damaged: {found.damaged} packets do not decode")
    if packets.reason:
        warnings.append(f"{path}: damaged: nothing behind {found.pts[-1] * tick:.3f} s can be read ({packets.reason})")
    return _Table(found.pts, found.is_key, found.seen, warnings, bool(len(found.joins)))
