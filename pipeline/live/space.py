"""People of a frame in metres, from this frame and earlier ones: the form of our own lifter for streams."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import INTERPOLATED, MISSING
from pipeline.lift.doubt import HEIGHTS, LIVE_DISTANCE, Away, focal_doubt, with_place
from pipeline.lift.joints import POINTS, K
from pipeline.lift.lifter import GUESSED, SHOULDERS, PoselineLifter, per_axis_std, rays_of
from pipeline.lift.network import HEIGHT_M
from pipeline.lift.online import LiveLifter
from pipeline.lift.registry import build_lifter
from pipeline.live.crowd import Result


class LiveSpace(NamedTuple):
    """One person; NaN where nothing is known."""

    joints_m: np.ndarray  # (J, 3) f32 m, x right, y down, z away from the camera
    std_m: np.ndarray  # (J,) f32 m, one standard deviation per axis, the error of the person's place in it


class Space:
    """Lifts the people of one frame after another. ``names`` are the J joints."""

    def __init__(self, lifter: PoselineLifter, config: Config) -> None:
        self.names = lifter.joint_names
        self._source, self._kept, self._config = lifter.source, lifter.kept, config
        metres = config.metres
        own = {int(who): tall for who, tall in metres.heights_m.items() if who.isdecimal()}  # nobody has a name yet
        self._live = LiveLifter(lifter.network, metres.height_m or HEIGHT_M, own)
        self._focal = focal_doubt(config)

    def lift(self, result: Result, size_px: tuple[int, int]) -> dict[int, LiveSpace]:
        """The 3D of each person of the frame who can be lifted, by id."""
        people = result.people
        px = np.full((len(people), K, 2), np.nan)
        score = np.zeros((len(people), K), np.float32)
        there = self._source >= 0
        for n, p in enumerate(people):
            state = p.point.state[self._source[there]]
            own = np.where(state == INTERPOLATED, GUESSED, p.keypoint_score[self._source[there]])
            px[n, there] = p.point.keypoints_px[self._source[there]]
            score[n, there] = np.where(state == MISSING, 0, own)
        rays = rays_of(px, size_px, self._config.lift.fov_deg, self._config.metres)
        now = self._live.update(result.time_s, [p.person_id for p in people], rays, score)
        known: np.ndarray = np.ones(now.joints.shape[:2], bool)
        known[:, : len(POINTS)] = score > 0
        known[:, len(POINTS) :] = (score[:, SHOULDERS] > 0).all(1, keepdims=True)
        joints = np.where(known[..., None], now.joints + now.place[:, None], np.nan)[:, self._kept].astype(np.float32)
        about_hips = np.where(known, per_axis_std(now.std[..., [0, 0, 1]]), np.nan)[:, self._kept]
        std = np.full(about_hips.shape, np.nan, np.float32)
        for n, p in enumerate(people):
            said = self._config.metres.height_of(p.person_id) is not None
            away = Away(float(np.hypot(LIVE_DISTANCE, 0.0 if said else HEIGHTS)), self._focal)
            std[n] = with_place(about_hips[n], joints[n], away)
        lifted = np.any(np.isfinite(joints), axis=(1, 2))
        return {p.person_id: LiveSpace(joints[n], std[n]) for n, p in enumerate(people) if lifted[n]}


def build_space(config: Config, skeleton: Skeleton) -> Space | None:
    """The live form of the config's lifter; None without such a form, or for keypoint sets without a body."""
    lifter = build_lifter(config, skeleton)
    return Space(lifter, config) if isinstance(lifter, PoselineLifter) else None
