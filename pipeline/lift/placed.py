"""All people's motions in the world, whose floor is known once the last person has been lifted."""

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
from pipeline.lift.doubt import DISTANCE, HEIGHTS, Away, left_by_floor, with_place
from pipeline.lift.feet import held
from pipeline.lift.world import World, fitted, of_camera, on_floor, size_on_floor, stands
from pipeline.motion.still import never_moves


class Video(NamedTuple):
    """Facts of a video that are the same for all people."""

    keypoints: tuple[str, ...]  # (K,) their names
    still: np.ndarray | None = None  # (T,) the camera kept still since the frame before; None: always
    rays: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None  # px (L, K, 2), frames (L,) to x / z and y / z
    focal_std: float = 0.0  # standard deviation of the focal length, as a share
    placeless: bool = False  # the camera moves: people have no place in one world
    turn: np.ndarray | None = None  # (T, 3, 3) from the axes of a camera that turns to those of its first frame


def in_world(
    motions: Iterator[Motion],
    metres: MetresConfig,
    names: dict[int, str],
    folder: Path,
    video: Video,
    tell: Callable[[World | None], None] = lambda world: None,
) -> Iterator[Motion]:
    """The motions, with ``world_m`` for people who are placed before the camera: those with ``keypoint_std_m``.

    The standard deviations of the joints about the hips and of the person's place (`pipeline.lift.doubt`) are added in
    quadrature. Without a calibrated camera the motions are kept in a temporary folder in ``folder`` until all have been
    seen, so that memory holds one person; ``tell`` gets the world that was then fitted to them. Whoever
    never moves, perhaps a picture on a wall, does not tell where the floor is, if anybody else is there.
    """
    if metres.ground is not None and metres.ground.camera is not None and not video.placeless:
        calibrated = of_camera(metres.ground.camera)
        for motion in motions:
            height_m = metres.height_of(motion.person_id, names.get(motion.person_id, ""))
            yield _placed(motion, calibrated, height_m, video, 0.0)
        return
    said, heights, rest = [], [], []
    with TemporaryDirectory(prefix=".motions-", dir=folder) as temporary:
        files = []
        for motion in motions:
            if motion.keypoints_m is None or motion.keypoint_std_m is None:
                yield motion
                continue
            motion = _turned(motion, video.turn)
            height_m = metres.height_of(motion.person_id, names.get(motion.person_id, ""))
            assert motion.keypoints_m is not None
            said.append(stands(motion.keypoints_m, motion.names_m, motion.time_s, height_m))
            heights.append(height_m)
            rest.append(never_moves(motion, video.keypoints, video.still))
            files.append(Path(temporary) / f"{motion.person_id}.pickle")
            with open(files[-1], "wb") as sink:
                pickle.dump(motion, sink, protocol=5)
            del motion  # before the next one is made
        moving = [stand for stand, still in zip(said, rest, strict=True) if not still]
        world = None if video.placeless else fitted(moving or said)
        tell(world)
        common = HEIGHTS * np.sqrt(heights.count(None)) / max(len(heights), 1)  # of their mean: the scale
        for file, height_m in zip(files, heights, strict=True):
            with open(file, "rb") as source:
                motion = pickle.load(source)
            file.unlink()
            if world is None:
                yield _turned(_doubted(motion, None, height_m, video, common), video.turn, back=True)
            else:
                yield _placed(motion, world, height_m, video, common)


def _turned(motion: Motion, turn: np.ndarray | None, back: bool = False) -> Motion:
    """The motion with its joints in the axes of the first frame's camera, or ``back`` in those of each frame's."""
    if turn is None or motion.keypoints_m is None:
        return motion
    its = turn[motion.frame].astype(np.float32)
    return replace(motion, keypoints_m=np.einsum("lba,ljb->lja" if back else "lab,ljb->lja", its, motion.keypoints_m))


def _doubted(motion: Motion, above_m: float | None, height_m: float | None, video: Video, common: float) -> Motion:
    """The motion with the deviations of its places before the camera.

    Args:
        above_m: how high the camera is above the floor on which the person stands; None where nobody stands on it.
        common: standard deviation, as a share, of the scale common to all people, from the heights that are not given.
    """
    if motion.keypoints_m is None or motion.keypoint_std_m is None:
        return motion
    distance, tall = DISTANCE, 0.0 if height_m is not None else HEIGHTS
    if above_m is not None:
        distance = left_by_floor(DISTANCE, above_m)
        tall = min(tall, float(np.hypot(left_by_floor(tall, above_m), common))) if tall else 0.0
    away = Away(float(np.hypot(distance, tall)), video.focal_std)
    return replace(motion, keypoint_std_m=with_place(motion.keypoint_std_m, motion.keypoints_m, away))


def _size(motion: Motion, world: World) -> float | None:
    """`size_on_floor` of somebody whose height is not given."""
    if motion.keypoints_m is None:
        return None
    return size_on_floor(stands(motion.keypoints_m, motion.names_m, motion.time_s, None, world.turn[2]), world)


def _placed(motion: Motion, world: World, height_m: float | None, video: Video, common: float) -> Motion:
    """The motion in the world, with feet held; a person without a given height is scaled to stand on the floor.

    ``height_3d_m`` is empty for somebody whom no height of people brings to the floor.
    """
    if motion.keypoints_m is None or motion.keypoint_std_m is None:
        return motion
    found = 1.0 if height_m is not None else _size(motion, world)
    size = np.float32(found or 1)
    places, std = motion.keypoints_m * size, motion.keypoint_std_m * size
    hips = places[:, [motion.names_m.index("left_hip"), motion.names_m.index("right_hip")]].mean(1)
    tall = height_m or float(size) * ASSUMED_HEIGHT_M
    stand = stands(places, motion.names_m, motion.time_s, tall, world.turn[2])
    places = places + on_floor(hips, stand, motion.time_s, world)[:, None]
    still = None if video.still is None else video.still[motion.frame]
    places = held(places, motion, video.keypoints, tall, world.turn[2], still)
    about = None if motion.about_std_m is None else motion.about_std_m * size
    motion = replace(motion, keypoints_m=places, keypoint_std_m=std, about_std_m=about, world_m=world.of(places))
    above_m = float(world.shift_m[2]) if len(stand.feet_m) and found is not None else None
    motion = _turned(_doubted(motion, above_m, height_m, video, common), video.turn, back=True)
    figures = motion.figures | {"height_3d_m": float("nan") if found is None else tall}
    if video.rays is not None and motion.keypoints_m is not None:
        rays = video.rays(motion.keypoints_px, motion.frame)
        figures["reprojection_px"] = reprojection_px(motion.keypoints_m, motion, motion.names_m, video.keypoints, rays)
    return replace(motion, figures=figures)
