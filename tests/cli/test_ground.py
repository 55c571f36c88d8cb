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
