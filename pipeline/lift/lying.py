"""Somebody who lies or is head down is lifted as if the camera were turned, so that the person is upright in it.

The lifter learned from cameras that are nearly level, so most of the people whom it knows are upright.
"""

from __future__ import annotations

import numpy as np

from pipeline.lift.joints import POINTS
from pipeline.lift.network import LiftedFrames, Network, lift
from pipeline.lift.view import LEAST_SCORE

_SHOULDERS, _KNEES = ([POINTS.index(f"{side}_{part}") for side in ("left", "right")] for part in ("shoulder", "knee"))
_LEAST_DEG = 60.0  # off upright from which a row counts as turned
_MOST_ROWS = 0.8  # share of the rows that must be turned alike
_QUARTER = np.array([[0.0, 1.0], [-1.0, 0.0]])  # against the clock, of x to the right and y down


def lift_turned(network: Network, time_s: np.ndarray, rays: np.ndarray, score: np.ndarray) -> LiftedFrames:
    """As `pipeline.lift.network.lift`, of a camera turned by quarters where that makes the person upright."""
    turn = turn_of(rays, score)
    found = lift(network, time_s, rays @ turn.T, score)
    joints = found.joints.copy()
    joints[..., :2] = found.joints[..., :2] @ turn.astype(np.float32)
    return found._replace(joints=joints, ray=found.ray @ turn.astype(np.float32))


def turn_of(rays: np.ndarray, score: np.ndarray) -> np.ndarray:
    """(2, 2) the turn of x and y by `quarters`; points @ turn turns them back."""
    out: np.ndarray = np.linalg.matrix_power(_QUARTER, quarters(rays, score))
    return out


def quarters(rays: np.ndarray, score: np.ndarray) -> int:
    """Quarter turns against the clock, 0 to 3, that bring a person upright who is turned alike nearly all the time.

    Args:
        rays: (T, K, 2) x / z and y / z of `pipeline.lift.joints.POINTS`; NaN = not seen.
        score: (T, K), 0 = not seen.
    """
    ends = [*_SHOULDERS, *_KNEES]
    seen = (score[:, ends] > LEAST_SCORE).all(1) & np.isfinite(rays[:, ends]).all((1, 2))
    if not seen.any():
        return 0
    up = rays[seen][:, _SHOULDERS].mean(1) - rays[seen][:, _KNEES].mean(1)
    right_deg = np.degrees(np.arctan2(up[:, 0], -up[:, 1]))  # by which the body leans to the right
    turns = np.where(np.abs(right_deg) > _LEAST_DEG, np.round(right_deg / 90).astype(int) % 4, 0)
    most = int(np.argmax(np.bincount(turns, minlength=4)))
    return most if (turns == most).mean() >= _MOST_ROWS else 0
