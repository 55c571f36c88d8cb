import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.core.errors import PoselineError
from pipeline.core.types import VideoInfo
from pipeline.video.containers import encoder_options
from pipeline.video.decode import open_reader
from pipeline.video.encode import VideoWriter
from pipeline.video.index import index_video
from tests.video.clips import B_FRAMES, UNEVEN, Clip, number_of, picture, write_clip

MS = Fraction(1, 1000)


def copy(
    source: Path, target: Path, start: int = 0, stop: int | None = None, sound: bool = True, **options
) -> VideoInfo:
    """Decode a range of a clip, write it again with its sound, and index the result."""
    info = index_video(source)
    stop = len(info) if stop is None else stop
    with (
        open_reader(info) as reader,
        VideoWriter(target, info.size_px, info.time_base, info.fps, source if sound else None, **options) as writer,
    ):
        for frames in reader.read(start, stop, 8):
            for i, image in zip(frames.index, frames.image, strict=True):
                writer.write(image, int(info.pts[i]))
    return index_video(target)


def images(info: VideoInfo) -> list[np.ndarray]:
    with open_reader(info) as reader:
        return [image for part in reader.read(0, len(info), 8) for image in part.image]


def clicks_s(path: Path) -> np.ndarray:
    """Times at which a click begins, seconds on the file's clock; only those after at least 20 ms of silence."""
    with av.open(str(path)) as container:
        parts = [
            (frame.pts * frame.time_base, frame.to_ndarray().astype(np.float32), frame.sample_rate)
            for frame in container.decode(audio=0)
        ]
    times = np.concatenate([float(at) + np.arange(p.shape[-1]) / rate for at, p, rate in parts])
    level = np.concatenate([np.abs(p).reshape(-1, p.shape[-1])[0] for _, p, _ in parts])
    loud = times[level > 0.4 * level.max()]
    return loud[np.diff(loud, prepend=-1) > 0.02]


@pytest.mark.parametrize(
    "clip",
    [
        Clip("constant.mp4"),
        Clip("variable.mp4", time_base=Fraction(1, 12800), pts=UNEVEN),
        Clip("ntsc.mp4", time_base=Fraction(1001, 30000)),
        Clip("late.mp4", time_base=Fraction(1, 90000), pts=tuple(range(450000, 450000 + 40 * 3003, 3003))),
        Clip("coarse.mkv", time_base=MS, pts=tuple(round(i * 33.3667) for i in range(40)), options=B_FRAMES),
    ],
    ids=lambda c: c.name,
)
def test_times_are_the_sources_to_the_tick(clip, tmp_path):
    source = index_video(write_clip(clip, tmp_path))
    made = copy(source.path, tmp_path / "out.mp4")
    expected = [(int(p) - int(source.pts[0])) * source.time_base for p in source.pts]
    assert [int(p) * made.time_base for p in made.pts] == expected
    assert [number_of(image) for image in images(made)] == list(range(40))


def test_a_part_starts_at_zero(tmp_path):
    clip = Clip("a.mp4", time_base=Fraction(1, 12800), pts=UNEVEN)
    source = index_video(write_clip(clip, tmp_path))
    made = copy(source.path, tmp_path / "out.mp4", 13, 29)
    assert [int(p) * made.time_base for p in made.pts] == [
        int(p - source.pts[13]) * source.time_base for p in source.pts[13:29]
    ]
    assert [number_of(image) for image in images(made)] == list(range(13, 29))


def test_a_start_before_the_first_picture_is_kept(tmp_path):
    source = index_video(write_clip(Clip("a.mp4"), tmp_path))
    made = copy(source.path, tmp_path / "out.mp4", 15, 30, start_s=0.25)
    assert made.time_s[0] == pytest.approx(0.25, abs=2e-5)


@pytest.mark.parametrize("size", [(161, 97), (161, 96), (160, 97)])
def test_odd_sizes_gain_one_repeated_pixel(size, tmp_path):
    with VideoWriter(tmp_path / "out.mp4", size, MS, Fraction(30), crf=1) as writer:
        writer.write(picture(77, size), 0)
    made = index_video(tmp_path / "out.mp4")
    assert made.size_px == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    image = images(made)[0]
    assert number_of(image) == 77
    assert np.abs(image[: size[1], : size[0]].astype(int) - picture(77, size)).mean() < 6


@pytest.mark.parametrize("size", [(64, 64), (1280, 720)])
def test_colours_stay(size, tmp_path):
    flat = np.full((size[1], size[0], 3), (200, 60, 40), np.uint8)
    with VideoWriter(tmp_path / "out.mp4", size, MS, Fraction(30)) as writer:
        writer.write(flat, 0)
    assert np.abs(images(index_video(tmp_path / "out.mp4"))[0].astype(int) - flat).max() < 6
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (1 if size[1] >= 720 else 6, 1)


SOUND = [
    Clip("aac.mp4", audio="aac", audio_s=2.0),
    Clip("mp3.mkv", audio="libmp3lame", audio_s=2.0, time_base=MS, pts=tuple(range(0, 1320, 33))),
    Clip("pcm.mov", audio="pcm_s16le", audio_s=2.0),
    Clip("aac.ts", audio="aac", audio_s=2.0, time_base=Fraction(1, 90000), pts=tuple(range(0, 120000, 3000))),
]


@pytest.mark.parametrize("clip", SOUND, ids=lambda c: c.name)
@pytest.mark.parametrize("start", [0, 13])
def test_sound_stays_with_the_pictures(clip, start, tmp_path):
    source = index_video(write_clip(clip, tmp_path))
    made = copy(source.path, tmp_path / "out.mp4", start, 38)
    assert made.has_audio
    moved = float(source.time_s[start])
    before = clicks_s(source.path) - moved
    after = clicks_s(made.path)
    wanted = before[before > 0.03]
    got = after[after > 0.03]
    # A second is more than ten clicks; every one is where it was, to within 3 ms (a fifth of a frame at 60 Hz).
    assert len(wanted) > 10
    assert len(got) >= len(wanted) - 1
    assert np.abs(got[: len(wanted)] - wanted[: len(got)]).max() < 0.003


@pytest.mark.parametrize(("name", "codec", "copied"), [("a.mp4", "aac", True), ("a.mov", "pcm_s16le", False)])
def test_sound_is_copied_where_mp4_holds_it(name, codec, copied, tmp_path):
    source = write_clip(Clip(name, audio=codec, audio_s=1.0), tmp_path)
    copy(source, tmp_path / "out.mp4")

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(p) for p in container.demux(audio=0) if p.size]

    assert (packets(tmp_path / "out.mp4") == packets(source)) == copied
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"


@pytest.mark.parametrize("codec", ["flac", "libopus"])
def test_sound_that_mov_does_not_hold_is_encoded_again(codec, tmp_path):
    source = write_clip(Clip("a.mkv", audio=codec, audio_s=1.0), tmp_path)
    copy(source, tmp_path / "out.mov")
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"


def test_sound_stops_where_asked(tmp_path):
    source = write_clip(Clip("a.mp4", audio="aac", audio_s=3.0), tmp_path)
    copy(source, tmp_path / "whole.mp4")
    copy(source, tmp_path / "part.mp4", stop_s=1.0)
    assert clicks_s(tmp_path / "whole.mp4").max() > 2.8
    assert clicks_s(tmp_path / "part.mp4").max() < 1.1


def test_a_source_without_sound_is_fine(tmp_path):
    source = write_clip(Clip("a.mp4"), tmp_path)
    assert not copy(source, tmp_path / "out.mp4").has_audio
    loud = write_clip(Clip("b.mp4", audio="aac"), tmp_path)
    assert not copy(loud, tmp_path / "out.mp4", sound=False).has_audio


def test_only_the_usual_preset_of_h264_searches_less():
    assert encoder_options("h264", None, "veryfast")["x264-params"] == "subme=1"
    for preset in ("ultrafast", "medium"):
        assert "x264-params" not in encoder_options("h264", None, preset)


def test_the_index_stands_before_the_pictures(tmp_path):
    copy(write_clip(Clip("a.mp4"), tmp_path), tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_nothing_is_left_of_a_failure_and_the_old_file_stays(tmp_path):
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    writer = VideoWriter(target, (160, 96), MS, Fraction(30))
    writer.write(picture(0), 0)
    assert len(list(tmp_path.iterdir())) == 2
    writer.__exit__(KeyError, KeyError(), None)
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    assert target.read_bytes() == b"old"


def test_errors_of_the_disk_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(PoselineError, match=r"out\.mp4: cannot be written"):
        VideoWriter(tmp_path / "no such folder" / "out.mp4", (160, 96), MS, Fraction(30))

    def full(*args):
        raise OSError(28, "No space left on device")

    writer = VideoWriter(tmp_path / "out.mp4", (160, 96), MS, Fraction(30))
    writer.write(picture(0), 0)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(PoselineError, match=r"out\.mp4: the disk is full"):
        writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_device_without_room_gives_the_error_of_a_full_disk(tmp_path, monkeypatch):
    link = tmp_path / ".out.mp4.1-0.partial"
    link.symlink_to("/dev/full")
    monkeypatch.setattr("pipeline.video.encode.temporary_name", lambda path, kind: link)
    noise = np.random.default_rng(0).integers(0, 255, (96, 160, 3), np.uint8)
    writer = VideoWriter(tmp_path / "out.mp4", (160, 96), MS, Fraction(30))
    writer.write(noise, 0)
    with pytest.raises(PoselineError, match=r"out\.mp4: the disk is full"):
        writer.close()
    assert list(tmp_path.iterdir()) == []


def test_mistakes_of_the_caller_are_named(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", (160, 96), MS, Fraction(30)) as writer:
        writer.write(picture(0), 5)
        with pytest.raises(ValueError, match=r"image must be \(96, 160, 3\) uint8"):
            writer.write(np.zeros((10, 10, 3), np.uint8), 6)
        with pytest.raises(ValueError, match="pts must ascend"):
            writer.write(picture(1), 5)
    writer = VideoWriter(tmp_path / "b.mp4", (160, 96), MS, Fraction(30))
    with pytest.raises(PoselineError, match="no picture to write"):
        writer.close()
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_frames_closer_than_a_files_ticks_keep_their_order(tmp_path, name):
    times_us = [0, 400, 33_000, 33_300, 33_900, 66_000, 67_500, 68_500]
    codec = "vp9" if name.endswith("webm") else "h264"
    with VideoWriter(tmp_path / name, (160, 96), Fraction(1, 1_000_000), Fraction(30), codec=codec) as writer:
        for i, time_us in enumerate(times_us):
            writer.write(picture(i), time_us)
    shown_ms = 1000 * index_video(tmp_path / name).time_s
    assert len(shown_ms) == len(times_us)
    assert (np.diff(shown_ms) > 0.5).all()
    assert np.abs(shown_ms - np.array(times_us) / 1000).max() < 2


def quarter_milliseconds(path):
    with VideoWriter(path, (160, 96), Fraction(1, 4000), Fraction(4000)) as writer:
        for i in range(30):
            writer.write(picture(i), i)


def test_more_frames_than_milliseconds_are_one_line_and_mp4_holds_them(tmp_path):
    quarter_milliseconds(tmp_path / "a.mp4")
    assert len(index_video(tmp_path / "a.mp4")) == 30
    with pytest.raises(PoselineError, match=r"a\.mkv: its pictures are closer than 0\.001 s.* end its name in \.mp4"):
        quarter_milliseconds(tmp_path / "a.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
