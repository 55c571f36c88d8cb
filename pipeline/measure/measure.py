"""From a person's motion to angles, speeds, gait and metres: columns for the table and figures for people.csv."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipeline.core.settings import ASSUMED_HEIGHT_M, MetresConfig, SmoothConfig
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.measure import gait, ground, scale, zones
from pipeline.measure.angles import points
from pipeline.measure.kinematics import facing, kinematics
from pipeline.measure.plane import in_plane
from pipeline.measure.quality import Quality, assess
from pipeline.measure.validity import Sight


class Measured(NamedTuple):
    """A person's motion with its quantities, its table of steps, and the figures of the whole motion."""

    motion: Motion
    steps: dict[str, np.ndarray]  # (E,) columns of `pipeline.measure.gait.STEP_COLUMNS`
    figures: dict[str, float | str]  # for people.csv, units in the names; NaN unknown
    quality: Quality


def measure(
    motion: Motion,
    skeleton: Skeleton,
    config: MetresConfig,
    size_px: tuple[int, int],
    name: str = "",
    noise_len: float = SmoothConfig().noise_len,
) -> Measured:
    """Columns and figures of a person whom the user calls ``name``; columns in metres only if a scale is given.

    ``noise_len`` is the standard deviation of a measurement of score 1, in body lengths.
    """
    height_m = config.height_of(motion.person_id, name)
    (height_px, change), running_px = scale.sizes_and_course(motion, skeleton)
    px_per_m, source = _scale(height_px, config, height_m)
    given = px_per_m if not source.startswith("assumed") and math.isfinite(px_per_m) else None
    side = facing(motion, skeleton)
    feet, steps = gait.contacts(motion, skeleton, given, side)
    figures: dict[str, float | str] = {"px_per_m": px_per_m, "px_per_m_from": source if math.isfinite(px_per_m) else ""}
    way: dict[str, np.ndarray] = {}
    if config.ground is not None:
        way = ground.ground_columns(motion, skeleton, config.ground, size_px, height_m)
    elif given is not None:
        way = scale.path_columns(motion, skeleton, given)
    plane = in_plane(motion, points(motion, skeleton, places_only=True), running_px, side)
    sight = Sight(side, plane, running_px)
    columns = kinematics(motion, skeleton, given, side, sight, noise_len)  # late, since they take the most memory
    states = {name: columns.pop(name) for name in [*columns] if name.endswith("_state")}
    columns |= feet | way
    figures |= gait.summary(steps)
    if way:
        figures |= scale.summary(way, motion.time_s) | zones.zone_times(way, motion.time_s, config.ground)
    facts = {"px_per_m": repr(px_per_m), "px_per_m_from": source} if math.isfinite(px_per_m) else {}
    motion = replace(motion, quantities=columns, states=states, facts=facts)
    quality = assess(motion, skeleton, height_px, change)
    return Measured(motion, steps, figures | quality.figures, quality)


def _scale(height_px: float, config: MetresConfig, height_m: float | None) -> tuple[float, str]:
    """px per metre and the source of that scale; NaN where the person's size is not known."""
    if height_m is not None:
        return height_px / height_m, f"height {height_m:.2f} m"
    if config.length is not None:
        return scale.px_per_m_of_length(config.length), "length"
    return height_px / ASSUMED_HEIGHT_M, f"assumed height {ASSUMED_HEIGHT_M:.2f} m"
