"""Odd sides, palettes, 4:4:4 and RGB, and subtitles before the video: both readers give the same pictures."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.video.decode import DECODERS, open_reader
from pipeline.video.index import index_video
from tests.video.clips import Clip, number_of, picture, write_clip

FRAMES, SIZE, ODD = 12, (160, 96), (161, 97)
KINDS = [
    ("odd.avi", "mpeg4", "yuv420p", {"g": "8"}),
    ("odd.webm", "libvpx-vp9", "yuv420p", {"g": "8", "deadline": "realtime", "cpu-used": "8"}),
    ("odd_422.mkv", "ffv1", "yuv422p", {}),
    ("odd_444.mp4", "libx264", "yuv444p", {"g": "8", "bf": "2", "preset": "veryfast"}),
    ("odd_444_10.mkv", "libx264", "yuv444p10le", {"g": "8", "preset": "veryfast"}),
    ("odd_rgb.mp4", "libx264rgb", "rgb24", {"preset": "veryfast"}),
    ("odd_bgr.avi", "rawvideo", "bgr24", {}),
]


def both(path: Path, size_px: tuple[int, int]) -> np.ndarray:
    """The pictures that both readers give, which are numbered from 0."""
    info = index_video(path)
    assert info.size_px == size_px
    np.testing.assert_allclose(info.time_s, np.arange(FRAMES) / 10, atol=0.002)
    seen = []
    for decoder in DECODERS:
        with open_reader(info, decoder) as reader:
            seen.append(np.concatenate([part.image for part in reader.read(0, FRAMES, 5)]))
    np.testing.assert_array_equal(*seen)
    assert [number_of(image) for image in seen[0]] == list(range(FRAMES))
    return seen[0]


@pytest.mark.parametrize(("name", "codec", "form", "options"), KINDS, ids=[kind[0] for kind in KINDS])
def test_odd_sides_and_pixel_formats(name, codec, form, options, tmp_path):
    clip = Clip(name, codec, form, size_px=ODD, frames=FRAMES, time_base=Fraction(1, 10), rate=10, options=options)
    seen = both(write_clip(clip, tmp_path), ODD)
    assert np.abs(seen[3].astype(int) - picture(3, ODD)).mean() < 12


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "rawvideo"), ("a.mov", "png"), ("a.gif", "gif")])
def test_palettes(name, codec, tmp_path):
    size = SIZE if codec == "rawvideo" else ODD
    palette = np.tile(np.arange(256, dtype=np.uint8)[:, None], 4)  # alpha, red, green, blue
    palette[:, 0] = 255
    with av.open(str(tmp_path / name), "w") as out:
        stream = out.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "pal8"
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray((picture(number, size)[..., 0].copy(), palette), format="pal8")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    np.testing.assert_array_equal(both(tmp_path / name, size)[5], np.repeat(picture(5, size)[..., :1], 3, 2))


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def listed(name: bytes, *chunks: bytes) -> bytes:
    return chunk(b"LIST", name + b"".join(chunks))


def header(kind: bytes, codec: bytes, rate: int, count: int, form: bytes) -> bytes:
    """A stream of an AVI file; ``form`` describes its data."""
    corner = (*SIZE,) if kind == b"vids" else (0, 0)
    told = struct.pack("<IHHIIIIIIIIhhhh", 0, 0, 0, 0, 1, rate, 0, count, 0, 0xFFFFFFFF, 0, 0, 0, *corner)
    return listed(b"strl", chunk(b"strh", kind + codec + told), chunk(b"strf", form))


def test_subtitles_before_the_video(tmp_path):
    """AVI with subtitles (GAB2) as its first stream, which FFmpeg reads and does not write."""
    srt, name = b"1\r\n00:00:00,000 --> 00:00:01,000\r\nHello\r\n\r\n", "a.srt\0".encode("utf-16-le")
    words = b"GAB2\0" + struct.pack("<HI", 2, len(name)) + name + struct.pack("<HI", 4, len(srt)) + srt
    jpegs = [cv2.imencode(".jpg", picture(i, SIZE)[..., ::-1])[1].tobytes() for i in range(FRAMES)]
    form = struct.pack("<IiiHH4sIiiII", 40, *SIZE, 1, 24, b"MJPG", SIZE[0] * SIZE[1] * 3, 0, 0, 0, 0)
    head = chunk(b"avih", struct.pack("<14I", 100_000, 0, 0, 16, FRAMES, 0, 2, 0, *SIZE, 0, 0, 0, 0))
    streams = header(b"txts", bytes(4), 1000, 1, b""), header(b"vids", b"MJPG", 10, FRAMES, form)
    body, index, at = b"", b"", 4
    for kind, data in [(b"00tx", words), *((b"01dc", jpeg) for jpeg in jpegs)]:
        index += kind + struct.pack("<III", 16, at, len(data))
        body += chunk(kind, data)
        at = 4 + len(body)
    parts = listed(b"hdrl", head, *streams), listed(b"movi", body), chunk(b"idx1", index)
    (tmp_path / "a.avi").write_bytes(chunk(b"RIFF", b"AVI " + b"".join(parts)))
    assert av.open(str(tmp_path / "a.avi")).streams[0].type == "subtitle"
    both(tmp_path / "a.avi", SIZE)
