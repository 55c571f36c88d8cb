from fractions import Fraction

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17
from pipeline.core.types import Observations, VideoInfo
from pipeline.observe.faint import Faint
from pipeline.render.draw.canvas import Canvas
from pipeline.render.draw.obscure import obscure_heads, obscure_people
from pipeline.render.heads import head_capsules
from pipeline.render.regions import Regions, regions_by_frame
from pipeline.render.strays import LEAD_S
from pipeline.render.video import render
from pipeline.store.folder import RunFolder
from pipeline.store.parts import write_part
from pipeline.video.encode import VideoWriter
from pipeline.video.index import index_video
from tests import synthetic
from tests.heads import HEAD, Walker, disc, draw_heads, fine, luma_of, walker
from tests.render.test_render import run_folder

SIZE_PX, FPS, FRAMES = (640, 480), 25, 150
GROUND = 120


def scene(info: VideoInfo) -> list[Walker]:
    """Everything that goes wrong, to one of each."""
    return [
        walker(info, 1, (80.0, 460.0), (70.0, 0.0), 330.0),
        walker(info, 2, (560.0, 300.0), (-60.0, 5.0), 180.0, bridged=(slice(30, 52), slice(90, 110)), seed=2),
        walker(info, 3, (40.0, 200.0), (80.0, 10.0), 120.0, absent=(slice(50, 95),), seed=3),
        walker(info, 4, (600.0, 440.0), (-50.0, 0.0), 260.0, turned=(slice(20, 60), slice(80, 130)), seed=4),
        walker(info, 5, (100.0, 280.0), (60.0, 0.0), 140.0, hidden=(slice(60, 80),), seed=5),
        walker(info, 6, (620.0, 240.0), (-70.0, 0.0), 150.0, there=slice(40, 110), known=slice(50, 100), seed=6),
        walker(info, 7, (30.0, 330.0), (110.0, 0.0), 60.0, noise=0.012, seed=7),
    ]


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> tuple[VideoInfo, list[Walker]]:
    """A video of heads alone, in which everything else is grey."""
    path = tmp_path_factory.mktemp("heads") / "heads.mp4"
    times = np.arange(FRAMES) / FPS
    stub = VideoInfo(path, SIZE_PX, 0, Fraction(1, FPS), Fraction(FPS), np.arange(FRAMES), times,
                     np.ones(FRAMES, bool), False, "", "h264", "yuv420p", "file")  # fmt: skip
    walkers = scene(stub)
    with VideoWriter(path, SIZE_PX, Fraction(1, FPS), Fraction(FPS), crf=2, preset="ultrafast") as writer:
        for i in range(FRAMES):
            image = np.full((SIZE_PX[1], SIZE_PX[0], 3), GROUND, np.uint8)
            draw_heads(image, walkers, i)
            writer.write(image, i)
    return index_video(path), walkers


# --- no head is left -------------------------------------------------------------------------------------------------


def test_no_head_is_left_unblurred(video, tmp_path):
    """Late found, early lost, bridged, absent for 1.8 s, turned away, hidden, small, noisy; in every frame."""
    info, walkers = video
    folder = run_folder(tmp_path, info, [w.motion for w in walkers])
    settings = {"blur": "faces", "crf": 2, "preset": "ultrafast", "skeleton": False, "boxes": False, "labels": False}
    render(folder, Config.model_validate({"render": settings}))
    before, after = luma_of(info.path), luma_of(folder.video)
    shown = plain = 0
    for i in range(FRAMES):
        for w in walkers:
            inside = disc(SIZE_PX, w.centre_px[i], w.radius_px)
            if not w.there[i] or not inside.any():
                continue
            sharp, left = fine(before[i], inside), fine(after[i], inside)
            shown += 1
            if sharp < 25:  # of a head of 9 px chance may make one colour, and the border may cut it
                plain += 1
                continue
            assert left < 0.2 * sharp, (i, w.motion.person_id)
    assert shown > 900
    assert plain < 5


def test_every_part_of_every_head_is_covered(video, tmp_path):
    info, walkers = video
    folder = run_folder(tmp_path, info, [w.motion for w in walkers])
    rim = np.stack([np.cos(a := np.linspace(0, 2 * np.pi, 40)), np.sin(a)], 1)
    regions = regions_by_frame(folder, COCO17, info.time_s, range(FRAMES), whole=False)
    for i, here in enumerate(regions):
        for w in walkers:
            if w.there[i]:
                points = w.centre_px[i] + w.radius_px * rim
                covered = np.zeros(len(points), bool)
                for x1, y1, x2, y2, radius in here:
                    a, b = np.array([x1, y1]), np.array([x2, y2])
                    share = ((points - a) @ (b - a) / max((b - a) @ (b - a), 1e-9)).clip(0, 1)
                    covered |= np.hypot(*(points - a - share[:, None] * (b - a)).T) <= radius
                assert covered.all(), (i, w.motion.person_id)


def test_the_blur_is_not_everywhere(video, tmp_path):
    """Discs are at most about twice as large as the head of somebody who is well seen."""
    info, walkers = video
    folder = run_folder(tmp_path, info, [walkers[0].motion])
    radii = [r[0][4] for r in regions_by_frame(folder, COCO17, info.time_s, range(FRAMES), whole=False)]
    assert max(radii) < 2 * walkers[0].radius_px


def test_people_that_the_tracker_dropped_are_blurred_too(video, tmp_path):

    info, walkers = video
    folder = run_folder(tmp_path, info, [])
    m = walkers[0].motion
    obs = Observations(m.frame, m.box_px, m.score, m.keypoints_px, m.keypoint_score)
    write_part(folder.part(0), obs, (0, FRAMES), "", [])
    here = list(regions_by_frame(folder, COCO17, info.time_s, range(40, 60), whole=False))
    assert all(len(regions) == 1 for regions in here)


def test_blurring_whole_people(video, tmp_path):
    info, walkers = video
    folder = run_folder(tmp_path, info, [w.motion for w in walkers])
    for i, here in enumerate(regions_by_frame(folder, COCO17, info.time_s, range(FRAMES), whole=True)):
        for w in walkers:
            row = np.flatnonzero(w.motion.frame == i)
            if len(row):
                box = w.motion.box_px[row[0]]
                assert any((r[:2] <= box[:2]).all() and (r[2:] >= box[2:]).all() for r in here)


def test_heads_stay_blurred_when_others_are_drawn_only(video, tmp_path):
    info, walkers = video
    folder = run_folder(tmp_path, info, [w.motion for w in walkers])
    render(folder, Config.model_validate({"render": {"blur": "faces", "people": [2], "crf": 2}}))
    after = luma_of(folder.video)[10]
    inside = disc(SIZE_PX, walkers[0].centre_px[10], walkers[0].radius_px)
    assert fine(after, inside) < 6


# --- one head --------------------------------------------------------------------------------------------------------


def capsule(points: dict[str, tuple[float, float]], box=(200, 100, 320, 460), skeleton=COCO17) -> np.ndarray:
    xy = np.full((1, len(skeleton), 2), np.nan, np.float32)
    for name, at in points.items():
        xy[0, skeleton.index(name)] = at
    score = np.where(np.isfinite(xy[..., 0]), 0.8, 0).astype(np.float32)
    return head_capsules(xy, score, np.array([box], np.float32), np.array([True]), skeleton)[0]


def covers(shape: np.ndarray, centre: tuple[float, float], radius: float) -> bool:
    """Whether a disc lies in the capsule."""
    a, b, c = shape[:2], shape[2:4], np.array(centre)
    share = np.clip((c - a) @ (b - a) / max((b - a) @ (b - a), 1e-9), 0, 1)
    return bool(np.hypot(*(c - a - share * (b - a))) + radius <= shape[4])


BODY = {"left_shoulder": (230, 165), "right_shoulder": (290, 165), "left_hip": (240, 268), "right_hip": (280, 268)}


def test_a_head_is_found_from_shoulders_alone():
    x1, y1, x2, y2, radius = capsule(BODY)
    assert abs(x1 - 260) < 3
    assert x1 == x2
    assert 100 < y2 < y1 < 140
    assert 27 < radius < 55


def test_a_head_that_hangs_down_is_below_the_shoulders():
    upside_down = {name: (x, 600 - y) for name, (x, y) in BODY.items()}
    assert capsule(upside_down, (200, 140, 320, 500))[1] > 435


@pytest.mark.parametrize("turn_deg", [-60, 0, 60])
def test_a_head_bent_aside_and_seen_from_behind_lies_between_neck_and_top(turn_deg: float):
    """Of somebody 360 px tall without any point of the face: the shoulders alone would have the head above them."""
    up = np.array([np.sin(np.deg2rad(turn_deg)), -np.cos(np.deg2rad(turn_deg))])
    neck = np.array([260, 150])
    middle = neck + 27 * up
    found = capsule(BODY | {"neck": tuple(neck), "head": tuple(neck + 0.14 * 360 * up)}, skeleton=HALPE26)
    assert covers(found, tuple(middle), HEAD * 360)
    assert found[4] < 60
    assert covers(capsule(BODY), tuple(middle), HEAD * 360) == (turn_deg == 0)


def test_a_misplaced_top_of_the_head_does_not_take_the_blur_away():
    found = capsule(BODY | {"neck": (260, 150), "head": (420, 330)}, skeleton=HALPE26)
    assert covers(found, (260, 125), HEAD * 360)
    assert found[4] < 65


def test_of_a_box_alone_its_upper_part_is_blurred():
    x1, y1, x2, y2, radius = capsule({})
    assert x1 - radius <= 205
    assert x2 + radius >= 315
    assert y1 - radius <= 105
    assert y1 == y2


def test_a_misplaced_point_of_the_face_does_not_blur_half_the_picture():
    face = {"nose": (260, 125), "left_eye": (265, 120), "right_eye": (255, 120), "left_ear": (270, 122)}
    assert capsule(BODY | face | {"right_ear": (500, 400)})[4] < 65


def test_a_trunk_longer_than_the_body_does_not_blur_half_the_picture():
    """Where a pose went from one person to the other, its hips may lie far from its shoulders."""
    wrong = BODY | {"left_hip": (20, 470), "right_hip": (60, 470)}
    assert capsule(wrong)[4] < 100


def test_nothing_known_is_nothing():
    assert np.isnan(capsule({}, (np.nan,) * 4)).all()


# --- through time ----------------------------------------------------------------------------------------------------


def test_a_head_is_held_before_after_and_between():
    time_s = np.arange(200) / 25
    rows = np.r_[50:60, 90:100]
    shape = np.stack([rows * 2.0, rows * 0 + 50, rows * 2.0, rows * 0 + 50, rows * 0 + 10], 1).astype(float)
    regions = Regions(rows, time_s[rows], shape, np.ones(len(rows), bool), time_s)
    lead = round(LEAD_S * 25)
    assert [bool(regions.at(i)) for i in (50 - lead - 2, 50 - lead + 1, 99 + lead - 1, 99 + lead + 2)] == [0, 1, 1, 0]
    x1, _, x2, _, radius = regions.at(75)[0]
    assert (x1, x2) == (118, 180)
    assert radius > 10
    ahead = regions.at(105)[0]
    assert ahead[2] == pytest.approx(210, abs=1)  # where its speed would have brought it


def test_long_absences_are_blurred_at_their_ends_only():
    time_s = np.arange(1000) / 25
    rows = np.r_[10:20, 900:910]
    shape = np.tile([50.0, 50, 50, 50, 10], (len(rows), 1))
    regions = Regions(rows, time_s[rows], shape, np.ones(len(rows), bool), time_s)
    assert [len(regions.at(i)) for i in (25, 500, 895)] == [1, 0, 1]


# --- it cannot be undone ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [6, 20, 80, 200])
def test_hardly_anything_of_a_head_is_left(radius):
    """Of noise, the hardest to hide, next to no variance is left, nor after taking off the blur's own smoothness."""
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (480, 480, 3), np.uint8)
    before = image.astype(float)
    obscure_heads(Canvas.of(image), [np.array([240, 240, 240, 240, radius])])
    inside = disc((480, 480), np.array([240, 240]), 0.95 * radius)
    after = image.astype(float)[inside]
    assert after.var() < 0.08 * before[inside].var()
    left = image.astype(float)
    finest = np.diff(left, axis=1)[inside[:, 1:] & inside[:, :-1]].var()
    assert finest < 0.02 * np.diff(before, axis=1)[inside[:, 1:] & inside[:, :-1]].var()


def test_faces_that_differ_in_fine_features_only_look_the_same():
    """Two faces of equal means in each cell come out equal: no filter can tell them apart again."""
    y, x = np.mgrid[:200, :200]
    one = (128 + 90 * np.where((x // 2 + y // 2) % 2 == 0, 1, -1)).astype(np.uint8)[..., None].repeat(3, 2)
    other = (256 - one.astype(int)).astype(np.uint8)
    for image in (one, other):
        obscure_heads(Canvas.of(image), [np.array([100, 100, 100, 100, 60])])
    inside = disc((200, 200), np.array([100, 100]), 58)
    assert np.abs(one[inside].astype(int) - other[inside]).max() < 25  # of 180


def test_only_the_region_changes_and_any_region_is_safe():
    image = np.random.default_rng(0).integers(0, 256, (101, 99, 3), np.uint8)
    before = image.copy()
    obscure_heads(Canvas.of(image), [np.array([50, 50, 60, 50, 10])])
    far = ~disc((99, 101), np.array([55, 50]), 22)
    assert (image[far] == before[far]).all()
    for at in (-500.0, -3.0, 97.0, 1e7, np.nan):
        obscure_heads(Canvas.of(image), [np.array([at, at, at, 50, 9.0])])
        obscure_people(Canvas.of(image), [np.array([at, at, at + 20, at + 30])])


def test_a_run_without_people_has_nothing_to_blur(video, tmp_path):
    info, _ = video
    folder = run_folder(tmp_path, info, [])
    assert list(regions_by_frame(folder, COCO17, info.time_s, range(3), whole=False)) == [[], [], []]
    assert isinstance(folder, RunFolder)
    assert synthetic.SIZE_PX


# --- few frames a second, and those whom nobody follows --------------------------------------------------------------


@pytest.mark.parametrize("step_s", [0.6, 1.0, 60.0])
def test_however_few_frames_there_are_two_before_and_two_after_are_blurred(step_s):
    time_s = np.arange(12) * step_s
    rows = np.arange(4, 8)
    shape = np.tile([50.0, 50, 50, 50, 10], (len(rows), 1))
    regions = Regions(rows, time_s[rows], shape, np.ones(len(rows), bool), time_s)
    assert [len(regions.at(i)) for i in range(1, 11)] == [0, *[1] * 8, 0]
    assert 10 < regions.at(3)[0][4] <= 25


def test_where_frames_are_far_apart_the_speed_is_that_between_two_of_them():
    time_s = np.arange(12) * 0.5
    rows = np.arange(4, 8)
    shape = np.stack([rows * 60.0, rows * 0 + 50, rows * 60.0, rows * 0 + 50, rows * 0 + 10], 1).astype(float)
    regions = Regions(rows, time_s[rows], shape, np.ones(len(rows), bool), time_s)
    assert regions.at(3)[0][2] == pytest.approx(180)
    assert regions.at(9)[0][2] == pytest.approx(540, abs=40)  # no faster than anybody goes


def observed(info: VideoInfo, folder: RunFolder, some: Walker, frame: np.ndarray, score: float) -> None:
    """Sightings of a walker in these frames, the only ones."""
    m = some.motion
    rows = np.isin(m.frame, frame)
    sure = np.full(rows.sum(), score, np.float32)
    obs = Observations(m.frame[rows], m.box_px[rows], sure, m.keypoints_px[rows], m.keypoint_score[rows])
    write_part(folder.part(0), obs, (0, len(info)), "", [])


def test_whoever_was_seen_at_any_score_is_blurred_and_a_while_before_and_after(video, tmp_path):
    """A passer-by of a score that no tracker takes, and whom the detector loses in every third frame."""
    info, walkers = video
    folder = run_folder(tmp_path, info, [])
    frame = np.array([i for i in range(40, 100) if i % 3])
    observed(info, folder, walkers[0], frame, 0.11)
    here = dict(enumerate(regions_by_frame(folder, COCO17, info.time_s, range(FRAMES), whole=False)))
    centre, radius = walkers[0].centre_px, walkers[0].radius_px
    for i in range(39, 102):
        assert any(covers(shape, centre[i], 0.9 * radius) for shape in here[i]), i
    assert here[40 - round(LEAD_S * FPS) + 1]
    assert here[98 + round(LEAD_S * FPS) - 1]
    assert not here[0]
    assert not here[FRAMES - 1]


def test_where_somebody_may_be_is_blurred(video, tmp_path):
    """Boxes that were not sure enough for a pose, in every eighth frame, as often as people are looked for."""
    info, walkers = video
    folder, m = run_folder(tmp_path, info, []), walkers[0].motion
    faint = Faint()
    for i in range(0, FRAMES, 8):
        faint.add(i, m.box_px[m.frame == i])
    write_part(folder.part(0), Observations.empty(17, "coco17"), (0, FRAMES), "", [], "", faint.cut())
    here = list(regions_by_frame(folder, COCO17, info.time_s, range(FRAMES), whole=False))
    for i in range(FRAMES):
        assert any(covers(shape, walkers[0].centre_px[i], 0.9 * walkers[0].radius_px) for shape in here[i]), i
    whole = list(regions_by_frame(folder, COCO17, info.time_s, range(8, 9), whole=True))
    assert (whole[0][0][2:] > m.box_px[m.frame == 8][0, 2:]).all()


def test_a_part_of_a_video_hides_whom_the_frames_around_it_show(video, tmp_path):
    info, walkers = video
    folder = run_folder(tmp_path, info, [])
    observed(info, folder, walkers[0], np.arange(60, 80), 0.2)
    (before,) = regions_by_frame(folder, COCO17, info.time_s, range(58, 59), whole=False)
    (after,) = regions_by_frame(folder, COCO17, info.time_s, range(81, 82), whole=False)
    assert len(before) == len(after) == 1
