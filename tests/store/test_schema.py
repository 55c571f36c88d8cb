"""Every column of every table states its unit, in its name and in the file, and is documented."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.core.settings import Ground, MetresConfig
from pipeline.core.skeleton import BLAZEPOSE33, COCO17, Skeleton
from pipeline.measure.angles_3d import angles_3d
from pipeline.measure.cycles import quantities_of
from pipeline.measure.frontal_3d import frontal_3d
from pipeline.measure.gait import STEP_COLUMNS
from pipeline.measure.jumps import JUMP_COLUMNS
from pipeline.measure.measure import measure
from pipeline.measure.quality import QUALITY_COLUMNS
from pipeline.store.columns import unit_of
from pipeline.store.cycles_table import CYCLE_COLUMNS, unit_of_cycles
from pipeline.store.person_table import write_person
from tests import synthetic
from tests.motion.motions import exact

ROOT = Path(__file__).parents[2]
GROUND = Ground(image_px=((0, 600), (1900, 600), (1900, 1000), (0, 1000)), plane_m=((0, 9), (9, 9), (9, 0), (0, 0)))
COUNTS = {"side", "running", "backward", "joint", "person_id", "gaps_count", "mean_score"}  # have no unit


def _columns(tmp_path: Path, skeleton: Skeleton, config: MetresConfig) -> dict[str, str]:
    """Unit in the file by column."""
    t = np.arange(60) / 30
    walk = synthetic.walker(t)
    points = np.full((60, len(skeleton), 2), 500.0) + np.random.default_rng(0).uniform(0, 50, (60, len(skeleton), 2))
    for k, name in enumerate(skeleton.names):
        if name in COCO17.names:
            points[:, k] = walk[:, COCO17.index(name)]
    motion = measure(exact(t, points, skeleton), skeleton, config, (1920, 1080)).motion
    write_person(tmp_path, motion, skeleton, {})
    schema = pq.read_schema(tmp_path / "person_0001.parquet")
    return {field.name: field.metadata[b"unit"].decode() for field in schema}


@pytest.mark.parametrize("skeleton", [COCO17, BLAZEPOSE33])
@pytest.mark.parametrize("config", [MetresConfig(), MetresConfig(height_m=1.8), MetresConfig(ground=GROUND)])
def test_every_column_has_a_unit_and_is_documented(tmp_path: Path, skeleton: Skeleton, config: MetresConfig) -> None:
    columns = _columns(tmp_path, skeleton, config)
    assert len(columns) > 150
    text = "".join((ROOT / "docs" / name).read_text() for name in ("tables.md", "kinematics.md"))
    words = set(re.findall(r"[\w<>]+", text))
    for name, unit in columns.items():
        assert unit == unit_of(name) != ""
        general = [name]
        for joint in sorted((*skeleton.names, "com"), key=len, reverse=True):
            if name.startswith(f"{joint}_"):
                rest = name.removeprefix(f"{joint}_")
                general += [f"<joint>_{rest}", f"_{rest}"]
        side = re.sub(r"^(left|right)_", "<side>_", name)
        general += [side, side.removeprefix("<side>")]
        general += [re.sub(r"_(segment)_deg$", "_", g) for g in general] + [g.removesuffix("_s") for g in general]
        general += [re.sub(r"_segment_deg$", "_", g) for g in general]
        if angle := re.fullmatch(r"(.+?)(_deg_std|_deg_jitter|_deg_s_std|_state)", name):
            general += [f"<angle>{angle[2]}"] if f"{angle[1]}_deg" in columns else []
        assert words & set(general), f"{name} is not documented"


def test_every_angle_in_space_is_documented() -> None:
    names = tuple(f"{s}_{n}" for n in ("hip", "knee", "ankle", "heel", "toe", "shoulder", "elbow", "wrist")
                  for s in ("left", "right"))  # fmt: skip
    text = (ROOT / "docs" / "kinematics.md").read_text()
    found = angles_3d(np.zeros((1, len(names), 3)), names) | frontal_3d(np.zeros((1, len(names), 3)), names)
    assert len(found) > 20
    for name in found:
        assert unit_of(name) == "deg"
        side = re.sub(r"^(left|right)_", "<side>_", name)
        assert f"`{side}`" in text or f"`{side.removeprefix('<side>')}`" in text, f"{name} is not documented"


def test_a_column_without_a_unit_is_refused(tmp_path: Path) -> None:
    t = np.arange(10) / 30
    motion = exact(t, synthetic.walker(t))
    motion.quantities["left_knee_wobble"] = np.zeros(10, np.float32)
    with pytest.raises(ValueError, match="left_knee_wobble states no unit"):
        write_person(tmp_path, motion, COCO17, {})


def test_small_tables_state_units_too() -> None:
    for name in (*STEP_COLUMNS, *JUMP_COLUMNS, *QUALITY_COLUMNS):
        assert name in COUNTS or name.endswith("_share") or unit_of(name.replace("_std", ""))
    for name in CYCLE_COLUMNS:
        assert unit_of_cycles(name)
    text = "".join((ROOT / "docs" / name).read_text() for name in ("tables.md", "kinematics.md"))
    for name in (*STEP_COLUMNS, *JUMP_COLUMNS, *CYCLE_COLUMNS):
        assert f"`{name}`" in text, f"{name} is not documented"


def test_the_tables_of_cycles_have_every_angle_of_a_side_and_no_place() -> None:
    t = np.arange(60) / 30
    columns = measure(exact(t, synthetic.walker(t)), COCO17, MetresConfig(height_m=1.8), (1920, 1080)).motion.quantities
    quantities = quantities_of(tuple(columns), False)
    sided = {c.removeprefix("left_") for c in columns if c.startswith("left_") and "_deg" in c}
    assert sided - {c for c in sided if c.endswith("_state")} <= set(quantities)
    assert not [q for q in quantities if q.endswith(("_px", "_raw", "_score", "_state"))]
    assert all(
        unit_of_cycles(f"{q}{end}") == unit_of_cycles(q) for q in quantities for end in ("_mean", "_sd", "_mean_std")
    )
    assert {"ankle_speed_m_s", "com_speed_m_s"} <= set(quantities_of([c for c in columns if "_m_s" not in c], True))
