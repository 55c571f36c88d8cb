"""Tables of every keypoint set: no two columns of one name, and each read as what it is."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.keypoint_sets import HALPE26, SETS
from pipeline.core.skeleton import Skeleton
from pipeline.lift.joints import liftable
from pipeline.lift.registry import build_lifter
from pipeline.measure.gait import contacts
from pipeline.measure.kinematics import kinematics
from pipeline.measure.metres import InMetres
from pipeline.render.look import STYLES
from pipeline.render.plot import _joints_of
from pipeline.render.scene import columns_of, limbs_in_space
from pipeline.report.columns import by_group
from pipeline.report.write import _bones
from pipeline.store.columns import person_schema
from tests.motion.motions import exact

PARTS_M = ("x_m", "y_m", "z_m", "std_m", "world_x_m", "world_y_m", "world_z_m")


def columns(skeleton: Skeleton) -> list[str]:
    t = np.arange(12) / 30
    motion = exact(t, np.random.default_rng(0).uniform(0, 500, (12, len(skeleton), 2)), skeleton)
    lifter = build_lifter(Config(), skeleton)
    quantities = [*InMetres(kinematics(motion, skeleton), 200.0), *contacts(motion, skeleton, 200.0)[0]]
    return person_schema(skeleton, lifter.names if lifter else (), {}, quantities, PARTS_M).names


@pytest.mark.parametrize("name", sorted(name for name, s in SETS.items() if liftable(s)))
def test_no_table_has_two_columns_of_one_name(name: str) -> None:
    names = columns(SETS[name])
    assert len(set(names)) == len(names)


def test_halpes_head_neck_and_hip_are_not_taken_for_what_is_derived() -> None:
    names = columns(HALPE26)
    assert {"hip_x_px", "hip_x_m", "neck_x_px", "neck_joint_x_m", "head_segment_deg", "head_world_z_m"} <= set(names)
    told = {c.name: (group, c.label) for group, some in by_group(names).items() for c in some}
    assert told["head_segment_deg"] == ("segments", "Head segment")
    assert told["head_x_px"] == ("picture", "Head x")
    assert told["neck_joint_world_z_m"] == ("world", "Neck joint z, world")
    listed = [(c.label, c.unit) for some in by_group(names).values() for c in some]
    assert len(set(listed)) == len(listed)
    assert _joints_of("hip_x_px") == ["hip"]
    assert _joints_of("left_hip_flexion_deg") == ["left_hip", "left_shoulder", "left_knee"]
    assert "left_big_toe" in _joints_of("left_ankle_dorsiflexion_deg")


def test_halpes_body_in_space_is_drawn_once_without_the_face() -> None:
    lifter = build_lifter(Config(), HALPE26)
    assert lifter is not None
    space = columns_of(set(columns(HALPE26)), STYLES["analysis"], HALPE26)
    assert len(set(space.joints)) == len(space.joints)
    pairs, sides = limbs_in_space(space, HALPE26)
    shown = [frozenset((space.joints[a], space.joints[b])) for a, b in pairs]
    assert len(set(shown)) == len(shown) == len(sides)
    assert frozenset(("neck", "head")) in shown
    bones = [frozenset((lifter.names[a], lifter.names[b])) for a, b, _ in _bones([*lifter.names], HALPE26.spec())]
    assert sorted(map(sorted, bones)) == sorted(map(sorted, shown))
    drawn = frozenset.union(*shown)
    assert drawn == set(HALPE26.names) - {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}
