"""Online tracking: frames to people, one after another; only people who are present are kept in memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from pipeline.core.config import Config
from pipeline.core.homography import STILL
from pipeline.core.types import Observations
from pipeline.models.registry import Models
from pipeline.motion import boxes
from pipeline.motion.lasting import shares
from pipeline.motion.online import Point, Smoother
from pipeline.motion.repair import EPS_S
from pipeline.tracking.tracker import Tracker

SIZE_ROWS = 15  # sightings over which the median is a person's size, as in `pipeline.motion.person`
STEP_ROWS = 25  # frames over which the median is the usual step
FIRST_STEP_S = 0.04


@dataclass
class Seen:
    """One person in one frame."""

    person_id: int
    score: float  # NaN where bridged
    box_px: np.ndarray  # (4,) f32
    point: Point
    keypoint_score: np.ndarray  # (K,) f32, 0 where bridged


@dataclass
class Result:
    """A frame with its people; ``tag`` is what the caller gave with the frame."""

    time_s: float
    tag: object
    people: list[Seen]


@dataclass
class _Tracklet:
    """The state of one tracklet while it is present."""

    smoother: Smoother
    sizes: deque[float] = field(default_factory=lambda: deque(maxlen=SIZE_ROWS))
    box_px: np.ndarray = field(default_factory=lambda: np.full(4, np.nan, np.float32))
    rows: deque[tuple[float, np.ndarray, np.ndarray]] = field(default_factory=deque)  # score, box, keypoint scores


class Crowd:
    """Everybody who is there: identities online, smoothing with a lag.

    A tracklet becomes a person, with the next free number, when it is confirmed, was there for ``track.min_length_s``
    and scores ``track.min_mean_score``. The first result with the person follows then.
    """

    def __init__(self, config: Config, models: Models, size_px: tuple[int, int], first_person: int = 1) -> None:
        self._config, self._skeleton = config, models.skeleton
        self._tracker = Tracker(config.track, models.skeleton, size_px)
        self._size_px = size_px
        self._tracklets: dict[int, _Tracklet] = {}
        self.person_of: dict[int, int] = {}  # tracklet to person, of the present tracklets
        self._named: dict[int, int] = {}  # tracklet to person: all since `names` was last asked for
        self.next_person = first_person
        self._steps: deque[float] = deque(maxlen=STEP_ROWS)
        self._last_s: float | None = None
        self._waiting: deque[tuple[float, object, list[int]]] = deque()  # without a result: (time, tag, tracklets)

    @property
    def step_s(self) -> float:
        """The usual step between frames."""
        return float(np.median(self._steps)) if self._steps else FIRST_STEP_S

    @property
    def present(self) -> int:
        """People that are there."""
        return len(self.person_of)

    def names(self) -> dict[int, int]:
        """Tracklet to person, of all that became people or were present since the last call."""
        names = self._named
        waiting = {i for _, _, tracklets in self._waiting for i in tracklets}
        self._named = {i: p for i, p in names.items() if i in self.person_of or i in waiting}
        return names

    def resized(self, size_px: tuple[int, int]) -> np.ndarray:
        """Change the size of the pictures; returns the motion (3, 3) that scales everybody. No frame may be waiting."""
        scale = size_px[0] / self._size_px[0]
        self._size_px = size_px
        for tracklet in self._tracklets.values():
            tracklet.smoother, tracklet.rows = self._new_smoother(), deque()
            tracklet.sizes = deque((s * scale for s in tracklet.sizes), maxlen=SIZE_ROWS)
            tracklet.box_px = tracklet.box_px * np.float32(scale)
        return np.diag([scale, scale, 1.0])

    def leave(self) -> None:
        """The next frame shows another scene: nobody goes on."""
        self._tracker.leave()

    def add(self, frame: int, time_s: float, tag: object, obs: Observations, motion: np.ndarray) -> np.ndarray:
        """The observations (n, …) of the next frame; their tracklets (n,) i32, −1 for none."""
        if self._last_s is not None:
            self._steps.append(time_s - self._last_s)
        self._last_s = time_s
        track = self._config.track
        look = obs.appearance if track.appearance else None
        camera = motion if (motion != STILL).any() else None
        ids = self._tracker.update(
            frame, time_s, obs.box_px, obs.score, obs.keypoints_px, obs.keypoint_score, look, camera
        )
        self._name_people()
        row_of = {int(i): row for row, i in enumerate(ids) if i > 0}
        for i in row_of:
            if i not in self._tracklets:
                self._tracklets[i] = _Tracklet(self._new_smoother())
        alive = [int(i) for i in self._tracker.alive if int(i) in self._tracklets]
        for i in alive:
            self._add_row(self._tracklets[i], time_s, obs, row_of.get(i))
        self._waiting.append((time_s, tag, alive))
        return ids

    def tell(self, all_: bool = False) -> list[Result]:
        """Results of the smoothed frames: those that lie the lag behind the newest one, or all waiting frames."""
        method, step_s = self._config.smooth.method, self.step_s
        lag = round(self._config.smooth.lag_s / step_s) if method == "fixed_lag" else 0
        told = []
        while len(self._waiting) > (0 if all_ else lag):
            told.append(self._told(*self._waiting.popleft()))
        self._forget()
        return told

    def _new_smoother(self) -> Smoother:
        return Smoother(shares(self._skeleton), self._config.smooth, self._config.track.max_gap_s)

    def _name_people(self) -> None:
        """Number the tracklets that have become people, and remove ended ones from `person_of`."""
        track, there = self._config.track, self._tracker.present()
        enough = there.last_s - there.first_s >= track.min_length_s - EPS_S
        enough &= (there.score_sum >= track.min_mean_score * there.hits) & (there.hits >= track.confirm_hits)
        before = self.person_of
        self.person_of = {}
        for i, good in zip(there.id.tolist(), enough.tolist(), strict=True):
            if i in before:
                self.person_of[i] = before[i]
            elif good:
                self.person_of[i] = self.next_person
                self.next_person += 1
        self._named |= self.person_of

    def _add_row(self, tracklet: _Tracklet, time_s: float, obs: Observations, row: int | None) -> None:
        k = len(self._skeleton)
        if row is None:
            size = float(np.median(tracklet.sizes)) if tracklet.sizes else 1.0
            tracklet.smoother.add(time_s, self.step_s, np.full((k, 2), np.nan), np.zeros(k, np.float32), size)
            tracklet.rows.append((np.nan, tracklet.box_px, np.zeros(k, np.float32)))
            return
        one = obs.take(np.array([row]))
        box = boxes.fitted(one.box_px, one.keypoints_px, one.keypoint_score, self._skeleton)[0]
        tracklet.sizes.append(max(float(box[2] - box[0]), float(box[3] - box[1]), 1.0))
        size = float(np.median(tracklet.sizes))
        tracklet.smoother.add(time_s, self.step_s, one.keypoints_px[0], one.keypoint_score[0], size)
        tracklet.box_px = box
        tracklet.rows.append((float(one.score[0]), box, one.keypoint_score[0]))

    def _told(self, time_s: float, tag: object, tracklets: list[int]) -> Result:
        people = []
        for i in tracklets:
            tracklet = self._tracklets[i]
            if not tracklet.rows:
                continue
            score, box, keypoint_score = tracklet.rows.popleft()
            point = tracklet.smoother.pop()
            person = self._named.get(i)
            if person is not None and (np.isfinite(score) or point.state.any()):
                people.append(Seen(person, score, box, point, keypoint_score))
        return Result(time_s, tag, sorted(people, key=lambda p: p.person_id))

    def _forget(self) -> None:
        """Drop tracklets that the tracker has forgotten, once none of their frames waits."""
        kept = set(self._tracker.alive.tolist())
        kept.update(i for _, _, tracklets in self._waiting for i in tracklets)
        self._tracklets = {i: t for i, t in self._tracklets.items() if i in kept}
