"""How decoded frames become pictures of one size and format: chains of FFmpeg's filters."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np

from pipeline.video.shape import square_size

# A filter and its arguments. These may depend on a file that is there until the stack is closed.
Step = tuple[str, str | Callable[[ExitStack], str]]
_UNKNOWN, _BT2020 = 2, 9  # FFmpeg's numbers of matrices


class FilterChain:
    """Passes frames through a chain of FFmpeg's filters. The chain is rebuilt where a stream changes its format.

    Args:
        chain: (filter, arguments) each.
    """

    def __init__(self, *chain: Step) -> None:
        self._chain = chain
        self._format: tuple[int, int, str] | None = None
        self._graph: av.filter.Graph | None = None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        kind = (frame.width, frame.height, frame.format.name)
        if self._graph is None or kind != self._format:
            self._format, self._graph = kind, self._build(frame)
        self._graph.push(frame)
        out = self._graph.pull()
        assert isinstance(out, av.VideoFrame)
        return out

    def push(self, frame: av.VideoFrame) -> list[av.VideoFrame]:
        """Hand a frame to filters that give out none or several for it."""
        kind, out = (frame.width, frame.height, frame.format.name), []
        if self._graph is None or kind != self._format:
            out = self.flush()
            self._format, self._graph = kind, self._build(frame)
        self._graph.push(frame)
        return out + self._pulled(self._graph)

    def flush(self) -> list[av.VideoFrame]:
        """What the filters still hold; the next frame starts afresh."""
        graph, self._graph = self._graph, None
        if graph is None:
            return []
        graph.push(None)
        return self._pulled(graph)

    def _pulled(self, graph: av.filter.Graph) -> list[av.VideoFrame]:
        out: list[av.VideoFrame] = []
        with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                picture = graph.pull()
                assert isinstance(picture, av.VideoFrame)
                out.append(picture)
        return out

    def _build(self, frame: av.VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        graph.threads = 1
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1000)
        )
        with ExitStack() as files:
            filters = [graph.add(name, said if isinstance(said, str) else said(files)) for name, said in self._chain]
            for one, following in pairwise([source, *filters, graph.add("buffersink")]):
                one.link_to(following)
            graph.configure()
        return graph


class Fitted:
    """Scales frames to one size; those of another shape keep their proportions, with black beside them.

    ``sizes`` has the stored sizes that frames had, in the order in which they came.

    Args:
        size_px: (w, h) of square pixels, not yet turned.
        aspect: width of a stored pixel by its height.
        own_px: size_px at the video's own scale.
        flags: further arguments of the scaler.
        form: pixel format.
        sdr: filters that make HDR pictures SDR ones, behind the scaler; none for SDR.
    """

    def __init__(
        self,
        size_px: tuple[int, int],
        aspect: Fraction,
        form: str,
        own_px: tuple[int, int] | None = None,
        flags: str = "",
        sdr: Sequence[Step] = (),
    ) -> None:
        self._size_px, self._own_px, self._aspect = size_px, own_px or size_px, aspect
        self._form, self._flags, self._sdr = form, flags, sdr
        self._chains: dict[tuple[int, int], FilterChain] = {}
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        if self._sdr and int(frame.colorspace) == _UNKNOWN:
            frame.colorspace = _BT2020  # nearly all HDR has this matrix
        return self.chain((frame.width, frame.height))(frame)

    def chain(self, stored_px: tuple[int, int]) -> FilterChain:
        """The filters for frames of a stored size (w, h)."""
        if stored_px not in self._chains:
            self.sizes.append(stored_px)
            self._chains[stored_px] = FilterChain(*self._filters(square_size(stored_px, self._aspect)))
        return self._chains[stored_px]

    def _filters(self, square_px: tuple[int, int]) -> list[Step]:
        width, height = self._size_px
        if square_px == self._own_px:
            return [("scale", f"{width}:{height}{self._flags}"), *self._sdr, ("format", self._form)]
        share = min(width / square_px[0], height / square_px[1])
        w, h = (
            min(max(2 * round(side * share / 2), 2), most)
            for side, most in zip(square_px, (width, height), strict=True)
        )
        left, top = (width - w) // 4 * 2, (height - h) // 4 * 2  # even, as colours have half of the places
        return [
            ("scale", f"{w}:{h}{self._flags}"),
            *self._sdr,
            ("format", self._form),
            ("pad", f"{width}:{height}:{left}:{top}:black"),
        ]


class ToRGB:
    """Converts frames to RGB arrays with the filters that decord uses.

    ``VideoFrame.to_ndarray`` uses other filters: interlaced pictures, 10 bits and odd sizes then differ by up to 57 of
    255 in the tests' clips.
    """

    def __init__(self, size_px: tuple[int, int], aspect: Fraction = Fraction(1), sdr: Sequence[Step] = ()) -> None:
        self.fitted = Fitted(size_px, aspect, "rgb24", sdr=sdr)

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """(h, w, 3) u8."""
        return self.fitted(frame).to_ndarray()
