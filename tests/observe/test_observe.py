"""observe: the plan of chunks, ranges of time, and chunks with missing frames or without people."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.config import Config, load_config
from pipeline.core.errors import PoselineError
from pipeline.core.types import Frames, VideoInfo
from pipeline.models.detections import Detections
from pipeline.models.graded import Graded
from pipeline.models.registry import DETECTORS, build_models
from pipeline.models.runtime import Device
from pipeline.observe import appearance
from pipeline.observe.camera import CameraMotion
from pipeline.observe.faint import Faint, read_faint
from pipeline.observe.process import Chunk, frame_range, plan_chunks, process_chunk
from pipeline.store.parts import write_part
from tests import laboratory, stand_ins
from tests.stand_ins import frames

# --- the chunk plan --------------------------------------------------------------------------------------------------


@given(st.integers(0, 5000), st.integers(0, 3000), st.integers(1, 700))
@settings(deadline=None, derandomize=True)
def test_chunks_cover_the_range_in_order(first, length, size):
    chunks = plan_chunks((first, first + length), size)
    assert [c.number for c in chunks] == list(range(len(chunks)))
    assert [f for c in chunks for f in range(c.start, c.stop)] == list(range(first, first + length))
    assert all(c.stop - c.start == size for c in chunks[:-1])
    assert all(1 <= c.stop - c.start <= size for c in chunks)


def video(time_s: np.ndarray) -> VideoInfo:
    pts = (time_s * 90000).round().astype(np.int64)
    return VideoInfo(
        path=Path("walk.mp4"),
        size_px=(64, 48),
        rotation_deg=0,
        time_base=Fraction(1, 90000),
        fps=Fraction(25),
        pts=pts,
        time_s=time_s.astype(np.float64),
        is_key=np.ones(len(pts), bool),
        has_audio=False,
        digest="",
    )


@pytest.mark.parametrize("offset_s", [0.0, 1000.0, -3.0])
def test_start_and_end_count_from_the_first_frame(offset_s):
    info = video(offset_s + np.array([0, 0.25, 0.5, 1.0, 2.0, 4.0]))
    assert frame_range(info, None, None) == (0, 6)
    assert frame_range(info, 0.5, None) == (2, 6)
    assert frame_range(info, 0.6, 2.0) == (3, 4)  # up to and without the end
    assert frame_range(info, None, 0.01) == (0, 1)
    assert frame_range(info, 3.0, 99.0) == (5, 6)
    assert frame_range(info, -5.0, None) == (0, 6)


@pytest.mark.parametrize(("start_s", "end_s"), [(5.0, None), (1.0, 1.0), (2.0, 1.0), (None, 0.0), (2.5, 3.5)])
def test_a_range_without_a_frame_is_an_error(start_s, end_s):
    info = video(100 + np.array([0, 1.0, 2.0, 4.0]))
    with pytest.raises(PoselineError, match=r"walk\.mp4: no frame for --start .* between 0 and 4\.000 s") as error:
        frame_range(info, start_s, end_s)
    assert "\n" not in str(error.value)
    assert end_s is None or f"--end {end_s:g}" in str(error.value)


# --- a chunk ---------------------------------------------------------------------------------------------------------


def every(seconds: float, turned: bool = True) -> Config:
    return Config.model_validate({"observe": {"detect_every_s": seconds}, "pose": {"turned": turned}})


@pytest.mark.parametrize("seconds", [0.0, 0.1])
def test_frames_that_did_not_decode_have_no_observations(seconds):
    """A frame left out by the decoder, also the first and a detected one, takes nothing else away."""
    (batch,) = frames(range(6, 16), batch=10)
    left = np.setdiff1d(np.arange(10), [0, 4, 6])
    some = Frames(index=batch.index[left], time_s=batch.time_s[left], image=batch.image[left])
    models = stand_ins.models()
    out = process_chunk([some], Chunk(0, 6, 16), models, every(seconds))
    assert out.frame.tolist() == np.repeat(some.index, 2).tolist()
    assert models.detector.asked == (some.index.tolist() if seconds == 0 else [7, 11, 13])


@pytest.mark.parametrize("seconds", [0.0, 0.1])
def test_an_empty_chunk_and_a_chunk_without_people(seconds):
    for batches in ([], frames(range(9), batch=2)):
        models = stand_ins.models(lambda frame: np.zeros((0, 17, 2)))
        out = process_chunk(batches, Chunk(0, 0, 9), models, every(seconds))
        assert len(out) == 0
        assert out.keypoints_px.shape == (0, 17, 2)
        assert out.appearance.shape == (0, appearance.SIZE)
        assert out.skeleton == "coco17"


@pytest.mark.parametrize("seconds", [0.0, 0.1])
def test_the_camera_is_shown_every_frame_with_its_people(seconds):
    class Noted(CameraMotion):
        def __init__(self):
            super().__init__()
            self.boxes: list[np.ndarray] = []

        def show(self, frame, image, box_px, faint_px=None):
            self.boxes.append(box_px)
            super().show(frame, image, box_px, faint_px)

    camera = Noted()
    out = process_chunk(frames(range(8), batch=3), Chunk(0, 0, 8), stand_ins.models(), every(seconds), camera)
    assert camera.frames == list(range(8))
    assert [len(b) for b in camera.boxes] == [2] * 8
    np.testing.assert_array_equal(np.concatenate(camera.boxes), out.box_px)


def test_whoever_the_pose_network_is_not_sure_of_is_not_stored():
    models = stand_ins.models(scores=lambda frame, who: 0.001 if who else 0.8)
    config = every(0.0, turned=False)  # the stand-ins see nothing in turned pictures
    out = process_chunk(frames(range(5)), Chunk(0, 0, 5), models, config)
    assert out.frame.tolist() == list(range(5))
    assert (out.box_px[:, 0] < 200).all()


def test_where_somebody_may_be_is_kept_beside_the_observations(tmp_path):
    """Whom the detector is not sure enough of, and whom the pose network makes nothing of, in every frame."""
    models = stand_ins.models(scores=lambda frame, who: 0.001 if who else 0.8)
    both = Graded(TwoGrades(), 0.3)
    config, faint, chunk = every(0.1, turned=False), Faint(), Chunk(0, 0, 9)
    out = process_chunk(frames(range(9), batch=4), chunk, models._replace(detector=both), config, None, faint)
    plain = process_chunk(frames(range(9), batch=4), chunk, models, config)
    stand_ins.assert_same_bits(out, plain)
    write_part(tmp_path / "part.parquet", out, (0, 9), "", [], "", faint.cut())
    frame, box = read_faint(tmp_path / "part.parquet")
    asked = both.network.asked
    assert frame.tolist() == sorted([*asked, *asked])  # those between carry nobody whom no pose was found of
    assert (box[:, 0] < 50).sum() == len(asked)
    assert not len(faint.of(8))
    write_part(tmp_path / "part.parquet", out, (0, 9), "", [])
    assert not len(read_faint(tmp_path / "part.parquet")[0])


class TwoGrades(stand_ins.Detector):
    """Finds one more, at the left border, with a score of .1."""

    def detect(self, images):
        n = len(images)
        box = np.tile(np.array([[10.4, 20, 40, 90.2]], np.float32), (n, 1))
        return Detections.concat([super().detect(images), Detections.from_boxes(np.arange(n), box, np.full(n, 0.1))])


def test_weaker_boxes_never_change_the_better_ones():
    """What `Graded` rests on: of the clip's frames, the people of a threshold are the same with a lower one."""
    images = laboratory.half_size()
    for score in (0.3, 0.6):
        config = load_config("default", [f"detect.score={score}"])
        sure, faint = build_models(config).detector.graded(images)
        alone = DETECTORS["yolox-tiny"].build(Device(("CPUExecutionProvider",), 1), config).detect(images)
        for name in ("image", "box_px", "score"):
            np.testing.assert_array_equal(getattr(sure, name), getattr(alone, name))
        assert (faint.score <= score).all()
        assert len(faint)
