from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17
from pipeline.core.types import INTERPOLATED, MEASURED, Motion, VideoInfo
from pipeline.render.video import render
from pipeline.store.folder import RunFolder
from pipeline.store.index import write_index
from pipeline.store.manifest import Manifest, video_facts
from pipeline.store.person_table import write_person
from pipeline.store.tracks import file_metadata
from pipeline.video.decode import open_reader
from pipeline.video.index import index_video
from tests import synthetic
from tests.video.clips import UNEVEN, Clip, number_of, picture, write_clip

CONFIG = Config.model_validate({"render": {"crf": 5, "preset": "ultrafast"}})
SIZE_PX = (320, 240)
VARIABLE = Clip("variable.mp4", size_px=SIZE_PX, time_base=Fraction(1, 12800), pts=UNEVEN, audio="aac", audio_s=4.0)


def motion(info: VideoInfo, frame: np.ndarray, person_id: int = 1) -> Motion:
    """Somebody who walks through these frames, bridged in every third."""
    n, time_s = len(frame), info.time_s[frame]
    xy = synthetic.walker(time_s, height_px=150, start_px=(100.0 + 60 * person_id, 220.0), velocity_px_s=(20.0, 0.0))
    seen = frame % 3 != 2
    ones = np.ones((n, 17), np.float32)
    return Motion(
        person_id=person_id,
        frame=frame.astype(np.int64),
        time_s=time_s,
        box_px=synthetic.boxes(xy).astype(np.float32),
        score=np.where(seen, 0.8, np.nan).astype(np.float32),
        state=np.where(seen, MEASURED, INTERPOLATED).astype(np.uint8),
        keypoints_px=xy.astype(np.float32),
        keypoint_score=ones,
        keypoint_std_px=ones,
        provenance=np.where(seen, MEASURED, INTERPOLATED).astype(np.uint8)[:, None].repeat(17, 1),
        raw_px=xy.astype(np.float32),
    )


def run_folder(path: Path, info: VideoInfo, people: list[Motion], observed: tuple[int, int] | None = None) -> RunFolder:
    """What a run leaves behind for ``render``."""
    folder, facts = RunFolder(path), video_facts(info)
    write_index(folder, info)
    manifest = {"video": facts, "skeleton": "coco17"}
    folder.write_manifest(Manifest(manifest | ({"frames_observed": list(observed)} if observed else {})))
    for person in people:
        write_person(folder.people, person, COCO17, file_metadata(COCO17, facts, ""))
    return folder


def pictures(info: VideoInfo) -> np.ndarray:
    with open_reader(info) as reader:
        return np.concatenate([part.image for part in reader.read(0, len(info), 64)]).astype(int)


def drawn(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(T,) share of pixels that differ by more than the encoder's noise."""
    return (np.abs(before - after).max(3) > 60).mean((1, 2))


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> VideoInfo:
    return index_video(write_clip(VARIABLE, tmp_path_factory.mktemp("source")))


def test_frames_times_and_sound_are_those_of_the_source(source, tmp_path):
    folder = run_folder(tmp_path, source, [motion(source, np.arange(10, 30))])
    steps: list[int] = []
    stats = render(folder, CONFIG, steps.append)
    out = index_video(folder.video)
    assert out.time_base == source.time_base
    assert (out.pts - out.pts[0] == source.pts - source.pts[0]).all()
    assert out.size_px == source.size_px
    assert out.has_audio
    assert stats["frames"] == sum(steps) == 40
    assert stats["person_frames"] == 20
    assert stats["warnings"] == []


def test_people_are_drawn_in_their_frames_and_no_others(source, tmp_path):
    people = [motion(source, np.arange(10, 30)), motion(source, np.arange(20, 36), 2)]
    folder = run_folder(tmp_path, source, people)
    render(folder, CONFIG)
    after = pictures(index_video(folder.video))
    assert [number_of(i) for i in after] == list(range(40))
    share = drawn(pictures(source), after)
    there = np.zeros(40)
    there[10:30] += 1
    there[20:36] += 1
    assert (share[there == 0] < 1e-3).all()
    assert (share[there > 0] > 0.005).all()
    assert share[20:30].mean() > 1.8 * share[10:20].mean()


def test_nobody_found(source, tmp_path):
    folder = run_folder(tmp_path, source, [])
    assert render(folder, CONFIG)["person_frames"] == 0
    assert (drawn(pictures(source), pictures(index_video(folder.video))) < 1e-3).all()


def test_only_observed_frames_are_rendered(source, tmp_path):
    folder = run_folder(tmp_path, source, [motion(source, np.arange(12, 20))], observed=(8, 25))
    assert render(folder, CONFIG)["frames"] == 17
    out = index_video(folder.video)
    assert (out.pts - out.pts[0] == source.pts[8:25] - source.pts[8]).all()
    assert [number_of(i) for i in pictures(out)] == list(range(8, 25))


def test_part_of_the_observed_frames(source, tmp_path):
    folder = run_folder(tmp_path, source, [motion(source, np.arange(12, 20))], observed=(8, 25))
    stats = render(folder, CONFIG, start_frame=16, stop_frame=100)
    assert (stats["frames"], stats["person_frames"]) == (9, 4)
    with pytest.raises(PoselineError, match="choose some of 8 to 24"):
        render(folder, CONFIG, start_frame=30)


@pytest.mark.parametrize(
    "clip",
    [
        Clip("odd.mkv", codec="ffv1", size_px=(321, 241), frames=8, options={"g": "4"}),
        Clip("turned.mp4", size_px=SIZE_PX, frames=8, rotation_deg=90),
        Clip("mirrored.mp4", size_px=SIZE_PX, frames=8, rotation_deg=90, mirrored=True),
        Clip("wide.mp4", size_px=SIZE_PX, frames=8, pixel_aspect=Fraction(4, 3)),
    ],
    ids=lambda c: c.name,
)
def test_odd_sizes_and_turned_videos(clip, tmp_path):
    info = index_video(write_clip(clip, tmp_path))
    folder = run_folder(tmp_path / "run", info, [motion(info, np.arange(2, 6))])
    assert render(folder, CONFIG)["frames"] == 8
    out = index_video(folder.video)
    width, height = info.size_px
    assert out.size_px == (width + width % 2, height + height % 2)
    after = pictures(out)[:, :height, :width]
    assert [number_of(i) for i in after] == list(range(8))
    assert ((drawn(pictures(info), after) > 0.005) == np.isin(np.arange(8), np.arange(2, 6))).all()


def test_folder_of_images(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for i in range(6):
        cv2.imwrite(str(images / f"{i}.png"), picture(i, SIZE_PX)[..., ::-1])
    info = index_video(images, fps=Fraction(30000, 1001))
    folder = run_folder(tmp_path / "run", info, [motion(info, np.arange(6))])
    assert render(folder, CONFIG)["frames"] == 6
    out = index_video(folder.video)
    np.testing.assert_allclose(out.time_s - out.time_s[0], info.time_s, atol=1e-9)
    assert [number_of(i) for i in pictures(out)] == list(range(6))


def test_a_source_that_is_gone_is_named(tmp_path):
    info = index_video(write_clip(Clip("gone.mp4", frames=4), tmp_path))
    folder = run_folder(tmp_path / "run", info, [])
    info.path.unlink()
    with pytest.raises(PoselineError, match=r"gone\.mp4: the source video is gone, and") as error:
        render(folder, CONFIG)
    assert "\n" not in str(error.value)
    assert not folder.video.exists()


def test_an_error_while_drawing_reaches_the_caller(source, tmp_path, monkeypatch):
    folder = run_folder(tmp_path, source, [motion(source, np.arange(40))])

    def fail(*_):
        raise RuntimeError("drawing failed")

    monkeypatch.setattr("pipeline.render.video.draw_people", fail)
    with pytest.raises(RuntimeError, match="drawing failed"):
        render(folder, CONFIG)
    assert [p.name for p in tmp_path.iterdir() if "annotated" in p.name] == []


def test_a_live_segment_is_not_drawn_on_the_file_that_it_was_received_from(tmp_path):
    """The file's frames are others than those received; annotated.mp4 of a segment would become a frame or two."""
    file = index_video(write_clip(Clip("source.mp4", size_px=SIZE_PX, frames=8), tmp_path))
    pts = np.arange(8) * 6000
    live = replace(file, kind="live", pts=pts, time_s=pts / 90000, time_base=Fraction(1, 90000))
    folder = run_folder(tmp_path / "segment", live, [motion(live, np.arange(2, 6))])
    folder.video.write_bytes(b"as received")
    with pytest.raises(PoselineError, match="came live and were not kept"):
        render(folder, CONFIG)
    assert folder.video.read_bytes() == b"as received"
    black = CONFIG.model_copy(update={"render": CONFIG.render.model_copy(update={"background": "black"})})
    assert render(folder, black, out=tmp_path / "black.mp4")["frames"] == 8
