"""Lifting while the frames arrive: each frame from past frames alone, with all people of the frame at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.lift.body import height_of, limb_lengths, with_lengths
from pipeline.lift.joints import HIPS, J
from pipeline.lift.lying import turn_of
from pipeline.lift.network import CONTEXT, HEIGHT_M, USUAL_HZ, Network, resampled
from pipeline.lift.pictured import hips_place
from pipeline.lift.view import LEAST_SCORE, look_at, view

FORGET_S = 1.0  # a person not seen for so long is treated as a new person
_LENGTHS_S, _DISTANCE_S = 3.0, 0.25  # over which limb lengths and the distance are averaged
_WINDOW = (np.arange(-CONTEXT, 1)) / USUAL_HZ  # s, the times that the network is shown


class Now(NamedTuple):
    """N people in one frame; NaN where nothing is known."""

    joints: np.ndarray  # (N, J, 3) f32 m about the middle of the hips, in the camera's axes
    std: np.ndarray  # (N, J, 2) f32 m, standard deviation per axis across the line of sight, and along it
    place: np.ndarray  # (N, 3) f32 m, the middle of the hips before the camera


class _Past:
    """The memory of one person: as many frames as the network looks back, and running means."""

    def __init__(self) -> None:
        self.time_s: list[float] = []
        self.rays: list[np.ndarray] = []
        self.score: list[np.ndarray] = []
        self.sizes: np.ndarray | None = None  # running means of limbs and height, m
        self.age_s = 0.0
        self.log_distance = np.nan

    def add(self, time_s: float, rays: np.ndarray, score: np.ndarray) -> None:
        self.time_s.append(time_s)
        self.rays.append(rays)
        self.score.append(score)
        while len(self.time_s) > 2 and self.time_s[1] < time_s + _WINDOW[0]:
            for kept in (self.time_s, self.rays, self.score):
                kept.pop(0)

    def window(self) -> tuple[np.ndarray, np.ndarray]:
        """Rays (T, K, 2) and scores (T, K) at the network's times up to now; before the first frame nothing is seen."""
        time_s, rays, score = np.array(self.time_s), np.stack(self.rays), np.stack(self.score)
        wanted = time_s[-1] + _WINDOW
        if len(time_s) == 1:
            rays, score = np.repeat(rays, len(wanted), 0), np.repeat(score, len(wanted), 0)
        else:
            rays, score = resampled(time_s, rays, score, np.maximum(wanted, time_s[0]))
        return rays, np.where((wanted < time_s[0] - 0.5 / USUAL_HZ)[:, None], 0, score)


class LiveLifter:
    """Joints in space of everybody in a frame, from this and the frames before it.

    Unlike `pipeline.lift.lifter`, which has the whole video, this class takes limb lengths and the body's place from
    past frames. Nothing else is filtered.
    """

    def __init__(self, network: Network, height_m: float = HEIGHT_M, heights_m: Mapping[int, float] | None = None):
        """People are ``height_m`` tall, except the ids in ``heights_m``, which have their own heights."""
        self.network, self.height_m, self.heights_m = network, height_m, dict(heights_m or {})
        self._people: dict[int, _Past] = {}

    def update(self, time_s: float, ids: Sequence[int], rays: np.ndarray, score: np.ndarray) -> Now:
        """The next frame.

        Args:
            time_s: later than that of the frame before.
            ids: (N,) who is seen.
            rays: (N, K, 2), x / z and y / z in the camera, of `pipeline.lift.joints.POINTS`; NaN = not seen.
            score: (N, K), 0 = not seen.

        Raises:
            ValueError: time does not go on, or an id twice.
        """
        if len(set(ids)) != len(ids):
            raise ValueError("an id can be in a frame once only")
        self._people = {i: p for i, p in self._people.items() if time_s - p.time_s[-1] <= FORGET_S}
        out = Now(*(np.full((len(ids), *shape), np.nan, np.float32) for shape in ((J, 3), (J, 2), (3,))))
        shown: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for n, person in enumerate(ids):
            past = self._people.setdefault(person, _Past())
            if past.time_s and time_s <= past.time_s[-1]:
                raise ValueError(f"time must rise: {time_s} after {past.time_s[-1]}")
            seen = (score[n] > LEAST_SCORE) & np.isfinite(rays[n]).all(-1)
            past.add(time_s, np.where(seen[:, None], rays[n], 0), np.where(seen, score[n], 0))
            window = past.window()
            if (window[1][:, HIPS] > LEAST_SCORE).any():
                shown[n] = window
        if shown:
            self._lift(ids, shown, out)
        return out

    def _lift(self, ids: Sequence[int], shown: dict[int, tuple[np.ndarray, np.ndarray]], out: Now) -> None:
        """Fill in the rows of ``out`` whose windows of rays (T, K, 2) and scores (T, K) are given."""
        rays, score = (np.stack([window[part] for window in shown.values()]) for part in (0, 1))
        turn = np.stack([turn_of(r, s) for r, s in zip(rays, score, strict=True)]).astype(np.float32)
        found = view(rays @ np.swapaxes(turn, 1, 2)[:, None], score, USUAL_HZ)
        joints, std = (answer[:, -1] for answer in self.network.answers(found.features))
        joints = joints @ look_at(found.centre[:, -1]).astype(np.float32)
        joints[..., :2] = joints[..., :2] @ turn
        centre = (found.centre[:, -1, None] @ turn)[:, 0]
        for i, n in enumerate(shown):
            past = self._people[ids[n]]
            tall = self.heights_m.get(ids[n], self.height_m)
            out.joints[n] = self._of_one_body(past, joints[i], tall)
            out.std[n] = std[i] * (tall / HEIGHT_M)
            out.place[n] = _place(past, out.joints[n], rays[i, -1], score[i, -1], centre[i])

    def _of_one_body(self, past: _Past, joints: np.ndarray, tall_m: float) -> np.ndarray:
        """The joints (J, 3) with the limbs' mean lengths so far, of the person's height."""
        now = limb_lengths(joints[None])
        sizes = np.array([*now.values(), height_of(joints[None])])
        step = past.time_s[-1] - past.time_s[-2] if len(past.time_s) > 1 else 0.0
        past.age_s += step
        if past.sizes is None:
            past.sizes = sizes
        past.sizes = past.sizes + (sizes - past.sizes) * min(1.0, step / min(max(past.age_s, 1e-9), _LENGTHS_S))
        *lengths, height_m = past.sizes.tolist()
        body: np.ndarray = with_lengths(joints[None], dict(zip(now, lengths, strict=True)))[0]
        return body * np.float32(tall_m / height_m)


def _place(past: _Past, body: np.ndarray, rays: np.ndarray, score: np.ndarray, ray: np.ndarray) -> np.ndarray:
    """(3,) m, the middle of the hips, at the running mean distance. ``ray`` (2,): to the hips in the picture."""
    at = hips_place(body[None], rays[None], score[None], ray[None], 1.0)[0]
    if np.isfinite(at).all():
        step = past.time_s[-1] - past.time_s[-2] if len(past.time_s) > 1 else np.inf
        share = 1.0 if np.isnan(past.log_distance) else 1 - np.exp(-step / _DISTANCE_S)
        before = 0.0 if np.isnan(past.log_distance) else past.log_distance
        past.log_distance = before + share * (np.log(at[2]) - before)
        ray = at[:2] / at[2]
    return np.array([*ray, 1.0], np.float32) * np.float32(np.exp(past.log_distance))
