"""Tracklets summarised by half seconds: these glimpses are all that the offline pass keeps of the observations.

A glimpse is a mean over the observations of one tracklet in one stretch of `SPAN_S`. Places are in the coordinates of
frame 0, as if the camera had stood still.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pipeline.core.homography import moved, poses, similarities, stands
from pipeline.core.shots import Shots
from pipeline.core.similarity import box_area
from pipeline.core.types import Observations
from pipeline.observe.appearance import PARTS, VALUES

SPAN_S = 0.5


@dataclass
class Glimpses:
    """G glimpses, sorted by tracklet, then time."""

    tracklet: np.ndarray  # (G,) i64
    count: np.ndarray  # (G,) i64 observations
    score: np.ndarray  # (G,) f64 sum of their scores
    first_s: np.ndarray  # (G,) f64
    last_s: np.ndarray  # (G,) f64
    first_frame: np.ndarray  # (G,) i64
    last_frame: np.ndarray  # (G,) i64
    time_s: np.ndarray  # (G,) f64 mean
    place: np.ndarray  # (G, 2) f64 px of frame 0, centre of the box
    length: np.ndarray  # (G,) f64 px of frame 0, √ box area
    edge: np.ndarray  # (G,) f64 px, how near the box came to the left, right or lower border of the picture
    view: np.ndarray  # (G,) i64 number of the camera: places of two are not comparable
    look: np.ndarray  # (G, D) f64 mean appearance, NaN where a part was never seen

    def __len__(self) -> int:
        return len(self.tracklet)

    def take(self, rows: np.ndarray) -> Glimpses:
        """The given rows."""
        return Glimpses(*(getattr(self, f.name)[rows] for f in fields(self)))


class Collector:
    """Gathers glimpses while parts of a video stream by."""

    def __init__(
        self,
        time_s: np.ndarray,
        size_px: tuple[int, int],
        camera: np.ndarray | None,
        shots: Shots | None = None,
    ) -> None:
        self.time_s, self.size_px, self._shots = time_s, size_px, shots
        cuts = [] if shots is None else shots.first[1:].tolist()
        still = camera is None or stands(camera).all()
        self._back = None if camera is None or still else poses(similarities(camera, size_px), cuts)
        self._parts: list[Glimpses] = []

    def add(self, part: Observations, tracklet: np.ndarray) -> None:
        """The observations of a part with their tracklets (N,), −1 for none."""
        rows = np.flatnonzero(tracklet > 0)
        if not len(rows):
            return
        obs, who = part.take(rows), tracklet[rows].astype(np.int64)
        time_s = self.time_s[obs.frame]
        span = np.floor((time_s - self.time_s[0]) / SPAN_S).astype(np.int64)
        order = np.lexsort((obs.frame, span, who))
        who, span, time_s, frame = who[order], span[order], time_s[order], obs.frame[order]
        start = np.flatnonzero((np.diff(who, prepend=-1) != 0) | (np.diff(span, prepend=-1) != 0))
        stop = np.append(start[1:], len(who)) - 1
        count = stop - start + 1
        place, length = self._places(obs, order)
        self._parts.append(
            Glimpses(
                tracklet=who[start],
                count=count,
                score=np.add.reduceat(obs.score[order].astype(np.float64), start),
                first_s=time_s[start],
                last_s=time_s[stop],
                first_frame=frame[start],
                last_frame=frame[stop],
                time_s=np.add.reduceat(time_s, start) / count,
                place=np.add.reduceat(place, start) / count[:, None],
                length=np.add.reduceat(length, start) / count,
                edge=np.minimum.reduceat(self._edges(obs.box_px[order]), start),
                view=self._views(frame[start]),
                look=_look(obs.appearance, order, start),
            )
        )

    def glimpses(self) -> Glimpses:
        """All glimpses so far; a span that two parts share has one glimpse from each part."""
        if not self._parts:
            none, width = np.zeros(0), len(PARTS) * VALUES
            whole = none.astype(np.int64)
            return Glimpses(
                whole,
                whole,
                none,
                none,
                none,
                whole,
                whole,
                none,
                np.zeros((0, 2)),
                none,
                none,
                whole,
                np.zeros((0, width)),
            )
        joined = Glimpses(*(np.concatenate([getattr(p, f.name) for p in self._parts]) for f in fields(Glimpses)))
        return joined.take(np.lexsort((joined.first_frame, joined.tracklet)))

    def _views(self, frame: np.ndarray) -> np.ndarray:
        return np.zeros(len(frame), np.int64) if self._shots is None else self._shots.camera[self._shots.of(frame)]

    def _edges(self, box_px: np.ndarray) -> np.ndarray:
        width, height = self.size_px
        return np.stack([box_px[:, 0], width - box_px[:, 2], height - box_px[:, 3]]).min(0).astype(np.float64)

    def _places(self, obs: Observations, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        box = obs.box_px[order].astype(np.float64)
        place, length = box.reshape(-1, 2, 2).mean(1), np.sqrt(np.maximum(box_area(box), 1.0))
        if self._back is None:
            return place, length
        back = self._back[obs.frame[order]]
        return moved(place, back), length * np.sqrt(np.linalg.det(back[:, :2, :2] / back[:, 2:, 2:]))


def _look(appearance: np.ndarray | None, order: np.ndarray, start: np.ndarray) -> np.ndarray:
    if appearance is None:
        return np.full((len(start), len(PARTS) * VALUES), np.nan)
    values = appearance[order].astype(np.float64)
    known = np.isfinite(values)
    total = np.add.reduceat(np.where(known, values, 0.0), start)
    count = np.add.reduceat(known.astype(np.float64), start)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
