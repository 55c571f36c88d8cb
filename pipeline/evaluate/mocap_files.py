"""Motion capture from files as they are published: Acclaim's ASF and AMC, and BVH, each with forward kinematics.

An ASF names a bone for its end, a BVH names a joint for its start. Angles are in degrees. AMC files do not hold a frame
rate; 120 frames/s, the rate of the CMU database, is assumed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.evaluate.mocap_types import AT, NAMES, Mocap

RATE_HZ, AMC_HZ, INCH_M = 60.0, 120.0, 0.0254
# Names in the order of NAMES: of CMU's ASF, and of BVH files made from it and by many other programs.
ASF = (
    "root", "lhipjoint", "lfemur", "ltibia", "lfoot", "ltoes", "rhipjoint", "rfemur", "rtibia", "rfoot", "rtoes",
    "thorax", "lowerneck", "upperneck", "head", "lclavicle", "lhumerus", "lwrist", "lhand", "rclavicle", "rhumerus",
    "rwrist", "rhand",
)  # fmt: skip
BVH = (
    "Hips", "LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToeBase", "LeftToeBase_end", "RightUpLeg", "RightLeg",
    "RightFoot", "RightToeBase", "RightToeBase_end", "Neck", "Neck1", "Head", "Head_end", "LeftArm", "LeftForeArm",
    "LeftHand", "LeftHandIndex1", "RightArm", "RightForeArm", "RightHand", "RightHandIndex1",
)  # fmt: skip
_UNITS_M = (1.0, 0.01, 0.001, INCH_M, INCH_M / 0.45)  # possible units of BVH files; the last is CMU's
_SHANK_M, _USUAL_SHANK_M = (0.27, 0.55), 0.41
_THORAX_M, _WRIST = 0.117, 0.5  # lost in a usual conversion of CMU's files to BVH: a bone, a share of the forearm


class Trial(NamedTuple):
    """One recording."""

    name: str
    points: np.ndarray  # (n, 23, 3) m, y up, joints in the order of NAMES
    fps: float


def from_folder(folder: Path, say: Callable[[str], None] | None = None) -> Mocap:
    """All AMC and BVH files of a folder and those in it, at `RATE_HZ`; trials are named by their files.

    An AMC's skeleton is the ASF of its subject (``02.asf`` for ``02_01.amc``), else the only ASF beside it. Unusable
    files are left out with a message to ``say`` (default: standard error).

    Raises PoselineError when nothing is left.
    """
    say = say or (lambda line: print(line, file=sys.stderr))
    trials = []
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in (".amc", ".bvh"))
    for file in files:
        try:
            trial = read_bvh(file) if file.suffix.lower() == ".bvh" else read_amc(file, _skeleton_of(file, folder))
            _check(trial)
            trials.append(trial)
        except (ValueError, KeyError, IndexError, OSError) as error:
            say(f"{file}: left out ({error})")
    if not trials:
        raise PoselineError(f"{folder}: holds no AMC (with its ASF) or BVH file that can be used; see docs/lifting.md")
    points = [_at_rate(t) for t in trials]
    length = np.array([len(p) for p in points])
    subject = np.array([t.name.split("_")[0] for t in trials])
    start = np.concatenate([[0], np.cumsum(length)[:-1]])
    return Mocap(np.concatenate(points).astype(np.float32), start, length, subject, RATE_HZ)


def _skeleton_of(file: Path, folder: Path) -> Path:
    subject = file.stem.split("_")[0].lstrip("0")
    named = [a for a in sorted(folder.rglob("*")) if a.suffix.lower() == ".asf" and a.stem.lstrip("0") == subject]
    beside = [a for a in sorted(file.parent.iterdir()) if a.suffix.lower() == ".asf"]
    if named:
        return named[0]
    if len(beside) == 1:
        return beside[0]
    raise ValueError(f"no {file.stem.split('_')[0]}.asf in {folder}, and {len(beside)} others beside it")


def _check(trial: Trial) -> None:
    if len(trial.points) < 2 or not np.isfinite(trial.points).all():
        raise ValueError(f"{len(trial.points)} frames, or values that are no numbers")
    thigh = np.linalg.norm(trial.points[:, AT["left_knee"]] - trial.points[:, AT["left_hip"]], axis=-1)
    if thigh.std() > 0.01 or not 0.25 < thigh.mean() < 0.6:
        raise ValueError(f"a thigh of {thigh.mean():.2f} ± {thigh.std():.2f} m is nobody's")


def _at_rate(trial: Trial) -> np.ndarray:
    """(m, 23, 3) at `RATE_HZ`."""
    step = trial.fps / RATE_HZ
    if abs(step - round(step)) < 0.01 and step > 0.5:
        return trial.points[:: round(step)]
    at = np.arange(0, len(trial.points) - 1, step)
    low = at.astype(int)
    part = (at - low)[:, None, None]
    out: np.ndarray = trial.points[low] * (1 - part) + trial.points[low + 1] * part
    return out


def _about(axis: str, degrees: np.ndarray | float) -> np.ndarray:
    """(..., 3, 3) rotations about x, y or z."""
    angle = np.radians(np.asarray(degrees, float))
    i = "xyz".index(axis.lower())
    a, b = (i + 1) % 3, (i + 2) % 3
    out = np.zeros((*angle.shape, 3, 3))
    out[..., i, i] = 1
    out[..., a, a] = out[..., b, b] = np.cos(angle)
    out[..., b, a] = np.sin(angle)
    out[..., a, b] = -out[..., b, a]
    return out


# --- Acclaim ---------------------------------------------------------------------------------------------------------


class _Bone(NamedTuple):
    way: np.ndarray  # (3,) from its start to its end in the pose of rest
    axes: np.ndarray  # (3, 3) its own axes
    free: tuple[str, ...]  # the axes about which the bone turns, in the order of the AMC's numbers
    parent: str


def read_asf(file: Path) -> tuple[dict[str, _Bone], float]:
    """Bones, parents first, and metres per unit. ValueError or KeyError for a file that is not an ASF."""
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    sections = dict(re.findall(r"^:(\w+)(.*?)(?=^:|\Z)", text, re.S | re.M))
    unit = re.search(r"length\s+(\S+)", sections.get("units", ""))
    found = {}
    for block in re.findall(r"\bbegin\b(.*?)\bend\b", sections["bonedata"], re.S):
        lines = {words[0]: words[1:] for words in map(str.split, block.strip().splitlines()) if words}
        way = np.array(lines["direction"][:3], float)
        angles = np.array(lines["axis"][:3], float)
        axes = np.eye(3)
        for axis, angle in zip(lines["axis"][3] if len(lines["axis"]) > 3 else "XYZ", angles, strict=True):
            axes = _about(axis, angle) @ axes
        free = tuple(word[1].lower() for word in lines.get("dof", []))
        found[lines["name"][0]] = way / np.linalg.norm(way) * float(lines["length"][0]), axes, free
    bones: dict[str, _Bone] = {}
    for line in sections["hierarchy"].splitlines():
        parent, *children = line.split() or [""]
        bones |= {child: _Bone(*found[child], parent) for child in children if parent not in ("begin", "end")}
    return bones, INCH_M / float(unit[1]) if unit else INCH_M


def read_amc(file: Path, asf: Path) -> Trial:
    """The joints of a recording. ValueError or KeyError where files do not fit."""
    bones, unit_m = read_asf(asf)
    lacking = [name for name in ASF[1:] if name not in bones]
    if lacking:
        raise ValueError(f"{asf.name} lacks {', '.join(lacking)}")
    frames: list[dict[str, list[float]]] = []
    for line in file.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        words = line.split()
        if len(words) == 1 and words[0].isdigit():
            frames.append({})
        elif words and frames and words[0][0] not in "#:":
            frames[-1][words[0]] = [float(w) for w in words[1:]]
    values = {name: np.array([f[name] for f in frames]) for name in (frames[0] if frames else ())}
    root = values["root"]
    turn = {"root": _about("z", root[:, 5]) @ _about("y", root[:, 4]) @ _about("x", root[:, 3])}
    end = {"root": root[:, :3]}
    for name, bone in bones.items():
        own = np.eye(3)
        for i, axis in enumerate(bone.free if name in values else ()):
            own = _about(axis, values[name][:, i]) @ own
        turn[name] = turn[bone.parent] @ bone.axes @ own @ bone.axes.T
        end[name] = end[bone.parent] + turn[name] @ bone.way
    points = np.stack([np.broadcast_to(end[name], root[:, :3].shape) for name in ASF], 1)
    return Trial(file.stem, points * unit_m, AMC_HZ)


# --- BVH -------------------------------------------------------------------------------------------------------------


class _Joint(NamedTuple):
    name: str
    parent: int
    offset: np.ndarray  # (3,)
    channels: tuple[str, ...]


def _hierarchy(text: str) -> list[_Joint]:
    """Joints, parents first; ends are called after the joint, with _end."""
    joints: list[_Joint] = []
    open_: list[int] = []
    for match in re.finditer(r"(ROOT|JOINT)\s+(\S+)|End\s+Site|OFFSET\s+(.+)|CHANNELS\s+\d+\s+(.+)|\}", text):
        word = match[0].split()[0]
        if word in ("ROOT", "JOINT", "End"):
            parent = open_[-1] if open_ else -1
            name = match[2] if word != "End" else f"{joints[parent].name}_end"
            open_.append(len(joints))
            joints.append(_Joint(name, parent, np.zeros(3), ()))
        elif word == "OFFSET":
            joints[open_[-1]] = joints[open_[-1]]._replace(offset=np.array(match[3].split()[:3], float))
        elif word == "CHANNELS":
            joints[open_[-1]] = joints[open_[-1]]._replace(channels=tuple(match[4].split()))
        else:
            open_.pop()
    return joints


def read_bvh(file: Path) -> Trial:
    """The joints of a recording without its first frame, often a T-pose. ValueError for a file that is not a BVH."""
    head, _, tail = file.read_text(encoding="utf-8-sig", errors="replace").partition("MOTION")
    rate, body = re.search(r"Frame Time:\s*(\S+)", tail), re.split(r"Frame Time:.*", tail)[-1]
    joints = _hierarchy(head)
    wide = sum(len(j.channels) for j in joints)
    numbers = np.array(body.split(), float)
    if rate is None or not wide or len(numbers) < wide:
        raise ValueError("no motion in it")
    values = numbers[: len(numbers) // wide * wide].reshape(-1, wide)
    place, turn, column = np.zeros((len(joints), len(values), 3)), [], 0
    for i, joint in enumerate(joints):
        own, at = np.eye(3), np.tile(joint.offset, (len(values), 1))
        for channel in joint.channels:
            if channel.lower().endswith("position"):
                at[:, "xyz".index(channel[0].lower())] = values[:, column]
            else:
                own = own @ _about(channel[0], values[:, column])
            column += 1
        if joint.parent < 0:
            place[i] = at
            turn.append(own)
        else:
            place[i] = place[joint.parent] + np.einsum("...ij,...j->...i", turn[joint.parent], at)
            turn.append(turn[joint.parent] @ own)
    return Trial(file.stem, _named(joints, place.swapaxes(0, 1)), 1 / float(rate[1]))


def _named(joints: list[_Joint], place: np.ndarray) -> np.ndarray:
    """(n - 1, 23, 3) m from the places (n, joints, 3) of a BVH's joints."""
    index = {joint.name: i for i, joint in enumerate(joints)}
    lacking = [name for name in BVH if name not in index]
    if lacking:
        raise ValueError(f"lacks {', '.join(lacking)}")
    points = place[1:, [index[name] for name in BVH]]
    shank = float(np.linalg.norm(points[:, AT["left_knee"]] - points[:, AT["left_ankle"]], axis=-1).mean())
    fitting = [u for u in _UNITS_M if _SHANK_M[0] < u * shank < _SHANK_M[1]]
    points = points * (fitting[0] if fitting else _USUAL_SHANK_M / shank)
    if "Spine1" in index and np.linalg.norm(joints[index["Neck"]].offset) < 1e-6:
        up = points[:, AT["thorax"]] - points[:, AT["pelvis"]]
        upper = [i for i, n in enumerate(NAMES) if i >= AT["thorax"]]
        points[:, upper] += _THORAX_M * (up / np.linalg.norm(up, axis=-1, keepdims=True))[:, None]
        for side in ("left", "right"):
            hand = [AT[f"{side}_wrist"], AT[f"{side}_knuckles"]]
            points[:, hand] += _WRIST * (points[:, hand[:1]] - points[:, [AT[f"{side}_elbow"]]])
    return points
