"""poseline ground says which options have no effect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.errors import PoselineError
from tests.export.runs import make_run, person


@pytest.mark.parametrize(("option", "value"), [("--out", "g.toml"), ("--pitch", "tennis")])
def test_without_points_nothing_else_has_an_effect(tmp_path: Path, option: str, value: str):
    time_s = np.arange(4) / 25
    folder = make_run(tmp_path / "run", [person(1, range(4), time_s)], time_s)
    found = CliRunner().invoke(app, ["ground", str(folder.path), option, value])
    assert isinstance(found.exception, PoselineError)
    assert str(found.exception) == f"{option}: has no effect without --point; leave it out"


@pytest.mark.parametrize("words", [["ground", "RUN"], ["run", "no.mp4"], ["run", "no.mp4", "--ground", "g.toml"]])
def test_a_pitch_that_nobody_knows_is_named_first(tmp_path: Path, words: list[str]):
    time_s = np.arange(4) / 25
    folder = make_run(tmp_path / "run", [person(1, range(4), time_s)], time_s)
    (tmp_path / "g.toml").write_text("", encoding="utf-8")
    paths = {"RUN": str(folder.path), "g.toml": str(tmp_path / "g.toml")}
    found = CliRunner().invoke(app, [*(paths.get(word, word) for word in words), "--pitch", "footbal"])
    assert isinstance(found.exception, PoselineError)
    assert str(found.exception).startswith("--pitch footbal: give one of football, ")
