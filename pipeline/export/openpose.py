"""OpenPose's JSON (format 1.3, BODY_25): a file per frame, in a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.export.options import ExportOptions
from pipeline.export.person import PersonTable, everybody
from pipeline.store.atomic import write_error, write_text
from pipeline.store.folder import RunFolder, skeleton_of_run

SOURCES: tuple[tuple[str, ...], ...] = (
    ("nose",), ("left_shoulder", "right_shoulder"), ("right_shoulder",), ("right_elbow",), ("right_wrist",),
    ("left_shoulder",), ("left_elbow",), ("left_wrist",), ("left_hip", "right_hip"), ("right_hip",), ("right_knee",),
    ("right_ankle",), ("left_hip",), ("left_knee",), ("left_ankle",), ("right_eye",), ("left_eye",), ("right_ear",),
    ("left_ear",), ("left_big_toe",), ("left_small_toe",), ("left_heel",), ("right_big_toe",), ("right_small_toe",),
    ("right_heel",),
)  # fmt: skip
"""BODY_25 in OpenPose's order, each the mean of these keypoints."""
ALIASES = {"left_big_toe": "left_foot_index", "right_big_toe": "right_foot_index"}  # as BlazePose calls them
LEAST = 0.05  # least confidence, for bridged points: OpenPose's readers take 0 for a missing point
OTHERS = (
    "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d", "pose_keypoints_3d", "face_keypoints_3d",
    "hand_left_keypoints_3d", "hand_right_keypoints_3d",
)  # fmt: skip


def export_openpose(folder: RunFolder, path: Path, options: ExportOptions) -> None:
    """Write ``VIDEO_000000000000_keypoints.json`` of every frame that was observed into the folder ``path``, streamed.

    Positions are the smoothed ones in px; the confidence is the joint's score, at least .05; 0, 0, 0 is missing.
    """
    manifest = folder.manifest()
    names = skeleton_of_run(folder).names
    stem = Path(manifest["video"]["path"]).stem
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path / "frame", error) from error
    written: set[str] = set()
    for frame, here in by_frame(everybody(folder), names, range(*manifest["frames_observed"])):
        people = [_person(person_id, body25(points, names)) for person_id, points in here]
        text = json.dumps({"version": 1.3, "people": people}, separators=(",", ":"))
        file = path / f"{stem}_{frame:012d}_keypoints.json"
        write_text(file, text)
        written.add(file.name)
    for file in path.iterdir():  # frames of this video that an earlier, longer run had
        if file.name not in written and re.fullmatch(rf"{re.escape(stem)}_\d{{12}}_keypoints\.json", file.name):
            file.unlink()


def _person(person_id: int, points: np.ndarray) -> dict[str, Any]:
    keypoints = [round(value, 3) for value in points.ravel().tolist()]
    return {"person_id": [person_id], "pose_keypoints_2d": keypoints, **{name: [] for name in OTHERS}}


def body25(points: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Points (K, 3) x, y, score of a keypoint set as BODY_25's (25, 3), 0 where one is missing.

    Neck and mid hip follow OpenPose: the mean of both sides with the lesser score, missing where one side is missing.
    Halpe's own neck lies at the throat, about .04 of the height above OpenPose's neck; Halpe's hip is within .01.
    """
    found = np.zeros((len(SOURCES), 3))
    for i, sources in enumerate(SOURCES):
        wanted = [name if name in names else ALIASES.get(name, name) for name in sources]
        if all(name in names for name in wanted):
            here = points[[names.index(name) for name in wanted]]
            if np.isfinite(here[:, :2]).all():
                found[i] = [*here[:, :2].mean(0), max(float(np.nan_to_num(here[:, 2]).min()), LEAST)]
    return found


def by_frame(
    people: list[PersonTable], names: Sequence[str], frames: range
) -> Iterator[tuple[int, list[tuple[int, np.ndarray]]]]:
    """For each frame its people: (person id, points (K, 3) x, y, score). One row group per person is in memory."""
    columns = [f"{joint}_{part}" for joint in names for part in ("x_px", "y_px", "score")]
    waiting = sorted(((person.frames[0], person.person_id, person) for person in people), reverse=True)
    active: dict[int, tuple[Iterator[tuple[int, np.ndarray]], tuple[int, np.ndarray]]] = {}
    for frame in frames:
        while waiting and waiting[-1][0] <= frame:
            _, person_id, person = waiting.pop()
            rows = _walk(person, columns)
            active[person_id] = rows, next(rows)
        here = []
        for person_id in sorted(active):
            rows, (at, points) = active[person_id]
            if at == frame:
                here.append((person_id, points.reshape(-1, 3)))
                following = next(rows, None)
                if following is None:
                    del active[person_id]
                else:
                    active[person_id] = rows, following
        yield frame, here


def _walk(person: PersonTable, columns: list[str]) -> Iterator[tuple[int, np.ndarray]]:
    for frame, values in person.rows(columns):
        yield from zip(frame.tolist(), values, strict=True)
