"""Numbers of people are given out once, whenever a run is killed."""

from __future__ import annotations

import contextlib
import errno
import json
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.homography import STILL
from pipeline.live import engine as module
from pipeline.live.crowd import Result
from pipeline.live.engine import AHEAD, LiveEngine
from pipeline.live.eyes import Sights
from pipeline.live.folder import LiveFolder
from pipeline.live.ledger import Ledger


def engine_of(path: Path) -> LiveEngine:
    """An engine without a stream: what it needs to write run.json."""
    engine = LiveEngine.__new__(LiveEngine)
    engine.folder, engine.ledger, engine.config = LiveFolder(path), Ledger(), Config()
    engine.session = {"started": "", "ended": None, "end": "running"}
    engine.source = SimpleNamespace(shown="rtsp://camera/1")
    engine.receiver = SimpleNamespace(wall_start=None, clock=SimpleNamespace(jumps=0))
    engine.crowd, engine._kept_below = None, 0
    engine._write_manifest()
    engine.crowd = SimpleNamespace(next_person=engine.folder.next_person)
    return engine


def test_no_number_is_given_twice_whenever_a_run_is_killed(tmp_path: Path) -> None:
    random, told = np.random.default_rng(0), list[int]()
    for _ in range(30):
        engine = engine_of(tmp_path)
        for new in random.integers(0, 40, random.integers(0, 12)):
            first = engine.crowd.next_person
            engine.crowd.next_person += int(new)
            engine._keep_numbers()
            told += range(first, first + int(new))  # from here on a kill may come, and no later book be written
    assert len(told) > 1000
    assert len(set(told)) == len(told)
    assert max(told) < len(told) + 31 * AHEAD


def test_a_run_that_ends_leaves_no_gap(tmp_path: Path) -> None:
    engine = engine_of(tmp_path)
    engine.crowd.next_person = 8
    engine._keep_numbers()
    assert LiveFolder(tmp_path).next_person == 8 + AHEAD
    engine.session["end"] = "SIGINT"
    engine._write_manifest()
    assert LiveFolder(tmp_path).next_person == 8
    engine = engine_of(tmp_path)  # killed before anybody came
    assert LiveFolder(tmp_path).next_person == 8


class Disk:
    """What a run does that outlives it, one act after another; from act ``last`` on nothing is done any more.

    ``kill``: neither files nor lines. Otherwise the disk is full: lines still go to their listener.
    """

    def __init__(self, last: int, kill: bool) -> None:
        self.acts, self._last, self._kill = 0, last, kill
        self.given: set[int] = set()

    def write(self, act: Callable[[], None]) -> None:
        self._count()
        if self.acts > self._last:
            raise OSError(errno.ENOSPC, "No space left on device")
        act()

    def line(self, people: list[int]) -> None:
        self._count()
        self.given |= set(people)

    def _count(self) -> None:
        self.acts += 1
        if self._kill and self.acts > self._last:
            raise KeyboardInterrupt


class Gate:
    """Stands in for the crowd: so many people enter in each frame and stay for two; a frame is told one frame later."""

    entering = (0, 3, 0, 250, 1, 0, 0, 120, 99, 101, 2, 0)
    present = 0

    def __init__(self, config: Config, models: object, size_px: tuple[int, int], first_person: int) -> None:
        self.next_person, self._waiting, self._named = first_person, list[Result](), dict[int, int]()

    def add(self, frame: int, time_s: float, tag: object, *seen: object) -> np.ndarray:
        new = range(self.next_person, self.next_person + self.entering[frame])
        self.next_person = new.stop
        self._named |= {number: number for number in new}
        self._waiting.append(Result(time_s, tag, list(self._named)[-2 * len(new) :]))  # type: ignore[arg-type]
        return np.array(new, np.int32)

    def tell(self, all_: bool = False) -> list[Result]:
        told = self._waiting if all_ else self._waiting[:-1]
        self._waiting = self._waiting[len(told) :]
        return told

    def names(self) -> dict[int, int]:
        return self._named


class Drawer(SimpleNamespace):
    """Stands in for a segment: what it is given is stored when it is flushed."""

    def __len__(self) -> int:
        return self.unflushed

    def add(self, *frame: object) -> None:
        self.unflushed += 1

    def flush(self, names: dict[int, int], eyes: object) -> None:
        self.disk.write(lambda: self.disk.given.update(names.values()))

    def close(self, names: dict[int, int], eyes: object, live: object) -> None:
        self.flush(names, eyes)


def run_of(path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> LiveEngine:
    """An engine that follows twelve frames of `Gate` in groups of two, in segments of 5 s."""
    engine = engine_of(path)
    write, folder = engine.folder.write, SimpleNamespace(path=Path("segment"))
    engine.folder.write = lambda *facts: disk.write(lambda: write(*facts))  # type: ignore[method-assign]
    engine.folder.event = lambda what, facts: None  # type: ignore[method-assign]
    frames = [SimpleNamespace(size_px=(4, 4), time_s=float(i), wall_s=float(i), received_s=0.0) for i in range(12)]
    groups = [frames[i : i + 2] for i in range(0, 12, 2)]

    def take(least: int, wait_s: float) -> list[Any]:
        engine.receiver.ended = len(groups) == 1
        return groups.pop(0)

    some: dict[str, Any] = {"start": lambda stopped: None, "stop": lambda: None, "take": take}
    engine.receiver.__dict__.update(some, ended=False, error=None)
    live = engine.config.live.model_copy(update={"segment_s": 5.0, "part_s": 0.0})
    engine.config = engine.config.model_copy(update={"live": live})
    engine.jsonl = SimpleNamespace(frame=lambda facts, people, space: disk.line(people), close=lambda: None)
    obs = SimpleNamespace(frame=np.zeros(0), take=lambda rows: None)
    eyes = SimpleNamespace(look=lambda images, *_: Sights(obs, [STILL] * len(images), [False] * len(images)))
    engine.eyes = SimpleNamespace(**eyes.__dict__, faint=SimpleNamespace(of=lambda number: None))
    engine.finishers = SimpleNamespace(add=lambda path: None, poll=lambda: None, wait=lambda: None)
    engine.models = engine.space = engine.segment = engine.crowd = engine._closed = engine.facts = None
    engine.render, engine.stopping, engine.say = False, "", lambda line: None
    engine.frames = engine.number = 0
    engine._flushed = engine._told = engine._seen = time.monotonic()
    engine._image = lambda frame: np.zeros((4, 4, 3), np.uint8)  # type: ignore[method-assign]

    def drawer(at: Path, size_px: tuple[int, int], source: str, config: Config, facts: object, live: Any, *rest: Any):
        told = {"told": lambda *result: None, "folder": folder, "unflushed": 0}
        return Drawer(disk=disk, size_px=size_px, live=live, **told)

    monkeypatch.setattr(module, "Segment", drawer)
    monkeypatch.setattr(module, "Crowd", Gate)
    return engine


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "disk full"])
def test_no_number_is_given_twice_whatever_act_of_a_run_is_its_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: bool
) -> None:
    before: set[int] = set()
    for last in count():
        disk = Disk(last, kill)
        engine = run_of(tmp_path, disk, monkeypatch)
        with contextlib.suppress(OSError, KeyboardInterrupt):
            engine.go(None)
        assert not disk.given & before
        before |= disk.given
        assert json.loads((tmp_path / "run.json").read_text())["next_person"] > max(before, default=0)
        if disk.acts <= last:  # it came to its end
            break
    assert last > 20
    assert len(disk.given) == sum(Gate.entering)
