"""The fold over frames that gives each observation a tracklet: predict, match twice, confirm, forget.

Observations with a high score are matched first; observations with a low score are then matched to the tracklets left
over (the idea of ByteTrack, Zhang et al. 2022). Positions are predicted by a constant-velocity Kalman filter on the
frames' real times, and every threshold is in seconds and body lengths, so that 3 and 120 frames per second mean the
same.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from pipeline.core import kalman
from pipeline.core.homography import jacobian, moved
from pipeline.core.settings import TrackConfig
from pipeline.core.similarity import VISIBLE, iou, oks
from pipeline.core.skeleton import Skeleton
from pipeline.observe import appearance
from pipeline.tracking.match import associate, body_of
from pipeline.tracking.tracks import CONFIRMED, FAINT, NOISE_LEN, TENTATIVE, Sighting, Tracklets, Tracks, areas, spawn

_SIZE_TAU_S = 0.5  # time constant of the body size, long against a truncated box or a raised arm
_LOOK_TAU_S = 1.0  # time constant of a person's appearance
_MEMORY_TAU_S = 0.5  # time constant with which the score of a point that is no longer seen decays
_EPS_S = 1e-6  # slack of comparisons between time differences


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
        self._body = body_of(skeleton)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._time_s = -np.inf
        self._frame = -1
        self._next_id = 1
        none = np.zeros((0, len(self._body.weight)))
        nobody = Sighting(np.zeros((*none.shape, 2)), none, np.zeros(0), np.zeros((0, appearance.SIZE)))
        self._tracks = spawn(self._next_id, -1, 0.0, nobody, self.config)
        self._ended: list[Tracks] = []
        self.heads: dict[int, int] = {}  # faint tracklets' ids, each with that of the tracklet that goes on from it

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

        Tracklets that are never confirmed have ids here too; `tracklets` lists the confirmed ones. Frames without
        observations may be left out.

        Args:
            frame: row of the pts table.
            time_s: the frame's time, not before the previous one's.
            box_px, score, keypoints_px, keypoint_score: ``(n, 4)``, ``(n,)``, ``(n, K, 2)``, ``(n, K)``.
            look: ``(n, D)`` as `pipeline.observe.appearance.describe` has it.
            camera: ``(3, 3)`` motion of the camera since the last call, see `pipeline.core.homography`; None: none.

        Raises:
            ValueError: the frame does not come after the previous one.
        """
        if frame <= self._frame:
            raise ValueError(f"tracker frames must rise, got {frame} after {self._frame}")
        if camera is not None:
            self._turn(camera)
        self._predict(frame, time_s)
        seen = self._observed(box_px, score, keypoints_px, keypoint_score, look)
        ids = self._continued(seen)
        new, new_ids = self._started(seen, ids < 0)
        ids[new] = new_ids
        faint, faint_ids = self._glimpsed(seen, ids < 0)
        ids[faint] = faint_ids
        return ids

    def tracklets(self) -> Tracklets:
        """All confirmed tracklets so far."""
        parts = [*self._ended, self._tracks.take(self._tracks.status == CONFIRMED)]
        columns = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Tracklets)}
        order = np.argsort(columns["id"], kind="stable")
        return Tracklets(**{name: column[order] for name, column in columns.items()})

    def present(self) -> Tracklets:
        """The confirmed tracklets that have not ended; ended ones are forgotten: for streams without end."""
        self._ended.clear()
        self.heads.clear()
        return self.tracklets()

    def leave(self) -> None:
        """End all tracklets: the next frame shows something else."""
        self._end(self._tracks)
        self._tracks = self._tracks.take(np.zeros(0, np.int64))

    @property
    def alive(self) -> np.ndarray:
        """Ids of all tracklets that have not ended, confirmed or not."""
        return self._tracks.id

    def _observed(
        self,
        box_px: np.ndarray,
        score: np.ndarray,
        keypoints_px: np.ndarray,
        keypoint_score: np.ndarray,
        look: np.ndarray | None,
    ) -> Sighting:
        """The frame's observations as they are compared with tracklets."""
        keypoints_px, keypoint_score = keypoints_px[:, self._body.chosen], keypoint_score[:, self._body.chosen]
        points = np.concatenate([keypoints_px, box_px.reshape(-1, 2, 2)], axis=1, dtype=np.float64)  # (n, P, 2)
        point_score = np.concatenate([keypoint_score, np.ones((len(score), 2))], axis=1, dtype=np.float64)
        look = np.full((len(score), self._tracks.look.shape[1]), np.nan) if look is None else look.astype(np.float64)
        if look.shape[1] != self._tracks.look.shape[1]:  # vectors of a ReID network: the first call tells their width
            self._tracks.look = np.full((len(self._tracks), look.shape[1]), np.nan)
        return Sighting(points, point_score, score, look)

    def _continued(self, seen: Sighting) -> np.ndarray:
        """Ids (n,) of the tracklets that observations are matched to, which are updated; −1 for the others."""
        c = self.config
        ids = np.full(len(seen), -1, np.int32)
        high = seen.score >= c.high_score
        low = (seen.score >= c.low_score) & ~high
        confirmed, tentative = self._tracks.status == CONFIRMED, self._tracks.status == TENTATIVE
        matched = np.zeros(len(self._tracks), bool)
        for rows, columns, least, limit in (
            (confirmed, high, c.min_similarity, c.match_limit),
            (confirmed, low, c.min_similarity_low, c.match_limit_low),
            (tentative, high, c.min_similarity, c.match_limit),
            (self._tracks.status == FAINT, low, c.min_similarity_low, c.match_limit_low),
        ):
            tracks = np.flatnonzero(rows & ~matched)
            free = np.flatnonzero(columns & (ids < 0))
            if len(tracks) and len(free):
                known = self._tracks if len(tracks) == len(self._tracks) else self._tracks.take(tracks)
                i, j = associate(known, seen.take(free), self._time_s, self._body, c, least, limit)
                tracks, free = tracks[i], free[j]
                ids[free] = self._tracks.id[tracks]
                matched[tracks] = True
                self._correct(tracks, seen.take(free))
        return ids

    def _started(self, seen: Sighting, nobody: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """New tracklets for sure observations without a tracklet (``nobody (n,)``): their rows and new ids."""
        new = np.flatnonzero((seen.score >= self.config.high_score) & nobody)
        if not len(new):
            return new, np.zeros(0, np.int32)
        new = new[~self._seen_twice(seen.take(new), seen.take(np.flatnonzero(~nobody)))]
        born = self._born(seen.take(new))
        before = np.flatnonzero(self._tracks.status == FAINT)
        c = self.config
        if len(before) and len(new):
            known = self._tracks.take(before)
            i, j = associate(
                known, seen.take(new), self._time_s, self._body, c, c.min_similarity_low, c.match_limit_low
            )
            self.heads |= dict(zip(known.id[i].tolist(), born.id[j].tolist(), strict=True))
            self._tracks = self._tracks.take(~np.isin(self._tracks.id, known.id[i]))
        self._tracks = self._tracks.join(born)
        return new, born.id

    def _glimpsed(self, seen: Sighting, nobody: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Faint tracklets for unsure observations without a tracklet (``nobody (n,)``): their rows and new ids."""
        low = np.flatnonzero((seen.score >= self.config.low_score) & (seen.score < self.config.high_score) & nobody)
        if len(low):
            low = low[~self._seen_twice(seen.take(low), seen.take(np.flatnonzero(~nobody)))]
        born = self._born(seen.take(low))
        self._tracks = self._tracks.join(born)
        return low, born.id

    def _born(self, seen: Sighting) -> Tracks:
        born = spawn(self._next_id, self._frame, self._time_s, seen, self.config)
        self._next_id += len(born)
        return born

    def _turn(self, camera: np.ndarray) -> None:
        """Move all tracklets by the camera's motion."""
        t = self._tracks
        step = jacobian(t.mean[:, 0], camera)
        scale2 = np.abs(np.linalg.det(step))
        points, place = moved(t.points, camera), moved(t.mean[:, 0], camera)
        t.points = np.where(np.isfinite(points), points, t.points)  # behind the camera: as good as gone
        velocity = np.einsum("nij,nj->ni", step, t.mean[:, 1])
        known = np.isfinite(place).all(1) & np.isfinite(velocity).all(1)
        t.mean = np.where(known[:, None, None], np.stack([place, velocity], 1), t.mean)
        scale2 = np.where(known, scale2, 1.0)
        t.cov, t.area = t.cov * scale2[:, None, None], t.area * scale2

    def _predict(self, frame: int, time_s: float) -> None:
        """Carry all tracklets to the new time; forget those unseen for too long."""
        t, c = self._tracks, self.config
        if len(t):
            # A stretch without frames does not count as unseen: only a tracklet missed in some frame may end.
            limit = np.where(t.status == CONFIRMED, c.max_gap_s, c.tentative_gap_s) + _EPS_S
            over = (frame - t.last_frame > 1) & (time_s - t.last_s > limit)
            if over.any():
                self._end(t.take(over))
                t = self._tracks = t.take(~over)
            dt = min(max(time_s - self._time_s, 0.0), max(c.max_gap_s, c.tentative_gap_s))
            before = t.mean[:, 0]
            t.mean, t.cov = kalman.predict(t.mean, t.cov, dt, c.agility_len2_s3 * t.length2)
            t.points = t.points + (t.mean[:, 0] - before)[:, None]
        self._frame, self._time_s = frame, time_s

    def _end(self, tracks: Tracks) -> None:
        """Keep summaries of the confirmed tracklets that end; the unconfirmed ones are dropped."""
        done = tracks.take(tracks.status == CONFIRMED)
        if len(done):
            empty = self._tracks.take(np.zeros(0, np.int64))
            for name in ("mean", "cov", "points", "point_score", "look"):
                setattr(done, name, getattr(empty, name))
            self._ended.append(done)

    def _correct(self, rows: np.ndarray, seen: Sighting) -> None:
        """Update the tracklets ``rows (n,)`` with their observations."""
        points, point_score, score = seen.points, seen.point_score, seen.score
        t = self._tracks
        old, old_score = t.points[rows], t.point_score[rows]
        weight = self._body.weight * ((old_score >= VISIBLE) & (point_score >= VISIBLE))  # (n, P)
        offset = np.einsum("np,npc->nc", weight, points - old) / weight.sum(-1, keepdims=True)
        var = np.square(NOISE_LEN / np.clip(score, 0.1, 1.0)) * t.length2[rows]
        place = t.mean[rows, 0]
        t.mean[rows], t.cov[rows] = kalman.update(t.mean[rows], t.cov[rows], place + offset, var)

        # Points not seen now, such as occluded legs, move along with the body and are remembered for a while.
        dt = (self._time_s - t.last_s[rows])[:, None]
        visible = point_score >= VISIBLE
        t.points[rows] = np.where(visible[..., None], points, old + offset[:, None])
        t.point_score[rows] = np.where(visible, point_score, old_score * np.exp(-dt / _MEMORY_TAU_S))
        blend = 1.0 - np.exp(-dt[:, 0] / _SIZE_TAU_S)
        t.area[rows] += blend * (areas(points) - t.area[rows])
        t.look[rows] = _blended(t.look[rows], seen.look, 1.0 - np.exp(-dt / _LOOK_TAU_S))
        t.hits[rows] += 1
        t.score_sum[rows] += score
        t.last_frame[rows], t.last_s[rows] = self._frame, self._time_s
        sure = (t.hits[rows] >= self.config.confirm_hits) | (score >= self.config.sure_score)
        t.status[rows] = np.where(sure & (t.status[rows] != FAINT), CONFIRMED, t.status[rows])

    def _seen_twice(self, new: Sighting, known: Sighting) -> np.ndarray:
        """(len(new),) bool: observations that look like another view of one of the ``known``."""
        if len(known) == 0:
            return np.zeros(len(new), bool)
        a, b = known.points[:, :-2], new.points[:, :-2]
        seen_a, seen_b = known.point_score[:, :-2], new.point_score[:, :-2]
        alike = oks(a, seen_a, b, seen_b, areas(known.points), self._body.sigmas, min_points=3)
        return (np.maximum(alike, iou(known.box, new.box) - 0.1) > self.config.duplicate_oks).any(axis=0)


def _blended(old: np.ndarray, new: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Appearance (n, D) moved by ``share (n, 1)`` towards what is seen now; parts not seen stay."""
    first = np.where(np.isfinite(old), old, new)
    return np.where(np.isfinite(new), first + share * (new - first), first)
