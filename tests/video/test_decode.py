import shutil
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.core.errors import PoselineError
from pipeline.core.types import VideoInfo
from pipeline.video import runs, sources
from pipeline.video.decode import DECODERS, decord_reads, open_reader, prefetch
from pipeline.video.index import index_video
from pipeline.video.planes import PlaneReader, planes_of
from tests.video import clips
from tests.video.clips import B_FRAMES, HEALTHY, Clip, damage, number_of, picture, remux, write_clip

# What decord must read to the end by itself, so that "both decoders agree" compares two decoders.
BY_DECORD = [
    *(
        "constant.mp4",
        "variable.mp4",
        "b_frames.mp4",
        "b_frames.mkv",
        "b_frames.ts",
        "rotated_90.mp4",
        "rotated_180.mp4",
    ),
    *("rotated_270.mp4", "odd_vp9.mkv", "ten_bit.mp4", "full_chroma.mp4", "half_chroma.mp4", "full_range.mp4"),
    *("bt709.mp4", "late_start.mp4", "closed_hevc.mp4", "one_gop.mp4", "all_keys.mp4", "mpeg4.avi"),
    *("mirrored_0.mp4", "mirrored_90.mp4", "mirrored_180.mp4", "mirrored_270.mov"),
    *("av1.mkv", "long_sound.mp4", "single.mp4", "odd_full_chroma.mp4"),
]


def read(info: VideoInfo, decoder: str, start: int = 0, stop: int | None = None, threads: int = 1, batch: int = 7):
    """index, time_s, images and warnings of one range."""
    stop = len(info) if stop is None else stop
    with open_reader(info, decoder, threads) as reader:
        parts = list(reader.read(start, stop, batch))
    images = [image for part in parts for image in part.image]
    index = [int(i) for part in parts for i in part.index]
    return index, [t for part in parts for t in part.time_s], images, reader.warnings


@pytest.fixture(scope="module")
def healthy(tmp_path_factory) -> dict[str, tuple[Clip, VideoInfo]]:
    folder = tmp_path_factory.mktemp("healthy")
    return {clip.name: (clip, index_video(write_clip(clip, folder))) for clip in HEALTHY}


@pytest.mark.parametrize("name", [clip.name for clip in HEALTHY])
def test_both_decoders_give_every_frame_with_the_same_bytes(healthy, name):
    clip, info = healthy[name]
    index, times, images, warnings = read(info, "pyav")
    assert index == list(range(clip.frames))
    assert times == info.time_s.tolist()
    assert [number_of(image) for image in images] == index
    assert images[0].shape == (clip.size_px[1], clip.size_px[0], 3)
    assert warnings == []
    by_decord = read(info, "decord", batch=11)
    assert by_decord[:2] == (index, times)
    assert all(np.array_equal(a, b) for a, b in zip(images, by_decord[2], strict=True))
    assert (decord_reads(info) and by_decord[3] == []) == (name in BY_DECORD)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(
    "name", ["b_frames.ts", "late_start.mp4", "open_hevc.mp4", "open_h264.mp4", "mpeg4_b.avi", "raw.h264"]
)
def test_ranges_read_in_any_order_start_at_the_right_frame(healthy, name, decoder):
    _, info = healthy[name]
    with open_reader(info, decoder) as reader:
        for start, stop in [(33, 38), (12, 14), (9, 21), (0, 3), (3, 5), (30, 40), (19, 20), (20, 20)]:
            parts = list(reader.read(start, stop, 4))
            assert [number_of(image) for part in parts for image in part.image] == list(range(start, stop))


@pytest.mark.parametrize("decoder", DECODERS)
def test_consecutive_ranges_do_not_seek_or_decode_again(healthy, decoder, monkeypatch):
    _, info = healthy["b_frames.mp4"]
    demuxed: list[int] = []
    real = runs.open_video

    def counting(info: VideoInfo):
        demuxed.append(1)
        return real(info)

    with open_reader(info, decoder) as reader:
        list(reader.read(0, 5, 8))
        monkeypatch.setattr(sources.PyAVSource, "_seek", None)
        monkeypatch.setattr(runs, "open_video", counting)
        monkeypatch.setattr(sources, "open_video", counting)
        numbers = [number_of(i) for a in range(5, 40, 5) for part in reader.read(a, a + 5, 8) for i in part.image]
    assert numbers == list(range(5, 40))
    assert demuxed == []


@pytest.mark.parametrize("name", ["b_frames.mp4", "closed_hevc.mp4", "interlaced.mp4"])
def test_threads_do_not_change_the_bytes(healthy, name):
    _, info = healthy[name]
    one = read(info, "pyav")[2]
    for decoder in DECODERS:
        assert all(np.array_equal(a, b) for a, b in zip(one, read(info, decoder, threads=2)[2], strict=True))


def test_runs_too_large_for_memory_go_to_pyav(healthy, monkeypatch):
    _, info = healthy["one_gop.mp4"]
    assert decord_reads(info)
    monkeypatch.setattr(runs, "SEGMENT_BYTES", 39 * 160 * 96 * 3)
    assert not decord_reads(info)
    assert read(info, "decord")[0] == list(range(40))


def test_segments_tile_the_video_from_key_to_key(healthy):
    _, info = healthy["constant.mp4"]
    assert runs.segments(info) == [(0, 30), (30, 40)]
    assert runs.segments(replace(info, codec="hevc")) == [(0, 10), (10, 20), (20, 30), (30, 40)]
    assert runs.segments(replace(info, is_key=np.zeros(40, bool))) == [(0, 40)]


def damaged_clips(folder: Path) -> list[Path]:
    clip = write_clip(Clip("source.mp4", options=B_FRAMES), folder)
    made = []
    for packet in (0, 5, 12, 20, 37):
        made.append(damage(Path(shutil.copy(clip, folder / f"packet_{packet}.mp4")), packet))
    for source in (
        clip,
        write_clip(
            Clip("source.mkv", options=B_FRAMES, time_base=Fraction(1, 1000), pts=tuple(range(0, 1320, 33))), folder
        ),
    ):
        data = source.read_bytes()
        made.append(folder / f"cut{source.suffix}")
        made[-1].write_bytes(data[: len(data) * 9 // 10])
    made.append(remux(clip, folder / "no_head.ts", drop=frozenset(range(4))))
    made.append(remux(clip, folder / "edit_list.mp4", shift=-5 * 512))
    return made


def test_damaged_files_read_alike_by_both_decoders_and_any_threads(tmp_path):
    left_out = {}
    for path in damaged_clips(tmp_path):
        info = index_video(path)
        index, times, images, warnings = read(info, "pyav")
        for decoder, threads in (("decord", 1), ("decord", 2), ("pyav", 2)):
            other = read(info, decoder, threads=threads)
            assert other[:2] == (index, times), path.name
            assert all(np.array_equal(a, b) for a, b in zip(images, other[2], strict=True)), path.name
        missing = len(info) - len(index)
        assert (missing > 0) == any(f"{missing} of the frames 0 to {len(info) - 1} could not" in w for w in warnings)
        assert all("\n" not in w and str(path) in w for w in warnings)
        left_out[path.name] = missing
    assert left_out["packet_5.mp4"] == 1
    assert left_out["packet_0.mp4"] == left_out["edit_list.mp4"] == left_out["no_head.ts"] == 0
    assert left_out["cut.mp4"] == 1


def test_chunks_of_a_damaged_file_do_not_depend_on_what_was_read_before(tmp_path):
    info = index_video(damage(write_clip(Clip("a.mp4", options=B_FRAMES), tmp_path), 20))
    for decoder in DECODERS:
        with open_reader(info, decoder) as one:
            for start in range(0, 40, 13):
                stop = min(start + 13, 40)
                ours = [image for part in one.read(start, stop, 5) for image in part.image]
                fresh = read(info, decoder, start, stop)[2]
                assert all(np.array_equal(a, b) for a, b in zip(ours, fresh, strict=True))


def test_a_warning_names_where_pyav_takes_over_and_what_is_lost(tmp_path):
    info = index_video(damage(write_clip(Clip("a.mp4", options=B_FRAMES), tmp_path), 37))
    index, _, _, warnings = read(info, "decord")
    assert index == [i for i in range(40) if i != 35]
    assert len(warnings) == 2
    assert "decord cannot read frames 30 to 39" in warnings[0]
    assert "PyAV reads from 1.000 s on" in warnings[0]
    assert "1 of the frames 0 to 39 could not be decoded" in warnings[1]
    assert "1.167 s" in warnings[1]


def test_colours_follow_the_tags(tmp_path):
    """Red in BT.709 and full range comes back as red, which it would not as BT.601 in limited range."""
    path = tmp_path / "red.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 2
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), (200, 30, 40), np.uint8), format="rgb24")
        frame = frame.reformat(format="yuvj420p", dst_colorspace="ITU709", dst_color_range="JPEG")
        frame.pts = 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    for decoder in DECODERS:
        assert np.abs(read(index_video(path), decoder)[2][0].mean((0, 1)) - (200, 30, 40)).max() < 4


def test_batches_belong_to_the_caller(healthy):
    _, info = healthy["constant.mp4"]
    with open_reader(info) as reader:
        parts = list(reader.read(0, 10, 4))
    assert [len(part) for part in parts] == [4, 4, 2]
    assert len({id(part.image.base if part.image.base is not None else part.image) for part in parts}) == 3


def test_arguments_are_checked(healthy):
    _, info = healthy["constant.mp4"]
    with pytest.raises(ValueError, match="decoder must be one of decord, pyav"):
        open_reader(info, "opencv")
    with open_reader(info) as reader, pytest.raises(ValueError, match=r"range \[0, 41\)"):
        next(reader.read(0, 41, 8))


def test_a_file_that_is_gone_is_one_line(healthy, tmp_path):
    _, info = healthy["constant.mp4"]
    with pytest.raises(PoselineError, match="cannot be opened any more"):
        open_reader(replace(info, path=tmp_path / "gone.mp4"))


def test_images_of_every_kind(tmp_path):
    upright = picture(5)
    cv2.imwrite(str(tmp_path / "1.png"), upright[..., ::-1])
    cv2.imwrite(str(tmp_path / "2.png"), upright[..., ::-1].astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "3.png"), np.dstack([upright[..., ::-1], np.full(upright.shape[:2], 9, np.uint8)]))
    cv2.imwrite(str(tmp_path / "10.png"), upright[..., 0])
    index, times, images, _ = read(index_video(tmp_path, Fraction(2)), "decord")
    assert index == [0, 1, 2, 3]
    assert times == [0.0, 0.5, 1.0, 1.5]
    assert all(np.array_equal(image, upright) for image in images[:3])
    assert np.array_equal(images[3], np.repeat(upright[..., :1], 3, axis=2))


def test_prefetch_gives_the_same_items_and_the_error():
    def items():
        yield from range(5)
        raise KeyError("end")

    stream = prefetch(items(), 2)
    assert [next(stream) for _ in range(5)] == list(range(5))
    with pytest.raises(KeyError, match="end"):
        next(stream)


def test_prefetch_is_bounded_and_leaves_no_thread():
    made, closed = [], []

    def items():
        try:
            for i in range(1000):
                made.append(i)
                yield i
        finally:
            closed.append(True)

    stream = prefetch(items(), 3)
    assert next(stream) == 0
    stream.close()
    assert closed == [True]
    assert len(made) <= 6
    assert not [t for t in threading.enumerate() if t.name == "prefetch"]


def test_numbers_survive_the_round_trip():
    assert [number_of(picture(n)) for n in range(256)] == list(range(256))
    assert clips.BITS == 8


def changing(folder: Path, gop: str) -> Path:
    """40 pictures, of 320x192 and from the 21st on of 160x120, in one transport stream."""
    path, both = folder / "changing.ts", b""
    for first, size_px in ((0, (320, 192)), (20, (160, 120))):
        pts = tuple(3000 * (first + n) for n in range(20))
        options = {"g": gop, "bf": "0", "preset": "ultrafast"}
        clip = Clip("part.ts", size_px=size_px, time_base=Fraction(1, 90000), pts=pts, options=options)
        both += write_clip(clip, folder).read_bytes()
    path.write_bytes(both)
    return path


@pytest.mark.parametrize("gop", ["10", "20"])
def test_pictures_of_another_size_keep_their_proportions(gop, tmp_path):
    info = index_video(changing(tmp_path, gop))
    assert (len(info), info.size_px) == (40, (320, 192))
    by = {decoder: read(info, decoder) for decoder in DECODERS}
    for index, _, images, warnings in by.values():
        assert index == list(range(40))
        assert sum(f"are 160x120 at {info.time_s[20]:.3f} s" in line for line in warnings) == 1
        assert [number_of(image) for image in images[:20]] == list(range(20))
        for n, image in enumerate(images[20:]):
            assert image[:, :30].max() < 30
            assert image[:, 290:].max() < 30
            assert number_of(cv2.resize(image[:, 32:288], (160, 120))) == n
    assert all(np.array_equal(a, b) for a, b in zip(by["decord"][2], by["pyav"][2], strict=True))
    with PlaneReader(info, info.size_px) as planes:
        luma = [planes_of(frame)[0].copy() for _, frame in planes.read(18, 22)]
        assert sum("proportions" in line for line in planes.warnings) == 1
    assert luma[2][:, :30].max() < 30 < luma[1][:, :30].max()
