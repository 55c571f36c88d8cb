"""The video's own times beside real ones, in runs whose rate or time 0 is not the video's.

Where neither was given, the two are the same, and every function here adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.core.types import Motion, VideoInfo, played_fps
from pipeline.measure.gait import STEP_COLUMNS
from pipeline.tracking.edits import Suspicion

CONTACT_IN_VIDEO = "contact_video_time_s"  # of gait.csv


def time_facts(info: VideoInfo) -> dict[str, Any]:
    """The entry of run.json about real time; empty where the video's times are real."""
    said: dict[str, Any] = {}
    if info.recorded_fps is not None:
        said |= {"recorded_fps": str(info.recorded_fps), "played_fps": str(played_fps(info.time_s, info.fps))}
        said["real_s_per_video_s"] = float(info.pace)
    if info.zero_s is not None:
        said["zero_s"] = info.zero_s
    return {"time": said} if said else {}


def beside_video(motion: Motion, info: VideoInfo) -> Motion:
    """The motion with the video's own times."""
    if info.own_clock:
        return motion
    return replace(motion, video_time_s=info.time_s[motion.frame])


def span_in_video(motion: Motion) -> dict[str, float]:
    """Columns of people.csv: the first and the last time of a motion on the video's own clock."""
    if motion.video_time_s is None:
        return {}
    first, last = motion.video_time_s[[0, -1]].tolist()
    return {"first_video_time_s": round(first, 6), "last_video_time_s": round(last, 6)}


def doubts_of(person_id: int, moments: Sequence[Suspicion], info: VideoInfo) -> list[tuple[float, str]]:
    """A person's doubtful moments in real seconds, and why; ``moments`` are on the video's own clock."""
    mine = [(doubt.time_s, doubt.told) for doubt in moments if doubt.person == person_id]
    if info.own_clock:
        return mine
    return [(info.in_real_s(s), f"{why} (at {s:.2f} s of the video)") for s, why in mine]


def step_columns(info: VideoInfo) -> tuple[str, ...]:
    """The columns of gait.csv but the person's id."""
    return STEP_COLUMNS if info.own_clock else (*STEP_COLUMNS, CONTACT_IN_VIDEO)


def steps_in_video(steps: dict[str, np.ndarray], info: VideoInfo) -> dict[str, np.ndarray]:
    """The table of steps with each contact's time on the video's own clock."""
    if info.own_clock:
        return steps
    return steps | {CONTACT_IN_VIDEO: np.array([info.in_video_s(s) for s in steps["contact_time_s"].tolist()])}
