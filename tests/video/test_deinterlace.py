"""Interlaced frames: whole pictures, one a frame or one a field, the same wherever reading begins."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from pipeline.core.settings import VideoConfig
from pipeline.video import first as first_pictures
from pipeline.video.decode import DECODERS, decord_reads, open_reader
from pipeline.video.index import index_video
from pipeline.video.planes import PlaneReader, planes_of
from tests.video.clips import Clip, number_of, picture, write_clip

FRAMES = 20
WOVEN = {"libx264": {"g": "8", "bf": "2", "flags": "+ildct+ilme", "preset": "veryfast", "crf": "10"},
         "mpeg2video": {"g": "8", "bf": "2", "flags": "+ildct+ilme", "qmin": "1", "qmax": "2"}}  # fmt: skip


FIRST_ROW = 1  # of a frame; encoders without a word from PyAV call the odd rows the first field
# No square of the numbers stands still in the rows of one field, which would be taken for a picture at rest.
MOMENTS = [m for n in range(FRAMES) for m in ((2 * n, 2 * n + 1) if n % 2 == 0 else (2 * n + 1, 2 * n))]


def write_woven(path: Path, codec: str, told: bool = True) -> Path:
    """Frame n holds two moments, the first in those rows that the encoder calls the first field.

    Args:
        told: the file says that it is interlaced; else the first field has the first row.
    """
    with av.open(str(path), "w") as out:
        options = WOVEN[codec] if told else {k: v for k, v in WOVEN[codec].items() if k != "flags"}
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.thread_count = 1
        for n in range(FRAMES):
            early, late = MOMENTS[2 * n : 2 * n + 2]
            woven, first = picture(late), FIRST_ROW if told else 0
            woven[first::2] = picture(early)[first::2]
            frame = av.VideoFrame.from_ndarray(woven, format="rgb24").reformat(format="yuv420p", interpolation="POINT")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("codec", "name"), [("libx264", "a.mts"), ("libx264", "a.mp4"), ("mpeg2video", "a.mpg")])
def test_each_frame_becomes_its_first_field_made_whole(codec, name, tmp_path):
    info = index_video(write_woven(tmp_path / name, codec))
    assert len(info) == FRAMES
    assert info.deinterlace == "frame"
    assert any("deinterlaced by bwdif" in line for line in info.warnings)
    for decoder in DECODERS:
        with open_reader(info, decoder) as reader:
            found = [image for part in reader.read(0, FRAMES, 4) for image in part.image]
        assert len(found) == FRAMES
        assert [number_of(image) for image in found] == MOMENTS[::2]
        for start, stop in [(13, 16), (8, 9), (0, 2), (18, 20)]:
            with open_reader(info, decoder) as reader:
                part = [image for part in reader.read(start, stop, 4) for image in part.image]
            assert all(np.array_equal(a, b) for a, b in zip(part, found[start:stop], strict=True))


def test_each_field_becomes_a_picture_on_wish(tmp_path):
    path = write_woven(tmp_path / "a.mts", "libx264")
    info, frames = index_video(path, None, VideoConfig(deinterlace="field")), index_video(path)
    assert len(info) == 2 * FRAMES
    assert info.fps == 50
    assert info.time_s[::2].tolist() == frames.time_s.tolist()
    assert np.allclose(np.diff(info.time_s), 0.02)
    with open_reader(info) as reader:
        found = [image for part in reader.read(0, len(info), 4) for image in part.image]
        again = [image for part in reader.read(17, 22, 4) for image in part.image]
    assert [number_of(image) for image in found] == MOMENTS
    assert all(np.array_equal(a, b) for a, b in zip(again, found[17:22], strict=True))


def test_frames_are_drawn_on_deinterlaced_and_left_alone_on_wish(tmp_path):
    path = write_woven(tmp_path / "a.mts", "libx264")
    off = index_video(path, None, VideoConfig(deinterlace="off"))
    assert off.deinterlace == ""
    assert any("leaves them so" in line for line in off.warnings)
    rows = []
    for info in (index_video(path), off):
        with PlaneReader(info, info.size_px) as reader:
            luma = planes_of(dict(reader.read(5, 6))[5])[0].astype(float)
        rows.append(np.abs(np.diff(luma[10:22, 8:136], axis=0)).mean())
    assert rows[0] < 0.3 * rows[1]


def test_pictures_that_are_whole_stay_as_they_are(tmp_path):
    info = index_video(write_clip(Clip("a.mp4"), tmp_path))
    assert info.deinterlace == ""
    assert decord_reads(info)


@pytest.mark.parametrize("each", ["frame", "field"])
def test_frames_that_do_not_say_so_are_deinterlaced_on_wish(each, tmp_path):
    path = write_woven(tmp_path / "a.mkv", "libx264", told=False)
    assert index_video(path).deinterlace == ""
    info = index_video(path, None, VideoConfig(deinterlace=each))
    assert info.deinterlace == {"frame": "all", "field": "field"}[each]
    assert any("deinterlaced by bwdif" in line for line in info.warnings)
    with open_reader(info) as reader:
        found = [image for part in reader.read(0, len(info), 4) for image in part.image]
        again = [image for part in reader.read(13, 16, 4) for image in part.image]
    assert [number_of(image) for image in found] == MOMENTS[:: 2 if each == "frame" else 1]
    assert all(np.array_equal(a, b) for a, b in zip(again, found[13:16], strict=True))


def test_several_pictures_tell_whether_a_video_is_interlaced(tmp_path):
    def looked_at(flags: str, codec: str = "h264", order: int = 0) -> bool:
        frames = iter([SimpleNamespace(interlaced_frame=flag == "i") for flag in flags])
        context = SimpleNamespace(name=codec, field_order=order)
        return first_pictures._interlaced(frames, SimpleNamespace(codec_context=context))

    assert looked_at("ppppppi")
    assert not looked_at("pppppppi")  # the eighth after the first: too late
    assert looked_at(100 * "p" + "i", order=2)  # where the header names an order of fields, more are looked at
    assert not looked_at(100 * "p", order=2)
    assert not looked_at("pi", "hevc")
    assert index_video(write_woven(tmp_path / "a.mts", "libx264")).deinterlace == "frame"
