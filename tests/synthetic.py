"""People with known truth, without a video: stick figures that walk and run, and what a network would say of them.

Everything is drawn from the generator passed in, so that a seed gives the same scene on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.core.homography import STILL
from pipeline.core.skeleton import COCO17
from pipeline.core.types import Observations

SIZE_PX = (1920, 1080)
# Heights above the ground and lengths as shares of the standing height (Winter 2009, figure 4.1).
_HIP, _SHOULDER, _NOSE = 0.53, 0.818, 0.936
_THIGH, _SHANK, _UPPER_ARM, _FOREARM = 0.245, 0.246, 0.186, 0.146
_HIP_WIDTH, _SHOULDER_WIDTH = 0.05, 0.09  # half widths as seen from a quarter to the side


@dataclass(frozen=True)
class Scene:
    """Observations and who they really are."""

    time_s: np.ndarray  # (T,) f64
    truth_px: np.ndarray  # (P, T, K, 2) f64
    observations: Observations
    truth_id: np.ndarray  # (N,) i64 row of truth_px, −1 for clutter


def times(rng: np.random.Generator, duration_s: float, fps: float, jitter: float = 0.0) -> np.ndarray:
    """(T,) s; with jitter each frame spacing varies by that share, as in phone videos."""
    n = max(round(duration_s * fps), 1)
    return np.cumsum((1 + jitter * rng.uniform(-1, 1, n)) / fps)


def walker(
    time_s: np.ndarray,
    *,
    height_px: float = 400.0,
    start_px: tuple[float, float] = (300.0, 900.0),
    velocity_px_s: tuple[float, float] = (250.0, 0.0),
    stride_hz: float = 0.95,
    hip_deg: float = 25.0,
    knee_deg: float = 55.0,
    phase: float = 0.0,
) -> np.ndarray:
    """(T, 17, 2) px of a person who walks from ``start_px`` (a point on the ground) seen from the side."""
    h, t = height_px, time_s - time_s[0]
    swing = 2 * np.pi * (stride_hz * t + phase)
    side = 1.0 if velocity_px_s[0] >= 0 else -1.0
    ground = np.stack([start_px[0] + velocity_px_s[0] * t, start_px[1] + velocity_px_s[1] * t], -1)
    bob = 0.012 * h * np.cos(2 * swing)

    def at(up: float, across: float) -> np.ndarray:
        return ground + np.stack([np.full_like(t, across * h), bob - up * h], -1)

    def limb(root: np.ndarray, length: float, angle: np.ndarray) -> np.ndarray:
        return root + length * h * np.stack([side * np.sin(angle), np.cos(angle)], -1)

    out = np.empty((len(t), len(COCO17), 2))
    nose = at(_NOSE, 0.03 * side)
    out[:, 0] = nose
    for i, (dx, dy) in enumerate([(-0.005, -0.012), (0.01, -0.012), (-0.045, -0.005), (-0.03, -0.005)]):
        out[:, 1 + i] = nose + np.array([dx * side, dy]) * h
    for i, sign in enumerate((1.0, -1.0)):  # left, right
        p = swing + (np.pi if sign < 0 else 0.0)
        thigh = np.deg2rad(hip_deg) * np.sin(p)
        knee = np.deg2rad(knee_deg) * (0.15 + 0.85 * np.maximum(np.cos(p + 0.3), 0.0) ** 2)
        arm = -0.8 * np.deg2rad(hip_deg) * np.sin(p)
        elbow = np.deg2rad(25.0) * (1 + 0.5 * np.sin(-p)) * hip_deg / 25.0
        out[:, 5 + i] = at(_SHOULDER, sign * _SHOULDER_WIDTH)
        out[:, 11 + i] = at(_HIP, sign * _HIP_WIDTH)
        out[:, 7 + i] = limb(out[:, 5 + i], _UPPER_ARM, arm)
        out[:, 9 + i] = limb(out[:, 7 + i], _FOREARM, arm + elbow)
        out[:, 13 + i] = limb(out[:, 11 + i], _THIGH, thigh)
        out[:, 15 + i] = limb(out[:, 13 + i], _SHANK, thigh - knee)
    return out


def sprinter(time_s: np.ndarray, *, height_px: float = 400.0, speed_heights_s: float = 5.0) -> np.ndarray:
    """(T, 17, 2) px of a runner at about 9 m/s: 2.2 strides a second, heels nearly at the hips."""
    return walker(
        time_s,
        height_px=height_px,
        velocity_px_s=(speed_heights_s * height_px, 0.0),
        stride_hz=2.2,
        hip_deg=45.0,
        knee_deg=110.0,
    )


def boxes(points_px: np.ndarray, pad: float = 0.06) -> np.ndarray:
    """(…, 4) boxes around points (…, K, 2), padded by a share of the height."""
    low, high = points_px.min(-2), points_px.max(-2)
    margin = pad * (high - low)[..., 1:]
    return np.concatenate([low - margin, high + margin], -1)


def observe(
    rng: np.random.Generator,
    time_s: np.ndarray,
    truth_px: np.ndarray,
    *,
    noise_px: float = 4.0,
    miss_rate: float = 0.0,
    miss_s: float = 0.3,
    clutter_per_frame: float = 0.0,
    present: np.ndarray | None = None,
    shuffle: bool = True,
    looks: np.ndarray | None = None,
) -> Scene:
    """What a network sees of people ``truth_px (P, T, K, 2)``; nearer people come first and hide those behind.

    Scores are about those of the embedded networks, of people and of what is none: covered people get lower ones, and
    are missed when nearly all of them is covered. Misses come in runs of about
    ``miss_s`` that take up ``miss_rate`` of the time. ``present (P, T)`` bool cuts people out altogether. ``looks
    (P, D)`` are their clothes, of which a tenth of the sightings see a part of somebody else.
    """
    p, t, k, _ = truth_px.shape
    box = boxes(truth_px)  # (P, T, 4)
    cover, hidden = _covered(box, truth_px)
    seen = _present(rng, time_s, p, miss_rate, miss_s) & (cover < 0.85)
    if present is not None:
        seen &= present
    rows: list[tuple] = []
    for i, j in zip(*np.nonzero(seen.T), strict=True):
        score = np.clip(0.8 * (1 - 0.33 * cover[j, i]) + 0.07 * rng.standard_normal(), 0.05, 0.98)
        kp_score = np.clip(np.where(hidden[j, i], 0.25, 0.8) + 0.08 * rng.standard_normal(k), 0.02, 0.99)
        kp = truth_px[j, i] + noise_px * np.where(hidden[j, i], 2.5, 1.0)[:, None] * rng.standard_normal((k, 2))
        rows.append((i, j, box[j, i] + noise_px * rng.standard_normal(4), score, kp, kp_score))
    for i in np.repeat(np.arange(t), rng.poisson(clutter_per_frame, t)):
        corner, size = rng.uniform(0, 1, 2) * SIZE_PX, rng.uniform(30, 300, 2)
        kp = corner + size * rng.uniform(0, 1, (k, 2))
        score, kp_score = rng.uniform(0.3, 0.63), rng.uniform(0.02, 0.45, k)
        rows.append((i, -1, np.concatenate([corner, corner + size]), score, kp, kp_score))
    if shuffle:
        rows = [rows[r] for r in rng.permutation(len(rows))]
    rows.sort(key=lambda row: row[0])
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    observations = Observations(
        frame=np.array(columns[0], np.int64),
        box_px=np.array(columns[2], np.float32).reshape(-1, 4),
        score=np.array(columns[3], np.float32),
        keypoints_px=np.array(columns[4], np.float32).reshape(-1, k, 2),
        keypoint_score=np.array(columns[5], np.float32).reshape(-1, k),
    )
    truth_id = np.array(columns[1], np.int64)
    if looks is not None:
        observations = replace(observations, appearance=_worn(rng, looks, truth_id))
    return Scene(time_s, truth_px, observations, truth_id)


def passers(rng: np.random.Generator, t: np.ndarray, people: int) -> np.ndarray:
    """(P, T, 17, 2) px of people who walk one way or the other, nearer ones in front."""
    walkers = []
    for i in range(people):
        way = rng.choice((-1, 1))
        walkers.append(
            walker(
                t,
                height_px=float(rng.uniform(150, 300)),
                start_px=(float(rng.uniform(100, 1800)), 1040 - 700 * i / people),
                velocity_px_s=(way * float(rng.uniform(20, 80)), 0),
                phase=float(rng.uniform()),
            )
        )
    return np.array(walkers)


def leaving(rng: np.random.Generator, same_clothes: bool) -> Scene:
    """Four people stay, one leaves at 5 s, and at 15 s somebody comes in from the other side."""
    t = times(rng, 20.0, 15.0)
    stay = [walker(t, start_px=(400 + 300 * i, 900), velocity_px_s=(5, 0), phase=i / 4) for i in range(4)]
    gone = walker(t, start_px=(1300, 700), velocity_px_s=(110, 0), height_px=300)
    back = walker(t, start_px=(-1400, 650), velocity_px_s=(110, 0), height_px=300)
    present = np.ones((6, len(t)), bool)
    present[4, t > 5], present[5, t < 15] = False, False
    looks = clothes(rng, 6)
    if same_clothes:
        looks[5] = looks[4]
    return observe(rng, t, np.array([*stay, gone, back]), present=present, looks=looks)


def panned(truth_px: np.ndarray, px: float, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """People seen by a camera that pans ``px`` a frame and turns back every so many frames; its motions (T, 3, 3)."""
    i = np.arange(truth_px.shape[1])
    x = px * np.where(i // frames % 2, frames - 1 - i % frames, i % frames)
    camera = np.tile(STILL, (len(i), 1, 1))
    camera[1:, 0, 2] = np.diff(x)
    return truth_px + np.stack([x, 0 * x], -1)[None, :, None], camera


def clothes(rng: np.random.Generator, people: int) -> np.ndarray:
    """(P, D) appearances of people who dress as they like."""
    parts = np.stack(
        [rng.uniform(10, 80, (people, 4)), rng.uniform(-25, 35, (people, 4)), rng.uniform(-30, 30, (people, 4)),
         rng.uniform(3, 15, (people, 4))], -1
    )  # fmt: skip
    return parts.reshape(people, -1)


def _worn(rng: np.random.Generator, looks: np.ndarray, truth_id: np.ndarray) -> np.ndarray:
    """(N, D) f16 what is seen of the clothes: noisy, lit one way or another, partly unseen or somebody else's."""
    n = len(truth_id)
    parts = looks.reshape(len(looks), 4, 4)[np.maximum(truth_id, 0)]
    other = looks.reshape(len(looks), 4, 4)[rng.integers(0, len(looks), n)]
    parts = np.where(rng.uniform(size=(n, 4, 1)) < 0.1, other, parts)
    parts = parts + rng.standard_normal((n, 4, 4)) * [4.0, 2.0, 2.0, 2.0]
    parts[..., 0] += 8 * rng.standard_normal((n, 1))
    parts[rng.uniform(size=(n, 4)) < 0.1] = np.nan
    return parts.reshape(n, -1).astype(np.float16)


def switches(person_id: np.ndarray, truth_id: np.ndarray) -> int:
    """How often somebody is another person than at the sighting before."""
    total = 0
    for truth in np.unique(truth_id[truth_id >= 0]):
        ids = person_id[(truth_id == truth) & (person_id > 0)]
        total += int((np.diff(ids) != 0).sum())
    return total


def split(observations: Observations, frames: int) -> list[Observations]:
    """The observations in parts of so many frames, as chunks of a video come."""
    if len(observations) == 0:
        return [observations]
    chunk = observations.frame // frames
    return [observations.take(np.flatnonzero(chunk == c)) for c in range(int(chunk[-1]) + 1)]


def idf1(person_id: np.ndarray, truth_id: np.ndarray) -> float:
    """IDF1 (Ristani et al. 2016) over observations that are somebody, detections taken as given."""
    people, truths = np.unique(person_id[person_id > 0]), np.unique(truth_id[truth_id >= 0])
    both = np.array([[np.sum((person_id == a) & (truth_id == b)) for b in truths] for a in people])
    if both.size == 0:
        return 0.0
    hits = both[linear_sum_assignment(-both)].sum()
    return float(2 * hits / ((person_id > 0).sum() + (truth_id >= 0).sum()))


def _covered(box: np.ndarray, truth_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of each box covered by one nearer person (P, T), and points hidden (P, T, K) bool."""
    cover, hidden = np.zeros(box.shape[:2]), np.zeros(truth_px.shape[:3], bool)
    area = (box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1])
    for behind in range(len(box)):
        for front in range(behind):
            low = np.maximum(box[behind, :, :2], box[front, :, :2])
            size = np.maximum(np.minimum(box[behind, :, 2:], box[front, :, 2:]) - low, 0)
            cover[behind] = np.maximum(cover[behind], size.prod(-1) / area[behind])
            inside = (truth_px[behind] > box[front, :, None, :2]) & (truth_px[behind] < box[front, :, None, 2:])
            hidden[behind] |= inside.all(-1)
    return cover, hidden


def _present(rng: np.random.Generator, time_s: np.ndarray, people: int, rate: float, miss_s: float) -> np.ndarray:
    """(P, T) bool: a two-state Markov chain in real time that is off for ``rate`` of it."""
    out = np.ones((people, len(time_s)), bool)
    if rate <= 0:
        return out
    dt = np.diff(time_s, prepend=time_s[0])
    back, off = 1 - np.exp(-dt / miss_s), 1 - np.exp(-dt / (miss_s * (1 - rate) / rate))
    draw = rng.uniform(size=out.shape)
    for i in range(1, len(time_s)):
        out[:, i] = np.where(out[:, i - 1], draw[:, i] >= off[i], draw[:, i] < back[i])
    return out


def from_the_side(points: np.ndarray) -> np.ndarray:
    """A walker (T, 17, 2) px with a tenth of the width of shoulders and hips, as a camera at the side sees it."""
    out = points.copy()
    for root, limb in (((5, 6), ((5, 7, 9), (6, 8, 10))), ((11, 12), ((11, 13, 15), (12, 14, 16)))):
        middle = points[:, root].mean(1)
        for top, joints in zip(root, limb, strict=True):
            out[:, joints] += 0.9 * (middle - points[:, top])[:, None]
    return out
