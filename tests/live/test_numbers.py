"""Numbers of people are given out once, whenever a run is killed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from pipeline.core.config import Config
from pipeline.live.engine import AHEAD, LiveEngine
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
            engine._keep_numbers(engine.crowd.next_person)
            told += range(first, first + int(new))  # from here on a kill may come, and no later book be written
    assert len(told) > 1000
    assert len(set(told)) == len(told)
    assert max(told) < len(told) + 31 * AHEAD


def test_a_run_that_ends_leaves_no_gap(tmp_path: Path) -> None:
    engine = engine_of(tmp_path)
    engine.crowd.next_person = 8
    engine._keep_numbers(8)
    assert LiveFolder(tmp_path).next_person == 8 + AHEAD
    engine.session["end"] = "SIGINT"
    engine._write_manifest()
    assert LiveFolder(tmp_path).next_person == 8
    engine = engine_of(tmp_path)  # killed before anybody came
    assert LiveFolder(tmp_path).next_person == 8
