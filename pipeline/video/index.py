"""What a video holds, found without decoding it: the pts of every displayed frame, key frames, size, rotation.

The table made here is the authority on frames and times; decoders are matched against it, never asked for it.
"""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import stat
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.types import VideoInfo

VIDEO_SUFFIXES = frozenset(
    [
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv"),
        *(".3gp", ".ogv", ".mxf", ".y4m", ".h264", ".h265", ".hevc", ".264", ".265"),
    ]
)
IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"))
_BLOCK = 1 << 20  # bytes per read
# Files are read by these demuxers only. Others follow what a file says to further files or hosts (concat, hls, dash),
# take any text for a picture (tty), or are for devices.
DEMUXERS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "asf", "flv", "ogg", "mxf", "gxf"),
    *("h264", "hevc", "vvc", "m4v", "h263", "vc1", "av1", "obu", "ivf", "dirac", "mjpeg", "mpjpeg", "yuv4mpegpipe"),
    *("dv", "nut", "rm", "wtv", "gif", "apng", "image2", "jpeg_pipe", "png_pipe", "bmp_pipe", "tiff_pipe"),
    *("webp_pipe",),
)
MOST_PIXELS, MOST_SIDE_PX = 1 << 26, 16384  # of a picture: 8192×8192; larger claims are refused before memory is taken
MOST_RATE_HZ, MOST_SPAN_S = 1e5, 3.2e8  # times that make more frames a second, or ten years, are no times
# For `av.open`. Metadata that are no UTF-8 raise before PyAV 19, unless this is given; PyAV 19 takes any, without it.
ANY_METADATA: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
_SLACK_S = 1.0  # by which a video may end before its header says so


@dataclass(frozen=True)
class _Picture:
    """What only a decoded picture tells: upright turn, size and first pts."""

    pts: int | None
    width: int
    height: int
    rotation_deg: int
    pixel_format: str


def index_video(path: Path | str, fps: Fraction | None = None) -> VideoInfo:
    """Index a video file or a folder of images.

    One pass over the packets and one decoded picture (FFmpeg attaches the rotation and the true pixel format to
    pictures only). ``fps`` is needed for a folder of images, where frame i is shown at i / fps, and ignored for files.
    Packets that are never shown are not in the table: those an edit list discards, those before the first picture that
    decodes, hidden VP8 frames. Where packets have no pts (AVI, raw streams) the table holds their dts, or equal steps
    of the frame rate where there is no dts either; a stream that also reorders pictures then has one key, the first.

    Raises PoselineError when the path is missing, unreadable, empty, damaged or without pictures.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _index_images(path, fps)
        if path.stat().st_size == 0 and path.is_file():
            raise PoselineError(f"{path}: the file is empty; give a video file")
        digest = _digest([path])
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


def open_media(path: Path) -> av.container.InputContainer:
    """A file opened by FFmpeg: as the file it is, whatever its name looks like, and by one of `DEMUXERS`."""
    options = {"format_whitelist": ",".join(DEMUXERS)}
    return av.open(f"file:{path}", options=options, **ANY_METADATA)


def check_size(path: Path, width: int, height: int) -> None:
    """PoselineError for pictures that are too large to be held in memory."""
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE_PX:
        raise PoselineError(
            f"{path}: claims pictures of {width}x{height} pixels; at most {MOST_PIXELS >> 20} Mi pixels"
            f" and {MOST_SIDE_PX} a side are read: make it smaller, or export it again"
        )


def limit_pixels(stream: av.VideoStream) -> None:
    """Have a decoder that is not open yet refuse larger pictures, wherever in the stream they come."""
    stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def spool(source: Path | str, folder: Path) -> Path:
    """Copy a pipe ('-' for standard input, or a FIFO) to a file in ``folder``; a regular file is returned as it is.

    Everything later seeks, which a pipe cannot. The copy goes through a small buffer, so the disk must hold the video
    but memory need not. Raises PoselineError when nothing arrives or the copy cannot be written.
    """
    name = str(source)
    if not is_pipe(name):
        return Path(name)
    target = folder / ("stdin.video" if name == "-" else f"{Path(name).name}.video")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(target, "wb") as out:
            if name == "-":
                shutil.copyfileobj(sys.stdin.buffer, out, _BLOCK)
            else:
                with open(name, "rb") as pipe:
                    shutil.copyfileobj(pipe, out, _BLOCK)
    except OSError as error:
        target.unlink(missing_ok=True)
        where = "disk full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise PoselineError(f"{target}: cannot keep the piped video ({where}); choose another folder") from error
    if target.stat().st_size == 0:
        target.unlink()
        raise PoselineError(f"{name}: the pipe gave no data; pipe a video into it")
    return target


def find_inputs(paths: list[str]) -> list[Path]:
    """Expand files and folders, in the given order, into inputs for ``index_video`` ('-' and FIFOs are kept).

    A folder stands for the videos directly in it (by extension, in natural order) or, where it has none, is itself one
    input made of images. Raises PoselineError for a path that is missing or a folder with neither.
    """
    found: list[Path] = []
    for name in paths:
        path = Path(name)
        if name != "-" and not path.exists():
            raise PoselineError(f"{path}: no such file or folder; check the path")
        if not path.is_dir():
            found.append(path)
            continue
        videos = _listed(path, VIDEO_SUFFIXES)
        if not videos and not _listed(path, IMAGE_SUFFIXES):
            raise PoselineError(f"{path}: no videos and no images in this folder; give a folder that holds some")
        found += videos or [path]
    return found


def image_files(folder: Path) -> list[Path]:
    """The images directly in a folder in natural order: frame2 before frame10."""
    return _listed(folder, IMAGE_SUFFIXES)


def read_image(path: Path) -> np.ndarray:
    """(H, W, 3) u8 RGB of one image file: EXIF orientation applied, grey repeated, alpha dropped, 16 bit scaled to 8.

    Raises PoselineError when the file cannot be read as an image.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise PoselineError(f"{path}: cannot read the image ({error.strerror}); check the file") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise PoselineError(f"{path}: not an image, or damaged; remove it or write it again")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def is_pipe(source: Path | str) -> bool:
    """Whether the input is standard input ('-') or a FIFO."""
    try:
        return str(source) == "-" or stat.S_ISFIFO(Path(source).stat().st_mode)
    except OSError:
        return False


def _listed(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """Visible files with one of the suffixes, numbers in names compared as numbers."""
    try:
        names = [p for p in folder.iterdir() if p.suffix.lower() in suffixes and not p.name.startswith(".")]
    except OSError as error:
        raise PoselineError(f"{folder}: cannot list the folder ({error.strerror}); check its permissions") from error
    return sorted((p for p in names if p.is_file()), key=lambda p: (_natural(p.name), p.name))


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name.lower()) if part]


def _digest(paths: list[Path]) -> str:
    """Hex digest of the files' bytes, one after another with their lengths; names and dates do not count."""
    total = hashlib.blake2b(digest_size=16)
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                total.update(block)
            total.update(file.tell().to_bytes(8, "little"))
    return total.hexdigest()


def video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The stream that index and decoders all read: FFmpeg's best one that is not a cover picture; None without one."""
    cover = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & cover and s.codec_context is not None]
    best = container.streams.best("video")
    return best if best in streams else next(iter(streams), None)


def _fraction(rational: Any) -> Fraction:
    """PyAV 19 has a number type of its own, which prints and compares differently."""
    return Fraction(rational.numerator, rational.denominator)


def _index_file(path: Path, container: av.container.InputContainer, digest: str) -> VideoInfo:
    stream = video_stream(container)
    if stream is None:
        what = (
            "only audio in this file" if container.streams.audio else "no video in this file, or its header is damaged"
        )
        raise PoselineError(f"{path}: {what}; give a file with pictures")
    time_base = _fraction(stream.time_base or Fraction(1, 1_000_000))
    rate = _fraction(stream.average_rate or stream.guessed_rate or Fraction(25))
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
    """What demuxing tells: pts (T,) i64 strictly ascending and is_key (T,) bool of the packets that show a picture."""

    pts: np.ndarray
    is_key: np.ndarray
    found: int  # packets, shown or not
    doubled: int  # left out: their time is another's
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
        reason = _reason(error)  # a file cut short ends here: the frames before are good
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
    first = np.append(True, pts[1:] != pts[:-1])[: len(pts)]  # of pictures at one time the others are never seen
    return _Packets(pts[first], is_key[first], found, int((~first).sum()), reason)


def _promised(
    path: Path, container: av.container.InputContainer, stream: av.VideoStream, packets: _Packets
) -> list[str]:
    """What the container promises and does not hold."""
    tick = _fraction(stream.time_base or Fraction(1, 1_000_000))
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
    """Where the pictures end by the file's header; None where it does not tell."""
    if stream.duration is not None and stream.time_base is not None:
        return float((stream.duration + (stream.start_time or 0)) * _fraction(stream.time_base))
    if container.duration is None or container.streams.audio or container.format.name == "mpegts":
        return None  # of the longest stream; of a transport stream FFmpeg guesses
    return (container.duration + (container.start_time or 0)) / av.time_base


def _times(path: Path, pts: np.ndarray, time_base: Fraction, rate: Fraction) -> tuple[np.ndarray, list[str]]:
    """Seconds (T,) of the frames, and what to say where the file's own make no sense."""
    time_s = pts.astype(np.float64) * time_base.numerator / time_base.denominator
    steps = np.diff(time_s)
    if not len(steps) or (np.median(steps) >= 1 / MOST_RATE_HZ and time_s[-1] - time_s[0] <= MOST_SPAN_S):
        return time_s, []
    usual = rate if 1 <= rate <= 1000 else Fraction(25)
    return np.arange(len(pts)) * usual.denominator / usual.numerator, [
        f"{path}: its times make no sense ({time_s[0]:.6g} to {time_s[-1]:.6g} s); even steps at"
        f" {float(usual):.6g} frames/s are taken"
    ]


def _first_picture(path: Path) -> _Picture | None:
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
                return _Picture(frame.pts, frame.width, frame.height, quarter, frame.format.name)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if np.isfinite(value) else 0.0


def _index_images(folder: Path, fps: Fraction | None) -> VideoInfo:
    files = image_files(folder)
    if not files:
        raise PoselineError(f"{folder}: no images in this folder ({', '.join(sorted(IMAGE_SUFFIXES))}); give a video")
    if fps is None or fps <= 0:
        raise PoselineError(
            f"{folder}: a folder of images has no frame rate; give one greater than 0, such as --fps 30"
        )
    stored = _stored_size(files[0])
    height, width = read_image(files[0]).shape[:2]
    for file in files[1:]:
        # Reading headers is much faster than decoding; only an image that looks different is decoded to be sure.
        if _stored_size(file) != stored and (shape := read_image(file).shape) != (height, width, 3):
            raise PoselineError(
                f"{file}: {shape[1]}x{shape[0]} pixels but {files[0].name} has {width}x{height}; make all sizes equal"
            )
    pts = np.arange(len(files), dtype=np.int64)
    rate = Fraction(fps)
    return VideoInfo(
        path=folder,
        size_px=(width, height),
        rotation_deg=0,
        time_base=1 / rate,
        fps=rate,
        pts=pts,
        time_s=pts.astype(np.float64) * rate.denominator / rate.numerator,
        is_key=np.ones(len(files), bool),
        has_audio=False,
        digest=_digest(files),
        codec="images",
        pixel_format="rgb24",
        kind="images",
    )


def _stored_size(path: Path) -> tuple[int, int] | None:
    """(w, h) from an image's header, before its EXIF turn; None where FFmpeg cannot tell.

    PoselineError for an image that is too large, before it is decoded.
    """
    try:
        with open_media(path) as container:
            stream = container.streams.video[0]
            size = stream.width, stream.height
    except (av.FFmpegError, IndexError, OSError):
        return None
    check_size(path, *size)
    return size
