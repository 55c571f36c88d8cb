"""A photograph in which people are drawn, as JPEG or PNG."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.store.atomic import atomic
from pipeline.video.planes import BT709, Colours

SUFFIXES = (".jpg", ".jpeg", ".png")
QUALITY = 95  # of JPEG


def check_photo(path: Path) -> None:
    """PoselineError for a name that is no picture's."""
    if path.suffix.lower() not in SUFFIXES:
        raise PoselineError(f"{path}: a photograph is drawn as a picture; end its name in one of {', '.join(SUFFIXES)}")


class PhotoWriter:
    """Writes one picture as `pipeline.video.encode.VideoWriter` writes a video; a context manager.

    Args:
        size_px: (w, h); a frame may have a row or a column more, which is cut off.
        colours: of the frame.
    """

    def __init__(self, path: Path, size_px: tuple[int, int], colours: Colours) -> None:
        check_photo(path)
        self.path, self._size_px, self._colours = path, size_px, colours

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def write_frame(self, frame: av.VideoFrame, pts: int) -> None:
        """Write a yuv420p frame of limited range; PoselineError where the file cannot be written."""
        width, height = self._size_px
        matrix = "ITU709" if self._colours == BT709 else "ITU601"
        rgb = frame.reformat(format="rgb24", src_colorspace=matrix, src_color_range="MPEG").to_ndarray()
        bgr = np.ascontiguousarray(rgb[:height, :width, ::-1], np.uint8)
        options = [] if self.path.suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        done, data = cv2.imencode(self.path.suffix.lower(), bgr, options)
        if not done:
            raise PoselineError(f"{self.path}: cannot be encoded; choose another kind of picture")
        with atomic(self.path) as temporary:
            temporary.write_bytes(data.tobytes())
