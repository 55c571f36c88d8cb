"""The people present and what is seen of them in a frame, as arrays in parallel; and summaries of tracklets."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pipeline.core.settings import TrackConfig
from pipeline.core.similarity import box_area

TENTATIVE, CONFIRMED, FAINT = 0, 1, 2  # faint: low scores alone, perhaps the beginning of a tracklet
BODY_AREA = 0.4  # area of a standing person's box in squared body lengths
NOISE_LEN = 0.03  # body lengths: how well the keypoints of a sure observation place the body


@dataclass(frozen=True)
class Sighting:
    """One frame's observations: n of them, P points (the skeleton's tracked ones, two box corners)."""

    points: np.ndarray  # (n, P, 2) f64 px
    point_score: np.ndarray  # (n, P) f64
    score: np.ndarray  # (n,)
    look: np.ndarray  # (n, D) f64 appearance, NaN = not seen

    def take(self, rows: np.ndarray) -> Sighting:
        return Sighting(self.points[rows], self.point_score[rows], self.score[rows], self.look[rows])

    def __len__(self) -> int:
        return len(self.score)

    @property
    def box(self) -> np.ndarray:
        """(n, 4) px."""
        return self.points[:, -2:].reshape(-1, 4)


@dataclass
class Tracks:
    """The people present, arrays in parallel: M tracklets, P points (the skeleton's tracked ones, two box corners)."""

    id: np.ndarray  # (M,) i32
    status: np.ndarray  # (M,) u8
    hits: np.ndarray  # (M,) i64
    score_sum: np.ndarray  # (M,) f64
    first_frame: np.ndarray  # (M,) i64
    first_s: np.ndarray  # (M,) f64
    last_frame: np.ndarray  # (M,) i64
    last_s: np.ndarray  # (M,) f64
    area: np.ndarray  # (M,) f64 px² of the box, averaged over time
    mean: np.ndarray  # (M, 2, 2) position and velocity of an anchor on the body, at the current time
    cov: np.ndarray  # (M, 2, 2)
    points: np.ndarray  # (M, P, 2) f64 px at the current time
    point_score: np.ndarray  # (M, P) f64
    look: np.ndarray  # (M, D) f64 appearance, NaN = not seen yet

    def take(self, rows: np.ndarray) -> Tracks:
        return Tracks(*(getattr(self, f.name)[rows] for f in fields(self)))

    def join(self, other: Tracks) -> Tracks:
        return Tracks(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def __len__(self) -> int:
        return len(self.id)

    @property
    def length2(self) -> np.ndarray:
        """(M,) px² squared body length."""
        return self.area / BODY_AREA

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


def spawn(first_id: int, frame: int, time_s: float, seen: Sighting, config: TrackConfig) -> Tracks:
    """New tracklets for observations, in their order, with ids from ``first_id`` on."""
    n, score = len(seen), np.asarray(seen.score, np.float64)
    area = np.maximum(areas(seen.points), 1.0)
    cov = np.zeros((n, 2, 2))
    cov[:, 0, 0] = np.square(NOISE_LEN / np.clip(score, 0.1, 1.0)) * area / BODY_AREA
    cov[:, 1, 1] = config.start_speed_len_s**2 * area / BODY_AREA
    mean = np.zeros((n, 2, 2))
    mean[:, 0] = seen.points[:, -2:].mean(axis=1)
    sure = (score >= config.sure_score) | (config.confirm_hits <= 1)
    return Tracks(
        id=np.arange(first_id, first_id + n, dtype=np.int32),
        status=np.select([score < config.high_score, sure], [FAINT, CONFIRMED], TENTATIVE).astype(np.uint8),
        hits=np.ones(n, np.int64),
        score_sum=score.copy(),
        first_frame=np.full(n, frame, np.int64),
        first_s=np.full(n, time_s),
        last_frame=np.full(n, frame, np.int64),
        last_s=np.full(n, time_s),
        area=area,
        mean=mean,
        cov=cov,
        points=seen.points.astype(np.float64),
        point_score=seen.point_score.astype(np.float64),
        look=seen.look,
    )


def areas(points: np.ndarray) -> np.ndarray:
    """(n,) px² of the boxes in the last two of the points (n, P, 2)."""
    return box_area(points[:, -2:].reshape(-1, 4))
