"""A small finished run with a video of an uneven frame rate, in whose pictures the frame's number can be seen."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from pipeline.core.config import Config
from pipeline.core.types import Motion
from pipeline.report.facts import read_csv
from pipeline.store.folder import RunFolder
from pipeline.store.manifest import Manifest
from pipeline.store.people_csv import text_of, write_people_csv
from pipeline.video.encode import VideoWriter
from tests.export.runs import make_run, person

FRAMES, SHOWN = 60, (8, 56)  # of the source, and those that were observed
TICK = Fraction(1, 1000)
QUANTITIES = (
    "left_knee_flexion_deg", "right_knee_flexion_deg", "left_hip_flexion_deg", "left_knee_flexion_deg_s",
    "left_wrist_speed_px_s", "com_x_px", "com_speed_px_s", "left_foot_contact", "right_foot_contact",
)  # fmt: skip
BAD_NAME = "</script><script>document.title='taken'</script><b>\"Ann\" & 'Bo'"


def pts() -> np.ndarray:
    """(T,) ms: an uneven frame rate, on a clock that starts at 2.5 s."""
    return 2500 + np.cumsum(np.resize([33, 50, 17, 100], FRAMES))


def grey_of(frame: int) -> int:
    """The picture of a frame is all of this grey."""
    return 16 + 4 * (frame - SHOWN[0])


def walker(person_id: int, frame: np.ndarray, time_s: np.ndarray) -> Motion:
    """Somebody with curves, and a body that walks over the floor of the world."""
    motion = person(person_id, frame, time_s, quantities=QUANTITIES, metres=True)
    at = time_s[frame][:, None]
    joint = np.arange(len(motion.names_m))
    world = np.stack([0.3 * np.sin(joint) + at, 0.1 * np.cos(joint) + person_id + 0 * at, 0.1 * joint + 0 * at], -1)
    quantities = dict(motion.quantities)
    quantities["left_knee_flexion_deg"] = (40 + 30 * np.sin(5 * at[:, 0])).astype(np.float32)
    quantities["left_foot_contact"] = (frame % 20 < 10).astype(np.float32)
    return dataclasses.replace(motion, world_m=world.astype(np.float32), quantities=quantities)


def _value(text: str) -> float | int | str:
    """What a cell of people.csv holds."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text_of(text)


def report_run(path: Path, video: bool = True, names: dict[int, str] | None = None) -> RunFolder:
    """Two people: one there all the time but for a gap, one later, with a suspicious moment."""
    time_s = pts() / 1000
    first = np.r_[SHOWN[0] : 30, 34 : SHOWN[1]]
    people = [walker(1, first, time_s), walker(2, np.arange(20, 50), time_s)]
    folder = make_run(path, people, time_s, {1: BAD_NAME} if names is None else names, observed=SHOWN)
    manifest = folder.manifest() | {"config": Config().model_dump(mode="json"), "networks": {"some.onnx": "12ab"}}
    manifest |= {
        "versions": {"poseline": "0.1"},
        "stages_s": {"observe": 1.5},
        "observe_digest": "o",
        "config_digest": "c",
    }
    manifest |= {"warnings": ["3D: people are taken to be 1.70 m tall; give --height", "person 2: low mean score"]}
    folder.write_manifest(Manifest(manifest))
    rows = [{name: _value(text) for name, text in row.items()} for row in read_csv(folder.people_csv)]
    rows[1]["suspicious"] = "3.60 s: identities exchanged here, by clothes"
    write_people_csv(folder.people_csv, rows)
    if video:
        with VideoWriter(folder.video, (160, 90), TICK, Fraction(20), crf=10, preset="ultrafast") as writer:
            for frame in range(*SHOWN):
                writer.write(np.full((90, 160, 3), grey_of(frame), np.uint8), int(pts()[frame]))
    return folder


def facts_of(page: Path) -> dict:
    """What the page knows."""
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('<script type="application/json" id="facts">')[1].split("</script>")[0])
