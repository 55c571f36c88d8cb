import numpy as np
import pytest

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import BLAZEPOSE33, COCO17, Skeleton
from pipeline.core.types import INTERPOLATED, MEASURED, MISSING
from pipeline.core.wholebody_sets import FACE, WHOLEBODY133
from pipeline.render.draw.colours import SIDE_COLOURS, person_colour
from pipeline.render.draw.figure import Person, sizes_of
from pipeline.render.draw.overlay import draw_people
from tests import synthetic
from tests.motion.exchanges import halpe

GREY = 110
ANKLE, KNEE = COCO17.index("left_ankle"), COCO17.index("left_knee")


def picture(size_px: tuple[int, int] = (640, 480)) -> np.ndarray:
    return np.full((size_px[1], size_px[0], 3), GREY, np.uint8)


def changed(image: np.ndarray) -> np.ndarray:
    return (image != GREY).any(2)


def person(points: dict[int, tuple[float, float]], state: int = MEASURED, k: int = 17, **other) -> Person:
    """Somebody of whom these keypoints are known, in a box around the middle of a 640x480 picture."""
    xy, states = np.full((k, 2), np.nan, np.float32), np.full(k, MISSING, np.uint8)
    for i, point in points.items():
        xy[i], states[i] = point, state
    values = {"person_id": 1, "box_px": np.array([200, 100, 440, 400], np.float32), "measured": True, **other}
    return Person(keypoints_px=xy, state=states, **values)


def walker(person_id: int = 1, state: int = MEASURED, measured: bool = True, start_px=(320.0, 440.0)) -> Person:
    xy = synthetic.walker(np.zeros(1), height_px=350, start_px=start_px)
    box = synthetic.boxes(xy)[0].astype(np.float32)
    return Person(person_id, box, xy[0].astype(np.float32), np.full(17, state, np.uint8), measured)


def without_box(p: Person) -> Person:
    return p._replace(box_px=np.full(4, np.nan, np.float32))


# --- what is drawn where ---------------------------------------------------------------------------------------------


def test_only_pixels_near_the_person_change():
    image, p = picture(), walker()
    draw_people(image, [p], COCO17)
    where = np.argwhere(changed(image))[:, ::-1]
    x1, y1, x2, y2 = p.box_px
    label_px = 20
    assert (where >= [x1 - 4, y1 - label_px]).all()
    assert (where <= [x2 + 4, y2 + 4]).all()
    middle = changed(image)[int(y1) + 20 : int(y2) - 20, int(x1) + 20 : int(x2) - 20]
    assert 0.01 < middle.mean() < 0.5


def test_limbs_have_the_colour_of_their_side_and_a_dark_edge():
    image = picture()
    left = {KNEE: (260.0, 200.0), ANKLE: (260.0, 300.0)}
    right = {KNEE + 1: (380.0, 200.0), ANKLE + 1: (380.0, 300.0)}
    middle = {COCO17.index("left_hip"): (290.0, 150.0), COCO17.index("right_hip"): (350.0, 150.0)}
    draw_people(image, [person(left | right | middle)], COCO17)
    assert tuple(image[250, 260]) == SIDE_COLOURS[-1]
    assert tuple(image[250, 380]) == SIDE_COLOURS[1]
    assert tuple(image[150, 320]) == SIDE_COLOURS[0]
    row = image[250, 250:271].astype(int)
    assert row.sum(1).min() < 3 * GREY - 90
    assert (row[[0, -1]] == GREY).all()


@pytest.mark.parametrize("lost", [KNEE, ANKLE])
def test_a_limb_needs_both_ends(lost):
    points = {KNEE: (260.0, 200.0), ANKLE: (260.0, 300.0)}
    image = picture()
    draw_people(image, [person({k: v for k, v in points.items() if k != lost})], COCO17)
    assert not changed(image)[240:260, 250:270].any()
    kept = points[ANKLE if lost == KNEE else KNEE]
    assert changed(image)[int(kept[1]), int(kept[0])]


def test_measured_joints_are_dots_and_interpolated_ones_rings():
    points = {KNEE: (260.0, 200.0), ANKLE: (260.0, 300.0)}
    filled, hollow = picture((1920, 1080)), picture((1920, 1080))
    large = np.array([100, 50, 700, 1000], np.float32)
    draw_people(filled, [person(points, box_px=large)], COCO17)
    draw_people(hollow, [person(points, INTERPOLATED, box_px=large)], COCO17)
    assert tuple(filled[300, 260]) == SIDE_COLOURS[-1]
    assert (hollow[299:301, 259:261] == GREY).all()  # the limb ends at the ring
    ring = hollow[300, 260:280].astype(int)
    assert np.abs(ring - SIDE_COLOURS[-1]).sum(1).min() < 30
    assert tuple(hollow[250, 260]) == SIDE_COLOURS[-1]


def test_missing_keypoints_are_not_drawn_even_with_a_position():
    image = picture()
    draw_people(image, [person({KNEE: (260.0, 200.0), ANKLE: (260.0, 300.0)}, MISSING)], COCO17)
    assert not changed(image)[190:310, 250:270].any()


def test_bridged_people_are_fainter_and_their_box_dashed():
    seen, bridged = picture(), picture()
    p = walker(state=MEASURED)
    draw_people(seen, [p], COCO17)
    draw_people(bridged, [p._replace(measured=False)], COCO17)
    hip_to_knee = p.keypoints_px[[11, 13]].mean(0).astype(int)
    x, y = hip_to_knee
    strong, weak = (np.abs(i[y, x].astype(int) - GREY).sum() for i in (seen, bridged))
    assert 0.4 * strong < weak < 0.6 * strong
    column = round(float(p.box_px[0]))
    side = slice(int(p.box_px[1]) + 30, int(p.box_px[3]) - 5)
    assert changed(seen)[side, column].all()
    assert 0.3 < changed(bridged)[side, column].mean() < 0.7


def test_points_without_a_limb_are_left_out():
    image = picture()
    eye = BLAZEPOSE33.index("left_eye_inner")
    draw_people(image, [person({eye: (300.0, 250.0)}, k=33)], BLAZEPOSE33)
    assert not changed(image)[240:260, 290:310].any()


def test_face_of_a_small_person_is_left_out():
    image = picture((1920, 1080))
    p = person({0: (60.0, 225.0), 1: (62.0, 223.0)}, box_px=np.array([40, 210, 80, 300], np.float32))
    draw_people(image, [p], COCO17)
    assert not changed(image)[216:234, 50:70].any()


def whole_body() -> Person:
    """Somebody from in front: a body and a round face, whose points but the jaw's lie in one place."""
    body = walker()
    xy, state = np.full((133, 2), np.nan, np.float32), np.full(133, MISSING, np.uint8)
    xy[:17], state[:17] = body.keypoints_px, MEASURED
    xy[:5] = [(320, 122), (328, 112), (312, 112), (336, 115), (304, 115)]
    turn = np.linspace(0, np.pi, 17)
    xy[FACE.start : FACE.start + 17] = np.stack([320 - 40 * np.cos(turn), 200 + 30 * np.sin(turn)], 1)
    xy[FACE.start + 17 : FACE.stop] = (320, 170)
    state[FACE] = MEASURED
    return Person(1, np.array([220, 100, 420, 450], np.float32), xy, state, True)


def test_a_face_of_lines_is_thin_and_stands_for_the_bodys_eyes_and_ears():
    image, p = picture(), whole_body()
    draw_people(image, [p], WHOLEBODY133)
    chin = image[215:245, 320].astype(int)
    assert 1 <= (np.abs(chin - GREY).sum(1) > 60).sum() <= 4
    assert not changed(image)[106:126, 300:340].any()  # no sticks from eye to ear
    limb = sizes_of(p.box_px, (640, 480)).limb
    assert limb > 4  # what a body's limb takes there
    lost = p.state.copy()
    lost[FACE] = MISSING
    image = picture()
    draw_people(image, [p._replace(state=lost)], WHOLEBODY133)
    assert changed(image)[106:126, 300:340].any()


def test_face_and_fingers_of_a_small_person_are_left_out():
    image, p = picture(), whole_body()
    box = np.array([300, 120, 340, 250], np.float32)
    draw_people(image, [p._replace(box_px=box)], WHOLEBODY133)
    assert not changed(image)[222:240, 310:330].any()


def test_the_trunk_of_26_points_is_as_wide_as_a_limb_and_stays_in_small_people():
    xy = halpe(synthetic.walker(np.zeros(1), height_px=350, start_px=(320.0, 440.0)), 350)[0].astype(np.float32)
    box = np.array([*xy.min(0), *xy.max(0)], np.float32)
    p = Person(1, box, xy, np.full(26, MEASURED, np.uint8), True)
    image = picture()
    draw_people(image, [p], HALPE26)
    middle = int((xy[HALPE26.index("neck"), 1] + xy[HALPE26.index("hip"), 1]) / 2)
    row = (image[middle] == SIDE_COLOURS[0]).all(1)
    assert row.sum() >= 0.7 * sizes_of(box, (640, 480)).limb
    toe = xy[HALPE26.index("left_big_toe")].astype(int)
    assert changed(image)[toe[1] - 2 : toe[1] + 3, toe[0] - 2 : toe[0] + 3].all()
    image = picture((1920, 1080))
    small = p._replace(keypoints_px=xy * 0.2 + 200, box_px=box * 0.2 + 200)
    draw_people(image, [small], HALPE26)
    assert changed(image)[int(middle * 0.2 + 200)].sum() >= 1


def test_a_set_without_limbs_is_drawn_as_dots():
    cloud = Skeleton("cloud", tuple(f"kpt_{i}" for i in range(106)), (), (0.01,) * 106)
    image = picture()
    draw_people(image, [person({3: (300.0, 250.0)}, k=106)], cloud)
    assert changed(image)[249:252, 299:302].any()
    assert changed(image)[240:260, 290:310].sum() < 40


def test_nearer_people_and_labels_are_on_top():
    far, near = walker(1, start_px=(320.0, 420.0)), walker(2, start_px=(330.0, 440.0))
    one, other = picture(), picture()
    draw_people(one, [far, near], COCO17)
    draw_people(other, [near, far], COCO17)
    assert (one == other).all()


# --- safety ----------------------------------------------------------------------------------------------------------


def test_nobody_leaves_the_picture_alone():
    image = picture()
    draw_people(image, [], COCO17)
    draw_people(image, [without_box(person({}))], COCO17)
    assert not changed(image).any()


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("size_px", [(1, 1), (16, 9), (641, 479), (480, 640)])
def test_any_coordinates_are_safe(size_px, measured):
    rng = np.random.default_rng(3)
    for scale in (10.0, 1e3, 1e6, 1e12):
        xy = rng.normal(0, scale, (17, 2)).astype(np.float32)
        xy[3], xy[4, 0], xy[5] = np.nan, np.inf, -np.inf
        box = np.concatenate([xy[[0, 1]].min(0), xy[[0, 1]].max(0)])
        draw_people(picture(size_px), [Person(9, box, xy, np.full(17, INTERPOLATED, np.uint8), measured)] * 2, COCO17)


def test_people_outside_the_picture_are_not_drawn():
    image = picture()
    draw_people(image, [walker(start_px=(-900.0, 440.0)), walker(start_px=(320.0, 4000.0))], COCO17)
    assert not changed(image).any()


def test_a_person_without_a_box_still_gets_skeleton_and_label():
    image, p = picture(), without_box(walker(3))
    draw_people(image, [p], COCO17)
    assert (image == person_colour(3)).all(2).sum() > 30
    x, y = p.keypoints_px[[11, 13]].mean(0).astype(int)
    assert changed(image)[y, x]


@pytest.mark.parametrize("start_px", [(320.0, 330.0), (2.0, 440.0), (638.0, 440.0)])
def test_labels_stay_in_the_picture(start_px):
    image = picture()
    p = walker(7, start_px=start_px)
    sizes = sizes_of(p.box_px, (640, 480))
    draw_people(image, [p], COCO17)
    plate = (image == person_colour(7)).all(2)
    rows = plate.sum(1)
    assert np.sort(rows)[-sizes.label // 2 :].min() > 0.5 * sizes.label
    assert plate.sum() > 0.4 * sizes.label**2


# --- sizes and colours -----------------------------------------------------------------------------------------------


def test_drawing_scales_with_the_picture():
    shares = []
    for factor in (1, 2, 4):
        image, p = picture((640 * factor, 480 * factor)), walker()
        big = p._replace(box_px=p.box_px * factor, keypoints_px=p.keypoints_px * factor)
        draw_people(image, [big], COCO17)
        shares.append(changed(image).mean())
    assert max(shares) < 1.5 * min(shares)


def test_person_colours_are_stable_bright_and_well_apart():
    colours = np.array([person_colour(i) for i in range(1, 11)], float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=2) + 1e3 * np.eye(len(colours))
    assert apart.min() > 50
    light = np.array([person_colour(i) for i in range(1, 500)]) @ [0.299, 0.587, 0.114]
    assert light.min() >= 119
    assert person_colour(12) == person_colour(12)
