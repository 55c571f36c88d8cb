"""What live hides: heads of known place, in the pictures as they are written."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.skeleton import COCO17
from pipeline.core.types import MEASURED, Observations, VideoInfo
from pipeline.live.eyes import Eyes
from pipeline.live.hidden import HOLD_S, Hidden
from pipeline.live.painter import TICKS, LivePainter
from pipeline.render.privacy import Privacy
from pipeline.render.strays import FAINT, LEAD_S, STRAY, Strays
from tests import stand_ins
from tests.heads import Walker, disc, draw_heads, fine, luma_of, walker

SIZE_PX, FPS, FRAMES = (320, 240), 25, 110
NOBODY = np.zeros((0, 4), np.float32)


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, list[Walker]]:
    """Times, and people who are found late, lost early, bridged, absent, turned away, and of whom nothing is known."""
    times = np.arange(FRAMES) / FPS
    stub = VideoInfo(Path("x"), SIZE_PX, 0, Fraction(1, FPS), Fraction(FPS), np.arange(FRAMES), times,
                     np.ones(FRAMES, bool), False, "", "h264", "yuv420p", "file")  # fmt: skip
    return times, [
        walker(stub, 1, (40.0, 235.0), (35.0, 0.0), 170.0),
        walker(stub, 2, (280.0, 150.0), (-30.0, 2.0), 90.0, bridged=(slice(30, 52),), seed=2),
        walker(stub, 3, (20.0, 110.0), (25.0, 3.0), 70.0, absent=(slice(40, 75),), seed=3),
        walker(stub, 4, (310.0, 230.0), (-30.0, 0.0), 130.0, turned=(slice(20, 60),), seed=4),
        walker(stub, 5, (310.0, 120.0), (-35.0, 0.0), 75.0, there=slice(20, 75), known=slice(33, 62), seed=6),
    ]


def sightings(walkers: list[Walker], frame: int, strays: bool) -> tuple[Observations, np.ndarray]:
    """Whom the networks saw in a frame, and their tracklets: none of them with ``strays``."""
    rows = [(w.motion, int(np.searchsorted(w.motion.frame, frame))) for w in walkers]
    seen = [(m, r) for m, r in rows if r < len(m.frame) and m.frame[r] == frame and m.state[r] == MEASURED]
    n = len(seen)

    def of(name: str, shape: tuple[int, ...]) -> np.ndarray:
        return np.array([getattr(m, name)[r] for m, r in seen], np.float32).reshape(n, *shape)

    obs = Observations(
        np.full(n, frame), of("box_px", (4,)), of("score", ()), of("keypoints_px", (17, 2)), of("keypoint_score", (17,))
    )
    return obs, np.array([-1 if strays else m.person_id for m, _ in seen], np.int32)


def paint(path: Path, scene: tuple[np.ndarray, list[Walker]], settings: dict, strays: bool = False) -> np.ndarray:
    """(T, h, w) luma of the video that the painter makes; pictures come three frames after their sightings."""
    times, walkers = scene
    config = Config.model_validate({"render": {"crf": 4, "preset": "ultrafast", **settings}})
    painter = LivePainter(path, SIZE_PX, COCO17, config, Privacy.of(config.render))
    for i in range(FRAMES + 3):
        if i < FRAMES:
            painter.saw(times[i], *sightings(walkers, i, strays), NOBODY)
        if i >= 3:
            image = np.full((SIZE_PX[1], SIZE_PX[0], 3), 120, np.uint8)
            draw_heads(image, walkers, i - 3)
            painter.put(times[i - 3], image, round(times[i - 3] * TICKS), [])
    painter.close()
    return luma_of(path)


def sharp_heads(
    luma: np.ndarray, walkers: list[Walker], least: float, frames: range = range(FRAMES)
) -> list[tuple[int, int]]:
    """(frame, person) of the heads whose pattern is left."""
    return [
        (i, w.motion.person_id)
        for i in frames
        for w in walkers
        if w.there[i] and fine(luma[i], disc(SIZE_PX, w.centre_px[i], w.radius_px)) > least
    ]


@pytest.mark.parametrize("blur", ["faces", "people"])
def test_live_hides_every_head(scene, tmp_path, blur):
    plain = sharp_heads(paint(tmp_path / "a.mp4", scene, {}), scene[1], 20)
    assert len(plain) > 400
    assert not sharp_heads(paint(tmp_path / "b.mp4", scene, {"blur": blur}), scene[1], 12)


def test_live_hides_whom_the_tracker_does_not_follow(scene, tmp_path):
    """All but those who vanish for longer than a region without a direction can be held."""
    times, walkers = scene
    some = (times, [w for w in walkers if w.motion.person_id in (1, 4)])
    assert not sharp_heads(paint(tmp_path / "b.mp4", some, {"blur": "faces"}, strays=True), some[1], 12)


def test_live_on_black_shows_nothing_of_the_video(scene, tmp_path):
    assert paint(tmp_path / "b.mp4", scene, {"background": "black"}).max() < 24


def test_a_region_is_held_larger_and_larger_until_nobody_can_come_back(scene):
    _, walkers = scene
    hidden = Hidden(Privacy("faces"), COCO17)
    times = np.arange(160) / FPS
    for i, now in enumerate(times):
        hidden.add(float(now), *sightings(walkers[:1], i if i < 40 else 10_000, False), NOBODY)
    regions = [hidden.at(float(now)) for now in times]
    assert all(len(r) == 1 for r in regions[: 40 + round(HOLD_S * FPS) - 1])
    assert regions[60][0][4] > 1.5 * regions[30][0][4]
    assert not regions[40 + round(HOLD_S * FPS) + 1]
    assert len(hidden._frames) < (HOLD_S + LEAD_S) * FPS + 3  # and no more is kept


def test_settings_of_blur_are_in_the_segments_video(scene, tmp_path):
    """The painter of a segment is given what the settings say."""
    from pipeline.live.segment import Segment
    from pipeline.models.protocols import NetworkFacts

    times, walkers = scene
    config = Config.model_validate({"render": {"blur": "faces", "crf": 4, "preset": "ultrafast"}})
    live = {"segment": 0, "from_s": 0.0}
    segment = Segment(tmp_path / "s", SIZE_PX, "x", config, NetworkFacts({}, COCO17), live, True)
    for i in range(40):
        segment.add(times[i], times[i], *sightings(walkers, i, False), NOBODY)
    for i in range(40):
        image = np.full((SIZE_PX[1], SIZE_PX[0], 3), 120, np.uint8)
        draw_heads(image, walkers, i)
        segment.told(i, image, [], 0.0)
    segment.close({}, Eyes(stand_ins.models(), config), {})
    assert segment.folder.manifest()["rendered_privacy"] == {"blur": "faces", "black": False}
    luma = luma_of(tmp_path / "s" / "live.mp4")
    assert len(luma) == 40
    for i in (0, -1):  # it is not known who was there before, nor who comes: all of the picture is coarse
        assert np.ptp(luma[20]) > np.ptp(luma[i])
    for i in range(40):
        for w in walkers[:4]:
            assert fine(luma[i], disc(SIZE_PX, w.centre_px[i], w.radius_px)) < 12


def test_a_stream_shows_nobody_before_everybody_was_looked_for(scene, tmp_path):
    """At the start nobody knows who was there just before: here all are overlooked at first, and then leave."""
    times, walkers = scene
    config = Config.model_validate({"render": {"blur": "faces", "crf": 4, "preset": "ultrafast"}})
    nobody = sightings([], 0, False)
    first = LivePainter(tmp_path / "a.mp4", SIZE_PX, COCO17, config, Privacy("faces"))
    for i in range(40):
        image = np.full((SIZE_PX[1], SIZE_PX[0], 3), 120, np.uint8)
        draw_heads(image, walkers, i)
        first.saw(times[i], *nobody, NOBODY)
        first.put(times[i], image, round(times[i] * TICKS), [])
    first.close()
    luma = luma_of(tmp_path / "a.mp4")
    covered = round(LEAD_S * FPS) + 1
    assert not sharp_heads(luma, walkers, 12, range(covered))
    assert sharp_heads(luma, walkers, 12, range(covered, 20))
    second = LivePainter(tmp_path / "b.mp4", SIZE_PX, COCO17, config, Privacy("faces"), first.hidden)
    for i in range(40, 72):
        second.saw(times[i], *nobody, NOBODY)
        chequered = np.uint8(255) * (np.indices((SIZE_PX[1], SIZE_PX[0])).sum(0) // 20 % 2).astype(np.uint8)
        second.put(times[i], np.repeat(chequered[..., None], 3, 2), round(times[i] * TICKS), [])
    second.close()
    assert np.ptp(luma_of(tmp_path / "b.mp4")[0]) > 200  # a segment goes on where the one before ended


def test_a_stray_beside_somebody_else_does_not_go_over_to_them():
    """Of two people side by side one was seen once, without a track, and the other stays in view."""
    strays = Strays()
    one, other = np.array([100.0, 50, 100, 50, 14]), np.array([120.0, 60, 120, 60, 12])
    strays.add(0.0, np.array([one, other]), np.array([STRAY, 1]))
    strays.add(0.1, other[None], np.array([1]))
    strays.add(0.2, other[None], np.array([1]))
    assert [covers(strays.held(t), one[:2]) for t in (0.1, 0.2)] == [True, True]
    later = Strays()
    later.add(0.0, other[None], np.array([1]))
    later.add(0.1, np.array([one, other]), np.array([STRAY, 1]))
    assert covers(later.held(0.0), one[:2])


def test_the_way_between_two_sights_is_hidden_whoever_they_are():
    """Somebody who walks is seen, then overlooked for a third of a second, then seen again."""
    for before, after in ((STRAY, STRAY), (STRAY, 1), (1, STRAY), (1, 2), (FAINT, STRAY)):
        strays = Strays(all_ways=True)
        for i in range(12):
            seen = np.array([[100.0 + 7 * i, 50, 100 + 7 * i, 50, 10]])[: i in (0, 11)]
            strays.add(i / FPS, seen, np.array([before if i == 0 else after])[: len(seen)])
        for i in range(1, 11):
            assert covers(strays.held(i / FPS), np.array([100 + 7 * i, 50]), 8), (before, after, i)


def test_nobody_goes_faster_than_people_can():
    strays = Strays(all_ways=True)
    strays.add(0.0, np.array([[10.0, 50, 10, 50, 10]]), np.array([1]))
    strays.add(0.1, np.zeros((0, 5)), np.zeros(0, int))
    strays.add(0.2, np.array([[200.0, 50, 200, 50, 10]]), np.array([2]))
    assert not strays.held(0.1)


def covers(regions: list[np.ndarray], place: np.ndarray, radius: float = 0) -> bool:
    """Whether one of the capsules holds a disc."""
    for region in regions:
        a, along = region[:2], region[2:4] - region[:2]
        share = np.clip((place - a) @ along / max(along @ along, 1e-9), 0, 1)
        if np.hypot(*(place - a - share * along)) + radius <= region[4]:
            return True
    return False


@pytest.mark.parametrize("other", [1, 3])
def test_whom_the_tracker_goes_over_to_is_hidden_before_and_whom_it_leaves_after(scene, other):
    """One tracklet, of the tall person up to frame 20 and of a smaller one elsewhere from then on."""
    _, walkers = scene
    hidden = Hidden(Privacy("faces"), COCO17)
    for i in range(40):
        obs, ids = sightings([walkers[0] if i < 20 else walkers[other]], i, False)
        hidden.add(i / FPS, obs, ids * 0 + 1, NOBODY)
    for i in range(12, 28):
        for w in (walkers[0], walkers[other]):
            regions = hidden.at(i / FPS)
            assert any(np.hypot(*(r[:2] + (r[2:4] - r[:2]) / 2 - w.centre_px[i])) < r[4] + 12 for r in regions), i
