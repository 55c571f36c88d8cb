"""How certain the times of foot contacts are, and the durations between them.

A contact is where the foot turns against the pelvis, or, of a runner, where its speed passes a threshold. In both cases
an error of the speed moves the event by that error over the foot's acceleration. The speed's error follows from the
deviation of the smoothed keypoints; how fast that error changes was measured on synthetic walks. The smoothing between
frames adds its part, and so does the method against force plates.
L rows of one person, n even times, e events.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.measure.angles import SIDES

# Angular frequency of the errors of smoothed keypoints, so that speed error = position error · this: measured on
# walks of .8 to 1.15 strides/s with twice RTMPose-s's noise, whose deviation the smoother knows, at 25 to 120 frames/s.
ERROR_RAD_S = 10.0
FRAME = 0.12  # of the interval between frames: what smoothing shifts an event, 4 ms at 25 to 30 frames/s
METHOD_S = 0.009  # Zeni et al. 2008: 94 % of the events lie within .0167 s of the force plate's
_ENDS = (("heel", "ankle"), ("big_toe", "foot_index", "toe", "ankle"))


def feet_std_px(motion: Motion, skeleton: Skeleton) -> np.ndarray:
    """(3, 2, L) px by side; deviation per axis of heel and toe against the pelvis, by what changes between frames, and
    of the heel's place with what lasts. NaN unknown.

    A set without heels or toes gives the ankle's, one without hips NaN.
    """
    index = {name: k for k, name in enumerate(skeleton.names)}

    def var(std: np.ndarray, names: list[str]) -> np.ndarray:
        found = [np.square(std[:, index[n]].astype(np.float64)) for n in names if n in index]
        return found[0] if found else np.full(len(motion), np.nan)

    jitter, whole = motion.jitter_px(), motion.keypoint_std_px
    hips = [var(jitter, [f"{s}_hip"]) for s in SIDES if f"{s}_hip" in index]
    pelvis = np.mean(hips, 0) / len(hips) if hips else np.full(len(motion), np.nan)
    out = np.full((3, 2, len(motion)), np.nan)
    for side, s in enumerate(SIDES):
        for end, names in enumerate(_ENDS):
            out[end, side] = np.sqrt(var(jitter, [f"{s}_{n}" for n in names]) + pelvis)
        out[2, side] = np.sqrt(var(whole, [f"{s}_{n}" for n in _ENDS[0]]))
    return out


def event_std_s(
    time_s: np.ndarray, place: np.ndarray, std: np.ndarray, event_s: np.ndarray, side: np.ndarray, frame_s: float
) -> np.ndarray:
    """(e,) s, one standard deviation of the events' times; NaN where the time or the deviation is not known.

    Args:
        time_s: (n,) even times.
        place, std: (2, n) of each side, in one unit: the foot's place along the way, and its deviation.
        event_s, side: (e,) time and 0 left, 1 right.
        frame_s: seconds between frames.
    """
    step = float(time_s[1] - time_s[0])
    bend = np.abs(np.gradient(np.gradient(place, step, axis=-1), step, axis=-1))
    shift = np.where(bend > 0, ERROR_RAD_S * std / np.where(bend > 0, bend, 1.0), np.nan)
    told = np.isfinite(event_s)
    own = np.full(len(event_s), np.nan)
    for i in (0, 1):
        mine = told & (side == i)
        own[mine] = np.interp(event_s[mine], time_s, shift[i])
    return np.sqrt(np.square(own) + (FRAME * frame_s) ** 2 + METHOD_S**2)


def durations_std_s(on: np.ndarray, off: np.ndarray) -> dict[str, np.ndarray]:
    """Deviations (e,) of the durations of one bout, from those of its contacts and lift-offs (e,), in s."""
    again = np.append(on[2:], [np.nan, np.nan])  # the same foot's next contact
    return {
        "stance_std_s": np.hypot(on, off),
        "swing_std_s": np.hypot(off, again),
        "stride_std_s": np.hypot(on, again),
        "step_std_s": np.append(np.nan, np.hypot(on[1:], on[:-1])),
    }
