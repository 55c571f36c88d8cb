"""Image files: one image is read as a picture, a folder of images is indexed and read as a video."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.types import VideoInfo
from pipeline.video.inputs import IMAGE_SUFFIXES, image_files
from pipeline.video.media import check_size, digest_of, open_media
from pipeline.video.sources import Picture

TIFF = frozenset((".tif", ".tiff"))
_SAMPLE = 50  # images that are read to find how many bits are used
_DEPTHS = (8, 10, 12, 14)  # of cameras that write 16 bits


class ImagePage(NamedTuple):
    """One picture of a file; most files have one."""

    path: Path
    number: int = 0


def read_image(path: Path, page: int = 0, bits: int = 16) -> np.ndarray:
    """(H, W, 3) u8 RGB of one image: EXIF orientation applied, grey repeated, alpha dropped, 16 bit scaled to 8.

    Args:
        page: of a TIFF file.
        bits: of an image of 16 bits, how many hold values: the largest becomes white.

    Raises PoselineError when the file cannot be read as an image.
    """
    depth = 0 if bits == 16 else cv2.IMREAD_ANYDEPTH
    image = _decoded(path, page, cv2.IMREAD_COLOR | depth)
    if image.dtype != np.uint8:
        image = np.clip(np.rint(image * (255 / (2**bits - 1))), 0, 255).astype(np.uint8)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _decoded(path: Path, page: int, flags: int) -> np.ndarray:
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise PoselineError(f"{path}: cannot read the image ({error.strerror}); check the file") from error
    if page == 0:
        image = cv2.imdecode(data, flags) if len(data) else None
    else:
        _, found = cv2.imdecodemulti(data, flags, range=(page, page + 1))
        image = found[0] if found else None
    if image is None:
        raise PoselineError(f"{path}: not an image, or damaged; remove it or write it again")
    return np.asarray(image)


def image_pages(path: Path) -> list[ImagePage]:
    """The pictures of a folder of images, or of one image file, in order."""
    files = image_files(path) if path.is_dir() else [path]
    return [ImagePage(file, n) for file in files for n in range(_pages_of(file))]


def _pages_of(file: Path) -> int:
    return max(cv2.imcount(str(file), cv2.IMREAD_COLOR), 1) if file.suffix.lower() in TIFF else 1


def has_pages(path: Path) -> bool:
    """Whether this is a TIFF file of several pages, which is read as a folder of images is."""
    return path.suffix.lower() in TIFF and path.is_file() and _pages_of(path) > 1


def index_images(folder: Path, fps: Fraction | None) -> VideoInfo:
    """Index a folder of images, or a TIFF file of several pages; picture i is shown at i / fps.

    Where the names count and numbers are missing, these count in time, and a line says so.
    """
    pages = image_pages(folder)
    if not pages:
        raise PoselineError(f"{folder}: no images in this folder ({', '.join(sorted(IMAGE_SUFFIXES))}); give a video")
    if fps is None or fps <= 0:
        what = "a file of several pages" if folder.is_file() else "a folder of images"
        raise PoselineError(f"{folder}: {what} has no frame rate; give one greater than 0, such as --fps 30")
    files = list(dict.fromkeys(page.path for page in pages))
    stored = _stored_size(files[0])
    height, width = read_image(files[0]).shape[:2]
    for file in files[1:]:
        # Reading headers is much faster than decoding; only an image whose header has another size is decoded.
        if _stored_size(file) != stored and (shape := read_image(file).shape) != (height, width, 3):
            raise PoselineError(
                f"{file}: {shape[1]}x{shape[0]} pixels but {files[0].name} has {width}x{height}; make all sizes equal"
            )
    pts, warnings = _places(folder, files) if len(files) == len(pages) else (np.arange(len(pages)), [])
    bits = _bits_used(pages)
    if bits < 16:
        line = f"{folder}: of 16 bits its images use {bits}; 0 to {2**bits - 1} are scaled to black and white"
        warnings.append(line)
    rate = Fraction(fps)
    return VideoInfo(
        path=folder,
        size_px=(width, height),
        rotation_deg=0,
        time_base=1 / rate,
        fps=rate,
        pts=pts,
        time_s=pts.astype(np.float64) * rate.denominator / rate.numerator,
        is_key=np.ones(len(pages), bool),
        has_audio=False,
        digest=digest_of(files),
        codec="images",
        pixel_format="rgb24",
        kind="images",
        warnings=tuple(warnings),
        bits=bits,
    )


def index_photo(path: Path, fps: Fraction | None) -> VideoInfo:
    """Index one photograph: a picture at time 0."""
    if fps is not None:
        raise PoselineError(f"{path}: --fps {fps}: a photograph has no frame rate; leave --fps out, or give its folder")
    _stored_size(path)
    height, width = read_image(path).shape[:2]
    bits = _bits_used([ImagePage(path)])
    line = f"{path}: of 16 bits it uses {bits}; 0 to {2**bits - 1} are scaled to black and white"
    return VideoInfo(
        path=path,
        size_px=(width, height),
        rotation_deg=0,
        time_base=Fraction(1),
        fps=Fraction(1),
        pts=np.zeros(1, np.int64),
        time_s=np.zeros(1),
        is_key=np.ones(1, bool),
        has_audio=False,
        digest=digest_of([path]),
        codec="images",
        pixel_format="rgb24",
        kind="photo",
        warnings=(line,) if bits < 16 else (),
        bits=bits,
    )


def _places(folder: Path, files: list[Path]) -> tuple[np.ndarray, list[str]]:
    """(T,) i64 the place of each image in time, by the numbers in the names, and a line where some are missing."""
    places = np.arange(len(files), dtype=np.int64)
    told = [re.fullmatch(r"(.*?)(\d{1,15})(\D*)", file.stem, re.DOTALL) for file in files]
    if len(files) < 3 or not all(told) or len({(t[1], t[3]) for t in told if t}) > 1:
        return places, []
    numbers = np.array([int(t[2]) for t in told if t], np.int64)
    steps = np.diff(numbers)
    usual = int(np.median(steps))
    missing = int((numbers[-1] - numbers[0]) // max(usual, 1) + 1 - len(files))
    even = usual >= 1 and (steps > 0).all() and not (steps % usual).any()
    if not even or not missing or 2 * (steps == usual).sum() < len(steps):
        return places, []
    counts = missing <= len(files)  # else the names hardly count pictures
    behind = files[int(np.argmax(steps > usual))].name
    line = f"{folder}: {missing} numbers are missing in its names, first behind {behind}"
    line += "; they count in time" if counts else "; that is too many to count in time"
    return (numbers - numbers[0]) // usual if counts else places, [line]


def _bits_used(pages: list[ImagePage]) -> int:
    """How many bits hold values in images of 16 bits, by a sample of them; 16 where images have others."""
    most = 0
    for i in np.unique(np.linspace(0, len(pages) - 1, min(len(pages), _SAMPLE)).round().astype(int)):
        image = _decoded(pages[i].path, pages[i].number, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
        if image.dtype != np.uint16:
            return 16
        most = max(most, int(image.max()))
    return next((bits for bits in _DEPTHS if most < 2**bits), 16)


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
    """A folder of images, or the pages of a file, as a source of frames."""

    def __init__(self, info: VideoInfo) -> None:
        self._pages = image_pages(info.path)
        self._info = info
        if len(self._pages) != len(info):
            raise PoselineError(f"{info.path}: {len(self._pages)} images now, {len(info)} when indexed; run again")

    def frames(self, start: int, stop: int) -> Iterator[Picture]:
        for i in range(start, stop):
            path, page = self._pages[i]
            image = read_image(path, page, self._info.bits)
            if image.shape[1::-1] != self._info.size_px:
                size = "x".join(map(str, self._info.size_px))
                raise PoselineError(
                    f"{path}: {image.shape[1]}x{image.shape[0]} pixels but the first image has {size};"
                    " make all sizes equal"
                )
            yield i, image

    def close(self) -> None:
        pass
