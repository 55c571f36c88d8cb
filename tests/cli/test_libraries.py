"""Libraries in versions that nobody expected, and an OpenCV of the user's own: told in one line, never overwritten."""

from __future__ import annotations

import runpy
import subprocess
import sys
import tomllib
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.cli import app as cli
from pipeline.cli import doctor
from pipeline.core import libraries
from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.prepare import versions

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def have(monkeypatch: pytest.MonkeyPatch, **other: str) -> None:
    """Pretend that libraries have these versions; opencv_contrib_python stands for opencv-contrib-python."""
    named = {name.replace("_", "-"): text for name, text in other.items()}
    opencv = [name for name in named if name.startswith("opencv")] or ["opencv-python-headless"]
    said = {name: needed.least for name, needed in libraries.LIBRARIES.items()} | {
        "opencv-python-headless": "4.11.0.86"
    }
    monkeypatch.setattr(libraries, "opencv_names", lambda: opencv)
    monkeypatch.setattr(libraries, "version_of", lambda name: (said | named).get(name, ""))


def test_least_versions_are_those_that_the_project_asks_for() -> None:
    asked = dict(line.split(">=") for line in SETTINGS["tool"]["poseline"]["dependencies"])
    assert asked == {name: needed.least for name, needed in libraries.LIBRARIES.items()}
    assert SETTINGS["tool"]["poseline"]["opencv"] == f"{libraries.OPENCV_NAME}>={libraries.OPENCV.least}"
    assert SETTINGS["project"]["requires-python"] == ">=3.11"  # no upper bound without a reason


def test_what_is_installed_here_is_neither_too_old_nor_wrong() -> None:
    libraries.check()
    assert libraries.outdated() == []


def test_a_library_that_is_too_old_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, numpy="1.26.4")
    with pytest.raises(PoselineError, match=r"^numpy 1\.26\.4 is too old, 2\.0 .*; pip install 'numpy>=2\.0'$"):
        libraries.check()
    have(monkeypatch, opencv_contrib_python="4.5.5.62")
    with pytest.raises(PoselineError, match=r"^opencv-contrib-python 4\.5\.5\.62 is too old"):
        libraries.check()


@pytest.mark.parametrize(
    ("name", "found", "told"),
    [
        ("av", "20.0.0rc1", "av 20.0.0rc1 is newer than was tried (19); pip install 'av<20'"),
        ("typer", "0.30.0", "typer 0.30.0 is newer than was tried (0.29); pip install 'typer<0.30'"),
        ("numpy", "2.99.1", None),
        ("lap", "0.5.99", None),
    ],
)
def test_newer_libraries_than_tried_are_named(name: str, found: str, told: str | None, monkeypatch) -> None:
    have(monkeypatch, **{name: found})
    libraries.check()  # they are used all the same
    assert libraries.untried() == ([told] if told else [])


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, error: Exception) -> tuple[int, str]:
    """The exit status and what is said of an error that nobody expected."""

    def app(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(sys, "argv", ["poseline", "run", "a.mp4"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0), capsys.readouterr().err


def test_an_unexpected_error_names_the_libraries_that_may_be_why(monkeypatch, capsys) -> None:
    have(monkeypatch, av="20.1.0")
    status, said = fails(monkeypatch, capsys, AttributeError("module 'av' has no\n attribute 'open'"))
    assert status == 1
    assert said.count("\n") == 1
    assert "internal error: AttributeError: module 'av' has no attribute 'open'" in said
    assert "av 20.1.0 is newer than was tried (19)" in said


def test_an_opencv_for_another_numpy_is_one_line_with_the_command(monkeypatch, capsys) -> None:
    have(monkeypatch, opencv_python_headless="4.10.0.82")
    status, said = fails(monkeypatch, capsys, ImportError("numpy.core.multiarray failed to import"))
    assert (status, said.count("\n")) == (2, 1)
    assert "pip install 'opencv-python-headless>=4.10.0.84'" in said
    assert "opencv-python-headless 4.10.0.82 is too old" in said


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, r"is not installed; pip install 'opencv-python-headless>=4\.10\.0\.84' \(any other OpenCV will do"),
        (ModuleSpec("cv2", None), "is an empty folder, .*; pip install --force-reinstall --no-deps"),
    ],
)
def test_no_opencv_is_told_with_the_command(found: ModuleSpec | None, told: str, monkeypatch) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda name: found)
    with pytest.raises(PoselineError, match=told):
        libraries.check()


def test_any_opencv_passes_the_doctor_and_two_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, opencv_contrib_python="4.12.0.88")
    assert doctor._opencv({}, {}) == (True, "opencv", "opencv-contrib-python 4.12.0.88")
    have(monkeypatch, opencv_contrib_python="4.12.0.88", opencv_python="4.12.0.88")
    good, _, said = doctor._opencv({}, {})
    assert not good
    assert "opencv-contrib-python, opencv-python lie over one another" in said
    monkeypatch.setattr(libraries, "opencv_names", lambda: [])  # as with the package of a Linux distribution
    good, _, said = doctor._opencv({}, {})
    assert good
    assert said.endswith("of the system")


def test_the_manifest_has_the_opencv_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [name for name in versions(Config()) if name.startswith("opencv")] == libraries.opencv_names()


@pytest.mark.parametrize(("there", "asked"), [(True, 0), (False, 1)])
def test_the_package_asks_for_opencv_only_where_there_is_none(there: bool, asked: int, monkeypatch) -> None:
    given: dict[str, list[str]] = {}
    monkeypatch.setitem(sys.modules, "setuptools", SimpleNamespace(setup=lambda **words: given.update(words)))
    monkeypatch.setattr(subprocess, "run", lambda *words, **options: SimpleNamespace(returncode=int(not there)))
    runpy.run_path(str(ROOT / "setup.py"))
    found = [line for line in given["install_requires"] if "opencv" in line]
    assert len(found) == asked
    assert set(given["install_requires"]) - set(found) == set(SETTINGS["tool"]["poseline"]["dependencies"])


def test_the_package_sees_an_opencv_and_no_empty_folder_of_one(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "setuptools", SimpleNamespace(setup=lambda **words: None))
    look = runpy.run_path(str(ROOT / "setup.py"))["LOOK"]

    def status() -> int:
        # -S: without the packages of this environment, which has an OpenCV.
        command = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); " + look
        return subprocess.run([sys.executable, "-I", "-S", "-c", command], check=False).returncode

    assert status() == 1
    (tmp_path / "cv2").mkdir()
    assert status() == 1
    (tmp_path / "cv2" / "__init__.py").touch()
    assert status() == 0
