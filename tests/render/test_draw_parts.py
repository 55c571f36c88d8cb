"""Trails, angles, insets, labels, words, and the planes below them."""

import numpy as np
import pytest

from pipeline.core.homography import STILL
from pipeline.core.settings import RenderConfig
from pipeline.core.skeleton import COCO17
from pipeline.render.draw.angles import draw_angles
from pipeline.render.draw.canvas import Canvas
from pipeline.render.draw.colours import PANEL, SIDE_COLOURS, person_colour
from pipeline.render.draw.figure import Person, sizes_of
from pipeline.render.draw.insets import FloorInset, SpaceInset, corners, emptiest, extent_of
from pipeline.render.draw.labels import Placer
from pipeline.render.draw.overlay import draw_people
from pipeline.render.draw.text import plate
from pipeline.render.draw.trails import Trails
from pipeline.render.look import STYLES, look_of
from pipeline.render.scene import Words, columns_of
from tests.render.test_draw import GREY, changed, person, picture, walker

BT709 = (0.2126, 0.0722)


def near(image: np.ndarray, colour: tuple[int, int, int], within: int = 40) -> np.ndarray:
    """(h, w) bool: px of about a colour."""
    return (np.abs(image.astype(int) - colour) < within).all(2)


# --- planes ----------------------------------------------------------------------------------------------------------


def test_planes_show_what_rgb_shows():
    """The same people on an RGB picture and on the planes of a 4:2:0 one, but for the halved resolution of colour."""
    rgb, size = picture(), (640, 480)
    level = round(16 + 219 * GREY / 255)
    planes = [np.full((480, 640), level, np.uint8), *(np.full((240, 320), 128, np.uint8) for _ in range(2))]
    canvas = Canvas(planes, BT709)
    for target in (rgb, canvas):
        draw_people(target, [walker(3), walker(4, start_px=(420.0, 430.0), measured=False)], COCO17)
    seen = canvas.rgb().astype(int)
    difference = np.abs(seen - rgb).max(2)
    assert size == canvas.size_px
    assert difference[~changed(rgb)].mean() < 2
    assert difference.mean() < 3
    assert (difference > 60).mean() < 0.02


def test_a_part_of_a_canvas_ends_at_its_border():
    image = picture()
    part = Canvas.of(image).part(100, 100, 200, 180)
    assert part.size_px == (100, 80)
    part.discs(np.array([[0.0, 0.0], [100.0, 80.0]]), np.array([30.0, 30.0]), [(255, 0, 0)] * 2)
    where = np.argwhere(changed(image))
    assert where.min(0).tolist() == [100, 100]
    assert where.max(0).tolist() == [179, 199]


# --- trails ----------------------------------------------------------------------------------------------------------


def walking(x: float) -> Person:
    return Person(1, np.array([x - 10, 100, x + 10, 200], np.float32), np.zeros((0, 2), np.float32),
                  np.zeros(0, np.uint8), True)  # fmt: skip


def test_a_trail_is_as_long_as_asked_and_follows_the_feet():
    trails, image = Trails(1.0), picture()
    for i in range(60):
        trails.add(i / 20, [walking(100.0 + 4 * i)], STILL, np.ones(2))
    trails.draw(Canvas.of(image))
    ys, xs = np.nonzero(changed(image))
    assert abs(xs.min() - (100 + 4 * 39)) < 6
    assert abs(xs.max() - (100 + 4 * 59)) < 6
    assert np.abs(ys - 200).max() < 6


def test_a_trail_moves_with_the_camera_and_outlives_the_person_for_its_length_only():
    trails, image = Trails(1.0), picture()
    pan = STILL.copy()
    pan[0, 2] = 5.0  # what was at x is 5 px further right in the next frame
    for i in range(20):
        trails.add(i / 20, [walking(100.0 + 5 * i)], pan if i else STILL, np.ones(2))  # they stand, the camera turns
    trails.draw(Canvas.of(image))
    xs = np.nonzero(changed(image))[1]
    assert np.ptp(xs) < 8
    for i in range(20, 45):
        trails.add(i / 20, [], STILL, np.ones(2))
    after = picture()
    trails.draw(Canvas.of(after))
    assert not changed(after).any()


def test_a_trail_breaks_where_somebody_was_away():
    trails, image = Trails(5.0), picture()
    for i in [*range(20), *range(40, 60)]:
        trails.add(i / 20, [walking(100.0 + 4 * i)], STILL, np.ones(2))
    trails.draw(Canvas.of(image))
    assert not changed(image)[:, 190:245].any()
    assert changed(image)[:, 120:170].any()


# --- angles ----------------------------------------------------------------------------------------------------------

LEG = {11: (300.0, 200.0), 13: (300.0, 290.0), 15: (240.0, 350.0), 12: (360.0, 200.0), 14: (360.0, 290.0)}


def test_an_angle_stands_at_its_joint_with_an_arc_and_only_where_all_points_are_known():
    image, p = picture(), person(LEG)
    sizes = sizes_of(p.box_px, (640, 480))
    placer = Placer()
    placer.start()
    draw_angles(Canvas.of(image), placer, p, COCO17, sizes, {"left_knee_flexion": "45°", "right_knee_flexion": "3°"},
                SIDE_COLOURS)  # fmt: skip
    ys, xs = np.nonzero(changed(image))
    assert np.hypot(xs - 300, ys - 290).max() < 75
    assert near(image, SIDE_COLOURS[-1]).any()
    assert not near(image, SIDE_COLOURS[1]).any()  # the right ankle is lost


def test_angles_of_small_people_are_left_out():
    image, p = picture(), person(LEG, box_px=np.array([300, 200, 340, 300], np.float32))
    draw_angles(Canvas.of(image), Placer(), p, COCO17, sizes_of(p.box_px, (640, 480)), {"left_knee_flexion": "45°"},
                SIDE_COLOURS)  # fmt: skip
    assert not changed(image).any()


# --- labels ----------------------------------------------------------------------------------------------------------


def test_labels_keep_apart_and_stay_where_they_were():
    image, placer = picture(), Placer()
    canvas, patch = Canvas.of(image), plate("17", 20, (200, 60, 60), (20, 20, 20))
    places = [(300.0, 100.0), (300.0, 130.0), (300.0, 160.0)]
    placer.start([(290, 90, 340, 125)])
    placer.put(canvas, patch, places, "a")
    assert changed(image)[130:150, 300:320].mean() > 0.5
    assert not changed(image)[:125].any()
    again = picture()
    placer.start()
    placer.put(Canvas.of(again), patch, places, "a")  # the first place is free again, but it does not jump
    assert changed(again)[130:150, 300:320].mean() > 0.5


def test_a_label_larger_than_the_picture_is_left_out():
    image = np.full((12, 12, 3), GREY, np.uint8)
    assert not Placer().put(Canvas.of(image), plate("17", 20, (200, 60, 60), (20, 20, 20)), [(0, 0)], "a")
    assert not changed(image).any()


# --- insets ----------------------------------------------------------------------------------------------------------


def test_insets_go_where_people_are_not():
    places = corners((640, 480))
    assert emptiest(places, np.zeros((0, 4))) == [0, 1, 2, 3]
    right = np.array([[500.0, 0, 640, 480], [480, 300, 600, 480]])
    assert emptiest(places, right) == [2, 3, 1, 0]
    for x1, y1, x2, y2 in places:
        assert 0 < x1 < x2 < 640
        assert 0 < y1 < y2 < 480
        assert x1 % 2 == y1 % 2 == x2 % 2 == y2 % 2 == 0


def test_the_map_shows_people_where_they_are():
    extent = extent_of(np.random.default_rng(0).uniform(0, 10, (500, 2)), np.zeros(0))
    box, image = (100, 100, 300, 300), picture()
    inset = FloorInset(box, extent, 2.0)
    inset.draw(Canvas.of(image), 0.0, {1: np.array([2.0, 8.0]), 2: np.array([8.0, 2.0]), 3: np.full(2, np.nan)})
    shown = {i: np.argwhere(near(image, person_colour(i))).mean(0) for i in (1, 2)}
    assert shown[1][0] < 180 < 220 < shown[2][0]  # far is on top
    assert shown[1][1] < 180 < 220 < shown[2][1]
    assert not changed(image)[:, :99].any()
    assert not near(image, person_colour(3)).any()


def test_the_maps_way_ends_after_its_time():
    extent = extent_of(np.random.default_rng(0).uniform(0, 10, (500, 2)), np.zeros(0))
    image, inset = picture(), FloorInset((100, 100, 300, 300), extent, 2.0)
    for i in range(30):
        image = picture()
        inset.draw(Canvas.of(image), i / 10, {1: np.array([2.0 + i / 10, 5.0])} if i < 20 else {})
    assert near(image, person_colour(1)).any()
    image = picture()
    inset.draw(Canvas.of(image), 10.0, {})
    assert not near(image, person_colour(1)).any()


@pytest.mark.parametrize("spread_m", [1.0, 40.0])
def test_people_in_space_stand_upright_and_are_never_specks(spread_m):
    """Also on a floor of 50 m; heads are above feet, and nothing is drawn beyond the panel."""
    places = np.random.default_rng(1).uniform(-spread_m / 2, spread_m / 2, (500, 2))
    extent = extent_of(places, np.full(500, 1.5))
    box, image = (100, 100, 300, 300), picture()
    joints = np.array([[0.0, 0, 0.0], [0, 0, 0.9], [0, 0, 1.7]])
    inset = SpaceInset(box, extent, [(0, 1), (1, 2)])
    inset.draw(Canvas.of(image), 1.0, [(joints, SIDE_COLOURS, [-1, 1])])
    low = np.argwhere(near(image, SIDE_COLOURS[-1], 60))
    high = np.argwhere(near(image, SIDE_COLOURS[1], 60))
    assert high[:, 0].mean() < low[:, 0].mean()
    assert np.ptp(np.concatenate([low, high])[:, 0]) > 40
    outside = np.ones(image.shape[:2], bool)
    outside[99:303, 99:303] = False
    assert not changed(image)[outside].any()
    away = np.array([[1e4, 1e4, 0.0], [np.nan] * 3, [-1e4, 0, 1e5]])
    inset.draw(Canvas.of(image), 2.0, [(away, SIDE_COLOURS, [-1, 1])])  # does not fail
    assert near(image, PANEL, 60)[110:290, 110:290].mean() > 0.3


def test_nobodys_place_is_no_floor():
    assert extent_of(np.full((3, 2), np.nan), np.zeros(0)) is None


# --- words -----------------------------------------------------------------------------------------------------------

THERE = {"com_speed_px_s", "ground_speed_m_s", "left_knee_flexion_deg", "left_knee_flexion_3d_deg"}


def said(values: dict[str, float], words: Words, names: tuple[str, ...], time_s: float) -> tuple[str, dict[str, str]]:
    p = walker()._replace(further=np.array([values.get(n, np.nan) for n in names], np.float32))
    return words.label(p, time_s), words.angles(p, time_s)


def test_labels_say_the_name_and_the_best_known_speed_and_hold_numbers_to_be_read():
    columns = columns_of(THERE, STYLES["analysis"], COCO17)
    words = Words(columns, {1: "Ann"})
    assert columns.speed == "ground_speed_m_s"
    now = {"ground_speed_m_s": 1.44, "left_knee_flexion_deg": -0.3}
    assert said(now, words, columns.names, 0.0) == ("Ann · 1.4 m/s", {"left_knee_flexion": "0°"})
    later = {"ground_speed_m_s": 3.0, "left_knee_flexion_deg": 50.0}
    assert said(later, words, columns.names, 0.05)[1] == {"left_knee_flexion": "0°"}
    assert said(later, words, columns.names, 0.2)[1] == {"left_knee_flexion": "50°"}
    assert said({}, words, columns.names, 9.0) == ("Ann", {})


def test_an_angle_in_space_stands_in_where_the_plane_has_none():
    columns = columns_of(THERE, STYLES["analysis"], COCO17)
    values = {"left_knee_flexion_3d_deg": 61.0}
    assert said(values, Words(columns, {}), columns.names, 0.0) == ("1", {"left_knee_flexion": "≈61°"})


def test_settings_win_over_the_style():
    look = look_of(RenderConfig(style="analysis", speed=False, trail_s=9.0, blur="faces"))
    assert (look.speed, look.trail_s, look.clock, look.heads) == (False, 9.0, True, False)
    assert look_of(RenderConfig(blur="faces", background="black")).heads
