"""Interlaced pictures of a stream become whole ones, a picture late."""

from __future__ import annotations

from typing import NamedTuple

import av

from pipeline.video.convert import FilterChain


class _Held(NamedTuple):
    """What the filter may lose of a picture."""

    pts: int | None
    received_s: float


class WholePictures:
    """Passes pictures on as they are until one is interlaced; from then on through FFmpeg's bwdif, one a frame.

    Args:
        asked: auto, off, or frame and field, which are alike here: all pictures are taken for interlaced.
    """

    def __init__(self, asked: str = "auto") -> None:
        self._asked = asked
        self._chain: FilterChain | None = None
        self._held: dict[int, _Held] = {}
        self._number = 0

    @property
    def works(self) -> bool:
        """Whether pictures are made whole."""
        return self._chain is not None

    def __call__(self, picture: av.VideoFrame, received_s: float) -> list[tuple[av.VideoFrame, int | None, float]]:
        """The pictures that are ready, each with its pts and the time at which it was received."""
        wanted = self._asked in ("frame", "field") or (self._asked == "auto" and picture.interlaced_frame)
        if self._chain is None and not wanted:
            return [(picture, picture.pts, received_s)]
        if self._chain is None:
            which = "interlaced" if self._asked == "auto" else "all"
            self._chain = FilterChain(("bwdif", f"mode=send_frame:deint={which}"))
        self._held[self._number] = _Held(picture.pts, received_s)
        picture.pts, self._number = self._number, self._number + 1
        return self._ready(self._chain.push(picture))

    def rest(self) -> list[tuple[av.VideoFrame, int | None, float]]:
        """The pictures that are still held, at the end of a connection."""
        return [] if self._chain is None else self._ready(self._chain.flush())

    def _ready(self, pictures: list[av.VideoFrame]) -> list[tuple[av.VideoFrame, int | None, float]]:
        found = []
        for picture in pictures:
            assert picture.pts is not None  # its number, which bwdif doubles
            held = self._held.pop(picture.pts // 2)
            found.append((picture, held.pts, held.received_s))
        return found
