"""scripts/bench.py pairs: how networks are named, and that a figure is measured once."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from pipeline.core.errors import PoselineError
from pipeline.models.registry import DETECTORS

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def test_networks_have_names_and_figures_are_measured_once(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    pairs = importlib.import_module("bench_pairs")
    (tmp_path / "mine.onnx").write_bytes(b"")
    assert pairs.named(tmp_path, "yolox-tiny", DETECTORS) == "yolox-tiny"
    assert pairs.named(tmp_path, "mine", DETECTORS) == f"onnx:{tmp_path / 'mine.onnx'}"
    with pytest.raises(PoselineError, match=r"gone\.onnx: no such file; give .* --networks"):
        pairs.named(tmp_path, "gone", DETECTORS)
    asked: list[int] = []
    for _ in range(2):
        pair = pairs.Pair(tmp_path / "a+b", "yolox-tiny", "rtmpose-s")
        assert pair.kept("AP", lambda: (asked.append(1), ".5")[1]) == ".5"
    assert asked == [1]
