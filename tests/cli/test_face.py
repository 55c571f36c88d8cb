"""What a user meets first: public names, `poseline --help` and `--version`, inputs that are none."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pipeline
from pipeline.core.errors import PoselineError
from pipeline.video.inputs import find_inputs

ROOT = Path(__file__).resolve().parents[2]


def python(*words: str) -> str:
    return subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert pipeline.__version__ == project["version"]


def test_public_names_are_found_on_first_use():
    for name in pipeline.__all__:
        assert getattr(pipeline, name) is not None
    assert callable(pipeline.run)
    assert callable(pipeline.track)
    with pytest.raises(AttributeError, match="nothing"):
        _ = pipeline.nothing  # type: ignore[attr-defined]


def test_a_bare_import_loads_no_library():
    loaded = python("-c", "import sys, pipeline; print(*sys.modules)").split()
    assert not {"numpy", "cv2", "av", "onnxruntime", "scipy", "pydantic"} & set(loaded)


def test_help_loads_no_network_no_video_and_no_science():
    loaded = python("-c", "import sys, pipeline.cli.app; print(*sys.modules)").split()
    assert not {"cv2", "av", "decord", "onnxruntime", "scipy", "pandas", "pyarrow", "matplotlib"} & set(loaded)


@pytest.mark.parametrize("module", ["pipeline", "pipeline.cli"])
def test_version_and_help(module: str):
    assert python("-m", module, "--version") == f"poseline {pipeline.__version__}\n"
    assert "Find people in videos" in python("-m", module, "--help")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("rtsp://camera/stream", "poseline live rtsp://camera/stream"),
        ("https://host/a.mp4", "download the file first"),
        ("s3://bucket/a.mp4", "download the file first"),
        ("nowhere.mp4", "check the path"),
    ],
)
def test_what_is_no_file_says_what_to_do(name: str, remedy: str):
    with pytest.raises(PoselineError, match=remedy):
        find_inputs([name])


def test_folders_inside_folders(tmp_path: Path):
    names = ["a/10.mp4", "a/9.mp4", "b/c/d.avi", ".hidden/e.mp4"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(PoselineError, match=r"in 2 inside it; add --recursive"):
        find_inputs([str(tmp_path)])
    found = find_inputs([str(tmp_path)], recursive=True)
    assert [str(p.relative_to(tmp_path)) for p in found] == ["a/9.mp4", "a/10.mp4", "b/c/d.avi"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(PoselineError, match="give a folder that holds some"):
        find_inputs([str(tmp_path / "empty")], recursive=True)
