"""The index of a video, made without decoding it: the pts of every displayed frame, key frames, size, rotation.

The pts table decides about frames and times; decoded frames are matched with the table and never change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.types import VideoInfo
from pipeline.video.images import index_images
from pipeline.video.media import check_size, digest_of, fraction, limit_pixels, open_media, video_stream

MOST_RATE_HZ, MOST_SPAN_S = 1e5, 3.2e8  # more frames a second, or more than ten years, are invalid times
_SLACK_S = 1.0  # a video may end so much earlier than its header says


@dataclass(frozen=True)
class _IndexedPicture:
    """Facts that need a decoded picture: upright turn, size and first pts."""

    pts: int | None
    width: int
    height: int
    rotation_deg: int
    pixel_format: str


def index_video(path: Path | str, fps: Fraction | None = None) -> VideoInfo:
    """Index a video file or a folder of images.

    One pass over the packets and one decoded picture (FFmpeg attaches the rotation and the true pixel format to
    pictures only). ``fps`` is needed for a folder of images, where frame i is shown at i / fps; a file has times.
    Packets that are never shown are not in the table: those an edit list discards, those before the first picture that
    decodes, hidden VP8 frames. Where packets have no pts (AVI, raw streams) the table holds their dts, or equal steps
    of the frame rate where there is no dts either; a stream that also reorders pictures then has one key, the first.

    Raises PoselineError when the path is missing, unreadable, empty, damaged or without pictures, or where ``fps`` is
    given for a file.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return index_images(path, fps)
        if fps is not None and path.is_file():
            raise PoselineError(
                f"{path}: --fps {fps} is for folders of images; this file has times of its own: leave --fps out, or"
                f" give --recorded-fps {fps} if that many frames were recorded in a second"
            )
        if path.stat().st_size == 0 and path.is_file():
            raise PoselineError(f"{path}: the file is empty; give a video file")
        digest = digest_of([path])
        with open_media(path) as container:
            return _index_file(path, container, digest)
    except FileNotFoundError as error:
        raise PoselineError(f"{path}: no such file or folder; check the path") from error
    except PermissionError as error:
        raise PoselineError(f"{path}: permission denied; make the file readable") from error
    except (av.FFmpegError, OSError) as error:
        raise PoselineError(
            f"{path}: not a video, or its header is damaged ({_reason(error)}); try to remux it"
        ) from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def _index_file(path: Path, container: av.container.InputContainer, digest: str) -> VideoInfo:
    stream = video_stream(container)
    if stream is None:
        what = (
            "only audio in this file" if container.streams.audio else "no video in this file, or its header is damaged"
        )
        raise PoselineError(f"{path}: {what}; give a file with pictures")
    time_base = fraction(stream.time_base or Fraction(1, 1_000_000))
    rate = fraction(stream.average_rate or stream.guessed_rate or Fraction(25))
    check_size(path, stream.width, stream.height)
    packets = _read_packets(container, stream, max(1, round(1 / (rate * time_base))))
    pts, is_key = packets.pts, packets.is_key
    picture = _first_picture(path)
    if picture is None or len(pts) == 0:
        raise PoselineError(f"{path}: no picture in this video can be decoded; record or export it again")
    check_size(path, picture.width, picture.height)
    warnings = _promised(path, container, stream, packets)
    if picture.pts is not None and picture.pts in pts:
        shown = pts >= picture.pts
        if not shown.all():
            warnings.append(f"{path}: its first {int((~shown).sum())} frames do not decode and are left out")
        pts, is_key = pts[shown], is_key[shown]
    time_s, more = _times(path, pts, time_base, rate)
    size_px = (picture.width, picture.height)
    return VideoInfo(
        path=path,
        size_px=size_px if picture.rotation_deg % 180 == 0 else size_px[::-1],
        rotation_deg=picture.rotation_deg,
        time_base=time_base,
        fps=rate,
        pts=pts,
        time_s=time_s,
        is_key=is_key,
        has_audio=bool(container.streams.audio),
        digest=digest,
        codec=stream.codec_context.name,
        pixel_format=picture.pixel_format,
        warnings=(*warnings, *more),
    )


@dataclass(frozen=True)
class _Packets:
    """Facts from demuxing: pts (T,) i64 strictly ascending and is_key (T,) bool of the packets that show a picture."""

    pts: np.ndarray
    is_key: np.ndarray
    found: int  # number of packets, shown or not
    doubled: int  # number of packets left out because another one has their time
    reason: str  # why the file could not be read to its end, or empty


def _read_packets(container: av.container.InputContainer, stream: av.VideoStream, step: int) -> _Packets:
    """All packets of the stream; ``step``: ticks per frame."""
    hides = stream.codec_context.name == "vp8"
    rows: list[tuple[int | None, int | None, bool]] = []
    found, reason = 0, ""
    try:
        for packet in container.demux(stream):
            found += packet.size > 0
            # VP8 keeps a show_frame bit in the first byte: reference-only frames are packets of their own.
            if packet.size == 0 or packet.is_discard or (hides and not bytes(packet)[0] & 0x10):
                continue
            rows.append((packet.pts, packet.dts, packet.is_keyframe))
    except av.FFmpegError as error:
        reason = _reason(error)  # a truncated file ends here: the frames before are good
    is_key = np.array([row[2] for row in rows], bool)
    if any(row[0] is None for row in rows):
        if any(row[1] is None for row in rows):
            pts = np.arange(len(rows), dtype=np.int64) * step
        else:
            pts = np.array([row[1] for row in rows], np.int64)
        if stream.codec_context.has_b_frames or stream.codec_context.reorder_depth:
            is_key[1:] = False  # which picture a later key packet shows is unknown, so decoding starts from the first
    else:
        pts = np.array([row[0] for row in rows], np.int64)
    order = np.argsort(pts, kind="stable")
    pts, is_key = pts[order], is_key[order]
    first = np.append(True, pts[1:] != pts[:-1])[: len(pts)]  # of several pictures at one time only one is shown
    return _Packets(pts[first], is_key[first], found, int((~first).sum()), reason)


def _promised(
    path: Path, container: av.container.InputContainer, stream: av.VideoStream, packets: _Packets
) -> list[str]:
    """Warnings about frames or times that the container announces and does not hold."""
    tick = fraction(stream.time_base or Fraction(1, 1_000_000))
    lines, end_s = [], float(packets.pts[-1] * tick)
    usual = float(np.median(np.diff(packets.pts)) * tick) if len(packets.pts) > 1 else 0.0
    slack_s = max(_SLACK_S, 2 * usual)  # the last picture is shown for a while
    if packets.doubled:
        lines.append(f"{path}: {packets.doubled} frames have the time of another and are left out")
    if packets.reason:
        lines.append(f"{path}: damaged: nothing behind {end_s:.3f} s can be read ({packets.reason})")
    promised_s = _promised_end_s(container, stream)
    if stream.frames > packets.found:
        lines.append(f"{path}: cut short or damaged: {packets.found} of the {stream.frames} frames are in it")
    elif promised_s is not None and promised_s > end_s + slack_s and not packets.reason:
        lines.append(f"{path}: cut short or damaged: ends at {end_s:.3f} s and should at {promised_s:.3f} s")
    return lines


def _promised_end_s(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """The end of the pictures in s from the file's header; None where the header does not state the end."""
    if stream.duration is not None and stream.time_base is not None:
        return float((stream.duration + (stream.start_time or 0)) * fraction(stream.time_base))
    if container.duration is None or container.streams.audio or container.format.name == "mpegts":
        return None  # it is the longest stream's, or a guess of FFmpeg's for a transport stream
    return (container.duration + (container.start_time or 0)) / av.time_base


def _times(path: Path, pts: np.ndarray, time_base: Fraction, rate: Fraction) -> tuple[np.ndarray, list[str]]:
    """Times (T,) of the frames in s, and a warning where the file's own times make no sense."""
    time_s = pts.astype(np.float64) * time_base.numerator / time_base.denominator
    steps = np.diff(time_s)
    if not len(steps) or (np.median(steps) >= 1 / MOST_RATE_HZ and time_s[-1] - time_s[0] <= MOST_SPAN_S):
        return time_s, []
    usual = rate if 1 <= rate <= 1000 else Fraction(25)
    return np.arange(len(pts)) * usual.denominator / usual.numerator, [
        f"{path}: its times make no sense ({time_s[0]:.6g} to {time_s[-1]:.6g} s); even steps at"
        f" {float(usual):.6g} frames/s are taken"
    ]


def _first_picture(path: Path) -> _IndexedPicture | None:
    """The first picture that decoding the file from its start yields; None where there is none."""
    with open_media(path) as container:
        stream = video_stream(container)
        assert stream is not None
        limit_pixels(stream)
        packets = container.demux(stream)
        while True:
            try:
                frames = next(packets).decode()
            except StopIteration:
                return None
            except av.error.InvalidDataError:
                continue
            except av.FFmpegError:
                check_size(path, stream.codec_context.width, stream.codec_context.height)
                return None
            for frame in frames:
                # PyAV gives the counter-clockwise turn; the old "rotate" tag is clockwise.
                turn = -frame.rotation if frame.rotation else _number(stream.metadata.get("rotate", "0"))
                quarter = round(turn / 90) * 90 % 360
                return _IndexedPicture(frame.pts, frame.width, frame.height, quarter, frame.format.name)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if np.isfinite(value) else 0.0
