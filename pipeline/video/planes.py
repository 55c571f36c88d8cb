"""Frames as encoders take them: upright, 4:2:0, of any even size, without conversion to RGB and back.

Drawing works on the encoder's pixels, and at 1080p the two conversions would cost more than decoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, Self

import av
import numpy as np

from pipeline.core.types import VideoInfo
from pipeline.video.convert import Fitted
from pipeline.video.decode import left_out, tell_sizes
from pipeline.video.deinterlace import DeinterlacedSource
from pipeline.video.images import ImageSource
from pipeline.video.shape import upright
from pipeline.video.sources import DecodedSource, open_video, stored_size_px
from pipeline.video.tone import tone_mapped

HD_PX = 720  # pictures of this height or more are taken as BT.709 where the video names no matrix
_UNKNOWN, _FULL = 2, 2  # FFmpeg's numbers of the unspecified matrix and the full range


class Colours(NamedTuple):
    """How colours are coded, as FFmpeg numbers it: matrix, primaries, transfer."""

    matrix: int
    primaries: int
    transfer: int

    @property
    def weights(self) -> tuple[float, float]:
        """The weights of red and blue in luma."""
        return {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}.get(self.matrix, (0.299, 0.114))


BT709, BT601 = Colours(1, 1, 1), Colours(6, 6, 6)


def colours_of(info: VideoInfo) -> Colours:
    """The colour coding that the video states; where it states none, the one that players assume for its size.

    HDR is tone-mapped to the latter.
    """
    usual = BT709 if info.size_px[1] >= HD_PX else BT601
    if info.kind != "file" or info.hdr or not info.path.exists():  # skeletons can be drawn without the video
        return usual
    container, stream = open_video(info)
    with container:
        context = stream.codec_context
        said = (int(context.colorspace), int(context.color_primaries), int(context.color_trc))
    if said[0] in (0, _UNKNOWN):  # 0: RGB
        return usual
    return Colours(*(n if n not in (0, _UNKNOWN) else u for n, u in zip(said, usual, strict=True)))


def even_size(size_px: tuple[int, int], scale: float = 1.0) -> tuple[int, int]:
    """The size of a written picture: even, since 4:2:0 has no odd ones. At scale 1 nothing is cut off."""
    if scale == 1:
        return size_px[0] + size_px[0] % 2, size_px[1] + size_px[1] % 2
    return max(2 * round(size_px[0] * scale / 2), 2), max(2 * round(size_px[1] * scale / 2), 2)


def planes_of(frame: av.VideoFrame) -> list[np.ndarray]:
    """Views of the planes y (h, w), u and v of a yuv420p frame, the smaller ones rounded up."""
    out = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.height * plane.line_size]
        out.append(rows.reshape(plane.height, plane.line_size)[:, : plane.width])
    return out


def black(size_px: tuple[int, int]) -> av.VideoFrame:
    """A black yuv420p frame of an even size (w, h)."""
    frame = av.VideoFrame(*size_px, "yuv420p")
    for plane, level in zip(planes_of(frame), (16, 128, 128), strict=True):
        plane[:] = level
    return frame


class PlaneReader:
    """Reads ranges of one video as frames that may be drawn on; a context manager, with ``warnings`` as a Reader's.

    Args:
        size_px: (w, h) even, of the pictures.
        threads: within a picture.
    """

    def __init__(self, info: VideoInfo, size_px: tuple[int, int], threads: int = 1) -> None:
        self.info, self.size_px = info, size_px
        self.warnings: list[str] = []
        self.colours = colours_of(info)
        stored = stored_size_px(info)
        plain = size_px == even_size(info.size_px)  # else pictures are scaled
        turned = size_px if info.rotation_deg % 180 == 0 else size_px[::-1]
        self._decoded_px = stored if plain else turned
        coding = f"flags=bicubic:out_range=tv:out_color_matrix={'bt709' if self.colours == BT709 else 'bt601'}"
        sdr = [*tone_mapped(info.hdr, info.peak_nits), ("scale", coding)] if info.hdr else []
        flags = ":flags=bicubic" if sdr else ":flags=bicubic:out_range=tv"
        self._fitted = Fitted(self._decoded_px, info.pixel_aspect, "yuv420p", stored, flags, sdr)
        self._sizes = 0  # sizes of pictures that were met
        self._source: DecodedSource[av.VideoFrame] | DeinterlacedSource[av.VideoFrame] | ImageSource
        if info.kind in ("images", "photo"):
            self._source = ImageSource(info)
        else:
            kind = DeinterlacedSource if info.deinterlace else DecodedSource
            self._source = kind(info, threads, self._converted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._source.close()

    def read(self, start: int, stop: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """(row of the pts table, frame of ``size_px``) of the frames [start, stop) that decode."""
        missing = set(range(start, stop))
        for i, picture in self._source.frames(start, stop):
            self._sizes = tell_sizes(self.info, self._fitted, self._sizes, i, self.warnings)
            frame = picture if isinstance(picture, av.VideoFrame) else self._of_rgb(picture)
            missing.discard(i)
            yield i, self._upright(frame)
        if missing:
            self.warnings.append(left_out(self.info, start, stop, missing))

    def _converted(self, frame: av.VideoFrame) -> av.VideoFrame:
        plain = frame.format.name == "yuv420p" and (frame.width, frame.height) == self._decoded_px
        as_stored = plain and int(frame.color_range) != _FULL and not self.info.hdr
        return frame if as_stored else self._fitted(frame)

    def _of_rgb(self, picture: np.ndarray) -> av.VideoFrame:
        width, height = self._decoded_px
        return of_rgb(picture, self.colours, (width, height))

    def _upright(self, decoded: av.VideoFrame) -> av.VideoFrame:
        """An upright copy with the last odd row or column repeated; decoders still refer to the original frame."""
        out = av.VideoFrame(*self.size_px, "yuv420p")
        for source, target in zip(planes_of(decoded), planes_of(out), strict=True):
            turned = upright(source, self.info.rotation_deg, self.info.mirrored)
            height, width = turned.shape
            target[:height, :width] = turned
            if height < target.shape[0]:
                target[height:] = target[height - 1]
            if width < target.shape[1]:
                target[:, width:] = target[:, width - 1 : width]
        return out


def of_rgb(picture: np.ndarray, colours: Colours, size_px: tuple[int, int]) -> av.VideoFrame:
    """An RGB picture (h, w, 3) u8 as a yuv420p frame of this size."""
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(
        *size_px,
        format="yuv420p",
        dst_colorspace="ITU709" if colours.matrix == BT709.matrix else "ITU601",
        dst_color_range="MPEG",
        threads=1,
    )
