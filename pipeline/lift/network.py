"""The lifter's network over sequences of any length and frame rate: windows, batches, and back to the camera's axes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.lift.joints import HIPS, JOINTS, POINTS, J, K, flipped
from pipeline.lift.view import LEAST_SCORE, look_at, view
from pipeline.models.runtime import ASSETS, Device, Session

FILE = ASSETS / "lifter.onnx"
HEIGHT_M = 1.70  # height of all people in the network's answers
USUAL_HZ, LEAST_HZ = 30.0, 20.0  # the frame rate the network was trained at, and the least it takes
CONTEXT, WINDOW = 48, 256  # frames that an answer depends on to either side; frames of a window whose answers are kept
BATCH = 2  # windows at once; more are hardly faster and take more memory
LONGEST_STEP_S = 2.0  # nothing is known of a body's movement between frames further apart
_OTHER_POINT, _OTHER_JOINT = flipped(POINTS), flipped(JOINTS)
UNEVEN, EPS_S = 0.1, 1e-3  # share of a frame's time, and seconds, by which frames may be late and still count as even


class Network:
    """Places of joints about the hips, in the axes of a camera turned to look at them, of people HEIGHT_M tall."""

    def __init__(self, device: Device, file: Path = FILE):
        self.session = Session(file, device)

    def run(self, features: np.ndarray, window: int = WINDOW) -> tuple[np.ndarray, np.ndarray]:
        """(T, J, 3) m and standard deviations (T, J, 2) m, across and along the line of sight, of one
        sequence of features (T, FEATURES).

        Long sequences are cut into windows whose ends overlap, so that each answer has its whole context.
        """
        t, wide = len(features), window + 2 * CONTEXT
        if t <= wide:
            places, std = self.answers(features[None])
            return places[0], std[0]
        places, std = np.empty((t, J, 3), np.float32), np.empty((t, J, 2), np.float32)
        starts = np.arange(0, t, window)
        first = np.clip(starts - CONTEXT, 0, t - wide)  # windows lie inside: what is padded is the sequence's end alone
        for group in np.array_split(np.arange(len(starts)), -(-len(starts) // BATCH)):
            found_places, found_std = self.answers(features[first[group, None] + np.arange(wide)])
            for i, g in enumerate(group):
                rows = np.arange(starts[g], min(starts[g] + window, t))
                places[rows], std[rows] = found_places[i, rows - first[g]], found_std[i, rows - first[g]]
        return places, std

    def answers(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean of what the network says of the person and of the mirror image."""
        out = self.session.run(np.concatenate([features, mirrored(features)]))
        n = len(features)
        places, std = out["places"], np.exp(out["log_std"])
        other = places[n:, :, _OTHER_JOINT] * np.array([-1, 1, 1], np.float32)
        return (places[:n] + other) / 2, (std[:n] + std[n:, :, _OTHER_JOINT]) / 2


def mirrored(features: np.ndarray) -> np.ndarray:
    """The features (N, T, FEATURES) of the person in a mirror, left and right exchanged."""
    shown = features[..., : 2 * K].reshape(*features.shape[:2], K, 2)[..., _OTHER_POINT, :]
    score, extra = features[..., 2 * K : 3 * K][..., _OTHER_POINT], features[..., 3 * K :]
    shown = (shown * np.array([-1, 1], np.float32)).reshape(*features.shape[:2], 2 * K)
    return np.concatenate([shown, score, extra * np.array([1, 1, -1, 1], np.float32)], -1)


class LiftedFrames(NamedTuple):
    """A sequence of T frames in space; NaN where it is not known."""

    joints: np.ndarray  # (T, J, 3) f32 m about the middle of the hips, in the camera's axes, of a person HEIGHT_M tall
    std: np.ndarray  # (T, J, 2) f32 m, standard deviation per axis across the line of sight, and along it
    ray: np.ndarray  # (T, 2) f32 the ray to the middle of the hips


def lift(network: Network, time_s: np.ndarray, rays: np.ndarray, score: np.ndarray) -> LiftedFrames:
    """Joints in space of one person. Stretches more than `LONGEST_STEP_S` apart are lifted separately.

    Frames at 20 to 45 per second are taken as they are. Faster frames are split into several interleaved sequences at
    such a rate. Slower or unevenly spaced frames are interpolated to an even rate, and the result is interpolated back.

    Args:
        time_s: (T,) rising, at least one.
        rays: (T, K, 2), x / z and y / z in the camera, of `pipeline.lift.joints.POINTS`; NaN = not seen.
        score: (T, K), 0 = not seen.
    """
    t = len(time_s)
    apart = np.flatnonzero(np.diff(time_s) > LONGEST_STEP_S) + 1
    if len(apart):  # a grid across a jump of the clock would be as long as the jump
        parts = [lift(network, time_s[rows], rays[rows], score[rows]) for rows in np.split(np.arange(t), apart)]
        return LiftedFrames(*(np.concatenate(values) for values in zip(*parts, strict=True)))
    seen = (score > LEAST_SCORE) & np.isfinite(rays).all(-1)
    if not seen[:, HIPS].any():
        nothing = np.full((t, J, 3), np.nan, np.float32)
        return LiftedFrames(nothing, nothing[..., :2].copy(), nothing[:, 0, :2].copy())
    grid = grid_of(time_s)
    if not grid.is_own:
        rays, score = resampled(time_s, np.where(seen[..., None], rays, 0), np.where(seen, score, 0), grid.time_s)
    found = view(rays[None], score[None], grid.rate_hz, grid.stride)
    joints = np.empty((len(grid.time_s), J, 3), np.float32)
    std = np.empty((len(grid.time_s), J, 2), np.float32)
    for phase in range(min(grid.stride, len(joints))):
        joints[phase :: grid.stride], std[phase :: grid.stride] = network.run(found.features[0, phase :: grid.stride])
    joints = joints @ look_at(found.centre[0]).astype(np.float32)
    lifted = LiftedFrames(joints, std, found.centre[0])
    return lifted if grid.is_own else LiftedFrames(*(between(grid.time_s, values, time_s) for values in lifted))


class Grid(NamedTuple):
    """Even times; every ``stride``-th makes a sequence for the network."""

    time_s: np.ndarray  # (G,)
    rate_hz: float
    stride: int
    is_own: bool  # the frames' own times


def grid_of(time_s: np.ndarray) -> Grid:
    """The times at which a sequence with frames at ``time_s (T,)`` is lifted."""
    if len(time_s) < 2:
        return Grid(time_s, USUAL_HZ, 1, True)
    step = np.diff(time_s)
    usual = float(np.median(step))
    stride = max(1, round(1 / (usual * USUAL_HZ)))
    if 1 / usual >= LEAST_HZ and np.all(np.abs(step - usual) <= UNEVEN * usual + EPS_S):
        return Grid(time_s, 1 / usual, stride, True)
    rate = USUAL_HZ * stride
    return Grid(time_s[0] + np.arange(int((time_s[-1] - time_s[0]) * rate) + 2) / rate, rate, stride, False)


def resampled(
    time_s: np.ndarray, rays: np.ndarray, score: np.ndarray, wanted_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rays and scores at other times; seen only where both neighbours are seen, or the nearer one lies at that time."""
    low, part = _bracket(time_s, wanted_s)
    beside = np.stack([score[low], score[low + 1]])
    alone = np.where(part < 0.05, beside[0], np.where(part > 0.95, beside[1], 0))
    both: np.ndarray = np.minimum(score[low], score[low + 1]) > LEAST_SCORE
    points = between(time_s, rays, wanted_s)
    points = np.where(both[..., None], points, np.where((part < 0.5)[..., None], rays[low], rays[low + 1]))
    return points, np.where(both, beside.min(0), alone)


def between(time_s: np.ndarray, values: np.ndarray, wanted_s: np.ndarray) -> np.ndarray:
    """Values (T, ...) at other times, on the lines between neighbours, f32."""
    low, part = _bracket(time_s, wanted_s)
    part = part.reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32)
    return (values[low] * (1 - part) + values[low + 1] * part).astype(np.float32)


def _bracket(time_s: np.ndarray, wanted_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(G,) row before each wanted time, and (G, 1) how far it is to the next, 0…1."""
    low = np.clip(np.searchsorted(time_s, wanted_s, "right") - 1, 0, len(time_s) - 2)
    part = (wanted_s - time_s[low]) / (time_s[low + 1] - time_s[low])
    return low, np.clip(part, 0, 1)[:, None]
