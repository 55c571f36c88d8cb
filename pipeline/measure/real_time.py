"""The video's own times beside real ones, in runs whose video plays more or fewer frames a second than were recorded.

Where no other rate was given, the two are the same, and every function here adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.core.types import Motion, VideoInfo, played_fps
from pipeline.measure.gait import STEP_COLUMNS

CONTACT_IN_VIDEO = "contact_video_time_s"  # of gait.csv


def time_facts(info: VideoInfo) -> dict[str, Any]:
    """The entry of run.json about real time; empty where the video's times are real."""
    if info.recorded_fps is None:
        return {}
    rates = {"recorded_fps": str(info.recorded_fps), "played_fps": str(played_fps(info.time_s, info.fps))}
    return {"time": rates | {"real_s_per_video_s": float(info.pace)}}


def beside_video(motion: Motion, info: VideoInfo) -> Motion:
    """The motion with the video's own times."""
    if info.recorded_fps is None:
        return motion
    return replace(motion, video_time_s=info.time_s[motion.frame])


def span_in_video(motion: Motion) -> dict[str, float]:
    """Columns of people.csv: the first and the last time of a motion on the video's own clock."""
    if motion.video_time_s is None:
        return {}
    first, last = motion.video_time_s[[0, -1]].tolist()
    return {"first_video_time_s": round(first, 6), "last_video_time_s": round(last, 6)}


def doubts_of(person_id: int, moments: Sequence[tuple[float, int, str]], info: VideoInfo) -> list[tuple[float, str]]:
    """A person's doubtful moments in real seconds; ``moments`` are (s on the video's own clock, person, reason)."""
    mine = [(video_s, why) for video_s, person, why in moments if person == person_id]
    if info.recorded_fps is None:
        return mine
    return [(info.in_real_s(s), f"{why} (at {s:.2f} s of the video)") for s, why in mine]


def step_columns(info: VideoInfo) -> tuple[str, ...]:
    """The columns of gait.csv but the person's id."""
    return STEP_COLUMNS if info.recorded_fps is None else (*STEP_COLUMNS, CONTACT_IN_VIDEO)


def steps_in_video(steps: dict[str, np.ndarray], info: VideoInfo) -> dict[str, np.ndarray]:
    """The table of steps with each contact's time on the video's own clock."""
    if info.recorded_fps is None:
        return steps
    return steps | {CONTACT_IN_VIDEO: np.array([info.in_video_s(s) for s in steps["contact_time_s"].tolist()])}
