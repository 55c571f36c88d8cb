"""Image files: one image is read as a picture, a folder of images is indexed and read as a video."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.types import VideoInfo
from pipeline.video.inputs import IMAGE_SUFFIXES, image_files
from pipeline.video.media import check_size, digest_of, open_media
from pipeline.video.sources import Picture


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


def index_images(folder: Path, fps: Fraction | None) -> VideoInfo:
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
        # Reading headers is much faster than decoding; only an image whose header has another size is decoded.
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
        digest=digest_of(files),
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


class ImageSource:
    """A folder of images as a source of frames."""

    def __init__(self, info: VideoInfo) -> None:
        self._files = image_files(info.path)
        self._info = info
        if len(self._files) != len(info):
            raise PoselineError(f"{info.path}: {len(self._files)} images now, {len(info)} when indexed; run again")

    def frames(self, start: int, stop: int) -> Iterator[Picture]:
        for i in range(start, stop):
            image = read_image(self._files[i])
            if image.shape[1::-1] != self._info.size_px:
                size = "x".join(map(str, self._info.size_px))
                raise PoselineError(
                    f"{self._files[i]}: {image.shape[1]}x{image.shape[0]} pixels but the first image has {size};"
                    " make all sizes equal"
                )
            yield i, image

    def close(self) -> None:
        pass
