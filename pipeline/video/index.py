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

from pipeline.errors import PoselineError
from pipeline.types import VideoInfo

VIDEO_SUFFIXES = frozenset(
    [
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv"),
        *(".3gp", ".ogv", ".mxf", ".y4m", ".h264", ".h265", ".hevc", ".264", ".265"),
    ]
)
IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"))
_BLOCK = 1 << 20  # bytes per read


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
        with av.open(str(path)) as container:
            return _index_file(path, container, digest)
    except FileNotFoundError as error:
        raise PoselineError(f"{path}: no such file or folder; check the path") from error
    except PermissionError as error:
        raise PoselineError(f"{path}: permission denied; make the file readable") from error
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise PoselineError(f"{path}: not a video, or its header is damaged ({reason}); try to remux it") from error


def spool(source: Path | str, folder: Path) -> Path:
    """Copy a pipe ('-' for standard input, or a FIFO) to a file in ``folder``; a regular file is returned as it is.

    Everything later seeks, which a pipe cannot. The copy goes through a small buffer, so the disk must hold the video
    but memory need not. Raises PoselineError when nothing arrives or the copy cannot be written.
    """
    name = str(source)
    if name != "-" and not _is_pipe(Path(name)):
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


def _is_pipe(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
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
    pts, is_key = _read_packets(container, stream, max(1, round(1 / (rate * time_base))))
    picture = _first_picture(path)
    if picture is None or len(pts) == 0:
        raise PoselineError(f"{path}: no picture in this video can be decoded; record or export it again")
    if picture.pts is not None and picture.pts in pts:
        shown = pts >= picture.pts
        pts, is_key = pts[shown], is_key[shown]
    size_px = (picture.width, picture.height)
    return VideoInfo(
        path=path,
        size_px=size_px if picture.rotation_deg % 180 == 0 else size_px[::-1],
        rotation_deg=picture.rotation_deg,
        time_base=time_base,
        fps=rate,
        pts=pts,
        time_s=pts.astype(np.float64) * time_base.numerator / time_base.denominator,
        is_key=is_key,
        has_audio=bool(container.streams.audio),
        digest=digest,
        codec=stream.codec_context.name,
        pixel_format=picture.pixel_format,
    )


def _read_packets(
    container: av.container.InputContainer, stream: av.VideoStream, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """pts (T,) i64 ascending and is_key (T,) bool of the packets that show a picture; ``step``: ticks per frame."""
    hides = stream.codec_context.name == "vp8"
    rows: list[tuple[int | None, int | None, bool]] = []
    try:
        for packet in container.demux(stream):
            # VP8 keeps a show_frame bit in the first byte: reference-only frames are packets of their own.
            if packet.size == 0 or packet.is_discard or (hides and not bytes(packet)[0] & 0x10):
                continue
            rows.append((packet.pts, packet.dts, packet.is_keyframe))
    except av.FFmpegError:
        pass  # a file cut short ends here: the frames before are good
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
    return pts[order], is_key[order]


def _first_picture(path: Path) -> _Picture | None:
    """The first picture that decoding the file from its start yields; None where there is none."""
    with av.open(str(path)) as container:
        stream = video_stream(container)
        assert stream is not None
        tag = stream.metadata.get("rotate", "0")
        packets = container.demux(stream)
        while True:
            try:
                frames = next(packets).decode()
            except StopIteration:
                return None
            except av.error.InvalidDataError:
                continue
            except av.FFmpegError:
                return None
            for frame in frames:
                # PyAV gives the counter-clockwise turn; the old "rotate" tag is clockwise.
                turn = -frame.rotation if frame.rotation else int(float(tag))
                quarter = round(turn / 90) * 90 % 360
                return _Picture(frame.pts, frame.width, frame.height, quarter, frame.format.name)


def _index_images(folder: Path, fps: Fraction | None) -> VideoInfo:
    files = image_files(folder)
    if not files:
        raise PoselineError(f"{folder}: no images in this folder ({', '.join(sorted(IMAGE_SUFFIXES))}); give a video")
    if fps is None or fps <= 0:
        raise PoselineError(
            f"{folder}: a folder of images has no frame rate; give one greater than 0, such as --fps 30"
        )
    height, width = read_image(files[0]).shape[:2]
    stored = _stored_size(files[0])
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
    """(w, h) from an image's header, before its EXIF turn; None where FFmpeg cannot tell."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            return stream.width, stream.height
    except (av.FFmpegError, IndexError, OSError):
        return None
