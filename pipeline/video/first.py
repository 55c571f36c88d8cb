"""What the first pictures of a stream tell and its packets do not: turn, size, interlacing, HDR."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av

from pipeline.video.media import check_size, limit_pixels, open_media, video_stream
from pipeline.video.shape import orientation, square_size
from pipeline.video.tone import hdr_of

# Pictures that are looked at to know whether a stream is interlaced; more where its header says so.
LOOKED_AT, LOOKED_AT_IF_SAID = 8, 250
NEVER_INTERLACED = frozenset({"hevc", "vp8", "vp9", "av1", "libdav1d", "gif", "png", "wmv1", "wmv2", "vp6f", "flv1"})
_PROGRESSIVE = (0, 1)  # FFmpeg's numbers of the field order unknown and progressive


@dataclass(frozen=True)
class FirstPicture:
    """Facts that need decoded pictures."""

    pts: int | None
    width: int  # as stored
    height: int
    rotation_deg: int  # clockwise turn that makes it upright,
    mirrored: bool  # and whether to mirror it then
    pixel_format: str
    interlaced: bool  # it or one of the next pictures
    hdr: str  # as VideoInfo has it
    peak_nits: float


def first_picture(path: Path, number: int, hdr: str = "auto") -> FirstPicture | None:
    """The first picture that decoding the file from its start yields; None where there is none.

    Args:
        number: of the stream, as `pipeline.video.media.video_stream` takes it.
        hdr: as `pipeline.video.tone.hdr_of` takes it.
    """
    with open_media(path) as container:
        stream = video_stream(container, number)
        assert stream is not None
        limit_pixels(stream)
        frames = _frames(path, container, stream)
        frame = next(frames, None)
        if frame is None:
            return None
        turn, mirrored = orientation(frame, stream.metadata.get("rotate", "0"))
        size, form = (frame.width, frame.height), frame.format.name
        first = FirstPicture(frame.pts, *size, turn, mirrored, form, frame.interlaced_frame, *hdr_of(frame, hdr))
        return replace(first, interlaced=first.interlaced or _interlaced(frames, stream))


def _interlaced(frames: Iterator[av.VideoFrame], stream: av.VideoStream) -> bool:
    """Whether one of the next pictures is interlaced."""
    context = stream.codec_context
    if context.name in NEVER_INTERLACED:
        return False
    order = getattr(context, "field_order", None)  # PyAV 17 does not tell it
    said = order is None or int(order) not in _PROGRESSIVE
    most = LOOKED_AT_IF_SAID if said else LOOKED_AT
    return any(frame.interlaced_frame for _, frame in zip(range(1, most), frames, strict=False))


def _frames(path: Path, container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """The pictures that decode, to the end or to where nothing more can be read."""
    packets = container.demux(stream)
    while True:
        try:
            frames = next(packets).decode()
        except StopIteration:
            return
        except av.error.InvalidDataError:
            continue
        except av.FFmpegError:
            check_size(path, stream.codec_context.width, stream.codec_context.height)
            return
        yield from frames


def in_squares(path: Path, picture: FirstPicture, aspect: Fraction) -> tuple[tuple[int, int], list[str]]:
    """(w, h) of the upright picture in square pixels, and a line where the stored ones are not square."""
    size_px = square_size((picture.width, picture.height), aspect)
    check_size(path, *size_px)
    size_px = size_px if picture.rotation_deg % 180 == 0 else size_px[::-1]
    if aspect == 1:
        return size_px, []
    shape, pixel = f"{size_px[0]}x{size_px[1]}", f"{aspect.numerator}:{aspect.denominator}"
    return size_px, [
        f"{path}: its pixels are {pixel}, not square; it is seen, measured and drawn as {shape} square pixels"
    ]


def of_hdr(path: Path, picture: FirstPicture) -> list[str]:
    """A line where pictures are HDR."""
    if not picture.hdr:
        return []
    what = f"{picture.hdr.upper()}, up to {picture.peak_nits:.0f} cd/m²"
    return [f"{path}: it is HDR ({what}); tone-mapped to SDR, for people to be found and for annotated.mp4"]
