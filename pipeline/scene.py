"""What the stages of a run share: its observations, its camera, its shots, and the lens by which people are placed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.homography import stands
from pipeline.core.shots import Shots
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import VideoInfo
from pipeline.lift.field import SURE, across_deg, field_of_run, focal_across, usual_focal_px
from pipeline.lift.lifter import PoselineLifter
from pipeline.lift.placed import Video
from pipeline.lift.protocol import Lifter
from pipeline.lift.turning import Turning, turning
from pipeline.measure.course import Course
from pipeline.store.folder import RunFolder
from pipeline.store.parts import read_part
from pipeline.teams.found import Teams

LEAST_STILL = 0.95  # share of frames without camera motion that the estimate of the field of view needs


class Scene(NamedTuple):
    """The inputs that the stages of a run share."""

    folder: RunFolder
    parts: list[Path]
    info: VideoInfo
    skeleton: Skeleton
    config: Config
    camera: np.ndarray | None  # (T, 3, 3) the camera's motion into each frame; None: the camera is assumed still
    shots: Shots  # nothing is carried from one to the next
    travels: bool = False  # the camera moves, so that one scale and one floor do not fit all frames
    course: Course | None = None  # the floor in every frame, where a ground is given and the camera moves or changes
    teams: Teams | None = None  # None: nobody asks for teams

    @property
    def placeless(self) -> bool:
        """Nothing tells where people are on one floor: no ground is given, and the camera moves or changes."""
        return (self.travels or self.cameras > 1) and self.config.metres.ground is None

    @property
    def cameras(self) -> int:
        """How many cameras the shots show."""
        return int(self.shots.camera.max()) + 1

    @property
    def still(self) -> np.ndarray | None:
        """(T,) bool: the camera kept still since the frame before; None: always."""
        return None if self.camera is None else stands(self.camera)


def turning_of(run: Scene, fov_deg: float | None) -> Turning | None:
    """The turns of a camera about a fixed place, in one shot; None where it stands, travels or is calibrated.

    ``fov_deg`` is the field of view across the picture's width, if that was given.
    """
    calibrated = run.config.metres.ground is not None and run.config.metres.ground.camera is not None
    if not run.travels or run.camera is None or len(run.shots) > 1 or calibrated:
        return None
    size_px = run.info.size_px
    focal_px = usual_focal_px(size_px) if fov_deg is None else focal_across(fov_deg, size_px)
    return turning(run.camera, (), focal_px, size_px, sure=fov_deg is not None)


def with_lens(
    run: Scene, lifter: PoselineLifter, turns: Turning | None, ids: np.ndarray
) -> tuple[PoselineLifter, dict[str, Any]]:
    """The lifter for the run's field of view and zoom, and the facts for run.json where that was not given.

    ``ids`` (N,) says who each observation is.
    """
    if turns is not None:
        deg = across_deg(turns.focal_px, run.info.size_px)
        found = {} if lifter.fov_deg is not None else {"field_of_view": {"deg": round(deg, 1), "from": "turns"}}
        return lifter.across(deg, lifter.focal_std, turns.zoom), found
    if lifter.fov_deg is not None:
        return lifter, {}
    across, told = _field_of_view(run, ids)
    return lifter.across(across, told.get("focal_std_percent", 0.0) / 100), {"field_of_view": told}


def video_of(run: Scene, lifter: Lifter | None, turns: Turning | None) -> Video:
    """The facts of the video by which people are placed in the world."""
    rays = partial(lifter.rays, size_px=run.info.size_px) if isinstance(lifter, PoselineLifter) else None
    focal_std = lifter.focal_std if isinstance(lifter, PoselineLifter) else 0.0
    ground = run.config.metres.ground
    calibrated = ground is not None and ground.camera is not None
    placeless = turns is None and (run.travels or (run.cameras > 1 and not calibrated))
    return Video(run.skeleton.names, run.still, rays, focal_std, placeless, None if turns is None else turns.turn)


def _field_of_view(run: Scene, ids: np.ndarray) -> tuple[float | None, dict[str, Any]]:
    """The field of view in degrees across the picture's width, None where people do not tell it; facts for run.json."""
    info, camera, metres = run.info, run.camera, run.config.metres
    if metres.ground is not None and metres.ground.camera is not None:
        return None, {"from": "calibration"}
    still = run.cameras == 1 and (camera is None or stands(camera).mean() >= LEAST_STILL)
    stream = (read_part(p) for p in run.parts)
    field = field_of_run(stream, ids, info.real_s, run.skeleton.names, info.size_px) if still else None
    if field is None or field.std_log > SURE:
        deg = across_deg(usual_focal_px(info.size_px), info.size_px)
        return None, {"deg": round(deg, 1), "from": "assumed"}
    deg = across_deg(field.focal_px, info.size_px)
    return deg, {"deg": round(deg, 1), "from": "estimated", "focal_std_percent": round(100 * field.std_log, 1)}
