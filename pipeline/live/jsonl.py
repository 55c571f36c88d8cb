"""Each frame's people as a line of JSON, for programs that listen."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.names import written
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import STATE_NAMES
from pipeline.live.crowd import Seen
from pipeline.live.space import LiveSpace


class JsonLines:
    """Appends to a file, or writes to standard output (``-``). A listener that leaves ends the output, not the run."""

    def __init__(
        self, target: str, skeleton: Skeleton, joints: tuple[str, ...], source: str, say: Callable[[str], None]
    ) -> None:
        self._target, self._say = target, say
        try:
            self._out: TextIO | None = sys.stdout if target == "-" else _at_a_new_line(target)
        except OSError as error:
            raise PoselineError(
                f"--jsonl {target}: cannot be written ({error.strerror}); choose another file"
            ) from error
        self._write(
            {
                "poseline": "live",
                "source": source,
                "skeleton": skeleton.name,
                "keypoints": list(skeleton.names),
                "joints": list(joints),
                "states": {str(code): name for code, name in STATE_NAMES.items()},
            }
        )

    def frame(self, facts: dict[str, Any], people: list[Seen], in_space: dict[int, LiveSpace]) -> None:
        """Write one frame: its facts, its people, and the 3D of the people who could be lifted."""
        self._write({**facts, "people": [_person(p, in_space.get(p.person_id)) for p in people]})

    def close(self) -> None:
        out, self._out = self._out, None
        if out is not None and out is not sys.stdout:
            out.close()

    def _write(self, line: dict[str, Any]) -> None:
        if self._out is None:
            return
        try:
            self._out.write(written(json.dumps(line, ensure_ascii=False, separators=(",", ":"))) + "\n")
            self._out.flush()
        except (OSError, ValueError) as error:
            self._out = None
            self._say(f"--jsonl {self._target}: nobody listens any more ({error}); the run goes on")


def _at_a_new_line(target: str) -> TextIO:
    """The file, open for appending behind whole lines: a kill may have cut the last one."""
    cut = False
    if os.path.isfile(target) and os.path.getsize(target):
        with open(target, "rb") as before:
            before.seek(-1, os.SEEK_END)
            cut = before.read() != b"\n"
    out = open(target, "a", encoding="utf-8")  # noqa: SIM115
    if cut:
        out.write("\n")
    return out


def _person(p: Seen, space: LiveSpace | None) -> dict[str, Any]:
    person = {
        "id": p.person_id,
        "score": _number(p.score, 4),
        "box_px": [_number(v, 2) for v in p.box_px],
        "keypoints_px": [[_number(v, 2) for v in point] for point in p.point.keypoints_px],
        "std_px": [_number(v, 2) for v in p.point.std_px],
        "keypoint_score": [_number(v, 3) for v in p.keypoint_score],
        "state": p.point.state.tolist(),
    }
    if space is not None:
        person["joints_m"] = [[_number(v, 4) for v in joint] for joint in space.joints_m]
        person["joints_std_m"] = [_number(v, 4) for v in space.std_m]
    return person


def _number(value: float, digits: int) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None
