"""Our own lifter: one person's smoothed keypoints to joints in metres in the camera's frame."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.lens import undistorted
from pipeline.core.rows import blocks
from pipeline.core.settings import MetresConfig
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import INTERPOLATED, MISSING, Motion
from pipeline.lift.ankles import with_usual_feet
from pipeline.lift.body import as_tall, lengths_told, limb_lengths, reprojection_px, with_lengths
from pipeline.lift.doubt import focal_doubt
from pipeline.lift.field import focal_across, usual_focal_px
from pipeline.lift.joints import JOINTS, POINTS, J, K, further, name_in, sources
from pipeline.lift.lying import lift_turned
from pipeline.lift.network import HEIGHT_M, Network
from pipeline.lift.pictured import hips_place, rays_to_joints
from pipeline.lift.protocol import InSpace
from pipeline.lift.rays import on_rays
from pipeline.models.runtime import Device
from pipeline.motion.person import smoothed_paths
from pipeline.motion.trajectories import Trajectories

DERIVED = ("neck", "thorax", "head_top")  # known where the shoulders are
GUESSED = 0.2  # score given to points that were bridged, not measured
CALIBRATED = 1.3  # what the network says times this has .95 of the truth within 1.96 of it: docs/lifting.md
_LONG_ROWS = 40_000  # rows of a person for each part of the joints that are smoothed at once
SHOULDERS = (POINTS.index("left_shoulder"), POINTS.index("right_shoulder"))


def rays_of(px: np.ndarray, size_px: tuple[int, int], fov_deg: float | None, metres: MetresConfig) -> np.ndarray:
    """(…, 2) x / z and y / z of points (…, 2) in px.

    The calibrated camera is used where there is one, else the field of view across the picture's width. Where neither
    is given, the usual field of view is assumed (`usual_focal_px`).
    """
    if metres.ground is not None and metres.ground.camera is not None:
        return undistorted(metres.ground.camera, px.astype(np.float64))
    focal = usual_focal_px(size_px) if fov_deg is None else focal_across(fov_deg, size_px)
    return (px.astype(np.float64) - np.array(size_px) / 2) / focal


class PoselineLifter:
    """As `pipeline.lift.protocol.Lifter`."""

    def __init__(self, device: Device, skeleton: Skeleton, config: Config):
        self.network = Network(device)
        self.sessions = [self.network.session]
        self.source = sources(skeleton)
        self.config = config
        self.fov_deg = config.lift.fov_deg  # across the picture's width; None: the usual one is assumed
        self.focal_std = focal_doubt(config)  # standard deviation of the focal length, as a share
        self.zoom: np.ndarray | None = None  # (T,) focal length in each frame, as a share of the first; None: constant
        own = [p for p, i in zip(POINTS, self.source, strict=True) if i >= 0]
        self.kept = np.array([j for j, name in enumerate(JOINTS) if name in own or name in DERIVED])
        self.joint_names = tuple(name_in(JOINTS[j], skeleton) for j in self.kept)
        further_names, self._beside = further(skeleton)
        self.names = self.joint_names + further_names

    def lift(
        self, motion: Motion, skeleton: Skeleton, size_px: tuple[int, int], height_m: float | None = None
    ) -> InSpace:
        """`lift_all` of one person."""
        return self.lift_all([motion], skeleton, size_px, [height_m])[0]

    def lift_all(
        self,
        motions: Sequence[Motion],
        skeleton: Skeleton,
        size_px: tuple[int, int],
        heights_m: Sequence[float | None],
    ) -> list[InSpace]:
        """(L, J, 3) f32 m of each person; x right, y down, z forward from the camera; NaN = not known.

        People have the heights of ``heights_m``, or `HEIGHT_M` where none is given. Limbs keep their lengths. No
        person's joints depend on the others.
        """
        people = [self._lifted(motion, size_px, h or HEIGHT_M) for motion, h in zip(motions, heights_m, strict=True)]
        joints = finish_all(people, self.config)
        return [
            self._in_space(motion, person, done, skeleton, size_px)
            for motion, person, done in zip(motions, people, joints, strict=True)
        ]

    def _lifted(self, motion: Motion, size_px: tuple[int, int], height_m: float) -> Lifted:
        """The network's joints of a person."""
        px, state, score = self._points(motion)
        rays = self.rays(px, motion.frame, size_px)
        guessed = np.where(state == INTERPOLATED, GUESSED, score)
        given = np.where(state == MISSING, 0, guessed)
        joints, std, ray = self._about_hips(motion, rays, given)
        return Lifted(PersonRays(motion.time_s, motion.frame, rays, given, ray), joints, std, height_m)

    def _in_space(
        self, motion: Motion, person: Lifted, joints: np.ndarray, skeleton: Skeleton, size_px: tuple[int, int]
    ) -> InSpace:
        """A person's finished joints (L, J, 3) about the hips before the camera, as far as they are known."""
        out = joints + hips_of(joints, person.seen)[:, None]
        known = np.ones(out.shape[:2], bool)
        known[:, :K] = self._points(motion)[1] != MISSING
        known[:, K:] = known[:, SHOULDERS].all(1, keepdims=True)
        per_axis = per_axis_std(person.std) * person.height_m / HEIGHT_M
        per_axis = np.where(known & np.isfinite(out[..., 0]), per_axis, np.nan).astype(np.float32)
        shown = np.where(known[..., None], out, np.nan)[:, self.kept].astype(np.float32)
        rays = self.rays(motion.keypoints_px, motion.frame, size_px)
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
        """Points (L, F, 3) m that the network does not give, on their rays (L, K', 2) and as far away as the joints
        (L, J, 3) beside them; and their standard deviations (L, F), from those of the joints (L, J)."""
        ids = [skeleton.index(name) for name in self.names[len(self.joint_names) :]]
        used = np.array(self._beside != 0)
        place, doubt = np.empty((len(rays), len(ids), 3), np.float32), np.empty((len(rays), len(ids)), np.float32)
        for rows in blocks(len(rays)):
            depth = np.where(used, joints[rows, None, :, 2], 0) * self._beside
            variance = np.where(used, np.square(std[rows])[:, None], 0) * np.square(self._beside)
            ahead = np.concatenate([rays[rows][:, ids], np.ones((len(depth), len(ids), 1))], -1)
            place[rows] = ahead * depth.sum(-1)[..., None]
            doubt[rows] = np.where(np.isfinite(place[rows, :, 0]), np.sqrt(variance.sum(-1)), np.nan)
        place[~np.isfinite(doubt)] = np.nan
        return place, doubt

    def across(self, fov_deg: float | None, focal_std: float = 0.0, zoom: np.ndarray | None = None) -> PoselineLifter:
        """The same lifter for a picture that is ``fov_deg`` degrees wide; None: the usual width.

        ``focal_std`` is the standard deviation of the resulting focal length, as a share. ``zoom`` (T,) is the focal
        length in each frame, as a share of that which belongs to ``fov_deg``.
        """
        other = copy.copy(self)
        other.zoom = zoom
        other.fov_deg = fov_deg
        other.focal_std = self.focal_std if fov_deg is None else focal_std
        return other

    def rays(self, px: np.ndarray, frame: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
        """(L, K, 2) x / z and y / z of points (L, K, 2) in px of a picture of this size, in frames (L,)."""
        rays = rays_of(px, size_px, self.fov_deg, self.config.metres)
        return rays if self.zoom is None else rays / self.zoom[frame][:, None, None]

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
            joints[rows], off, ray[rows] = lift_turned(self.network, motion.time_s[rows], rays[rows], score[rows])
            std[rows] = off[..., [0, 0, 1]]
        return joints, std, ray


def per_axis_std(std: np.ndarray) -> np.ndarray:
    """(..., J) m standard deviation per axis, over the three axes together, from the network's own (..., J, 3)."""
    out: np.ndarray = CALIBRATED * np.sqrt(np.square(std).mean(-1))
    return out


class PersonRays(NamedTuple):
    """One person in L frames, as the camera sees them."""

    time_s: np.ndarray  # (L,)
    frame: np.ndarray  # (L,) whole numbers; where they follow one another nothing is missing
    rays: np.ndarray  # (L, K, 2); NaN = not seen
    score: np.ndarray  # (L, K), 0 = not seen
    centre: np.ndarray  # (L, 2) the ray to the middle of the hips


class Lifted(NamedTuple):
    """The network's answer for a person: joints about the middle of the hips."""

    seen: PersonRays
    joints: np.ndarray  # (L, J, 3) m; NaN = not known
    std: np.ndarray  # (L, J, 3) m
    height_m: float = HEIGHT_M  # how tall the person is


def finish_all(people: Sequence[Lifted], config: Config) -> list[np.ndarray]:
    """All people's joints (L, J, 3) about the hips: on their rays, smoothed, with constant limbs and feet at usual
    angles where these are hardly known, at each height.

    All is worked out for bodies `HEIGHT_M` tall and scaled at the end: nothing else depends on the height.
    """
    near = [_on_rays(person) for person in people]
    measured = [_measured(joints, person, config) for joints, person in zip(near, people, strict=True)]
    done = [np.empty_like(joints) for joints in near]
    # Long tracks are smoothed in parts, since the filter gives velocities and accelerations too.
    parts = min(1 + max(map(len, near), default=0) // _LONG_ROWS, 3 * J // 2)
    for some in np.array_split(np.arange(3 * J // 2), parts):
        paths = smoothed_paths([one.of(some) for one in measured], config.smooth, config.track.max_gap_s)
        for out, its in zip(done, paths, strict=True):
            out.reshape(len(out), -1, 2)[:, some] = its.position
    for out, joints in zip(done, near, strict=True):
        np.copyto(out, joints, where=~np.isfinite(out))  # outliers at the ends
    del near, measured
    bodies = [with_usual_feet(_one_body(out, p), p.std) for out, p in zip(done, people, strict=True)]
    return [body * np.float32(p.height_m / HEIGHT_M) for body, p in zip(bodies, people, strict=True)]


def _on_rays(person: Lifted) -> np.ndarray:
    """(L, J, 3) joints of constant limbs, as near to their rays as the network's standard deviations allow."""
    seen, done = person.seen, _one_body(person.joints, person)
    hips = hips_of(done, seen)
    rays = rays_to_joints(seen.rays, done, hips)
    return on_rays(done, person.std, rays, seen.score, hips, limb_lengths(done))


def hips_of(joints: np.ndarray, seen: PersonRays) -> np.ndarray:
    """(L, 3) m where the middle of the hips is, before the camera."""
    out = np.full((len(joints), 3), np.nan, np.float32)
    for rows in stretches(seen.frame):
        step = float(np.median(np.diff(seen.time_s[rows]))) if rows.stop - rows.start > 1 else 1.0
        out[rows] = hips_place(joints[rows], seen.rays[rows], seen.score[rows], seen.centre[rows], step)
    return out


def _one_body(joints: np.ndarray, person: Lifted) -> np.ndarray:
    """A person's joints (L, J, 3) about the hips, with limbs of constant length, of a body `HEIGHT_M` tall."""
    told = lengths_told(joints, person.std, person.seen.centre)
    return as_tall(with_lengths(joints, limb_lengths(joints, told)), HEIGHT_M)


def _measured(joints: np.ndarray, person: Lifted, config: Config) -> Trajectories:
    """Joints (L, J, 3) for the filter of the keypoints, which takes coordinates in pairs."""
    n = len(joints)
    pairs = joints.reshape(n, -1, 2)
    noise = config.smooth.noise_len * HEIGHT_M / np.sqrt(np.square(person.std).reshape(n, -1, 2).mean(-1))
    known = np.isfinite(pairs).all(-1)
    score = np.where(known, np.clip(noise, 0.1, 1), 0)
    size = np.full(n, HEIGHT_M, np.float32)
    return Trajectories(person.seen.time_s, pairs, score, known, size, np.zeros(known.shape, bool))


def stretches(frame: np.ndarray) -> Iterator[slice]:
    """Slices of rows whose frames (L,) follow one another."""
    edges = [0, *(np.flatnonzero(np.diff(frame) > 1) + 1), len(frame)]
    for start, stop in pairwise(edges):
        if stop > start:
            yield slice(int(start), int(stop))
