"""Which way is up in the picture and before the camera: leans and segments are against the true vertical, if known.

The vertical is that of ``--roll``, else that of a calibrated camera, else the picture's. The up that is fitted to
people (`pipeline.lift.world.fitted`) is not used: it would straighten somebody who leans all the way. Where it is
turned against the picture's, a warning says so.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.settings import MetresConfig
from pipeline.lift.world import CAMERAS_UP, World, of_camera
from pipeline.measure.angles import State

TOLD_DEG = 4.0  # roll of the fitted world beyond which a warning says so; it is known within 2°
_LEAST_IN_PICTURE = 0.2  # of the vertical's length: a camera that looks further down has no roll


def up_of(metres: MetresConfig) -> np.ndarray:
    """(3,) unit vector that points up, in the camera's axes."""
    if metres.roll_deg is not None:
        roll = np.radians(metres.roll_deg)
        return np.array([np.sin(roll), -np.cos(roll), 0.0])
    if metres.ground is not None and metres.ground.camera is not None:
        return np.asarray(of_camera(metres.ground.camera).turn[2], np.float64)
    return CAMERAS_UP


def roll_deg(up: np.ndarray) -> float:
    """How far ``up`` (3,) leans to the right in the picture; 0 for a camera that looks straight down or up."""
    if np.hypot(up[0], up[1]) < _LEAST_IN_PICTURE:
        return 0.0
    return float(np.degrees(np.arctan2(up[0], -up[1])))


def levelled(p: dict[str, State], up: np.ndarray) -> dict[str, State]:
    """Points (6, L) turned about the picture's corner so that ``up`` (3,) is the picture's vertical."""
    if not roll_deg(up):
        return p
    turn = np.radians(roll_deg(up))
    c, s = np.cos(turn), np.sin(turn)
    out = {}
    for name, state in p.items():
        x, y = state[0::2], state[1::2]
        out[name] = np.stack([c * x + s * y, c * y - s * x], 1).reshape(state.shape)
    return out


def roll_warnings(world: World | None, metres: MetresConfig) -> list[str]:
    """One line where nobody said how the camera is rolled, and the floor and the people seem to lean in the picture."""
    if world is None or metres.roll_deg is not None or (metres.ground is not None and metres.ground.camera is not None):
        return []
    roll = roll_deg(world.turn[2])
    if abs(roll) <= TOLD_DEG:
        return []
    return [
        f"the floor and the people lean by about {abs(roll):.0f}° to the {'right' if roll > 0 else 'left'} in the"
        f" picture, and leans and segment angles are against the picture's vertical: if the camera is rolled, give"
        f" --roll {roll:.0f}; if people lean, --roll 0"
    ]
