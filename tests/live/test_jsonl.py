"""Lines of JSON for listeners."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.core.skeleton import COCO17
from pipeline.live.jsonl import JsonLines


def lines_of(path: Path) -> JsonLines:
    return JsonLines(str(path), COCO17, (), "rtsp://camera/1", lambda line: None)


def test_lines_go_on_behind_a_line_that_a_kill_cut(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    lines_of(path).close()
    with open(path, "a") as out:
        out.write('{"segment":"00000_x","fra')
    lines = lines_of(path)
    lines.frame({"frame": 0}, [], {})
    lines.close()
    first, cut, again, frame = path.read_text().splitlines()
    assert cut.endswith("fra")
    assert json.loads(first)["poseline"] == json.loads(again)["poseline"] == "live"
    assert json.loads(frame) == {"frame": 0, "people": []}


def test_whole_lines_are_followed_by_no_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    for _ in range(2):
        lines_of(path).close()
    assert len(path.read_text().splitlines()) == 2
