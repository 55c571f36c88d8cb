"""Coverage of the deviations in metres, of tables and live, on motion capture seen by random cameras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.settings import MetresConfig
from pipeline.core.types import MEASURED, MISSING, Motion
from pipeline.evaluate.cameras import detector_noise, random_cameras
from pipeline.evaluate.mocap import heights, joints_of, load
from pipeline.lift.doubt import HEIGHTS
from pipeline.lift.field import PRIOR, across_deg, usual_focal_px
from pipeline.lift.joints import HIPS, JOINTS, POINTS, sources
from pipeline.lift.lifter import PoselineLifter
from pipeline.lift.placed import Video, in_world
from pipeline.live.crowd import Result, Seen
from pipeline.live.space import build_space
from pipeline.models.runtime import pick_device
from pipeline.motion.online import Point

SIZE_PX = (1280, 720)
TRIALS, MOST_FRAMES = 17, 200
LEAST_SCORE = 0.3
CASES = (("height and lens known", True, True), ("height assumed", False, True), ("lens assumed", True, False),
         ("both assumed", False, False))  # fmt: skip
LARGE = [f"{side}_{part}" for side in ("left", "right") for part in
         ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]  # fmt: skip


def _motion(points: np.ndarray, focal_px: float, fps: float, seed: int) -> tuple[Motion, np.ndarray]:
    """A person as smoothed keypoints of a random camera, and the joints (L, J, 3) m before it."""
    rng = np.random.default_rng(seed)
    joints = joints_of(points[None])
    place = random_cameras(joints[:, :, HIPS].mean(2), rng).see(joints)
    rays = place[:, :, : len(POINTS), :2] / np.maximum(place[:, :, : len(POINTS), 2:], 0.3)
    rays, score = detector_noise(rays, np.array([fps]), rng, np.ones(1))
    at, n = sources(HALPE26), len(points)
    px, said = np.full((n, len(HALPE26), 2), np.nan, np.float32), np.zeros((n, len(HALPE26)), np.float32)
    px[:, at], said[:, at] = rays[0] * focal_px + np.array(SIZE_PX) / 2, score[0]
    state = np.where((said >= LEAST_SCORE) & np.isfinite(px[..., 0]), MEASURED, MISSING).astype(np.uint8)
    px[state == MISSING] = np.nan
    flat = np.nan_to_num(px)
    motion = Motion(
        person_id=1,
        frame=np.arange(n),
        time_s=np.arange(n) / fps,
        box_px=np.concatenate([flat.min(1), flat.max(1)], 1),
        score=np.ones(n, np.float32),
        state=np.full(n, MEASURED, np.uint8),
        keypoints_px=px,
        keypoint_score=said,
        keypoint_std_px=np.ones(said.shape, np.float32),
        provenance=state,
        raw_px=px,
        skeleton=HALPE26.name,
    )
    return motion, place[0]


def space(mocap: str) -> Iterator[str]:
    """A row for each case of what is known: all coordinates, and by axis; of tables, then of live output."""
    data = load(mocap)
    yield "| places before the camera | coordinates | all | across | up | along the line of sight |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for way, lifted in (("tables", _in_tables), ("live", _live)):
        for case, tall, lens in CASES:
            inside = []
            for i in np.linspace(0, len(data.length) - 1, min(TRIALS, len(data.length))).astype(int):
                scene = _scene(data.trial(int(i))[:MOST_FRAMES], data.fps, int(i), tall, lens)
                inside.append(_held(scene, *lifted(scene)))
            held = np.concatenate(inside)
            known = np.isfinite(held)
            shares = [held[..., axis][known[..., axis]].mean() for axis in range(3)]
            told = " | ".join(f"{100 * s:.1f} %" for s in (held[known].mean(), *shares))
            yield f"| {way}, {case} | {known.sum()} | {told} |"


class _Scene(NamedTuple):
    """A person before a camera, and what poseline is told of both."""

    motion: Motion
    truth_m: np.ndarray  # (L, J, 3) before the camera
    config: Config


def _scene(points: np.ndarray, fps: float, seed: int, tall: bool, lens: bool) -> _Scene:
    """``tall`` and ``lens``: whether the height and the focal length are known."""
    rng = np.random.default_rng([seed, 1])
    height_m = float(np.median(heights(points)))
    if not tall:  # somebody as tall as people are, not as this file's people are
        wanted = 1.70 * np.exp(HEIGHTS * rng.standard_normal())
        points, height_m = points * np.float32(wanted / height_m), wanted
    focal_px = usual_focal_px(SIZE_PX) * (1.0 if lens else float(np.exp(PRIOR * rng.standard_normal())))
    fov = {"fov_deg": across_deg(focal_px, SIZE_PX)} if lens else {}
    metres = MetresConfig(height_m=round(height_m, 3)) if tall else MetresConfig()
    config = Config.model_validate({"lift": fov, "metres": metres.model_dump()})
    return _Scene(*_motion(points, focal_px, fps, seed), config)


def _in_tables(scene: _Scene) -> tuple[Sequence[str], np.ndarray, np.ndarray]:
    """Names (J,), places (L, J, 3) m and deviations (L, J) m of the tables."""
    metres, motion = scene.config.metres, scene.motion
    lifter = PoselineLifter(pick_device("cpu"), HALPE26, scene.config)
    found = lifter.lift(motion, HALPE26, SIZE_PX, metres.height_m)
    motion = replace(motion, keypoints_m=found.joints_m, keypoint_std_m=found.std_m, names_m=lifter.names)
    video = Video(HALPE26.names, None, lambda px, frame: lifter.rays(px, frame, SIZE_PX), lifter.focal_std)
    with TemporaryDirectory() as folder:
        (placed,) = in_world(iter([motion]), metres, {}, Path(folder), video)
    assert placed.keypoints_m is not None
    assert placed.keypoint_std_m is not None
    return placed.names_m, placed.keypoints_m, placed.keypoint_std_m


def _live(scene: _Scene) -> tuple[Sequence[str], np.ndarray, np.ndarray]:
    """The same of live output: every frame from those before it."""
    told, motion = build_space(scene.config, HALPE26), scene.motion
    assert told is not None
    places = np.full((len(motion), len(told.names), 3), np.nan, np.float32)
    std = np.full(places.shape[:2], np.nan, np.float32)
    for i, time_s in enumerate(motion.time_s.tolist()):
        point = Point(motion.keypoints_px[i], motion.keypoint_std_px[i], motion.provenance[i])
        seen = Seen(1, 1.0, motion.box_px[i], point, motion.keypoint_score[i])
        for one in told.lift(Result(time_s, None, [seen]), SIZE_PX).values():
            places[i], std[i] = one.joints_m, one.std_m
    return told.names, places, std


def _held(scene: _Scene, names: Sequence[str], places_m: np.ndarray, std_m: np.ndarray) -> np.ndarray:
    """(L, 12, 3) 1 where a coordinate is within 1.96 deviations, 0 where not, NaN where not known."""
    own, theirs = [list(names).index(n) for n in LARGE], [JOINTS.index(n) for n in LARGE]
    off, std = np.abs(places_m[:, own] - scene.truth_m[:, theirs]), std_m[:, own, None]
    return np.where(np.isfinite(off) & np.isfinite(std), off < 1.96 * std, np.nan)
