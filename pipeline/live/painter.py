"""The video of a segment: people hidden as ``Privacy`` says, then drawn, then encoded, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections import deque
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Observations
from pipeline.live.crowd import Seen
from pipeline.live.hidden import Hidden
from pipeline.render.draw.canvas import Canvas
from pipeline.render.draw.figure import Person
from pipeline.render.draw.overlay import draw_people
from pipeline.render.look import Look
from pipeline.render.privacy import Privacy
from pipeline.video.encode import VideoWriter

TICKS = 90_000  # ticks per second in the tables of frames and the videos
FRAGMENT_S = 1.0  # length of a fragment: a kill may lose it and the frames in the encoder
USUAL_RATE = Fraction(25)  # for the video's header, until the true one is known
PICTURES = 4  # most pictures that wait to be drawn


class _Sighting(NamedTuple):
    """The observations of a frame, and their tracklets (n,)."""

    time_s: float
    obs: Observations
    ids: np.ndarray
    faint_px: np.ndarray  # (m, 4)


class _Picture(NamedTuple):
    """A frame to be drawn, with its people."""

    time_s: float
    image: np.ndarray  # (H, W, 3) u8 RGB, drawn upon
    pts: int
    people: list[Seen]


class LivePainter:
    """Draws and encodes in fragments that can be played after a kill.

    Where people are hidden, each picture waits for the observations of the frames just after it, and only hidden
    pictures reach the file. Pictures that still wait at the end are blurred as a whole, and so are those at the
    beginning, before which nobody was looked for.

    Args:
        hidden: the regions of the frames before, where the pictures have the same size.
    """

    def __init__(
        self,
        path: Path,
        size_px: tuple[int, int],
        skeleton: Skeleton,
        config: Config,
        privacy: Privacy,
        hidden: Hidden | None = None,
    ) -> None:
        self._skeleton, self._privacy = skeleton, privacy
        self._look = replace(Look(), heads=privacy.draws_heads)
        self.hidden = hidden or Hidden(privacy, skeleton)
        self._held: deque[_Picture] = deque()
        self._writer = VideoWriter(
            path,
            size_px,
            Fraction(1, TICKS),
            USUAL_RATE,
            crf=config.render.crf,
            preset=config.render.preset,
            threads=config.runtime.threads,
            fragment_s=FRAGMENT_S,
        )
        self._items: queue.Queue[_Sighting | _Picture | None] = queue.Queue(2 * PICTURES)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="paint", daemon=True)
        self._thread.start()

    def saw(self, time_s: float, obs: Observations, ids: np.ndarray, faint_px: np.ndarray) -> None:
        """The observations (n, …) of the next frame, and their tracklets (n,), −1 for none; faint boxes (m, 4)."""
        if self._privacy.hides:
            self._put(_Sighting(time_s, obs, ids, faint_px))

    def put(self, time_s: float, image: np.ndarray, pts: int, people: list[Seen]) -> None:
        """A picture to draw upon and to write; raises what went wrong with an earlier one."""
        self._put(_Picture(time_s, image, pts, people))

    def close(self) -> None:
        """Draw the waiting pictures and end the file."""
        self._items.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _put(self, item: _Sighting | _Picture) -> None:
        if self._error is not None:
            raise self._error
        self._items.put(item)

    def _work(self) -> None:
        try:
            while (item := self._items.get()) is not None:
                if isinstance(item, _Sighting):
                    self.hidden.add(*item)
                else:
                    self._held.append(item)
                while self._held and self._is_ready(self._held[0]):
                    self._draw(self._held.popleft())
            while self._held:
                self._draw(self._held.popleft())
            self._writer.close()
        except BaseException as error:  # raised by the next `put`, in the thread that owns the run
            self._error = error if isinstance(error, PoselineError) else PoselineError(f"live.mp4: {error}")
            while self._items.get() is not None:
                pass

    def _is_ready(self, picture: _Picture) -> bool:
        """Whether no later frame can add a region to the picture."""
        return not self._privacy.hides or self.hidden.is_ahead_of(picture.time_s)

    def _draw(self, picture: _Picture) -> None:
        if self._privacy.black:
            picture.image[:] = 0
        elif self._privacy.hides:
            canvas, regions = Canvas.of(picture.image), self.hidden.at(picture.time_s)
            if self._is_ready(picture) and self.hidden.is_behind(picture.time_s):
                self._privacy.hide(canvas, regions)
            else:
                self._privacy.hide_all(canvas)
        drawn = [
            Person(p.person_id, p.box_px, p.point.keypoints_px, p.point.state, bool(np.isfinite(p.score)))
            for p in picture.people
        ]
        draw_people(picture.image, drawn, self._skeleton, self._look)
        self._writer.write(picture.image, picture.pts)
