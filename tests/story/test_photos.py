"""Whole runs on photographs: a run folder and a picture each, whatever their sizes; gone on with, and drawn again."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import load_config, run
from pipeline.core.progress import Silent
from pipeline.engines.base import Options
from pipeline.finish import render_run
from pipeline.report.methods import write_methods
from pipeline.video.decode import open_reader
from pipeline.video.index import index_video
from tests.report.runs import facts_of
from tests.story.test_run import CLIP

QUICK = load_config("default", ["detect.pixels=65536"])


class Told(Silent):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "photos"
    folder.mkdir()
    with open_reader(index_video(CLIP)) as reader:
        one, *_, other = (image for part in reader.read(0, 40, 8) for image in part.image)
    cv2.imwrite(str(folder / "a.jpg"), one[..., ::-1])
    cv2.imwrite(str(folder / "b.png"), np.ascontiguousarray(other[101:, 1:, ::-1]))
    return folder


def test_each_photograph_has_its_tables_and_its_picture(photos: Path, tmp_path: Path) -> None:
    told = Told()
    folders = run(photos, tmp_path, QUICK, progress=told)
    assert [f.path.name for f in folders] == ["a", "b"]
    assert any("2 photographs, each a run of its own; --fps makes one video" in line for line in told.lines)
    for folder, name in zip(folders, ("a.jpg", "b.png"), strict=True):
        assert folder.manifest()["people"] >= 2
        assert not folder.video.exists()
        assert cv2.imread(str(folder.photo)).shape == cv2.imread(str(photos / name)).shape
        shown = facts_of(folder.report)["video"]
        assert (shown["src"], shown["kind"], shown["still"]) == ("annotated.jpg", "annotated", True)
        assert f"The photograph {name} (" in write_methods(folder).text
    before = [folder.photo.read_bytes() for folder in folders]
    again = Told()
    run(photos, tmp_path, QUICK, progress=again)
    assert sum("annotated.jpg: is up to date" in line for line in again.lines) == 2
    folders[0].photo.unlink()
    assert render_run(folders[0]) == folders[0].photo
    assert [folder.photo.read_bytes() for folder in folders] == before


def test_workers_give_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    here = run(photos / "a.jpg", tmp_path / "here", QUICK, report=False)[0]
    there = run(photos / "a.jpg", tmp_path / "there", QUICK, report=False, engine=Options("process", 1))[0]
    for one, other in ((here.tracks, there.tracks), (here.photo, there.photo)):
        assert one.read_bytes() == other.read_bytes()


def test_a_rate_makes_a_folder_one_video(photos: Path, tmp_path: Path) -> None:
    same = tmp_path / "steps"
    same.mkdir()
    for n in range(2):
        (same / f"{n}.jpg").write_bytes((photos / "a.jpg").read_bytes())
    folder = run(same, tmp_path / "out", QUICK, fps=10, report=False)[0]
    assert len(index_video(folder.video)) == 2
    assert not folder.photo.exists()


def test_a_run_on_a_folder_of_images_never_lies_in_it(photos: Path, tmp_path: Path) -> None:
    same = tmp_path / "steps"
    same.mkdir()
    (same / "0.jpg").write_bytes((photos / "a.jpg").read_bytes())
    folder = run(same, tmp_path, QUICK, fps=10, render=False, report=False)[0]
    assert folder.path.name.startswith("steps-")
    assert [path.name for path in same.iterdir()] == ["0.jpg"]
