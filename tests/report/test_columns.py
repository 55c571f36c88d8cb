from pipeline.core.skeleton import BLAZEPOSE33, COCO17
from pipeline.report.columns import by_group, describe
from pipeline.store.columns import person_schema
from tests.report.runs import QUANTITIES

NAMES = person_schema(
    COCO17,
    (*COCO17.names, "neck"),
    {},
    QUANTITIES,
    ("x_m", "y_m", "z_m", "std_m", "world_x_m", "world_y_m", "world_z_m"),
).names


def test_a_column_is_told_in_words() -> None:
    told = {name: (c.group, c.label, c.unit, c.side) for name in NAMES if (c := describe(name))}
    assert told["left_knee_flexion_deg"] == ("angles", "Left knee flexion", "°", -1)
    assert told["left_knee_flexion_deg_s"] == ("turning", "Left knee flexion, angular velocity", "°/s", -1)
    assert told["right_wrist_world_z_m"] == ("world", "Right wrist z, world", "m", 1)
    assert told["right_wrist_x_px_raw"] == ("raw", "Right wrist x, as measured", "px", 1)
    assert told["com_speed_px_s"] == ("body", "Centre of mass speed", "px/s", 0)
    assert told["nose_std_px"] == ("certainty", "Nose deviation", "px", 0)
    assert told["score"] == ("certainty", "Person score", "", 0)
    more = describe("left_hip_flexion_3d_deg")
    assert more is not None
    assert (more.group, more.label) == ("space_angles", "Left hip flexion, in space")


def test_every_number_of_a_table_is_in_a_group_and_labels_differ() -> None:
    groups = by_group(NAMES)
    listed = [c.name for columns in groups.values() for c in columns]
    left_out = [n for n in NAMES if n.endswith(("_state", "_foot_contact"))] + ["frame", "time_s"]
    assert sorted(listed) == sorted(set(NAMES) - set(left_out))
    assert "other" not in groups
    labels = [c.label for columns in groups.values() for c in columns]
    assert len(labels) == len(set(labels))


def test_a_column_of_a_newer_version_is_shown_too() -> None:
    assert describe("left_grip_N") is not None
    assert by_group(["left_grip_N"])["other"][0].label == "Left grip N"


def test_quantities_of_kinematics_have_a_group() -> None:
    names = [f"path_{q}" for q in ("speed_m_s", "distance_m")] + ["trunk_segment_deg_s", "trunk_lean_3d_deg"]
    names += [f"ground_{q}" for q in ("x_m", "y_m", "speed_m_s", "distance_m")] + ["left_toe_speed_m_s"]
    names += ["com_vx_px_s", "com_acceleration_m_s2", "nose_vy_px_s"]
    assert "other" not in by_group([*names, *(f"{j}_x_px" for j in BLAZEPOSE33.names)])
