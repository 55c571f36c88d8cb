"""ASF/AMC and BVH files with joints at known places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PoselineError
from pipeline.evaluate import mocap, mocap_types
from pipeline.evaluate.mocap import load
from pipeline.evaluate.mocap_files import ASF, BVH, from_folder, read_amc, read_bvh
from pipeline.evaluate.mocap_types import AT

N = 241
# Of each joint what it hangs on, and its place in m against that in the pose of rest (y up, looking along z).
BODY = {
    "left_hip": ("pelvis", (0.1, -0.05, 0)), "left_knee": ("left_hip", (0, -0.42, 0)),
    "left_ankle": ("left_knee", (0, -0.4, 0)), "left_ball": ("left_ankle", (0, -0.06, 0.13)),
    "left_toe": ("left_ball", (0, 0, 0.06)), "right_hip": ("pelvis", (-0.1, -0.05, 0)),
    "right_knee": ("right_hip", (0, -0.42, 0)), "right_ankle": ("right_knee", (0, -0.4, 0)),
    "right_ball": ("right_ankle", (0, -0.06, 0.13)), "right_toe": ("right_ball", (0, 0, 0.06)),
    "thorax": ("pelvis", (0, 0.33, 0)), "neck": ("thorax", (0, 0.12, 0.01)),
    "head_base": ("neck", (0, 0.08, 0)), "head_top": ("head_base", (0, 0.1, 0)),
    "left_shoulder": ("thorax", (0.17, 0.1, 0)), "left_elbow": ("left_shoulder", (0.29, 0, 0)),
    "left_wrist": ("left_elbow", (0.25, 0, 0)), "left_knuckles": ("left_wrist", (0.08, 0, 0)),
    "right_shoulder": ("thorax", (-0.17, 0.1, 0)), "right_elbow": ("right_shoulder", (-0.29, 0, 0)),
    "right_wrist": ("right_elbow", (-0.25, 0, 0)), "right_knuckles": ("right_wrist", (-0.08, 0, 0)),
}  # fmt: skip
KNEE_DEG = 70.0  # the left knee is bent by it at the end


def truth(rate_hz: float) -> np.ndarray:
    """(n, 23, 3) m: who goes along x at 1 m/s, turned to the left by 30°, bends the left knee evenly."""
    n = int((N - 1) / 120 * rate_hz) + 1
    part = np.arange(n) / (n - 1)
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    out = np.zeros((n, len(AT), 3))
    out[:, 0] = np.stack([np.arange(n) / rate_hz, np.full(n, 0.95), np.zeros(n)], -1)
    for name, (parent, place) in BODY.items():
        way = np.tile(np.array(place, float), (n, 1))
        if name in ("left_ankle", "left_ball", "left_toe"):
            a = np.radians(KNEE_DEG) * part
            y, z = way[:, 1].copy(), way[:, 2].copy()
            way[:, 1], way[:, 2] = np.cos(a) * y - np.sin(a) * z, np.sin(a) * y + np.cos(a) * z
        out[:, AT[name]] = out[:, AT[parent]] + way @ turn.T
    return out


def write_acclaim(folder: Path) -> Path:
    """02.asf and 02_01.amc, in units of the CMU database; the shank's axes are turned, as theirs are."""
    unit_m = 0.0254 / 0.45
    names = dict(zip(mocap_types.NAMES, ASF, strict=True))
    bones, tree = [], {}
    for i, (name, (parent, place)) in enumerate(BODY.items(), 1):
        length = np.linalg.norm(place)
        way = " ".join(f"{v:.10f}" for v in np.array(place) / length)
        free = " dof rx\n limits (-160.0 20.0)\n" if name == "left_ankle" else ""
        bones.append(
            f"begin\n id {i}\n name {names[name]}\n direction {way}\n length {length / unit_m:.9f}\n"
            f" axis 0 0 {20 if free else 0} XYZ\n{free}end\n"
        )
        tree.setdefault(names[parent], []).append(names[name])
    lines = "".join(f"{parent} {' '.join(children)}\n" for parent, children in tree.items())
    (folder / "02.asf").write_text(
        ":version 1.10\n:name VICON\n:units\n mass 1.0\n length 0.45\n angle deg\n:documentation\n a test\n:root\n"
        " order TX TY TZ RX RY RZ\n axis XYZ\n position 0 0 0\n orientation 0 0 0\n"
        f":bonedata\n{''.join(bones)}:hierarchy\nbegin\n{lines}end\n"
    )
    rows = ["#!OML:ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for i in range(N):
        at = np.array([i / 120, 0.95, 0]) / unit_m
        rows += [str(i + 1), f"root {at[0]:.8f} {at[1]:.8f} {at[2]:.8f} 0 30 0", f"ltibia {KNEE_DEG * i / (N - 1):.8f}"]
    (folder / "02_01.amc").write_text("\n".join(rows))
    return folder / "02_01.amc"


def write_bvh(folder: Path, unit_m: float = 0.01) -> Path:
    """07_03.bvh at 120 frames/s."""
    names = dict(zip(mocap_types.NAMES, BVH, strict=True))
    children: dict[str, list[str]] = {}
    for name, (parent, _) in BODY.items():
        children.setdefault(parent, []).append(name)
    order: list[str] = []

    def block(name: str, depth: int) -> str:
        pad = "  " * depth
        offset = np.array(BODY[name][1] if name in BODY else (0, 0, 0)) / unit_m
        line = f"{pad}  OFFSET {offset[0]:.8f} {offset[1]:.8f} {offset[2]:.8f}\n"
        if names[name].endswith("_end"):
            return f"{pad}End Site\n{pad}{{\n{line}{pad}}}\n"
        order.append(name)
        kind = "JOINT" if depth else "ROOT"
        free = (
            "3 Zrotation Yrotation Xrotation"
            if depth
            else "6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"
        )
        inner = "".join(block(child, depth + 1) for child in children.get(name, []))
        return f"{pad}{kind} {names[name]}\n{pad}{{\n{line}{pad}  CHANNELS {free}\n{inner}{pad}}}\n"

    head = "HIERARCHY\n" + block("pelvis", 0)
    rows = []
    for i in [0, *range(N)]:  # the first is left out
        values = [i / 120 / unit_m, 0.95 / unit_m, 0.0, 0.0, 30.0, 0.0]
        for name in order[1:]:
            values += [0, 0, KNEE_DEG * i / (N - 1) if name == "left_knee" else 0]
        rows.append(" ".join(f"{v:.8f}" for v in values))
    motion = f"MOTION\nFrames: {len(rows)}\nFrame Time: {1 / 120:.9f}\n" + "\n".join(rows) + "\n"
    (folder / "07_03.bvh").write_text(head + motion)
    return folder / "07_03.bvh"


def test_acclaim_joints_are_where_they_are(tmp_path: Path) -> None:
    file = write_acclaim(tmp_path)
    trial = read_amc(file, tmp_path / "02.asf")
    # The shank turns about an axis of its own, 20° from x towards y.
    a, b = np.radians(KNEE_DEG) * np.arange(N) / (N - 1), np.radians(20)
    axis = np.array([np.cos(b), np.sin(b), 0])
    down = np.array([0, -0.4, 0])
    shank = (
        np.cos(a)[:, None] * down
        + np.sin(a)[:, None] * np.cross(axis, down)
        + (1 - np.cos(a))[:, None] * axis * (axis @ down)
    )
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    turned = shank @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
    found = trial.points[:, AT["left_ankle"]] - trial.points[:, AT["left_knee"]]
    np.testing.assert_allclose(found, turned, atol=1e-6)
    rest = [AT[n] for n in AT if n not in ("left_ankle", "left_ball", "left_toe")]
    np.testing.assert_allclose(trial.points[:, rest], truth(120)[:, rest], atol=1e-6)


@pytest.mark.parametrize("unit_m", [0.01, 1.0, 0.0254 / 0.45])
def test_bvh_joints_are_where_they_are_in_any_unit(tmp_path: Path, unit_m: float) -> None:
    trial = read_bvh(write_bvh(tmp_path, unit_m))
    assert trial.fps == pytest.approx(120, rel=1e-6)
    np.testing.assert_allclose(trial.points, truth(120), atol=1e-5)


def test_a_folder_is_motion_capture_at_60_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "two").mkdir()
    write_acclaim(tmp_path)
    write_bvh(tmp_path / "two")
    (tmp_path / "two" / "09_01.amc").write_text("1\nroot 0 0 0 0 0 0\n")
    (tmp_path / "bad.bvh").write_text("HIERARCHY nothing")
    found = load(tmp_path)
    assert (found.fps, sorted(found.subject)) == (60.0, ["02", "07"])
    np.testing.assert_array_equal(found.length, [121, 121])
    np.testing.assert_allclose(found.trial(list(found.subject).index("07")), truth(60), atol=1e-4)
    assert (mocap.heights(found.points) > 1.4).all()
    said = capsys.readouterr().err
    assert "09_01.amc: left out (no 09.asf" in said
    assert "bad.bvh: left out" in said


def test_a_folder_without_any(tmp_path: Path) -> None:
    (tmp_path / "bad.bvh").write_text("HIERARCHY nothing")
    said: list[str] = []
    with pytest.raises(PoselineError, match="holds no AMC"):
        from_folder(tmp_path, said.append)
    assert len(said) == 1
