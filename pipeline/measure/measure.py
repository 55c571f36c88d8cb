"""From a person's motion to angles, speeds, gait and metres: columns for the table and figures for people.csv."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipeline.core.settings import ASSUMED_HEIGHT_M, MetresConfig, SmoothConfig
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.measure import gait, gait_figures, ground, scale, zones
from pipeline.measure.angles import points
from pipeline.measure.course import Course
from pipeline.measure.cycles import Cycles, cycles_of, strides
from pipeline.measure.gait_sides import hurried_warning
from pipeline.measure.jumps import highest, jumps
from pipeline.measure.kinematics import facing, kinematics
from pipeline.measure.metres import InMetres
from pipeline.measure.plane import in_plane
from pipeline.measure.posture import posture_warnings
from pipeline.measure.quality import Quality, assess
from pipeline.measure.repetitions import count, repetitions
from pipeline.measure.validity import Sight
from pipeline.measure.vertical import up_of

STEP_S = (0.6, 1.0)  # before and after a contact somebody walks or runs
FLIGHT_S = 0.3  # before and after a flight the knees bend for it
# Deviation of a person's height in px, as a share: bones differ from the usual shares, and networks place hips a little
# high or low. Chosen by us, from 3 % too small and 3 % too large on two walkers (docs/metres.md).
BONES = 0.03
CLICK_PX = 2.0  # of a known length, both ends together

ASSUMED, GROUND = "assumed", "ground"  # how the sources of a scale begin that are no height and no length
CAMERA_MOVES = "nothing: the camera moves"  # in metres_from
OFF_GROUND = "nothing: no place on the given ground is known"
NO_METRES = "the camera moves and no ground is given: no places on the floor, no metres per second"
WORDS = {0.0: "walks", 1.0: "runs"}  # of `pipeline.measure.gait_figures.summary`


class Measured(NamedTuple):
    """A person's motion with its quantities, its table of steps, and the figures of the whole motion."""

    motion: Motion
    steps: dict[str, np.ndarray]  # (E,) columns of `pipeline.measure.gait.STEP_COLUMNS`
    figures: dict[str, float | str]  # for people.csv, units in the names; NaN unknown
    quality: Quality
    cycles: Cycles  # strides and repetitions
    jumps: dict[str, np.ndarray]  # (J,) columns of `pipeline.measure.jumps.JUMP_COLUMNS`


def measure(
    motion: Motion,
    skeleton: Skeleton,
    config: MetresConfig,
    size_px: tuple[int, int],
    name: str = "",
    noise_len: float = SmoothConfig().noise_len,
    moves: bool = False,
    course: Course | None = None,
) -> Measured:
    """Columns and figures of a person whom the user calls ``name``; columns in metres only if a scale is given.

    ``noise_len`` is the standard deviation of a measurement of score 1, in body lengths. ``moves``: the camera
    moves, so that ways in the picture tell no metres; ``course`` is the floor in its frames, if a ground is given.
    """
    height_m = config.height_of(motion.person_id, name)
    (height_px, change), running_px = scale.sizes_and_course(motion, skeleton)
    px_per_m, source, scale_std = _scale(height_px, config, height_m)
    placeless = moves and course is None
    known = not moves and not source.startswith(ASSUMED) and math.isfinite(px_per_m)
    given = px_per_m if known else None
    side = facing(motion, skeleton)
    feet, steps = gait.contacts(motion, skeleton, given, side, scale_std)
    way: dict[str, np.ndarray] = {}
    if config.ground is not None and not placeless:
        way = ground.ground_columns(motion, skeleton, config.ground, size_px, height_m, course)
        on_floor = ground.px_per_m_on(config.ground, way, motion.frame, course)
        if given is None and source.startswith(ASSUMED) and math.isfinite(on_floor):
            px_per_m, source, scale_std = on_floor, GROUND, math.nan
    elif given is not None:
        way = scale.path_columns(motion, skeleton, given, scale_std)
    plane = in_plane(motion, points(motion, skeleton, places_only=True), running_px, side)
    sight = Sight(side, plane, running_px)
    quality = assess(motion, skeleton, height_px, change)
    told = [*hurried_warning(motion, skeleton, steps), *posture_warnings(motion, skeleton, up_of(config))]
    told += [NO_METRES] if placeless else []
    quality = quality._replace(warnings=[*quality.warnings, *told])
    cycles, flights = _movements(motion, skeleton, steps, running_px, height_m)
    # Late, since they take the most memory.
    columns = kinematics(motion, skeleton, side, sight, noise_len, up_of(config))
    states = {name: columns.pop(name) for name in [*columns] if name.endswith("_state")}
    columns |= feet | way
    source = source if math.isfinite(px_per_m) else ""
    figures: dict[str, float | str] = {"px_per_m": px_per_m, "px_per_m_from": source}
    figures["px_per_m_std"] = scale_std * px_per_m
    figures["metres_from"] = CAMERA_MOVES if placeless else _metres_from(config, way, source)
    figures |= gait_figures.summary(steps)
    figures["walks_or_runs"] = WORDS.get(float(figures["walks_or_runs"]), "")
    if way:
        figures |= scale.summary(way, motion.time_s) | zones.zone_times(way, motion.time_s, config.ground)
    facts = {"px_per_m": repr(px_per_m), "px_per_m_from": source} if source else {}
    quantities = columns if given is None else InMetres(columns, given)
    motion = replace(motion, quantities=quantities, states=states, facts=facts)
    figures |= {
        "repetitions": float(count(cycles.movement, cycles.side)),
        "jumps": float(len(flights["flight_time_s"])),
    } | highest(flights)
    return Measured(motion, steps, figures | quality.figures, quality, cycles, flights)


def _metres_from(config: MetresConfig, way: dict[str, np.ndarray], source: str) -> str:
    """Where the ``way`` has its metres from; ``source`` is that of px per metre."""
    if config.ground is None:
        return source
    return GROUND if np.isfinite(way["ground_x_m"]).any() else OFF_GROUND


def _movements(
    motion: Motion, skeleton: Skeleton, steps: dict[str, np.ndarray], tall_px: np.ndarray, height_m: float | None
) -> tuple[Cycles, dict[str, np.ndarray]]:
    """Strides, repetitions and jumps: nothing is two of these. ``tall_px`` (L,): the standing height in each row."""
    begin, end = (steps["contact_time_s"] + dt for dt in (-STEP_S[0], STEP_S[1]))
    walking = np.stack([begin, end], 1)
    flights = jumps(motion, skeleton, tall_px, walking, height_m)
    flying = np.stack([flights["take_off_time_s"] - FLIGHT_S, flights["landing_time_s"] + FLIGHT_S], 1)
    again = repetitions(motion, skeleton, tall_px, np.concatenate([walking, flying]))
    what, side, start_s, end_s = strides(steps)
    movement, sides = what + again.movement, side + again.side
    return cycles_of(motion, skeleton, movement, sides, start_s + again.start_s, end_s + again.end_s), flights


def _scale(height_px: float, config: MetresConfig, height_m: float | None) -> tuple[float, str, float]:
    """px per metre, the source of that scale, and its deviation as a share; NaN where the person's size is not known.

    The deviation of an assumed height is not known.
    """
    if height_m is not None:
        return height_px / height_m, f"height {height_m:.2f} m", BONES
    if config.length is not None:
        px_per_m = scale.px_per_m_of_length(config.length)
        return px_per_m, "length", CLICK_PX / (px_per_m * config.length[4])
    return height_px / ASSUMED_HEIGHT_M, f"{ASSUMED} height {ASSUMED_HEIGHT_M:.2f} m", math.nan
