"""The camera's field of view, its pitch and its height, from people who stand and walk on one floor.

People are upright and keep their height. The horizon follows from how people's size in the picture shrinks towards it;
the point where verticals meet follows from how people lean apart at the left and right of the picture. Horizon and
point together give the focal length (compare Lv, Zhao & Nevatia 2006, "Camera calibration from video of a walking
human"). Where the camera looks straight ahead, or people keep to one place, people do not determine the focal length;
its standard deviation is then large.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

from pipeline.core.types import Observations

USUAL_FOV_DEG = 55.0  # along the longer side of a picture of which nothing is known: phones and camcorders have 50-70
ANKLES, SHOULDERS = 0.039, 0.818  # heights of ankles and shoulders as shares of a person's height (Winter 2009)
LEAST_SCORE, EVERY_S, MOST = 0.4, 0.5, 5000  # least keypoint score; s between a person's rows; rows altogether
_LEG = (1.1, 2.4)  # range of hips to ankles over shoulders to hips: people outside the range sit or crouch
_OFF, _INDEPENDENT = 0.05, 0.25  # error of a row along and across the body, as shares of its length; share of new ones
_HEIGHT, _LEAN, _ROLL = 0.06, 0.03, 0.1  # standard deviations of people's log height and lean (rad), of the roll (rad)
PRIOR = 0.25  # standard deviation of the logarithm of the focal length about the usual one
# Standard deviation of the logarithm of the focal length at which it is believed: less than the usual one's own. A
# field that people hardly tell lies near the usual one, so that more of a video changes it little by little.
SURE = 0.2
_LEAST_ROWS = 20


class Upright(NamedTuple):
    """Rows of people who seem to stand or walk."""

    person: np.ndarray  # (n,)
    ankles: np.ndarray  # (n, 2) px, middle of both
    shoulders: np.ndarray  # (n, 2) px


class Field(NamedTuple):
    """The camera as it follows from people."""

    focal_px: float
    std_log: float  # of the focal length
    pitch_rad: float  # downwards
    height: float  # above the floor, in heights of people


def upright(
    person: np.ndarray, time_s: np.ndarray, px: np.ndarray, score: np.ndarray, names: tuple[str, ...], every_s: float
) -> Upright:
    """The rows that count, one per person in ``every_s``; none where the keypoints lack ankles, hips or shoulders.

    Args:
        person: (n,) ids, 0 = nobody.
        px, score: (n, K, 2), (n, K) keypoints, their ``names (K,)``.
    """
    wanted = [[f"{side}_{part}" for side in ("left", "right")] for part in ("ankle", "hip", "shoulder")]
    if not {name for pair in wanted for name in pair} <= set(names):
        return Upright(np.zeros(0, person.dtype), np.zeros((0, 2)), np.zeros((0, 2)))
    parts = [[names.index(name) for name in pair] for pair in wanted]
    seen = (person > 0) & (score[:, np.ravel(parts)] >= LEAST_SCORE).all(1)
    ankles, hips, shoulders = (px[:, part].astype(np.float64).mean(1) for part in parts)
    leg, trunk = ankles[:, 1] - hips[:, 1], hips[:, 1] - shoulders[:, 1]
    seen &= (trunk > 1) & (leg > _LEG[0] * trunk) & (leg < _LEG[1] * trunk)
    rows = np.flatnonzero(seen)
    _, first = np.unique(np.stack([person[rows], (time_s[rows] / every_s).astype(int)]), axis=1, return_index=True)
    rows = rows[np.sort(first)]
    return Upright(person[rows], ankles[rows], shoulders[rows])


def field_of(people: Upright, size_px: tuple[int, int], usual_px: float) -> Field | None:
    """The most probable camera, whose focal length is about ``usual_px`` if nothing says otherwise; None: too few rows.

    Robust least squares over focal length, pitch, roll and height. Each person's height and lean, which are nearly
    linear, take the values that fit each camera best (variable projection). The principal point is the middle of the
    picture.
    """
    if len(people.person) < _LEAST_ROWS:
        return None
    who = np.unique(people.person, return_inverse=True)[1]
    length = np.linalg.norm(people.shoulders - people.ankles, axis=1)

    def residuals(camera: np.ndarray) -> np.ndarray:
        seen = shoulders_at(camera, people.ankles, size_px) - people.ankles
        long = np.maximum(np.linalg.norm(seen, axis=1), 1e-6)
        size = np.log(length / long)
        want = people.shoulders - people.ankles
        lean = (seen[:, 0] * want[:, 1] - seen[:, 1] * want[:, 0]) / (long * length)
        parts = []
        for value, spread in ((size, _HEIGHT), (lean, _LEAN)):
            own = _shrunk(value, who, spread)
            parts += [np.sqrt(_INDEPENDENT) * _soft((value - own[who]) / _OFF), own / spread]
        return np.concatenate([*parts, [(camera[0] - np.log(usual_px)) / PRIOR, camera[2] / _ROLL]])

    fits = []
    for pitch in (0.05, 0.4, 0.9):
        start = np.array([np.log(usual_px), pitch, 0.0, np.log(1.5)])
        fits.append(least_squares(residuals, start, x_scale=(0.1, 0.1, 0.1, 0.3), max_nfev=100))
    found = min(fits, key=lambda fit: fit.cost)
    slope = np.asarray(found.jac)
    covariance = np.linalg.inv(slope.T @ slope)
    worse = max(1.0, 2 * found.cost / (2 * _INDEPENDENT * len(who)))  # how far errors exceed the expected ones
    focal, pitch, _, height = found.x
    return Field(float(np.exp(focal)), float(np.sqrt(covariance[0, 0] * worse)), float(pitch), float(np.exp(height)))


def shoulders_at(camera: np.ndarray, ankles: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """(n, 2) px, the shoulders of people of height 1 whose ankles are at (n, 2) px.

    ``camera``: log of the focal length, pitch downwards, roll, log of the height.
    """
    focal, height = np.exp(camera[0]), np.exp(camera[3])
    (c, s), (cr, sr) = ((np.cos(a), np.sin(a)) for a in camera[1:3])
    turn = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    middle = np.array(size_px) / 2
    ray = np.concatenate([(ankles - middle) / focal, np.ones((len(ankles), 1))], 1) @ turn  # x, down, ahead
    place = ray * ((height - ANKLES) / np.maximum(ray[:, 1], 1e-3))[:, None]
    place[:, 1] -= SHOULDERS - ANKLES
    seen = place @ turn.T
    return seen[:, :2] / np.maximum(seen[:, 2:], 1e-3) * focal + middle


def _shrunk(value: np.ndarray, who: np.ndarray, spread: float) -> np.ndarray:
    """(P,) most probable mean of each person's values (n,), which scatter by ``spread`` about 0."""
    weight = _INDEPENDENT / _OFF**2 / np.sqrt(1 + np.square(value / _OFF))
    return np.bincount(who, weight * value) / (np.bincount(who, weight) + 1 / spread**2)


def _soft(x: np.ndarray) -> np.ndarray:
    """Signed residuals whose squares grow as soft L1 does."""
    out: np.ndarray = np.sign(x) * np.sqrt(2 * (np.sqrt(1 + x * x) - 1))
    return out


def across_deg(focal_px: float, size_px: tuple[int, int]) -> float:
    """The field of view across the picture's width."""
    return float(np.degrees(2 * np.arctan(size_px[0] / 2 / focal_px)))


def focal_across(deg: float, size_px: tuple[int, int]) -> float:
    """The focal length in px of a picture whose width shows so many degrees."""
    return float(size_px[0] / 2 / np.tan(np.radians(deg) / 2))


def usual_focal_px(size_px: tuple[int, int]) -> float:
    """The focal length of a camera of which nothing is known."""
    return float(max(size_px) / 2 / np.tan(np.radians(USUAL_FOV_DEG) / 2))


def field_of_run(
    parts: Iterable[Observations],
    ids: np.ndarray,
    time_s: np.ndarray,
    names: tuple[str, ...],
    size_px: tuple[int, int],
) -> Field | None:
    """`field_of` for the observations of a video.

    Args:
        ids: (n,) persons of all rows of the parts, 0 = nobody.
        time_s: (T,) of the frames.
    """
    step_s = float(time_s[-1] - time_s[0]) / max(len(time_s) - 1, 1)
    every_s, first, found = max(EVERY_S, len(ids) * step_s / MOST), 0, []
    for obs in parts:
        mine = ids[first : first + len(obs)]
        first += len(obs)
        found.append(upright(mine, time_s[obs.frame], obs.keypoints_px, obs.keypoint_score, names, every_s))
    return field_of(Upright(*map(np.concatenate, zip(*found, strict=True))), size_px, usual_focal_px(size_px))
