"""Every container with every codec that FFmpeg writes into it: all pictures, in order, from anywhere, alike by both."""

from fractions import Fraction

import numpy as np
import pytest

from pipeline.video.decode import DECODERS, open_reader
from pipeline.video.index import index_video
from tests.video.clips import Clip, number_of, write_clip

FRAMES = 20
X265 = "log-level=none:keyint=8:min-keyint=8:bframes=2:b-adapt=0:scenecut=0:pools=none:frame-threads=1"
CODECS = {  # encoder, pixel format, options
    "h264": ("libx264", "yuv420p", {"g": "8", "bf": "2", "preset": "veryfast"}),
    "hevc": ("libx265", "yuv420p", {"preset": "ultrafast", "x265-params": X265}),
    "vp8": ("libvpx", "yuv420p", {"g": "8", "deadline": "realtime"}),
    "vp9": ("libvpx-vp9", "yuv420p", {"g": "8", "deadline": "realtime", "cpu-used": "8"}),
    "av1": ("libsvtav1", "yuv420p", {"g": "8", "preset": "8", "crf": "5", "svtav1-params": "lp=1"}),
    "mpeg2": ("mpeg2video", "yuv420p", {"g": "8", "bf": "2", "qmax": "4"}),
    "mpeg4": ("mpeg4", "yuv420p", {"g": "8", "bf": "2", "qmax": "4"}),
    "mjpeg": ("mjpeg", "yuvj420p", {}),
    "prores": ("prores_ks", "yuv422p10le", {}),
    "ffv1": ("ffv1", "yuv420p", {"g": "8"}),
    "wmv2": ("wmv2", "yuv420p", {"g": "8"}),
}
CONTAINERS = {
    "mp4": ("h264", "hevc", "vp9", "av1", "mpeg2", "mpeg4", "mjpeg"),
    "mov": ("h264", "hevc", "mpeg2", "mpeg4", "mjpeg", "prores"),
    "mkv": ("h264", "hevc", "vp8", "vp9", "av1", "mpeg2", "mpeg4", "mjpeg", "prores", "ffv1"),
    "webm": ("vp8", "vp9", "av1"),
    "avi": ("h264", "mpeg2", "mpeg4", "mjpeg", "ffv1"),
    "ts": ("h264", "hevc", "mpeg2", "mpeg4"),
    "m2ts": ("h264", "mpeg2"),
    "mpg": ("mpeg2",),
    "flv": ("h264",),
    "wmv": ("wmv2",),
    "h264": ("h264",),
    "hevc": ("hevc",),
}
PAIRS = [(container, codec) for container, codecs in CONTAINERS.items() for codec in codecs]


@pytest.mark.parametrize(("container", "codec"), PAIRS, ids=[f"{codec}.{container}" for container, codec in PAIRS])
def test_all_pictures_in_order_and_from_anywhere(container, codec, tmp_path):
    encoder, form, options = CODECS[codec]
    clip = Clip(f"a.{container}", encoder, form, frames=FRAMES, time_base=Fraction(1, 25), options=options)
    info = index_video(write_clip(clip, tmp_path))
    assert len(info) == FRAMES
    assert np.abs(np.diff(info.time_s) - 0.04).max() < 0.0011
    assert info.fps == pytest.approx(25, rel=0.01)
    assert not any("damaged" in line or "left out" in line for line in info.warnings)
    whole = {}
    for decoder in DECODERS:
        with open_reader(info, decoder) as reader:
            whole[decoder] = [image for part in reader.read(0, FRAMES, 8) for image in part.image]
        assert [number_of(image) for image in whole[decoder]] == list(range(FRAMES))
        for start, stop in ((13, 15), (5, 9)):
            with open_reader(info, decoder) as reader:
                some = [image for part in reader.read(start, stop, 8) for image in part.image]
            assert all(np.array_equal(a, b) for a, b in zip(some, whole[decoder][start:stop], strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(whole["decord"], whole["pyav"], strict=True))
