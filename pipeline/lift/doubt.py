"""Standard deviations of people's places, beside the network's own for the joints about the hips.

A person is placed on a line of sight, at the distance that follows from the size in the picture. So a wrong distance,
height or focal length moves the whole body along that line, by a share of the distance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.rows import blocks
from pipeline.lift.field import PRIOR

# Standard deviations as shares. For the distance that follows from a body's size, with height and lens known: over
# motion capture seen by random cameras errors are .032 (root mean square; median .012), live .063 (median .02).
DISTANCE, LIVE_DISTANCE = 0.03, 0.06
HEIGHTS = 0.06  # of people's heights
FLOOR_M = 0.06  # standard deviation of the mean height of one person's standing feet


class Away(NamedTuple):
    """Standard deviations of a person's place, as shares."""

    distance: float  # of the distance from the camera
    focal: float  # of the focal length, which goes into the depth alone


def focal_doubt(config: Config) -> float:
    """Standard deviation, as a share, of the config's focal length, or of the usual one if the config gives none."""
    ground = config.metres.ground
    told = config.lift.fov_deg is not None or (ground is not None and ground.camera is not None)
    return 0.0 if told else PRIOR


def left_by_floor(share: float, above_m: float) -> float:
    """The standard deviation, as a share, that is left once feet stand on a floor ``above_m`` below the camera."""
    if above_m <= FLOOR_M:
        return share
    return float(share * np.sqrt(1 - trust_in_floor(share, above_m)))


def trust_in_floor(share: float, above_m: float) -> float:
    """The weight 0…1 of the factor that the feet ask for, where a quantity's standard deviation is ``share``."""
    return float(share**2 / (share**2 + (FLOOR_M / above_m) ** 2))


def with_place(std_m: np.ndarray, places_m: np.ndarray, away: Away) -> np.ndarray:
    """(…, J) f32 m standard deviation per axis, over the three axes together, of the joints in the camera's frame.

    Args:
        std_m: (…, J) the same for the joints about the hips; NaN stays.
        places_m: (…, J, 3) in the camera's frame.
    """
    out = np.empty(std_m.shape, np.float32)
    for rows in blocks(len(out)):
        places = places_m[rows].astype(np.float64)
        moved = np.square(away.distance) * np.square(places).sum(-1) + np.square(away.focal * places[..., 2])
        out[rows] = np.sqrt(np.square(std_m[rows].astype(np.float64)) + moved / 3)
    return out
