"""The fold over frames that gives each observation a tracklet: predict, match twice, confirm, forget.

Observations with a high score are matched first, those with a low score then continue who is still unmatched (the idea
of ByteTrack, Zhang et al. 2022). Positions are predicted by a constant-velocity Kalman filter on the frames' real
times, and every threshold is in seconds and body lengths, so that 3 and 120 frames per second mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pipeline.core import kalman
from pipeline.core.config import TrackConfig
from pipeline.core.similarity import VISIBLE, box_area, iou, oks
from pipeline.core.skeleton import Skeleton
from pipeline.observe import appearance
from pipeline.observe.camera import moved
from pipeline.tracking import match as associate

_TENTATIVE, _CONFIRMED = 0, 1
_BODY_AREA = 0.4  # area of a standing person's box in squared body lengths
_NOISE_LEN = 0.03  # body lengths: how well the keypoints of a sure observation place the body
_GATE_LEN = 0.03  # body lengths: floor of the gate, breathing room for a well predicted person
_SIZE_TAU_S = 0.5  # time constant of the body size, long against a truncated box or a raised arm
_LOOK_TAU_S = 1.0  # time constant of a person's appearance
_LOOK_COST = 0.5  # of clothes as different as one person's are from one time to another, in units of a match's cost
_LEAST_PARTS = 2  # of the body that both must show
_MEMORY_TAU_S = 0.5  # time constant at which a point not seen any more loses its score
_RIGID, _FREE, _CORNER = 1.0, 0.1, 0.01  # weights of torso and head, limbs, box corners for the body's place
_LIMBS = ("elbow", "wrist", "knee", "ankle", "heel", "foot", "toe", "index", "pinky", "thumb", "hand")
_EPS_S = 1e-6  # slack of comparisons between time differences


@dataclass
class _Tracks:
    """The people present, arrays in parallel: M tracklets, P points (the skeleton's tracked ones, two box corners)."""

    id: np.ndarray  # (M,) i32
    status: np.ndarray  # (M,) u8
    hits: np.ndarray  # (M,) i64
    score_sum: np.ndarray  # (M,) f64
    first_frame: np.ndarray  # (M,) i64
    first_s: np.ndarray  # (M,) f64
    last_frame: np.ndarray  # (M,) i64
    last_s: np.ndarray  # (M,) f64
    area: np.ndarray  # (M,) f64 px², slow
    mean: np.ndarray  # (M, 2, 2) position and velocity of an anchor on the body, at the current time
    cov: np.ndarray  # (M, 2, 2)
    points: np.ndarray  # (M, P, 2) f64 px at the current time
    point_score: np.ndarray  # (M, P) f64
    look: np.ndarray  # (M, D) f64 appearance, NaN = not seen yet

    def take(self, rows: np.ndarray) -> _Tracks:
        return _Tracks(*(getattr(self, f.name)[rows] for f in fields(self)))

    def join(self, other: _Tracks) -> _Tracks:
        return _Tracks(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def __len__(self) -> int:
        return len(self.id)

    @property
    def length2(self) -> np.ndarray:
        """(M,) px² squared body length."""
        return self.area / _BODY_AREA

    @property
    def box(self) -> np.ndarray:
        """(M, 4) px."""
        return self.points[:, -2:].reshape(-1, 4)


@dataclass
class Tracklets:
    """Summary of confirmed tracklets, S of them, sorted by id."""

    id: np.ndarray  # (S,) i32
    hits: np.ndarray  # (S,) i64 number of observations
    score_sum: np.ndarray  # (S,) f64
    first_frame: np.ndarray  # (S,) i64
    first_s: np.ndarray  # (S,) f64
    last_frame: np.ndarray  # (S,) i64
    last_s: np.ndarray  # (S,) f64


class Tracker:
    """Tracks people through the frames of one video; state is bounded by the people present.

    Args:
        config: thresholds.
        skeleton: of the observations' keypoints.
        size_px: (w, h) of the upright frame.
    """

    def __init__(self, config: TrackConfig, skeleton: Skeleton, size_px: tuple[int, int]) -> None:
        self.config = config
        self.size_px = size_px
        self._chosen = skeleton.tracked
        self._sigmas = np.array(skeleton.sigmas)[self._chosen]
        self._mean_var = float(np.mean((2 * self._sigmas) ** 2))
        free = [any(limb in skeleton.names[k] for limb in _LIMBS) for k in self._chosen]
        self._weight = np.append(np.where(free, _FREE, _RIGID), [_CORNER, _CORNER])  # (P,)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._time_s = -np.inf
        self._frame = -1
        self._next_id = 1
        none = np.zeros((0, len(self._weight)))
        self._tracks = self._spawn(-1, 0.0, np.zeros((*none.shape, 2)), none, [], np.zeros((0, appearance.SIZE)))
        self._ended: list[_Tracks] = []

    def update(
        self,
        frame: int,
        time_s: float,
        box_px: np.ndarray,
        score: np.ndarray,
        keypoints_px: np.ndarray,
        keypoint_score: np.ndarray,
        look: np.ndarray | None = None,
        camera: np.ndarray | None = None,
    ) -> np.ndarray:
        """Tracklet ids (n,) i32 of one frame's observations, −1 for those ignored; call with rising frames.

        A tracklet that was never confirmed has ids here too; `tracklets` lists those that were. Frames without
        observations may be left out.

        Args:
            frame: row of the pts table.
            time_s: the frame's time, not before the previous one's.
            box_px, score, keypoints_px, keypoint_score: ``(n, 4)``, ``(n,)``, ``(n, K, 2)``, ``(n, K)``.
            look: ``(n, D)`` as `pipeline.observe.appearance.describe` has it.
            camera: ``(4,)`` motion of the camera since the last call, as `pipeline.observe.camera` has it; None: none.

        Raises:
            ValueError: the frame does not come after the previous one.
        """
        if frame <= self._frame:
            raise ValueError(f"tracker frames must rise, got {frame} after {self._frame}")
        ids = np.full(len(score), -1, np.int32)
        if camera is not None:
            self._turn(camera)
        self._predict(frame, time_s)
        keypoints_px, keypoint_score = keypoints_px[:, self._chosen], keypoint_score[:, self._chosen]
        points = np.concatenate([keypoints_px, box_px.reshape(-1, 2, 2)], axis=1, dtype=np.float64)  # (n, P, 2)
        point_score = np.concatenate([keypoint_score, np.ones((len(score), 2))], axis=1, dtype=np.float64)
        look = np.full((len(score), self._tracks.look.shape[1]), np.nan) if look is None else look.astype(np.float64)
        if look.shape[1] != self._tracks.look.shape[1]:  # a ReID network's, of which the first call tells the width
            self._tracks.look = np.full((len(self._tracks), look.shape[1]), np.nan)

        c = self.config
        high = score >= c.high_score
        low = (score >= c.low_score) & ~high
        confirmed = self._tracks.status == _CONFIRMED
        matched = np.zeros(len(self._tracks), bool)
        for rows, columns, least, limit in (
            (confirmed, high, c.min_similarity, c.match_limit),
            (confirmed, low, c.min_similarity_low, c.match_limit_low),
            (~confirmed, high, c.min_similarity, c.match_limit),
        ):
            tracks = np.flatnonzero(rows & ~matched)
            seen = np.flatnonzero(columns & (ids < 0))
            if len(tracks) and len(seen):
                tracks, seen = self._match(tracks, seen, points, point_score, look, least, limit)
                ids[seen] = self._tracks.id[tracks]
                matched[tracks] = True
                self._correct(tracks, frame, time_s, points[seen], point_score[seen], score[seen], look[seen])

        new = np.flatnonzero(high & (ids < 0))
        if len(new):
            new = new[~self._seen_twice(new, np.flatnonzero(ids >= 0), points, point_score)]
            born = self._spawn(frame, time_s, points[new], point_score[new], score[new], look[new])
            ids[new] = born.id
            self._tracks = self._tracks.join(born)
        return ids

    def tracklets(self) -> Tracklets:
        """All confirmed tracklets so far."""
        parts = [*self._ended, self._tracks.take(self._tracks.status == _CONFIRMED)]
        columns = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Tracklets)}
        order = np.argsort(columns["id"], kind="stable")
        return Tracklets(**{name: column[order] for name, column in columns.items()})

    def present(self) -> Tracklets:
        """The confirmed tracklets that have not ended, and no memory of those that have: for streams without end."""
        self._ended.clear()
        return self.tracklets()

    @property
    def alive(self) -> np.ndarray:
        """Ids of all tracklets that have not ended, confirmed or not."""
        return self._tracks.id

    def _turn(self, camera: np.ndarray) -> None:
        """Carry all tracklets along with the picture."""
        t = self._tracks
        scale2 = float(camera[0] ** 2 + camera[1] ** 2)
        turn = np.array([[camera[0], camera[1]], [-camera[1], camera[0]]])  # of row vectors
        t.points = moved(t.points, camera)
        t.mean = np.stack([moved(t.mean[:, 0], camera), t.mean[:, 1] @ turn], 1)
        t.cov, t.area = t.cov * scale2, t.area * scale2

    def _predict(self, frame: int, time_s: float) -> None:
        """Carry all tracklets to the new time; forget those unseen for too long."""
        t, c = self._tracks, self.config
        if len(t):
            # A gap without frames is not a gap in seeing: only a tracklet missed in some frame may end.
            limit = np.where(t.status == _CONFIRMED, c.max_gap_s, c.tentative_gap_s) + _EPS_S
            over = (frame - t.last_frame > 1) & (time_s - t.last_s > limit)
            if over.any():
                self._end(t.take(over))
                t = self._tracks = t.take(~over)
            dt = min(max(time_s - self._time_s, 0.0), max(c.max_gap_s, c.tentative_gap_s))
            before = t.mean[:, 0]
            t.mean, t.cov = kalman.predict(t.mean, t.cov, dt, c.agility_len2_s3 * t.length2)
            t.points = t.points + (t.mean[:, 0] - before)[:, None]
        self._frame, self._time_s = frame, time_s

    def _end(self, tracks: _Tracks) -> None:
        """Keep the summary of confirmed tracklets that end, and nothing of the others."""
        done = tracks.take(tracks.status == _CONFIRMED)
        if len(done):
            empty = self._tracks.take(np.zeros(0, np.int64))
            for name in ("mean", "cov", "points", "point_score", "look"):
                setattr(done, name, getattr(empty, name))
            self._ended.append(done)

    def _match(
        self,
        rows: np.ndarray,
        columns: np.ndarray,
        points: np.ndarray,
        point_score: np.ndarray,
        look: np.ndarray,
        min_similarity: float,
        limit: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Matched pairs among the tracklets ``rows`` and the observations ``columns``, both as indices."""
        t = self._tracks if len(rows) == len(self._tracks) else self._tracks.take(rows)
        var, length2 = t.cov[:, 0, 0], t.length2
        floor = _GATE_LEN**2 * length2
        # The places compared are of boxes, which may end at an occluder: a body length on top of the gate.
        reach = self.config.gate_sigma * np.sqrt(var + floor) + np.sqrt(length2)
        boxes = points[columns, -2:]
        i, j = associate.near(t.points[:, -2:].mean(1), boxes.mean(1), reach)
        mine, mine_score, seen, seen_score = t.points[i], t.point_score[i], points[columns[j]], point_score[columns[j]]
        similar = associate.similarity(
            mine[:, :-2],
            mine_score[:, :-2],
            mine[:, -2:].reshape(-1, 4),
            seen[:, :-2],
            seen_score[:, :-2],
            seen[:, -2:].reshape(-1, 4),
            t.area[i],
            self._sigmas,
            var[i],
            self.config.box_points,
        )
        # Half of somebody may be seen where the whole was before, but nobody grows tenfold.
        grown = np.abs(np.log(np.maximum(_areas(seen), 1.0) / t.area[i])) > 2 * np.log(self.config.gate_scale)
        similar = np.where(grown, 0.0, similar)
        offset, _ = associate.shift(mine, mine_score, seen, seen_score, self._weight)
        value = associate.cost(
            similar,
            kalman.mahalanobis2(t.cov[i], offset, floor[i]),
            var[i] / (self._mean_var * t.area[i]),
            min_similarity=min_similarity,
            gate_sigma=self.config.gate_sigma,
        )
        if len(i) > len(rows):
            value = value + _foreign(i, t.look[i], look[columns[j]])
        costs = np.full((len(rows), len(columns)), np.inf)
        costs[i, j] = value
        matched_rows, matched_columns = associate.match(costs, limit)
        return rows[matched_rows], columns[matched_columns]

    def _correct(
        self,
        rows: np.ndarray,
        frame: int,
        time_s: float,
        points: np.ndarray,
        point_score: np.ndarray,
        score: np.ndarray,
        look: np.ndarray,
    ) -> None:
        """Take the observations (n, …) into the tracklets ``rows (n,)``."""
        t = self._tracks
        old, old_score = t.points[rows], t.point_score[rows]
        weight = self._weight * ((old_score >= VISIBLE) & (point_score >= VISIBLE))  # (n, P)
        offset = np.einsum("np,npc->nc", weight, points - old) / weight.sum(-1, keepdims=True)
        var = np.square(_NOISE_LEN / np.clip(score, 0.1, 1.0)) * t.length2[rows]
        place = t.mean[rows, 0]
        t.mean[rows], t.cov[rows] = kalman.update(t.mean[rows], t.cov[rows], place + offset, var)

        # Points not seen now move along with the body and are remembered for a while, as when legs are occluded.
        dt = (time_s - t.last_s[rows])[:, None]
        visible = point_score >= VISIBLE
        t.points[rows] = np.where(visible[..., None], points, old + offset[:, None])
        t.point_score[rows] = np.where(visible, point_score, old_score * np.exp(-dt / _MEMORY_TAU_S))
        blend = 1.0 - np.exp(-dt[:, 0] / _SIZE_TAU_S)
        t.area[rows] += blend * (_areas(points) - t.area[rows])
        t.look[rows] = _blended(t.look[rows], look, 1.0 - np.exp(-dt / _LOOK_TAU_S))
        t.hits[rows] += 1
        t.score_sum[rows] += score
        t.last_frame[rows], t.last_s[rows] = frame, time_s
        sure = (t.hits[rows] >= self.config.confirm_hits) | (score >= self.config.sure_score)
        t.status[rows] = np.where(sure, _CONFIRMED, t.status[rows])

    def _seen_twice(
        self, new: np.ndarray, known: np.ndarray, points: np.ndarray, point_score: np.ndarray
    ) -> np.ndarray:
        """(len(new),) bool: observations ``new`` that look like another view of one of the ``known``."""
        if len(known) == 0:
            return np.zeros(len(new), bool)
        a, b = points[known], points[new]
        area = _areas(a)
        seen_a, seen_b = point_score[known, :-2], point_score[new, :-2]
        alike = oks(a[:, :-2], seen_a, b[:, :-2], seen_b, area, self._sigmas, min_points=3)
        boxes = iou(a[:, -2:].reshape(-1, 4), b[:, -2:].reshape(-1, 4))
        return (np.maximum(alike, boxes - 0.1) > self.config.duplicate_oks).any(axis=0)

    def _spawn(
        self,
        frame: int,
        time_s: float,
        points: np.ndarray,
        point_score: np.ndarray,
        score: np.ndarray | list,
        look: np.ndarray,
    ) -> _Tracks:
        """New tracklets for observations (n, …), in their order."""
        n, score = len(points), np.asarray(score, np.float64)
        ids = np.arange(self._next_id, self._next_id + n, dtype=np.int32)
        self._next_id += n
        area = np.maximum(_areas(points), 1.0)
        cov = np.zeros((n, 2, 2))
        cov[:, 0, 0] = np.square(_NOISE_LEN / np.clip(score, 0.1, 1.0)) * area / _BODY_AREA
        cov[:, 1, 1] = self.config.start_speed_len_s**2 * area / _BODY_AREA
        mean = np.zeros((n, 2, 2))
        mean[:, 0] = points[:, -2:].mean(axis=1)
        sure = (score >= self.config.sure_score) | (self.config.confirm_hits <= 1)
        return _Tracks(
            id=ids,
            status=np.where(sure, _CONFIRMED, _TENTATIVE).astype(np.uint8),
            hits=np.ones(n, np.int64),
            score_sum=score.copy(),
            first_frame=np.full(n, frame, np.int64),
            first_s=np.full(n, time_s),
            last_frame=np.full(n, frame, np.int64),
            last_s=np.full(n, time_s),
            area=area,
            mean=mean,
            cov=cov,
            points=points.astype(np.float64),
            point_score=point_score.astype(np.float64),
            look=look,
        )


def _foreign(row: np.ndarray, mine: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Costs (P,) of clothes (P, D) that differ, above the least of each ``row (P,)``: only differences tell apart."""
    far, common = appearance.distance2(mine, seen)
    cost = np.where(common >= _LEAST_PARTS, _LOOK_COST * far, 0.0)
    least = np.full(int(row.max()) + 1, np.inf)
    np.minimum.at(least, row, cost)
    return cost - least[row]


def _blended(old: np.ndarray, new: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Appearance (n, D) moved by ``share (n, 1)`` towards what is seen now; parts not seen stay."""
    first = np.where(np.isfinite(old), old, new)
    return np.where(np.isfinite(new), first + share * (new - first), first)


def _areas(points: np.ndarray) -> np.ndarray:
    """(n,) px² of the boxes in the last two of the points (n, P, 2)."""
    return box_area(points[:, -2:].reshape(-1, 4))
