"""Photographs: one alone, or a folder of them; each is drawn as a picture."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.render.video import render
from pipeline.store.index import stored_video
from pipeline.video.decode import DECODERS, open_reader
from pipeline.video.images import read_image
from pipeline.video.index import index_video
from pipeline.video.inputs import find_inputs
from tests.render.test_render import CONFIG, motion, run_folder

SIZES = {"a.jpg": (320, 240), "b.png": (161, 97), "c10.png": (240, 320), "c9.webp": (320, 240)}


def photo(path, size_px):
    width, height = size_px
    ramp = np.add.outer(np.arange(height) // 2, np.arange(width) // 4)[..., None] + np.array([20, 40, 60])
    cv2.imwrite(str(path), ramp.astype(np.uint8))
    return path


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "photos"
    place.mkdir()
    for name, size_px in SIZES.items():
        photo(place / name, size_px)
    return place


def test_a_folder_stands_for_its_photographs_where_no_rate_makes_it_a_video(folder):
    assert [p.name for p in find_inputs([str(folder)], photos=True)] == ["a.jpg", "b.png", "c9.webp", "c10.png"]
    assert find_inputs([str(folder)]) == [folder]


@pytest.mark.parametrize("name", SIZES)
def test_a_photograph_is_one_picture_of_its_own_size(folder, name):
    info = index_video(folder / name)
    assert (info.kind, len(info), info.size_px, info.time_s.tolist()) == ("photo", 1, SIZES[name], [0.0])
    assert info.warnings == ()
    for decoder in DECODERS:
        with open_reader(info, decoder) as reader:
            assert np.array_equal(next(reader.read(0, 1, 4)).image[0], read_image(folder / name))


def test_a_photograph_takes_no_rate(folder):
    with pytest.raises(PoselineError, match=r"a\.jpg: --fps 30: a photograph has no frame rate; leave --fps out"):
        index_video(folder / "a.jpg", Fraction(30))


def test_sixteen_bits_are_scaled_to_those_in_use(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.linspace(0, 4095, 6400).reshape(80, 80).astype(np.uint16))
    info = index_video(tmp_path / "a.png")
    assert info.bits == 12
    assert "of 16 bits it uses 12" in info.warnings[0]
    with open_reader(info) as reader:
        assert next(reader.read(0, 1, 1)).image.max() == 255


def test_people_are_drawn_in_a_picture_beside_the_tables(folder, tmp_path):
    info = index_video(folder / "b.png")
    run = run_folder(tmp_path / "run", info, [motion(info, np.arange(1))])
    assert stored_video(run).kind == "photo"
    assert run.drawn.name == "annotated.jpg"
    assert render(run, CONFIG)["frames"] == 1
    drawn, plain = (cv2.imread(str(path)).astype(int) for path in (run.drawn, folder / "b.png"))
    assert drawn.shape == (97, 161, 3)
    assert not run.video.exists()
    changed = np.abs(drawn - plain).max(-1)
    assert np.median(changed) < 4  # the photograph, its colours kept
    empty = run_folder(tmp_path / "nobody", info, [])
    render(empty, CONFIG)
    assert np.abs(cv2.imread(str(empty.drawn)).astype(int) - plain).max() < 16  # no clock, nothing else
    assert changed.max() > 60


def test_a_photograph_is_drawn_as_jpeg_or_png_of_any_scale(folder, tmp_path):
    info = index_video(folder / "c10.png")
    run = run_folder(tmp_path / "run", info, [motion(info, np.arange(1))])
    half = Config.model_validate({"render": {"scale": 0.5}})
    render(run, half, out=tmp_path / "x.png")
    assert cv2.imread(str(tmp_path / "x.png")).shape == (160, 120, 3)
    with pytest.raises(PoselineError, match=r"x\.mp4: a photograph is drawn as a picture; end its name in"):
        render(run, CONFIG, out=tmp_path / "x.mp4")
    black = Config.model_validate({"render": {"background": "black"}})
    render(run, black, out=tmp_path / "y.jpg")
    assert np.median(cv2.imread(str(tmp_path / "y.jpg"))) < 4
