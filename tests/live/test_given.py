"""What the soak holds to be a fault of numbers of people, and whom it recognises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.motion.boxes import fitted
from tests.live.given import FEET_PX, Sight, faults, in_lines, person_of
from tests.live.world import STANDING_PX, Watchman


@pytest.mark.parametrize("person", range(3))
def test_everybody_is_recognised_by_their_pose_and_by_a_fitted_box(tmp_path: Path, person: int) -> None:
    height = round(0.84 * STANDING_PX[person])
    watchman = Watchman(0)
    found = watchman._person(0, 100, FEET_PX[person] - height, 40, height)
    assert person_of(found.keypoints_px[0, 16, 1]) == person
    box = fitted(found.box_px, found.keypoints_px, found.keypoint_score, watchman.skeleton)[0]
    assert box[3] > found.box_px[0, 3] + 4
    seen = {"id": 7, "score": 0.9, "box_px": box.tolist()}
    lines = [{"skeleton": "halpe26"}, {"segment": "a", "frame": 3, "people": [seen, {**seen, "score": None}]}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"segment": "a", "fr')
    assert in_lines(tmp_path / "a.jsonl") == [Sight(0, 7, "a", 3, person), Sight(0, 7, "a", -1, person)]
    assert person_of(np.nan) is person_of(None) is person_of(120.0) is None


def test_what_is_a_fault() -> None:
    good = [Sight(0, number, "a", frame, number - 1) for number in (1, 2) for frame in range(20)]
    assert not faults({"lines": good, "parts": good[:30], "tables": []})
    assert not faults({"lines": good, "parts": [*good, Sight(0, 3, "a", -1, None)]})  # a name without a sight
    assert faults({"lines": [*good, Sight(1, 2, "b", 0, 1)]}) == ["number 2 was given out by runs [0, 1]"]
    other = [Sight(0, 2, "b", frame, 2) for frame in range(10)]
    assert faults({"parts": good + other}) == ["parts: number 2 is of two people, seen {1: 20, 2: 10} times"]
    assert not faults({"parts": good + other[:9]})
    (told,) = faults({"lines": good, "tables": [Sight(0, 2, "a", 5, 0)]})
    assert told == "segment, frame, person ('a', 5, 0): {'lines': 1, 'tables': 2}"
