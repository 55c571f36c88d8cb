"""A wide picture with small people: tiles are chosen once a run, said once, and are the same for every engine."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline import load_config, run
from pipeline.engines.base import Options
from pipeline.store.folder import RunFolder
from tests.engines.test_engines import Told, assert_same
from tests.laboratory import half_size

WIDE_PX = (4000, 336)
QUICK = ["detect.pixels=65536", "observe.chunk_frames=4"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames of an empty hall with three people in it, 70 to 150 px high."""
    path = tmp_path_factory.mktemp("clip") / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = *WIDE_PX, "yuv420p"
        for image in half_size(*range(8)):
            wide = np.full((WIDE_PX[1], WIDE_PX[0], 3), 128, np.uint8)
            wide[:, 1800:1990] = cv2.resize(image, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(wide, "rgb24")))
        container.mux(stream.encode())
    return path


def made(clip: Path, out: Path, *sets: str, engine: Options = Options()) -> tuple[RunFolder, list[str]]:  # noqa: B008
    said = Told()
    folder = run(clip, out, load_config("default", [*QUICK, *sets]), render=False, engine=engine, progress=said)[0]
    return folder, [line for line in said.lines if "tiles" in line]


def test_tiles_are_chosen_once_and_are_the_same_for_every_engine(clip: Path, tmp_path: Path) -> None:
    folder, said = made(clip, tmp_path / "local")
    assert len(said) == 1
    assert "people are small in its picture of 4000 × 336 px" in said[0]
    told = folder.manifest()["tiles"]
    assert told == {"layout": "4x1", "tiles": 32, "searched": 21}  # where somebody moves, and each at first
    other, said = made(clip, tmp_path / "process", engine=Options("process", workers=2))
    assert len(said) == 1
    assert_same(other, folder)
    off, said = made(clip, tmp_path / "off", "detect.tiles=off")
    assert "tiles" not in off.manifest()
    assert not said
    assert off.manifest()["rows"] < folder.manifest()["rows"]
