import hashlib
import os
import threading
from fractions import Fraction
from io import BytesIO
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from pipeline.core.errors import PoselineError
from pipeline.core.settings import VideoConfig
from pipeline.store.manifest import video_facts
from pipeline.video.decode import DECODERS, open_reader
from pipeline.video.index import index_video
from pipeline.video.inputs import find_inputs, image_files, keep, spool
from tests.video.clips import B_FRAMES, HEALTHY, Clip, number_of, picture, remux, write_clip, write_sound


@pytest.mark.parametrize("clip", [c for c in HEALTHY if c.name != "raw.h264"], ids=lambda c: c.name)
def test_the_table_holds_exactly_the_pts_that_decoding_yields(clip, tmp_path):
    path = write_clip(clip, tmp_path)
    info = index_video(path)
    with av.open(str(path)) as container:
        assert info.pts.tolist() == [frame.pts for frame in container.decode(video=0)]
        assert info.time_base == container.streams.video[0].time_base
    assert info.time_s.tolist() == [float(p * info.time_base) for p in info.pts.tolist()]
    assert info.size_px == clip.size_px
    assert (info.rotation_deg, info.mirrored) == (clip.rotation_deg, clip.mirrored)
    assert info.pixel_aspect == clip.pixel_aspect
    assert any("not square" in line for line in info.warnings) == (clip.pixel_aspect != 1)
    assert info.is_key[0] or clip.name == "mpeg4_b.avi"
    assert info.seen is None
    assert info.has_audio == (clip.audio is not None)


def test_variable_times_are_kept_to_the_tick(tmp_path):
    times = (0, 400, 1100, 1150, 5000)
    info = index_video(write_clip(Clip("a.mp4", frames=5, time_base=Fraction(1, 12800), pts=times), tmp_path))
    assert info.pts.tolist() == list(times)
    assert info.time_base == Fraction(1, 12800)


def test_rate_is_a_fraction(tmp_path):
    path = write_clip(Clip("a.mp4", time_base=Fraction(1001, 30000)), tmp_path)
    assert index_video(path).fps == Fraction(30000, 1001)


def test_a_rate_for_a_file_is_refused_with_the_option_that_helps(tmp_path):
    path = write_clip(Clip("a.mp4", frames=5), tmp_path)
    with pytest.raises(PoselineError) as told:
        index_video(path, Fraction(60))
    assert str(told.value) == (
        f"{path}: --fps 60 is for folders of images and bare streams; this file has times of its own: leave --fps"
        " out, or give --recorded-fps 60 if that many frames were recorded in a second"
    )


def test_a_file_without_a_frame_rate_has_that_of_its_usual_step(tmp_path):
    """As browsers write WebM: uneven times in milliseconds, and 1000 as the rate, or none."""
    steps = np.random.default_rng(3).integers(29, 38, 40)
    times = tuple(int(t) for t in np.cumsum(steps))
    options = {"g": "10", "deadline": "realtime"}
    clip = Clip("browser.webm", codec="libvpx", time_base=Fraction(1, 1000), pts=times, options=options, rate=1000)
    path = write_clip(clip, tmp_path)
    with av.open(str(path)) as container:
        assert not container.streams.video[0].average_rate or container.streams.video[0].average_rate > 900
    info = index_video(path)
    assert info.pts.tolist() == list(times)
    assert 28 < info.fps < 32
    assert any("no frame rate" in line for line in info.warnings)


def test_time_code_and_creation_time_are_kept(tmp_path):
    with av.open(str(tmp_path / "a.mov"), "w") as out:
        out.metadata["creation_time"] = "2024-05-06T07:08:09Z"
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.metadata["timecode"] = "01:02:03:04"
        for n in range(3):
            frame = av.VideoFrame.from_ndarray(picture(n), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    info = index_video(tmp_path / "a.mov")
    assert (info.timecode, info.created) == ("01:02:03:04", "2024-05-06T07:08:09Z")
    facts = video_facts(info)
    assert (facts["timecode"], facts["created"]) == ("01:02:03:04", "2024-05-06T07:08:09Z")
    plain = index_video(write_clip(Clip("a.mkv", frames=2), tmp_path))
    assert (plain.timecode, plain.created) == ("", "")


def test_key_frames_are_where_they_were_put(tmp_path):
    info = index_video(write_clip(Clip("a.mp4", options=B_FRAMES), tmp_path))
    assert np.flatnonzero(info.is_key).tolist() == [0, 10, 20, 30]


def test_discarded_packets_are_not_frames(tmp_path):
    source = write_clip(Clip("a.mp4", options=B_FRAMES), tmp_path)
    path = remux(source, tmp_path / "cut.mp4", shift=-5 * 512)
    with av.open(str(path)) as container:
        assert sum(p.is_discard for p in container.demux(video=0)) == 5
    info = index_video(path)
    assert len(info) == 35
    assert info.pts[0] == 0
    assert not info.is_key[0]


def test_frames_left_out_on_purpose_are_no_damage(tmp_path):
    source = write_clip(Clip("a.mp4", options=B_FRAMES), tmp_path)
    trimmed = index_video(remux(source, tmp_path / "cut.mp4", shift=-12 * 512))
    assert (len(trimmed), trimmed.warnings) == (28, ())
    video = write_clip(Clip("b.avi", codec="mpeg4", options={"g": "10", "bf": "0"}), tmp_path)
    dropped = remux(video, tmp_path / "dropped.avi", drop=frozenset((4, 13, 22, 31)))
    with av.open(str(dropped)) as container:
        assert container.streams.video[0].frames == 40
    info = index_video(dropped)
    assert (len(info), info.warnings) == (36, ())
    assert info.pts[-1] == 39


def test_frames_that_are_missing_are_said(tmp_path):
    path = write_clip(Clip("a.mp4", options=B_FRAMES), tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    assert any("cut short or damaged" in line and "of the 40 frames" in line for line in index_video(path).warnings)


def test_pictures_before_the_first_that_decodes_are_not_frames(tmp_path):
    source = write_clip(Clip("a.mp4", options=B_FRAMES), tmp_path)
    info = index_video(remux(source, tmp_path / "b.ts", drop=frozenset(range(4))))
    assert len(info) == 30
    assert info.is_key[0]


def test_a_stream_without_times_gets_equal_steps(tmp_path):
    info = index_video(write_clip(Clip("a.h264", options=B_FRAMES), tmp_path))
    assert len(info) == 40
    assert len(set(np.diff(info.pts).tolist())) == 1
    assert np.flatnonzero(info.is_key).tolist() == [0, 10, 20, 30]


def two_videos(path):
    """A small video of the numbers from 100 on, and a large one of those from 0 on."""
    with av.open(str(path), "w") as out:
        streams = []
        for size in ((160, 96), (320, 192)):
            stream = out.add_stream("libx264", rate=30, options={"g": "10", "preset": "ultrafast"})
            (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
            stream.disposition = av.stream.Disposition.default  # else MP4 makes the first one the default
            streams.append(stream)
        for n in range(12):
            for stream, first in zip(streams, (100, 0), strict=True):
                image = picture(first + n, (stream.width, stream.height))
                frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = n, Fraction(1, 30)
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["two.mkv", "two.mp4"])
def test_of_several_videos_the_largest_is_read_or_the_one_asked_for(name, tmp_path):
    path = two_videos(tmp_path / name)
    for wanted, size_px, first in ((None, (320, 192), 0), (0, (160, 96), 100), (1, (320, 192), 0)):
        info = index_video(path, None, VideoConfig(stream=wanted))
        assert info.size_px == size_px
        assert "2 videos (0: 160x96, 1: 320x192)" in info.warnings[0]
        for decoder in DECODERS:
            with open_reader(info, decoder) as reader:
                found = [number_of(image) for part in reader.read(3, 6, 4) for image in part.image]
            assert found == [first + 3, first + 4, first + 5]
    with pytest.raises(PoselineError, match="--stream 2: it has 2 videos"):
        index_video(path, None, VideoConfig(stream=2))


def test_digest_is_of_the_content_only(tmp_path):
    first = write_clip(Clip("a.mp4"), tmp_path)
    second = tmp_path / "other.mp4"
    second.write_bytes(first.read_bytes())
    os.utime(second, (1, 1))
    assert index_video(first).digest == index_video(second).digest
    data = first.read_bytes()
    assert (
        index_video(first).digest == hashlib.blake2b(data + len(data).to_bytes(8, "little"), digest_size=16).hexdigest()
    )
    third = write_clip(Clip("c.mp4", frames=39), tmp_path)
    assert index_video(third).digest != index_video(first).digest


def error_of(path, **kwargs) -> str:
    with pytest.raises(PoselineError) as caught:
        index_video(path, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_errors_are_one_line_each(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    (tmp_path / "folder").mkdir()
    header = write_clip(Clip("header.mp4"), tmp_path)
    header.write_bytes(header.read_bytes()[:300])
    with av.open(str(tmp_path / "sound.m4a"), "w", format="mp4") as out:
        write_sound(out, out.add_stream("aac", rate=48000, layout="mono"), 0.5, 0.0)
    assert "no such file" in error_of(tmp_path / "missing.mp4")
    assert "empty" in error_of(tmp_path / "empty.mp4")
    assert "not a video" in error_of(tmp_path / "text.mp4")
    assert "no images" in error_of(tmp_path / "folder")
    assert "header is damaged" in error_of(header)
    assert "only audio" in error_of(tmp_path / "sound.m4a")


@pytest.mark.parametrize("name", ["camera.insv", "camera.360"])
def test_spherical_video_is_refused_with_a_word(name, tmp_path):
    path = write_clip(Clip("a.mp4", frames=2), tmp_path).rename(tmp_path / name)
    assert "360° video is not read; export it flat" in error_of(path)


def test_permission_denied_is_said(tmp_path, monkeypatch):
    path = write_clip(Clip("a.mp4", frames=2), tmp_path)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # a mode would not stop root
    assert "permission denied" in error_of(path)


def test_images_are_in_natural_order_and_need_a_rate(tmp_path):
    for number in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"frame{number}.png"), picture(number))
    (tmp_path / "notes.txt").touch()
    assert [p.name for p in image_files(tmp_path)] == ["frame1.png", "frame2.png", "frame10.png"]
    info = index_video(tmp_path, Fraction(30000, 1001))
    assert (info.kind, len(info), info.size_px) == ("images", 3, (160, 96))
    assert info.time_s[1] == pytest.approx(1001 / 30000)
    assert "frame rate" in error_of(tmp_path)


def numbers_of(info) -> list[int]:
    with open_reader(info) as reader:
        return [number_of(image) for part in reader.read(0, len(info), 4) for image in part.image]


def test_numbers_missing_in_the_names_of_images_count_in_time(tmp_path):
    for n in (0, 1, 2, 6, 7, 8):
        cv2.imwrite(str(tmp_path / f"img_{100 + 2 * n:04d}.png"), picture(n)[..., ::-1])
    info = index_video(tmp_path, Fraction(30))
    assert info.pts.tolist() == [0, 1, 2, 6, 7, 8]
    assert info.time_s[3] == pytest.approx(0.2)
    (line,) = info.warnings
    assert "3 numbers are missing" in line
    assert "img_0104.png" in line
    assert numbers_of(info) == [0, 1, 2, 6, 7, 8]
    for path, n in zip(sorted(tmp_path.iterdir()), (3, 1000, 20000, 20001, 4711, 9), strict=True):
        path.rename(tmp_path / f"t{n}.png")
    assert index_video(tmp_path, Fraction(30)).pts.tolist() == [0, 1, 2, 3, 4, 5]  # these names do not count


def test_names_that_are_seconds_are_in_the_order_of_their_values(tmp_path):
    names = ["0", "0.167", "0.333", "0.5", "1", "1.167", "10.5"]
    for n, name in enumerate(names):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture(n)[..., ::-1])
    info = index_video(tmp_path, Fraction(6))
    assert numbers_of(info) == list(range(7))
    assert info.pts.tolist() == list(range(7))


def test_all_pages_of_tiff_files_are_pictures(tmp_path):
    cv2.imwritemulti(str(tmp_path / "a.tif"), [picture(n)[..., ::-1] for n in range(5)])
    cv2.imwritemulti(str(tmp_path / "b.tif"), [picture(n)[..., ::-1] for n in range(5, 8)])
    assert numbers_of(index_video(tmp_path, Fraction(10))) == list(range(8))
    info = index_video(tmp_path / "a.tif", Fraction(10))
    assert numbers_of(info) == list(range(5))
    assert info.time_s.tolist() == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert "no frame rate" in error_of(tmp_path / "a.tif")


def test_images_of_twelve_bits_in_sixteen_are_as_bright_as_others(tmp_path):
    for n in range(4):
        values = np.rint(picture(n)[..., ::-1].astype(float) * (4095 / 255)).astype(np.uint16)
        cv2.imwrite(str(tmp_path / f"{n}.png"), values // (1 if n else 2))  # one is darker
    info = index_video(tmp_path, Fraction(30))
    assert info.bits == 12
    assert "0 to 4095" in info.warnings[0]
    with open_reader(info) as reader:
        images = [image for part in reader.read(0, 4, 4) for image in part.image]
    assert np.array_equal(images[2], picture(2))
    assert np.abs(images[0].astype(int) - picture(0) / 2).max() <= 1


def test_images_of_two_sizes_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), picture(1))
    cv2.imwrite(str(tmp_path / "2.png"), picture(1, (200, 96)))
    with pytest.raises(PoselineError, match=r"2\.png: 200x96 pixels but 1\.png has 160x96"):
        index_video(tmp_path, Fraction(30))


def test_exif_turns_count_for_the_size(tmp_path):
    _, jpeg = cv2.imencode(".jpg", picture(1))
    turned = b"\x4d\x4d\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    exif = b"Exif\x00\x00" + turned
    data = jpeg.tobytes()
    (tmp_path / "1.jpg").write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    assert index_video(tmp_path, Fraction(30)).size_px == (96, 160)


def test_a_pipe_is_copied_to_the_folder(tmp_path, monkeypatch):
    clip = write_clip(Clip("a.mp4"), tmp_path)
    assert spool(clip, tmp_path / "kept") == clip
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(clip.read_bytes()))
    writer.start()
    copied = spool(fifo, tmp_path / "kept")
    writer.join()
    assert copied.parent == tmp_path / "kept"
    digest = index_video(clip).digest
    assert index_video(copied).digest == digest
    kept = keep(copied, fifo, tmp_path / "kept", digest)
    assert (kept.name, copied.exists()) == ("fifo.video", False)
    other = tmp_path / "kept" / "other"
    other.write_bytes(b"another video")
    beside = keep(other, fifo, tmp_path / "kept", "0123456789")
    assert (beside.name, beside.read_bytes()) == ("fifo-01234567.video", b"another video")
    assert index_video(kept).digest == digest
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO(clip.read_bytes())))
    assert len(index_video(spool("-", tmp_path / "kept"))) == 40
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO(b"")))
    with pytest.raises(PoselineError, match="the pipe gave no data"):
        spool("-", tmp_path / "kept")


def test_inputs_are_expanded(tmp_path):
    videos, images, nothing = tmp_path / "videos", tmp_path / "images", tmp_path / "nothing"
    for folder in (videos, images, nothing, videos / "deeper"):
        folder.mkdir()
    for name in ("b10.mp4", "b9.MOV", "tape.dv", "tape.m2t", "notes.txt", "deeper/c.mp4"):
        (videos / name).touch()
    (images / "1.png").touch()
    expected = [videos / "b9.MOV", videos / "b10.mp4", videos / "tape.dv", videos / "tape.m2t", images]
    assert find_inputs([str(videos), str(images)]) == expected
    assert [str(p) for p in find_inputs(["-", str(videos / "notes.txt")])] == ["-", str(videos / "notes.txt")]
    with pytest.raises(PoselineError, match="no videos and no images"):
        find_inputs([str(nothing)])
    with pytest.raises(PoselineError, match="no such file"):
        find_inputs([str(tmp_path / "x")])
