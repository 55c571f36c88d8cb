"""Everybody's motion into the world, which is known when the last of them has been lifted."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from pipeline.core.settings import ASSUMED_HEIGHT_M, MetresConfig
from pipeline.core.types import Motion
from pipeline.lift.body import reprojection_px
from pipeline.lift.feet import held
from pipeline.lift.world import World, fitted, of_camera, on_floor, size_on_floor, stands


class Video(NamedTuple):
    """What is the same for all people of a video."""

    keypoints: tuple[str, ...]  # (K,) their names
    still: np.ndarray | None = None  # (T,) the camera kept still since the frame before; None: always
    rays: Callable[[np.ndarray], np.ndarray] | None = None  # px (..., 2) to x / z and y / z


def in_world(
    motions: Iterator[Motion], metres: MetresConfig, names: dict[int, str], folder: Path, video: Video
) -> Iterator[Motion]:
    """The motions with ``world_m`` where they are placed before the camera, which those with ``keypoint_std_m`` are.

    Without a calibrated camera they are kept in a temporary folder in ``folder`` until all have been seen, so that
    memory holds one person.
    """
    if metres.ground is not None and metres.ground.camera is not None:
        calibrated = of_camera(metres.ground.camera)
        for motion in motions:
            height_m = metres.height_of(motion.person_id, names.get(motion.person_id, ""))
            yield _placed(motion, calibrated, height_m, video)
        return
    said, heights = [], []
    with TemporaryDirectory(prefix=".motions-", dir=folder) as temporary:
        files = []
        for motion in motions:
            if motion.keypoints_m is None or motion.keypoint_std_m is None:
                yield motion
                continue
            height_m = metres.height_of(motion.person_id, names.get(motion.person_id, ""))
            said.append(stands(motion.keypoints_m, motion.names_m, motion.time_s, height_m))
            heights.append(height_m)
            files.append(Path(temporary) / f"{motion.person_id}.pickle")
            files[-1].write_bytes(pickle.dumps(motion, protocol=5))
        world = fitted(said)
        for file, height_m in zip(files, heights, strict=True):
            motion = pickle.loads(file.read_bytes())
            file.unlink()
            yield motion if world is None else _placed(motion, world, height_m, video)


def _placed(motion: Motion, world: World, height_m: float | None, video: Video) -> Motion:
    """The motion in the world, its feet held; somebody whose height is not given is as tall as stands on the floor."""
    if motion.keypoints_m is None or motion.keypoint_std_m is None:
        return motion
    size = np.float32(1)
    if height_m is None:
        size = np.float32(size_on_floor(stands(motion.keypoints_m, motion.names_m, motion.time_s, None), world))
    places, std = motion.keypoints_m * size, motion.keypoint_std_m * size
    hips = places[:, [motion.names_m.index("left_hip"), motion.names_m.index("right_hip")]].mean(1)
    tall = height_m or float(size) * ASSUMED_HEIGHT_M
    stand = stands(places, motion.names_m, motion.time_s, tall)
    places = places + on_floor(hips, stand, motion.time_s, world)[:, None]
    still = None if video.still is None else video.still[motion.frame]
    places = held(places, motion, video.keypoints, tall, world.turn[2], still)
    figures = motion.figures | {"height_3d_m": tall}
    if video.rays is not None:
        figures["reprojection_px"] = reprojection_px(
            places, motion, motion.names_m, video.keypoints, video.rays(motion.keypoints_px)
        )
    return replace(motion, keypoints_m=places, keypoint_std_m=std, world_m=world.of(places), figures=figures)
