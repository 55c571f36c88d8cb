"""A run folder that was moved with its video: the video is found beside the run by its bytes."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import PoselineError
from pipeline.core.config import Config
from pipeline.core.progress import Silent
from pipeline.models.registry import run_facts
from pipeline.prepare import prepare
from pipeline.render.video import _check
from pipeline.store.folder import RunFolder
from pipeline.store.index import stored_video
from pipeline.video.index import index_video
from pipeline.video.moved import at_hand, gone, source_of
from tests.video.clips import Clip, write_clip


def begun(out: Path, video: Path, fps: Fraction | None = None) -> RunFolder:
    folder, info = RunFolder(out / video.stem), index_video(video, fps)
    prepare(folder, info, Config(), run_facts(Config()), (0, len(info)), Silent())
    return folder


@pytest.mark.parametrize("place", [".", "outputs", "outputs/a"])
def test_a_video_moved_with_its_run_is_found_by_name_and_bytes(tmp_path: Path, place: str) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    video = write_clip(Clip("a.mp4", frames=5), old)
    begun(old / "outputs", video)
    (old / place).mkdir(parents=True, exist_ok=True)
    shutil.move(video, old / place / "a.mp4") if place != "." else None
    old.rename(new)
    folder = RunFolder(new / "outputs" / "a")
    stored = stored_video(folder)
    assert not stored.path.exists()
    assert at_hand(folder, stored).path == new.resolve() / place / "a.mp4"
    (new / place / "a.mp4").write_bytes(b"another video of this name")
    assert at_hand(folder, stored).path == stored.path


def test_a_moved_folder_of_images_is_found(tmp_path: Path) -> None:
    images = tmp_path / "old" / "frames"
    images.mkdir(parents=True)
    for number in range(2):
        cv2.imwrite(str(images / f"{number}.png"), np.full((32, 48, 3), number * 90, np.uint8))
    folder = begun(tmp_path / "old" / "outputs", images, Fraction(25))
    (tmp_path / "old").rename(tmp_path / "new")
    folder = RunFolder(tmp_path / "new" / "outputs" / "frames")
    info = stored_video(folder)
    assert source_of(folder, info.path, info.digest) == (tmp_path / "new" / "frames").resolve()


def test_where_it_is_nowhere_the_line_says_how_to_say_where(tmp_path: Path) -> None:
    video = write_clip(Clip("a.mp4", frames=5), tmp_path)
    folder = begun(tmp_path / "outputs", video)
    video.unlink()
    info = at_hand(folder, stored_video(folder))
    assert f"poseline run NEW/a.mp4 --out {tmp_path / 'outputs'}" in gone(folder, info)
    with pytest.raises(
        PoselineError, match=r"the source video is gone.*poseline run NEW/a\.mp4 --out .*--skeleton-only"
    ):
        _check(folder, info, Config().render, folder.video)
