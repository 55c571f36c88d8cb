"""People who squat, raise their arms and jump, with known truth."""

from __future__ import annotations

import numpy as np

from pipeline.core.keypoint_sets import HALPE26
from tests.motion.exchanges import halpe

HEIGHT_PX = 400.0
PX_PER_M = HEIGHT_PX / 1.70
GRAVITY = 9.81
# Heights and half widths as shares of the standing height: (up, ahead from the side, to the left from the front).
_STANDING = {
    "nose": (0.936, 0.05, 0.0), "eye": (0.945, 0.045, 0.015), "ear": (0.935, 0.0, 0.035),
    "shoulder": (0.818, 0.0, 0.11), "elbow": (0.632, 0.0, 0.12), "wrist": (0.486, 0.0, 0.12),
    "hip": (0.53, 0.0, 0.06), "knee": (0.285, 0.0, 0.06), "ankle": (0.039, 0.0, 0.06),
}  # fmt: skip
_THIGH, _SHANK = 0.245, 0.246


def repeated(time_s: np.ndarray, starts_s: list[float], duration_s: float) -> np.ndarray:
    """(T,) 0 at rest, rising to 1 and falling back in each repetition."""
    out = np.zeros(len(time_s))
    for start in starts_s:
        share = np.clip((time_s - start) / duration_s, 0, 1)
        out += 0.5 - 0.5 * np.cos(2 * np.pi * share)
    return out


def person(
    time_s: np.ndarray,
    *,
    lower: np.ndarray | float = 0.0,
    up: np.ndarray | float = 0.0,
    arms_deg: np.ndarray | float = 0.0,
    front: bool = False,
    foot: tuple[float, float] = (600.0, 900.0),
) -> np.ndarray:
    """(T, 26, 2) px of a person who stands and looks right, or with ``front`` into the camera.

    ``lower`` (T,) share of the height by which the hips are lowered over standing feet, the knees bending; ``up`` (T,)
    share by which the whole body is off the ground; ``arms_deg`` (T,) both arms raised forward, from the front
    sideways.
    """
    n = len(time_s)
    low, off, arms = (np.broadcast_to(np.asarray(v, float), (n,)) for v in (lower, up, np.radians(arms_deg)))
    points = np.zeros((n, 17, 2))
    for name, (height, ahead, left) in _STANDING.items():
        for side, sign in (("", 0.0),) if name == "nose" else (("left_", 1.0), ("right_", -1.0)):
            across = np.full(n, sign * left if front else ahead + 0.01 * sign)
            high = height - low * (height > 0.3)
            if name == "knee":
                reach = 0.53 - low - 0.039  # hip to ankle
                cos = np.clip((reach**2 + _SHANK**2 - _THIGH**2) / (2 * reach * _SHANK), -1, 1)
                high = 0.039 + _SHANK * cos
                across = across + (0.0 if front else _SHANK * np.sqrt(1 - cos**2))
            if name in ("elbow", "wrist"):
                length = 0.818 - height
                high = 0.818 - low - length * np.cos(arms)
                across = across + length * np.sin(arms) * (sign if front else 1.0)
            k = HALPE26.index(f"{side}{name}")
            points[:, k] = np.stack([foot[0] + across * HEIGHT_PX, foot[1] - (high + off) * HEIGHT_PX], 1)
    body = halpe(points, HEIGHT_PX)
    for side in ("left", "right"):  # feet stay flat, whatever the shank does
        ankle = body[:, HALPE26.index(f"{side}_ankle")]
        for name, (x, y) in {"heel": (-0.04, 0.035), "big_toe": (0.115, 0.03), "small_toe": (0.1, 0.035)}.items():
            ahead = np.array([0.2 * x if front else x, y])
            body[:, HALPE26.index(f"{side}_{name}")] = ankle + HEIGHT_PX * ahead
    return body


def knee_deg(lower: np.ndarray) -> np.ndarray:
    """(T,) flexion of the knees of a `person` whose hips are lowered."""
    reach = 0.53 - lower - 0.039
    return 180 - np.degrees(np.arccos(np.clip((_THIGH**2 + _SHANK**2 - reach**2) / (2 * _THIGH * _SHANK), -1, 1)))


def flight(time_s: np.ndarray, off_s: float, flight_s: float) -> tuple[np.ndarray, np.ndarray]:
    """(T,) height of the body above the ground, and (T,) depth of the knee bends before and after, in heights."""
    t = time_s - off_s
    up = np.where((t > 0) & (t < flight_s), GRAVITY / 2 * t * (flight_s - t), 0) * PX_PER_M / HEIGHT_PX
    lower = 0.12 * (repeated(time_s, [off_s - 0.6], 0.6) + repeated(time_s, [off_s + flight_s], 0.5))
    return up, lower
