"""Our own lifter: one person's smoothed keypoints to joints in metres in the camera's frame."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.lens import undistorted
from pipeline.core.settings import MetresConfig
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import INTERPOLATED, MISSING, Motion
from pipeline.lift.body import as_tall, height_of, limb_lengths, places, reprojection_px, with_lengths
from pipeline.lift.field import usual_focal_px
from pipeline.lift.joints import JOINTS, POINTS, K, further, name_in, sources
from pipeline.lift.network import HEIGHT_M, Network, lift
from pipeline.lift.protocol import InSpace
from pipeline.lift.rays import on_rays
from pipeline.models.runtime import Device
from pipeline.motion.person import path_steps
from pipeline.motion.swap import Unswapped
from pipeline.motion.together import Steps, for_one, together

DERIVED = ("neck", "thorax", "head_top")  # known where the shoulders are
GUESSED = 0.2  # score of points that were not measured but bridged
CALIBRATED = 1.3  # what the network says times this has .95 of the truth within 1.96 of it: docs/lifting.md
SHOULDERS = (POINTS.index("left_shoulder"), POINTS.index("right_shoulder"))


def rays_of(px: np.ndarray, size_px: tuple[int, int], fov_deg: float | None, metres: MetresConfig) -> np.ndarray:
    """(…, 2) x / z and y / z of points (…, 2) in px.

    By the calibrated camera where there is one, else by the field of view across the picture's width; where that is
    not given either, the usual one is assumed (`usual_focal_px`).
    """
    if metres.ground is not None and metres.ground.camera is not None:
        return undistorted(metres.ground.camera, px.astype(np.float64))
    focal = usual_focal_px(size_px) if fov_deg is None else size_px[0] / 2 / np.tan(np.radians(fov_deg) / 2)
    return (px.astype(np.float64) - np.array(size_px) / 2) / focal


class PoselineLifter:
    """As `pipeline.lift.protocol.Lifter`."""

    def __init__(self, device: Device, skeleton: Skeleton, config: Config):
        self.network = Network(device)
        self.sessions = [self.network.session]
        self.source = sources(skeleton)
        self.config = config
        self.fov_deg = config.lift.fov_deg  # across the picture's width; None: the usual one is assumed
        own = [p for p, i in zip(POINTS, self.source, strict=True) if i >= 0]
        self.kept = np.array([j for j, name in enumerate(JOINTS) if name in own or name in DERIVED])
        self.joint_names = tuple(name_in(JOINTS[j], skeleton) for j in self.kept)
        further_names, self._beside = further(skeleton)
        self.names = self.joint_names + further_names

    def lift_steps(
        self, motion: Motion, skeleton: Skeleton, size_px: tuple[int, int], height_m: float | None = None
    ) -> Steps[InSpace]:
        """(L, J, 3) f32 m; x right, y down, z forward from the camera; NaN where the picture says nothing.

        People are ``height_m`` tall, or `HEIGHT_M` where that is not given. Limbs keep their lengths.
        """
        px, state, score = self._points(motion)
        rays = self.rays(px, size_px)
        guessed = np.where(state == INTERPOLATED, GUESSED, score)
        given = np.where(state == MISSING, 0, guessed)
        joints, std, ray = self._about_hips(motion, rays, given)
        seen = Seen(motion.time_s, motion.frame, rays, given, ray)
        joints = yield from finish_steps(seen, joints, std, self.config, height_m or HEIGHT_M)
        out = joints + hips_of(joints, seen)[:, None]
        known = np.ones(out.shape[:2], bool)
        known[:, :K] = state != MISSING
        known[:, K:] = known[:, SHOULDERS].all(1, keepdims=True)
        per_axis = per_axis_std(std) * (height_m or HEIGHT_M) / HEIGHT_M
        per_axis = np.where(known & np.isfinite(out[..., 0]), per_axis, np.nan).astype(np.float32)
        shown = np.where(known[..., None], out, np.nan)[:, self.kept].astype(np.float32)
        rays = self.rays(motion.keypoints_px, size_px)
        off_px = reprojection_px(shown, motion, self.joint_names, skeleton.names, rays)
        doubt_m = float(np.nanmedian(per_axis)) if np.isfinite(per_axis).any() else float("nan")
        more, more_std = self._further(out, per_axis, rays, skeleton)
        return InSpace(
            np.concatenate([shown, more], 1),
            np.concatenate([per_axis[:, self.kept], more_std], 1),
            {"reprojection_px": off_px, "lift_std_m": doubt_m},
        )

    def _further(
        self, joints: np.ndarray, std: np.ndarray, rays: np.ndarray, skeleton: Skeleton
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points (L, F, 3) m that the network does not give, on their rays (L, K', 2) beside the joints (L, J, 3), and
        their deviations (L, F) from those of the joints (L, J)."""
        ids = [skeleton.index(name) for name in self.names[len(self.joint_names) :]]
        used = np.array(self._beside != 0)
        depth = np.where(used, joints[:, None, :, 2], 0) * self._beside
        variance = np.where(used, np.square(std)[:, None], 0) * np.square(self._beside)
        ahead = np.concatenate([rays[:, ids], np.ones((len(rays), len(ids), 1))], -1)
        place = (ahead * depth.sum(-1)[..., None]).astype(np.float32)
        doubt = np.where(np.isfinite(place[..., 0]), np.sqrt(variance.sum(-1)), np.nan).astype(np.float32)
        return np.where(np.isfinite(doubt)[..., None], place, np.nan).astype(np.float32), doubt

    def lift(
        self, motion: Motion, skeleton: Skeleton, size_px: tuple[int, int], height_m: float | None = None
    ) -> InSpace:
        """`lift_steps` of one person."""
        return together([self.lift_steps(motion, skeleton, size_px, height_m)])[0]

    def across(self, fov_deg: float | None) -> PoselineLifter:
        """The same lifter for a picture that is so many degrees wide; None: the usual width."""
        other = copy.copy(self)
        other.fov_deg = fov_deg
        return other

    def rays(self, px: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
        """(..., 2) x / z and y / z of points (..., 2) in px of a picture of this size."""
        return rays_of(px, size_px, self.fov_deg, self.config.metres)

    def _points(self, motion: Motion) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of `POINTS`: places (L, K, 2) px, provenance (L, K), scores (L, K)."""
        px = np.full((len(motion), K, 2), np.nan)
        score = np.zeros((len(motion), K), np.float32)
        state = np.full(score.shape, MISSING, np.uint8)
        there = self.source >= 0
        px[:, there] = motion.keypoints_px[:, self.source[there]]
        state[:, there] = motion.provenance[:, self.source[there]]
        score[:, there] = motion.keypoint_score[:, self.source[there]]
        return px, state, score

    def _about_hips(
        self, motion: Motion, rays: np.ndarray, score: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Joints (L, J, 3) about the middle of the hips, their standard deviations (L, J, 3) and the rays (L, 2) to it.

        NaN where there is no hip.
        """
        joints = np.full((len(motion), len(JOINTS), 3), np.nan, np.float32)
        std = np.full_like(joints, np.nan)
        ray = np.full((len(motion), 2), np.nan, np.float32)
        for rows in stretches(motion.frame):
            joints[rows], off, ray[rows] = lift(self.network, motion.time_s[rows], rays[rows], score[rows])
            std[rows] = off[..., [0, 0, 1]]
        return joints, std, ray


def per_axis_std(std: np.ndarray) -> np.ndarray:
    """(..., J) from the network's standard deviations (..., J, 3): of the three axes' errors together."""
    out: np.ndarray = CALIBRATED * np.sqrt(np.square(std).mean(-1))
    return out


class Seen(NamedTuple):
    """One person in L frames, as the camera sees them."""

    time_s: np.ndarray  # (L,)
    frame: np.ndarray  # (L,) whole numbers; where they follow one another nothing is missing
    rays: np.ndarray  # (L, K, 2); NaN = not seen
    score: np.ndarray  # (L, K), 0 = not seen
    centre: np.ndarray  # (L, 2) the ray to the middle of the hips


def finish_steps(
    seen: Seen, joints: np.ndarray, std: np.ndarray, config: Config, height_m: float = HEIGHT_M
) -> Steps[np.ndarray]:
    """Joints (L, J, 3) about the hips, on their rays, smoothed, with constant limbs, of a person ``height_m`` tall.

    ``std`` (L, J, 3) is what the network says.
    """
    done = _one_body(joints, height_m)
    off = std * np.float32(height_m / HEIGHT_M)
    done = on_rays(done, off, seen.rays, seen.score, hips_of(done, seen), limb_lengths(done))
    done = yield from _smoothed(seen.time_s, done, std, config)
    return _one_body(done, height_m)


finished = for_one(finish_steps)


def hips_of(joints: np.ndarray, seen: Seen) -> np.ndarray:
    """(L, 3) m where the middle of the hips is, before the camera."""
    out = np.full((len(joints), 3), np.nan, np.float32)
    for rows in stretches(seen.frame):
        step = float(np.median(np.diff(seen.time_s[rows]))) if rows.stop - rows.start > 1 else 1.0
        out[rows] = places(joints[rows, :K], seen.rays[rows], seen.score[rows], seen.centre[rows], step)
    return out


def _one_body(joints: np.ndarray, height_m: float) -> np.ndarray:
    """Joints (L, J, 3) about the hips, with limbs of constant length and of this height."""
    done = with_lengths(joints, limb_lengths(joints))
    return as_tall(done, height_m, HEIGHT_M) if np.isfinite(height_of(done)) else done


def _smoothed(time_s: np.ndarray, joints: np.ndarray, std: np.ndarray, config: Config) -> Steps[np.ndarray]:
    """Joints (L, J, 3) by the filter of the keypoints, which takes coordinates in pairs."""
    n, smooth = len(joints), config.smooth
    size = np.full(n, HEIGHT_M, np.float32)
    pairs = joints.reshape(n, -1, 2)
    noise = smooth.noise_len * HEIGHT_M / np.sqrt(np.square(std).reshape(n, -1, 2).mean(-1))
    known = np.isfinite(pairs).all(-1)
    measured = Unswapped(pairs, np.where(known, np.clip(noise, 0.1, 1), 0), known, np.zeros(known.shape, bool))
    paths = yield from path_steps(time_s, measured, size, smooth, config.track.max_gap_s)
    done = paths.position.reshape(joints.shape)
    out: np.ndarray = np.where(np.isfinite(done), done, joints)  # outliers at the ends
    return out


def stretches(frame: np.ndarray) -> Iterator[slice]:
    """Slices of rows whose frames (L,) follow one another."""
    edges = [0, *(np.flatnonzero(np.diff(frame) > 1) + 1), len(frame)]
    for start, stop in pairwise(edges):
        if stop > start:
            yield slice(int(start), int(stop))
