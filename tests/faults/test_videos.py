"""Videos that are damaged, absurd or merely odd: a result with its losses said, or one line; never anything else."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline import PoselineError
from pipeline.core.settings import LiveConfig
from pipeline.live.source import open_source, parse_source
from pipeline.video import decode, shape
from pipeline.video.decode import open_reader
from pipeline.video.index import index_video
from pipeline.video.media import MOST_PIXELS


def write(path: Path, sizes_px: tuple[int, int] = (64, 48), frames: int = 24, codec: str = "libx264", **more) -> Path:
    """A clip; ``pixels``, ``fps``, ``options`` and ``pts`` as in `soak_videos`."""
    fps, pixels = more.get("fps", Fraction(30)), more.get("pixels", "yuv420p")
    pts = more.get("pts", range(frames))
    with av.open(str(path), "w", options=more.get("muxer", {})) as out:
        stream = out.add_stream(codec, rate=fps, options=more.get("options", {}))
        stream.width, stream.height, stream.pix_fmt = *sizes_px, pixels
        stream.time_base = stream.codec_context.time_base = 1 / fps
        stream.codec_context.thread_count = 1
        for i, at in enumerate(pts):
            image = np.full((sizes_px[1], sizes_px[0], 3), 5 * i % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = at, 1 / fps
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def read(path: Path) -> tuple[int, list[str]]:
    """How many frames come out, and all that is said."""
    info = index_video(path)
    with open_reader(info) as reader:
        count = sum(len(batch) for batch in reader.read(0, len(info), 4))
        return count, [*info.warnings, *reader.warnings]


def refused(path: Path) -> str:
    with pytest.raises(PoselineError) as caught:
        index_video(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


ODD = [
    ("gray.mkv", {"codec": "ffv1", "pixels": "gray"}),
    ("alpha.mkv", {"codec": "ffv1", "pixels": "yuva420p"}),
    ("ten_bits.mkv", {"codec": "ffv1", "pixels": "yuv420p10le"}),
    ("sixteen.mkv", {"codec": "ffv1", "pixels": "gray16le"}),
    ("tiny.mkv", {"codec": "ffv1", "sizes_px": (1, 1)}),
    ("small.mp4", {"sizes_px": (16, 16)}),
    ("odd.mkv", {"codec": "ffv1", "sizes_px": (17, 31)}),
    ("one.mp4", {"frames": 1}),
    ("two.mp4", {"frames": 2}),
    ("fast.mkv", {"fps": Fraction(1000)}),
    ("slow.mp4", {"fps": Fraction(1, 10)}),
]


@pytest.mark.parametrize(("name", "how"), ODD, ids=[name for name, _ in ODD])
def test_odd_but_whole_videos_come_out_whole_and_nothing_is_said(tmp_path: Path, name: str, how: dict) -> None:
    count, said = read(write(tmp_path / name, **how))
    assert count == how.get("frames", 24)
    assert said == []


def test_an_interlaced_video_comes_out_whole_and_says_what_was_done(tmp_path: Path) -> None:
    count, (line,) = read(write(tmp_path / "interlaced.mp4", options={"flags": "+ildct+ilme"}))
    assert count == 24
    assert "deinterlaced" in line


def test_a_file_cut_short_says_what_it_lacks(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.mp4", (320, 240), 60, muxer={"movflags": "+faststart"}, options={"g": "6"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: int(0.7 * whole.stat().st_size)])
    count, said = read(cut)
    assert 0 < count < 60
    assert any("cut short or damaged" in line or "could not be decoded" in line for line in said)
    avi = write(tmp_path / "whole.avi", (320, 240), 60, "mpeg4")
    cut = tmp_path / "cut.avi"
    cut.write_bytes(avi.read_bytes()[: avi.stat().st_size // 2])
    assert any("of the 60 frames are in it" in line for line in read(cut)[1])


def retimed(tmp_path: Path, times: list[int]) -> Path:
    """A Matroska file whose packets have these times, in ms."""
    source = write(tmp_path / "source.mkv", codec="mpeg4", frames=len(times), options={"bf": "0"})
    with av.open(str(source)) as container, av.open(str(tmp_path / "retimed.mkv"), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for packet, at in zip((p for p in container.demux(stream) if p.size), times, strict=True):
            packet.stream, packet.pts, packet.dts = copy, at, at
            out.mux(packet)
    return tmp_path / "retimed.mkv"


def test_pictures_at_one_time_are_one_picture_and_it_is_said(tmp_path: Path) -> None:
    path = retimed(tmp_path, [i // 2 * 33 for i in range(24)])
    info = index_video(path)
    assert (np.diff(info.time_s) > 0).all()
    assert "12 frames with the time of another left out" in info.warnings[0]
    assert read(path)[0] == 12


def test_times_that_make_no_sense_become_even(tmp_path: Path) -> None:
    info = index_video(retimed(tmp_path, [*range(0, 660, 33), 10**13, 10**13 + 33]))
    assert "make no sense" in info.warnings[0]
    np.testing.assert_allclose(np.diff(info.time_s), np.diff(info.time_s)[0])
    assert read(info.path)[0] == len(info) == 22


def test_absurd_sizes_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    ok, png = cv2.imencode(".png", np.zeros((9000, 9000), np.uint8))
    assert ok
    assert MOST_PIXELS < 9000 * 9000
    with av.open(str(tmp_path / "large.avi"), "w") as out:
        stream = out.add_stream("png", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "gray"
        packet = av.Packet(png.tobytes())
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 30)
        out.mux(packet)
    assert "claims pictures of 9000x9000 pixels; at most 64 Mi" in refused(tmp_path / "large.avi")
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "1.png").write_bytes(png.tobytes())
    with pytest.raises(PoselineError, match=r"1\.png: claims pictures of 9000x9000 pixels; at most 64 Mi"):
        index_video(folder, Fraction(30))


def test_a_batch_of_large_pictures_is_a_smaller_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = index_video(write(tmp_path / "a.mp4"))
    monkeypatch.setattr(decode, "BATCH_BYTES", 3 * 64 * 48 * 2)
    with open_reader(info) as reader:
        assert [len(batch) for batch in reader.read(0, 6, 4)] == [2, 2, 2]


@pytest.mark.parametrize(
    "content",
    [
        b"ffconcat version 1.0\nfile secret.mp4\n",  # further files
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.ts\n#EXT-X-ENDLIST\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        b"plain text\n" * 200,  # which FFmpeg would show as a picture
        b"\x80\x04cposix\nsystem\n",
        b"PK\x03\x04" + bytes(500),
    ],
)
def test_a_file_that_leads_elsewhere_is_no_video(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "secret.mp4")
    for name in ("list.mp4", "list.txt"):
        (tmp_path / name).write_bytes(content)
        assert "not a video" in refused(tmp_path / name)


@pytest.mark.parametrize("name", ["concat:a|b.mp4", "http:__x.mp4", "-i.mp4", "a%03d\n.mp4", "ü\udcff.mp4", "x" * 251])
def test_a_name_is_a_file_whatever_it_looks_like(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.mp4").rename(tmp_path / name)
    assert read(path)[0] == 24


def test_metadata_that_is_no_text_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        out.metadata["title"] = "A" * 40
        stream = out.add_stream("mpeg4", rate=30)
        stream.metadata["title"] = "A" * 40
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    assert path.read_bytes().count(b"A" * 40) == 2  # of the file and of its stream
    path.write_bytes(path.read_bytes().replace(b"A" * 40, b"\xff\xfe" * 20))
    assert read(path)[0] == 3
    with open_source(parse_source(str(path)), LiveConfig()) as container:
        assert sum(1 for _ in container.decode(video=0)) == 3
    assert shape._number("sideways") == 0


def test_damaged_files_end_in_frames_or_one_line(tmp_path: Path) -> None:
    """A few of the soak's; `scripts/soak.py --only videos` has as many as wanted."""
    rng, ends = np.random.default_rng(5), []
    kinds = (("a.mp4", "libx264"), ("b.mkv", "mpeg4"), ("c.ts", "mpeg2video"))
    clips = [write(tmp_path / name, frames=60, codec=codec) for name, codec in kinds]
    for n in range(40):
        clip = clips[n % len(clips)]
        data = bytearray(clip.read_bytes())
        for at in rng.integers(0, len(data), 1 + n):
            data[at] ^= 1 << int(rng.integers(8))
        path = tmp_path / f"damaged_{n}{clip.suffix}"
        path.write_bytes(data[: int(rng.integers(len(data) // 2, len(data) + 1))])
        try:
            count, said = read(path)
            ends.append("whole" if count == 60 else "partly")
            assert count > 60 - 30 or said or path.suffix == ".ts"  # which states no duration
        except PoselineError as error:
            ends.append("refused")
            said = [str(error)]
        assert not any("\n" in line for line in said)
    assert {"partly", "refused"} <= set(ends)
