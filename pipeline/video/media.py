"""How FFmpeg opens a file: the demuxers, the size limits and the stream that is read; also a file's digest."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from pipeline.core.errors import PoselineError

BLOCK_BYTES = 1 << 20  # bytes per read
# Files are read by these demuxers only. Others open further files or hosts that a file names (concat, hls, dash), take
# any text for a picture (tty), or are for devices.
DEMUXERS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "asf", "flv", "ogg", "mxf", "gxf"),
    *("h264", "hevc", "vvc", "m4v", "h263", "vc1", "av1", "obu", "ivf", "dirac", "mjpeg", "mpjpeg", "yuv4mpegpipe"),
    *("dv", "nut", "rm", "wtv", "gif", "apng", "image2", "jpeg_pipe", "png_pipe", "bmp_pipe", "tiff_pipe"),
    *("webp_pipe",),
)
MOST_PIXELS, MOST_SIDE_PX = 1 << 26, 16384  # of a picture: 8192×8192; larger claims are refused before memory is taken
_DEFAULT_PX = 5_000_000  # what a default stream is ahead of others, as in FFmpeg's command
# For `av.open`. Metadata that are no UTF-8 raise before PyAV 19, unless this is given; PyAV 19 takes any, without it.
ANY_METADATA: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


def open_media(path: Path) -> av.container.InputContainer:
    """A file opened by FFmpeg with one of `DEMUXERS`; a name that looks like an address is a file name all the same."""
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
    """Make a decoder that is not open yet refuse pictures above `MOST_PIXELS` anywhere in the stream."""
    stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}


def video_streams(container: av.container.InputContainer) -> list[av.VideoStream]:
    """The streams of pictures in the file's order; cover pictures and streams without a decoder are none."""
    cover = av.stream.Disposition.attached_pic
    return [s for s in container.streams.video if not s.disposition & cover and s.codec_context is not None]


def video_stream(container: av.container.InputContainer, number: int = -1) -> av.VideoStream | None:
    """The stream that index and decoders all read; None without one.

    Args:
        number: its place among `video_streams`; -1: the largest, a default one first, as FFmpeg's command takes it.
    """
    streams = video_streams(container)
    if number >= 0:
        return streams[number] if number < len(streams) else None
    default = av.stream.Disposition.default
    return max(streams, key=lambda s: s.width * s.height + _DEFAULT_PX * bool(s.disposition & default), default=None)


def fraction(rational: Any) -> Fraction:
    """PyAV 19 has a number type of its own, which prints and compares differently."""
    return Fraction(rational.numerator, rational.denominator)


def digest_of(paths: list[Path]) -> str:
    """Hex digest of the files' bytes, one after another with their lengths; names and dates do not count."""
    total = hashlib.blake2b(digest_size=16)
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(BLOCK_BYTES):
                total.update(block)
            total.update(file.tell().to_bytes(8, "little"))
    return total.hexdigest()
