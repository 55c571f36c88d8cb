"""Shots: stretches of frames between cuts, dissolves, fades and wipes, and the camera that each of them shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SHOT_COLUMNS = ("shot", "camera", "first_frame", "last_frame", "start_s", "end_s", "begins", "blend_frames")


@dataclass(frozen=True)
class Shots:
    """S shots of a video, one after another, at least one.

    The shot of a frame within a dissolve, fade or wipe is that to which more of the picture belongs.
    """

    first: np.ndarray  # (S,) i64 first frame of each shot, ascending; the first shot's is the first observed frame
    stop: int  # one past the last frame
    camera: np.ndarray  # (S,) i64 shots with the same background have the same number, by first appearance from 0
    begins: tuple[str, ...]  # (S,) how each begins: "start", "cut", "dissolve", "fade", "wipe", or "told" by the user
    blend: np.ndarray  # (S,) i64 frames that the dissolve, fade or wipe before it takes; 0 for cuts

    def __len__(self) -> int:
        return len(self.first)

    def of(self, frame: np.ndarray) -> np.ndarray:
        """(N,) i64 the number, from 0, of the shot that each frame (N,) is in; frames outside are in the nearest."""
        return np.maximum(np.searchsorted(self.first, frame, "right") - 1, 0)

    def shot_of(self, frame: int) -> int:
        """The number of the shot that a frame is in."""
        return int(self.of(np.array([frame]))[0])

    def spans(self) -> Iterator[tuple[int, int]]:
        """The first frame of each shot, and one past its last."""
        return zip(self.first.tolist(), [*self.first[1:].tolist(), self.stop], strict=True)


def one_shot(frames: tuple[int, int]) -> Shots:
    """The frames [first, last) as a single shot."""
    return Shots(np.array([frames[0]], np.int64), frames[1], np.zeros(1, np.int64), ("start",), np.zeros(1, np.int64))


def shots_told(told: list[dict[str, object]] | None, frames: tuple[int, int]) -> Shots:
    """The shots as run.json has them (`told_shots`); one shot of the frames [first, last) where it has none."""
    if not told:
        return one_shot(frames)
    first, camera, blend = (
        np.array([int(str(each[key])) for each in told], np.int64) for key in ("first_frame", "camera", "blend_frames")
    )
    return Shots(first, frames[1], camera - 1, tuple(str(each["begins"]) for each in told), blend)


def told_shots(shots: Shots, time_s: np.ndarray) -> list[dict[str, int | float | str]]:
    """The shots as entries of run.json, and as rows of shots.csv, where shots and cameras are counted from 1.

    ``time_s`` (T,) is the time of each frame.
    """
    rows: list[dict[str, int | float | str]] = []
    for i, (first, stop) in enumerate(shots.spans()):
        rows.append(
            {
                "shot": i + 1,
                "camera": int(shots.camera[i]) + 1,
                "first_frame": first,
                "last_frame": stop - 1,
                "start_s": round(float(time_s[first]), 6),
                "end_s": round(float(time_s[stop - 1]), 6),
                "begins": shots.begins[i],
                "blend_frames": int(shots.blend[i]),
            }
        )
    return rows
