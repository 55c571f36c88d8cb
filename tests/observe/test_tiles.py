"""Large pictures in tiles: everybody once, wherever the seams are; tiles in which nothing happens are left alone.

People are painted as upright rectangles, each in a grey of its own. The detector sees what lies inside its input alone,
and nobody who is too small in it.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.core.config import LATER, Config
from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17
from pipeline.core.types import Frames
from pipeline.models.detections import Detections, Poses
from pipeline.models.registry import Models
from pipeline.observe import tiles
from pipeline.observe.cadence import PeopleSearch
from pipeline.observe.process import Chunk, process_chunk
from pipeline.observe.seams import Glance, joined
from pipeline.observe.tiles import Layout, Tiles, asked, glances, is_large, usual
from tests.stand_ins import assert_same_bits

SIZE_PX = (1200, 200)
LAYOUT = Layout(6, 1)  # of 240 px, which overlap by 48
INPUT_PX, LEAST_PX = 240, 30  # longer side of the input, and height of a person in it
FPS = 10
PANORAMA, FOUR_K = (6243, 1080), (3840, 2160)


class Inside:
    """The detector. A share ``less`` is missing at each side of a box; ``sizes`` are those of pictures it was shown."""

    sessions: list = []  # noqa: RUF012
    skeleton = COCO17

    def __init__(self, less: float = 0.0):
        self.less, self.sizes = less, []

    def detect(self, images: np.ndarray) -> Detections:
        parts = []
        for i, image in enumerate(images):
            self.sizes.append(image.shape[1::-1])
            scale = INPUT_PX / max(image.shape[:2])
            boxes = [box_of(image[..., 0] == grey) for grey in np.unique(image[..., 0]) if grey > 100]
            boxes = [b for b in boxes if (b[3] - b[1]) * scale >= LEAST_PX]
            box = shrunk(np.array(boxes, float).reshape(-1, 4), self.less)
            parts.append(Detections.from_boxes(np.full(len(box), i), box, np.full(len(box), 0.9)))
        return Detections.concat(parts)

    def estimate(self, images: np.ndarray, people: Detections) -> Poses:
        box = people.box_px.reshape(-1, 2, 2)
        share = np.linspace(0, 1, 17)[:, None]
        points = box[:, :1] * (1 - share) + box[:, 1:] * share
        return Poses(points.astype(np.float32), np.full((len(box), 17), 0.9, np.float32))


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    (y,), (x,) = np.nonzero(mask.any(1)), np.nonzero(mask.any(0))
    return x[0], y[0], x[-1] + 1, y[-1] + 1


def shrunk(box: np.ndarray, less: float) -> np.ndarray:
    side = np.tile(box[:, 2:] - box[:, :2], 2)
    return box + less * side * np.array([1, 1, -1, -1])


def picture(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    image = np.zeros((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
    for i, (x1, y1, x2, y2) in enumerate(np.array(boxes, int)):
        image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = 120 + 10 * i
    return image


def found(image: np.ndarray, less: float = 0.0) -> np.ndarray:
    """(N, 4) the people of a picture, whole and in tiles."""
    network = Inside(less)

    def look(images: np.ndarray) -> tuple[Detections, Detections]:
        return network.detect(images), Detections.empty()

    whole = Glance(*look(image[None]), np.array([0, 0, *SIZE_PX]), SIZE_PX)
    every = glances(look, image, LAYOUT.places(SIZE_PX))
    people, _ = joined(whole, every, LAYOUT.overlap_px(SIZE_PX), 0.6)
    return people.box_px[np.argsort(people.box_px[:, 0])]


@pytest.mark.parametrize("less", [0, 0.06])
@pytest.mark.parametrize(("width", "height"), [(14, 40), (40, 100), (70, 190)])
def test_everybody_is_found_once_and_whole_wherever_the_seams_are(width, height, less):
    for x in range(0, SIZE_PX[0] - width, 11):
        box = (x, 198 - height, x + width, 198)
        expected = shrunk(np.array([box], float), less)
        np.testing.assert_allclose(found(picture(box), less), expected, atol=1e-3, err_msg=f"at {x}")


def test_the_small_are_found_in_tiles_and_the_large_in_the_whole():
    small, large = (300, 100, 314, 140), (800, 0, 1000, 198)
    whole = Inside().detect(picture(small, large)[None])
    np.testing.assert_array_equal(whole.box_px, [large])
    np.testing.assert_array_equal(found(picture(small, large)), [small, large])


def test_two_who_stand_together_at_a_seam_are_two():
    for x in range(150, 260, 3):
        one, other = (x, 60, x + 20, 160), (x + 12, 64, x + 32, 164)
        assert len(found(picture(one, other))) == 2, x


def test_a_small_person_before_a_large_one_stays():
    for x in range(400, 560, 7):
        large, small = (380, 0, 580, 198), (x, 100, x + 14, 150)
        np.testing.assert_array_equal(found(picture(large, small)), [large, small], f"at {x}")


def test_what_the_whole_takes_for_one_small_person_is_two_in_tiles():
    size, here = (1200, 200), np.array([[500, 100, 512, 150], [516, 100, 528, 150]], float)
    nobody = Detections.empty()

    def of(*boxes) -> Detections:
        return Detections.from_boxes(np.zeros(len(boxes)), np.array(boxes, float), np.full(len(boxes), 0.9))

    whole = Glance(of((500, 100, 528, 150), (700, 100, 714, 150)), nobody, np.array([0, 0, *size]), size)
    tile = Glance(of(*here), nobody, np.array([384, 0, 624, 200]), size)
    people, _ = joined(whole, [tile], LAYOUT.overlap_px(size), 0.6)
    assert sorted(people.box_px[:, 0].tolist()) == [500, 516, 700]  # whom tiles miss stays as well


def test_a_cut_box_that_nobody_explains_stays_as_a_faint_one():
    size, nobody = (1200, 200), Detections.empty()
    box = Detections.from_boxes(np.zeros(1), np.array([[560, 20, 624, 200]]), np.ones(1))
    tile = Glance(box, nobody, np.array([384, 0, 624, 200]), size)
    people, faint = joined(Glance(nobody, nobody, np.array([0, 0, *size]), size), [tile], (48, math.inf), 0.6)
    assert len(people) == 0
    np.testing.assert_array_equal(faint.box_px, box.box_px)


def test_keypoints_move_with_their_tile():
    one = Detections(np.zeros(1, int), np.ones((1, 4)), np.ones(1), np.ones((1, 2, 2)), np.ones((1, 2)))
    moved = one.shifted(10, 20)
    np.testing.assert_array_equal(moved.box_px, [[11, 21, 11, 21]])
    np.testing.assert_array_equal(moved.keypoints_px, np.full((1, 2, 2), [11, 21]))


# --- layouts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "size_px", "layout"),
    [
        ("auto", PANORAMA, None),
        ("off", PANORAMA, None),
        (1, PANORAMA, None),
        ("1x1", PANORAMA, None),
        (6, PANORAMA, (6, 1)),
        (6, FOUR_K, (3, 2)),
        (6, FOUR_K[::-1], (2, 3)),
        (7, FOUR_K, (7, 1)),
        ("2x4", FOUR_K, (2, 4)),
    ],
)
def test_what_is_asked_for(setting, size_px, layout):
    assert asked(setting, size_px, "a.mp4") == layout


@pytest.mark.parametrize(
    ("size_px", "layout"), [(PANORAMA, (6, 1)), (FOUR_K, (4, 2)), ((7680, 4320), (4, 3)), ((640, 480), (1, 1))]
)
def test_what_auto_thinks_of(size_px, layout):
    assert usual(size_px) == layout


@pytest.mark.parametrize("layout", [Layout(6, 1), Layout(3, 2), Layout(1, 1), Layout(7, 5)])
@pytest.mark.parametrize("size_px", [PANORAMA, FOUR_K, (641, 479)])
def test_tiles_cover_the_picture_and_overlap(layout, size_px):
    places, side = layout.places(size_px), layout.side_px(size_px)
    assert len(places) == layout.columns * layout.rows
    assert ((places[:, 2:] - places[:, :2]) == side).all()
    assert (places.min(0)[:2] == 0).all()
    assert (places.max(0)[2:] == size_px).all()
    for axis, (count, overlap) in enumerate(zip(layout, layout.overlap_px(size_px), strict=True)):
        starts = np.unique(places[:, axis])
        steps = np.diff(starts)
        assert len(starts) == count
        assert (side[axis] - steps >= overlap).all()
        assert count == 1 or 0.18 * side[axis] < overlap


@pytest.mark.parametrize("tiles", ["6", 6, "3x2", "auto", "off"])
def test_settings(tiles):
    assert str(Config.model_validate({"detect": {"tiles": tiles}}).detect.tiles) == str(tiles)


@pytest.mark.parametrize("tiles", [0, -1, 100, "x", "3x", "0x2", "on", "3*2"])
def test_what_are_no_tiles(tiles):
    with pytest.raises(ValidationError, match="columns and rows, such as 3x2"):
        Config.model_validate({"detect": {"tiles": tiles}})


def test_too_many_tiles_for_the_picture():
    with pytest.raises(PoselineError, match=r"detect\.tiles=20x1: tiles of a\.mp4, .* 640 × 480 px, .* below 64 px"):
        asked("20x1", (640, 480), "a.mp4")


def test_auto_leaves_usual_pictures_alone():
    sizes = [(640, 480), (1280, 720), (1920, 1080), (1080, 1920), (1920, 1200), (2048, 1080)]
    assert not any(is_large(Config(), size) for size in sizes)
    assert all(is_large(Config(), size) for size in (PANORAMA, FOUR_K, FOUR_K[::-1], (2560, 1440), (3840, 540)))
    assert not is_large(Config.model_validate({"detect": {"tiles": "off"}}), PANORAMA)
    assert LATER["detect"]["tiles"] == Config().detect.tiles  # runs of earlier versions go on


# --- frames in order -------------------------------------------------------------------------------------------------


def frames(boxes, count: int, batch: int = 4) -> list[Frames]:
    """Pictures with people at ``boxes(frame)``."""
    index = np.arange(count)
    image = np.stack([picture(*boxes(t)) for t in index])
    parts = [slice(low, low + batch) for low in range(0, count, batch)]
    return [Frames(index=index[p], time_s=index[p] / FPS, image=image[p]) for p in parts]


def models(less: float = 0.0) -> Models:
    network = Inside(less)
    return Models(network, network, COCO17)


def config(activity: str = "auto") -> Config:
    return Config.model_validate({"observe": {"activity": activity, "detect_every_s": 0}})


def walks(t: int) -> list[tuple[float, ...]]:
    return [(30, 100, 50, 160), (520 + 3 * t, 90, 540 + 3 * t, 150)]


def test_only_tiles_in_which_something_happens_are_looked_at():
    network, seen = models(), Tiles(LAYOUT, config())
    out = process_chunk(frames(walks, 60), Chunk(0, 0, 60), network, config(), tiles=seen)
    assert np.bincount(out.frame).tolist() == [2] * 60  # who stands is there in every frame
    per_frame = counted(network.detector.sizes)
    assert per_frame["whole"] == 60
    settled, later = 11 * 6, 49 * 6  # the first second shows what stands still
    assert seen.all == 60 * 6
    assert settled + 49 <= seen.looked < settled + 0.5 * later
    told = tiles.told([seen.cut(), "", '{"layout": "6x1", "tiles": 6, "searched": 1}'])["tiles"]
    assert told["layout"] == "6x1"
    assert told["tiles"] == 366
    assert seen.looked == 0
    seen = Tiles(LAYOUT, config("off"))
    process_chunk(frames(walks, 10), Chunk(0, 0, 10), models(), config("off"), tiles=seen)
    assert seen.looked == seen.all == 60


def counted(sizes: list[tuple[int, int]]) -> dict[str, int]:
    return {"whole": sizes.count(SIZE_PX), "tiles": len(sizes) - sizes.count(SIZE_PX)}


def test_a_small_person_who_moves_makes_the_picture_active():
    """A hundredth of the picture's width is less than a cell of the whole's."""
    size = (6400, 200)
    image = np.zeros((40, size[1], size[0], 3), np.uint8)
    for t in range(40):
        image[t, 100:140, 3000 + 4 * t : 3016 + 4 * t] = 200
    for layout, expected in ((None, 0), (Layout(6, 1), 40)):
        network, c = models(), config()
        search = PeopleSearch(network, c, tiles=Tiles(layout, c))
        looks = [search.detected(image[t : t + 1], np.array([t / FPS])).quiet[0] for t in range(40)]
        assert (~np.array(looks)).sum() >= expected


def test_a_still_scene_is_looked_at_once_a_second():
    network, seen = models(), Tiles(LAYOUT, config())
    process_chunk(frames(lambda t: [(30, 100, 50, 160)], 60), Chunk(0, 0, 60), network, config(), tiles=seen)
    assert seen.looked <= 6 * (11 + 5)


@pytest.mark.parametrize("batch", [1, 3, 60])
def test_same_bytes_whatever_the_batches(batch):
    def out(length: int):
        return process_chunk(
            frames(walks, 40, length), Chunk(0, 0, 40), models(), config(), tiles=Tiles(LAYOUT, config())
        )

    assert_same_bits(out(batch), out(4))
